//! Starts and leaves shadow mode.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::{Connection, PgConnection};
use uuid::Uuid;

use super::plan::{Plan, PlannedChange, digest_of_batch};
use super::store;
use crate::db::employee_keys::employee_key;
use crate::db::error::is_deadlock;
use crate::engine::accounts::AccountsTable;
use crate::engine::audit::{self, Actor, AuditAction, AuditEntry};
use crate::engine::evaluate::evaluate_answers;
use crate::engine::execute::{Outcome, execute};
use crate::engine::holds::{self, NewHold};
use crate::engine::origin::Origin;
use crate::engine::policies::Policies;
use crate::engine::safeguard::change_of;
use crate::roster;
use leaver_core::decision::request_change;
use leaver_core::domain::{Employee, EmployeeKey, SourceName};
use leaver_core::safeguard::SourceMode;

/// Tenant and employee id of an audit entry that is about no employee.
const NOBODY: &str = "-";
/// Attempts at a transaction that waits for one which waits for it.
const ATTEMPTS: usize = 5;

/// The answer about the planned changes of a source that leaves shadow mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum Backlog {
    /// They are made, within the limits of the safeguard.
    Release,
    /// The accounts stay as they are until the facts change.
    Accept,
}

/// The result of a request to leave shadow mode.
#[derive(Debug, Serialize)]
pub struct ModeChange {
    /// The source.
    pub source: SourceName,
    /// The mode before.
    pub before: SourceMode,
    /// The mode now.
    pub mode: SourceMode,
    /// The plan before.
    pub plan: Plan,
    /// The result of each planned change, in the order of the plan. Empty if nothing was done.
    pub results: Vec<BacklogResult>,
    /// The digest of the changes that were made, after a release.
    pub digest: Option<String>,
    /// The batch of the changes that were made.
    pub batch: Option<Uuid>,
    /// Trips that hold changes.
    pub trips: BTreeSet<i64>,
}

impl ModeChange {
    /// Returns true if changes are planned and no answer was given, so that nothing was done.
    #[must_use]
    pub fn needs_answer(&self) -> bool {
        self.mode == SourceMode::Shadow
    }

    /// Counts the results by outcome.
    #[must_use]
    pub fn outcomes(&self) -> BTreeMap<&'static str, usize> {
        let mut counts = BTreeMap::new();
        for result in &self.results {
            *counts.entry(result.outcome).or_default() += 1;
        }
        counts
    }
}

/// The result of a planned change.
#[derive(Debug, Serialize)]
pub struct BacklogResult {
    /// The planned change.
    #[serde(flatten)]
    pub change: PlannedChange,
    /// `accepted`, or the outcome of a release, such as `deactivated`.
    pub outcome: &'static str,
    /// Why the change was not made, if it was not.
    pub why: Option<String>,
}

/// Puts a source into shadow mode. When it returns, no transaction changes an account by this source any more. Returns false
/// if the source is in shadow mode already.
///
/// # Errors
/// Returns the database's error; nothing was done then.
pub async fn start_shadow_mode(
    conn: &mut PgConnection,
    policies: &Policies,
    source: &SourceName,
    actor: &Actor,
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    super::store_start_modes(conn, policies, now).await?;
    let mut tx = conn.begin().await?;
    if store::lock_mode(&mut tx, source).await? == SourceMode::Shadow {
        return Ok(false);
    }
    store::set_mode(&mut tx, source, SourceMode::Shadow, actor, now).await?;
    let reason = "from enforce to shadow: changes are only planned";
    let entry = mode_changed(source, reason.to_owned(), actor)?;
    audit::store::record(&mut tx, &[entry], now).await?;
    tx.commit().await?;
    Ok(true)
}

/// Takes a source out of shadow mode. If changes are planned and no answer is given about them, it does nothing.
///
/// # Errors
/// Returns the database's error; nothing was done then.
pub async fn leave_shadow_mode(
    conn: &mut PgConnection,
    table: &AccountsTable,
    policies: &Policies,
    source: &SourceName,
    backlog: Option<Backlog>,
    actor: &Actor,
    now: DateTime<Utc>,
) -> Result<ModeChange, sqlx::Error> {
    super::store_start_modes(conn, policies, now).await?;
    let mut attempt = 1;
    loop {
        match try_to_leave(conn, table, policies, source, backlog, actor, now).await {
            // A delivery holds an employee and waits for the mode, while this waits for the employee.
            Err(error) if attempt < ATTEMPTS && is_deadlock(&error) => attempt += 1,
            result => return result,
        }
    }
}

async fn try_to_leave(
    conn: &mut PgConnection,
    table: &AccountsTable,
    policies: &Policies,
    source: &SourceName,
    backlog: Option<Backlog>,
    actor: &Actor,
    now: DateTime<Utc>,
) -> Result<ModeChange, sqlx::Error> {
    let mut tx = conn.begin().await?;
    // Employees before the mode, as in each transaction that changes accounts.
    let planned: Vec<EmployeeKey> = match backlog {
        Some(_) => Plan::load(&mut tx, table, Some(source)).await?.keys()?,
        None => BTreeSet::new(),
    }
    .into_iter()
    .collect();
    let sharing = policies.sharing(table);
    roster::store::lock(&mut tx, &planned, &sharing, now).await?;
    let before = store::lock_mode(&mut tx, source).await?;
    // From here on nothing is added to the plan.
    let plan = Plan::load(&mut tx, table, Some(source)).await?;
    let mut change = ModeChange {
        source: source.clone(),
        before,
        mode: SourceMode::Enforce,
        plan,
        results: vec![],
        digest: None,
        batch: None,
        trips: BTreeSet::new(),
    };
    if before == SourceMode::Enforce {
        return Ok(change);
    }
    let what = match (backlog, change.plan.changes.len()) {
        (_, 0) => "nothing was planned".to_owned(),
        (None, _) => {
            change.mode = SourceMode::Shadow;
            return Ok(change);
        }
        (Some(Backlog::Release), count) => format!("planned changes released: {count}"),
        (Some(Backlog::Accept), count) => format!("planned changes accepted: {count}"),
    };
    store::set_mode(&mut tx, source, SourceMode::Enforce, actor, now).await?;
    let entry = mode_changed(source, format!("from shadow to enforce; {what}"), actor)?;
    audit::store::record(&mut tx, &[entry], now).await?;
    let keys: Vec<EmployeeKey> = change.plan.keys()?.into_iter().collect();
    let employees = roster::store::lock(&mut tx, &keys, &sharing, now).await?;
    let employees = in_order_of(&change.plan, employees)?;
    match backlog {
        Some(Backlog::Release) => {
            release(&mut tx, table, policies, &mut change, employees, actor, now).await?;
        }
        Some(Backlog::Accept) => {
            accept(&mut tx, table, policies, &mut change, employees, actor, now).await?;
        }
        None => {}
    }
    store::delete_plan(&mut tx, source).await?;
    tx.commit().await?;
    Ok(change)
}

/// Sorts employees as their changes are planned: of two who share an account, the same one is the reason for its change.
fn in_order_of(plan: &Plan, employees: Vec<Employee>) -> Result<Vec<Employee>, sqlx::Error> {
    let mut by_key: HashMap<EmployeeKey, Employee> = employees
        .into_iter()
        .map(|employee| (employee.key.clone(), employee))
        .collect();
    let mut sorted = vec![];
    for change in &plan.changes {
        sorted.extend(by_key.remove(&change.key()?));
    }
    Ok(sorted)
}

/// Makes the planned changes that the facts still imply, within the limits of the safeguard.
async fn release(
    conn: &mut PgConnection,
    table: &AccountsTable,
    policies: &Policies,
    change: &mut ModeChange,
    employees: Vec<Employee>,
    actor: &Actor,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let origin = Origin::backlog(actor);
    let report = execute(conn, table, policies, employees, &origin, now).await?;
    let keys: Vec<EmployeeKey> = report.outcomes.keys().cloned().collect();
    let holds = holds::store::history(conn, &keys).await?;
    let trips: HashMap<EmployeeKey, i64> = keys
        .into_iter()
        .zip(holds)
        .filter_map(|(key, holds)| Some((key, holds.open()?.open_trip?.0)))
        .collect();
    for planned in &change.plan.changes {
        let key = planned.key()?;
        let outcome = report.outcomes.get(&key).copied();
        let why = match (outcome, trips.get(&key), report.blocked.get(&key)) {
            (Some(Outcome::Deactivated | Outcome::Reactivated), _, _) => None,
            (_, _, Some(blocked)) => Some(blocked.clone()),
            (Some(Outcome::Held), Some(trip), _) => Some(format!("trip {trip} of the safeguard")),
            (outcome, _, _) => Some(why_not(outcome).to_owned()),
        };
        change.results.push(BacklogResult {
            change: planned.clone(),
            outcome: outcome.map_or("skipped", Outcome::as_str),
            why,
        });
    }
    change.trips = trips.into_values().collect();
    change.digest = Some(digest_of_batch(conn, origin.batch()).await?);
    let is_made = |result: &BacklogResult| result.why.is_none();
    change.batch = change.results.iter().any(is_made).then(|| origin.batch());
    Ok(())
}

fn why_not(outcome: Option<Outcome>) -> &'static str {
    match outcome {
        Some(Outcome::Held) => "a person decides; `leaver holds list` shows the hold",
        Some(Outcome::AlreadyInactive) => "the account is inactive already",
        Some(Outcome::Scheduled | Outcome::Unchanged) => "access ends later",
        Some(Outcome::NoAccount) => "the account is gone",
        Some(Outcome::Reading) => "the employee is read from the provider's API first",
        _ => "the facts do not imply the change any more",
    }
}

/// Keeps the accounts as they are: for each change that the facts still imply, it stores a hold that the person rejected.
async fn accept(
    conn: &mut PgConnection,
    table: &AccountsTable,
    policies: &Policies,
    change: &mut ModeChange,
    employees: Vec<Employee>,
    actor: &Actor,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let evaluation = evaluate_answers(conn, table, policies, employees, now).await?;
    let (mut rejected, mut entries) = (vec![], vec![]);
    for evaluated in &evaluation.decided {
        let Some((account, direction)) = change_of(&evaluated.decision) else {
            continue;
        };
        let employee = &evaluated.employee;
        let reason = evaluated.decision.reason.clone();
        rejected.push(NewHold {
            employee: employee.key.clone(),
            work_email: None,
            question: request_change(employee, direction.requested_action(), account),
            reason: reason.clone(),
            delivery: employee.last_delivery_id,
            trip: None,
        });
        entries.push(AuditEntry {
            action: AuditAction::Accepted,
            reason,
            employee: employee.key.clone(),
            account: Some(account.clone()),
            delivery: employee.last_delivery_id,
            actor: actor.clone(),
        });
    }
    holds::store::insert_rejected(conn, &rejected, actor, now).await?;
    audit::store::record(conn, &entries, now).await?;
    let accepted: BTreeSet<&EmployeeKey> = rejected.iter().map(|hold| &hold.employee).collect();
    for planned in &change.plan.changes {
        let is_accepted = accepted.contains(&planned.key()?);
        change.results.push(BacklogResult {
            change: planned.clone(),
            outcome: if is_accepted { "accepted" } else { "skipped" },
            why: (!is_accepted).then(|| why_not(None).to_owned()),
        });
    }
    Ok(())
}

fn mode_changed(
    source: &SourceName,
    reason: String,
    actor: &Actor,
) -> Result<AuditEntry, sqlx::Error> {
    Ok(AuditEntry {
        action: AuditAction::ModeChanged,
        reason,
        employee: employee_key(source.as_str(), NOBODY.to_owned(), NOBODY.to_owned())?,
        account: None,
        delivery: None,
        actor: actor.clone(),
    })
}
