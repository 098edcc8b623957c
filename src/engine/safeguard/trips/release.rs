//! Releases a trip: each of the listed holds is decided again, and carried out if the change is still due.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use serde_json::Value;
use sqlx::{Connection, PgConnection};

use super::{Member, OPEN, Trip, TripError, close, entry_about_tenant, find_open, keys_of, store};
use crate::engine::accounts::AccountsTable;
use crate::engine::audit::{self, Actor, AuditAction};
use crate::engine::batches::Direction;
use crate::engine::evaluate::{Evaluated, Evaluation, evaluate_facts};
use crate::engine::execute::{Outcome, execute_unrecorded};
use crate::engine::holds::{self, Hold};
use crate::engine::origin::{Cause, Origin};
use crate::engine::outbox::{self, NewEvent};
use crate::engine::policies::Policies;
use crate::engine::previews::{self, Preview, PreviewKind};
use crate::engine::safeguard::{self, change_of};
use crate::engine::shadow::{self, ModeRead};
use crate::roster;
use leaver_core::decision::{Action, Decision, NoActionReason};
use leaver_core::domain::{Employee, EmployeeKey};
use leaver_core::events::EventType;

/// Why a change of a source in shadow mode is skipped.
const IN_SHADOW_MODE: &str = "the source is in shadow mode, so the change is only planned";

/// The list of a trip that a person can confirm.
#[derive(Debug, Serialize)]
pub struct Listed {
    /// The trip.
    pub trip: Trip,
    /// Its open holds.
    pub members: Vec<Member>,
    /// The digest of the members.
    pub digest: String,
}

/// The effect of a release.
#[derive(Debug)]
pub struct Released {
    /// The trip, closed or not.
    pub trip: Trip,
    /// The members whose account was changed.
    pub changed: Vec<Member>,
    /// The members whose account was left as it is, each with the reason.
    pub skipped: Vec<Member>,
    /// True if the database did not change one of the accounts.
    pub is_blocked: bool,
    /// Holds that were not in the list. While there are any, the trip stays open.
    pub waiting: usize,
    /// The batch of the changes.
    pub batch: uuid::Uuid,
}

/// The decision about an employee as of now.
struct Verdict {
    reason: String,
    skipped: Option<String>,
    /// True if the account is to be changed in the other direction, which the trip does not hold.
    is_opposite: bool,
}

/// Lists the members of an open trip with the decisions as of now, and stores the list, so that it can be confirmed.
///
/// # Errors
/// Returns a [`TripError`].
pub async fn preview(
    conn: &mut PgConnection,
    table: &AccountsTable,
    policies: &Policies,
    trip: i64,
    actor: &Actor,
    now: DateTime<Utc>,
) -> Result<Listed, TripError> {
    let trip = find_open(conn, trip).await?;
    let holds = store::members(conn, trip.id).await?;
    let employees = roster::scan::store::find(conn, &keys_of(&holds)?).await?;
    let direction = trip.scope().direction;
    let verdicts = decide_again(conn, table, policies, employees, direction, now).await?;
    let ids = holds.iter().map(|hold| hold.id).collect();
    let kept = Preview::of_ids(PreviewKind::Release, trip.id.to_string(), ids);
    kept.keep(conn, actor, now).await?;
    let members = holds
        .into_iter()
        .map(|hold| judged(hold, &verdicts))
        .collect::<Result<Vec<_>, sqlx::Error>>()?;
    Ok(Listed {
        trip,
        members,
        digest: kept.digest,
    })
}

/// Carries out the changes of a list that are still due. Holds that joined later wait for the next release, and keep the
/// trip open.
///
/// # Errors
/// Returns a [`TripError`]; nothing has changed then.
#[expect(clippy::too_many_arguments, reason = "a confirmation has these parts")]
pub async fn release(
    conn: &mut PgConnection,
    table: &AccountsTable,
    policies: &Policies,
    trip: i64,
    digest: &str,
    expires_after: TimeDelta,
    actor: &Actor,
    now: DateTime<Utc>,
) -> Result<Released, TripError> {
    let mut tx = conn.begin().await?;
    let known = store::find(&mut tx, trip).await?;
    let scope = known.ok_or(TripError::Unknown(trip))?.scope();
    let kind = PreviewKind::Release;
    let subject = trip.to_string();
    let listed = previews::confirm(&mut tx, kind, &subject, digest, expires_after, now).await?;
    // In the order of all transactions: employees, then the scope.
    let keys = keys_of(&holds::store::find_all(&mut tx, &listed).await?)?;
    let mut employees = roster::store::lock(&mut tx, &keys, &policies.sharing(table), now).await?;
    safeguard::store::lock(&mut tx, &[&scope]).await?;
    let mut trip = find_open(&mut tx, trip).await?;

    let (held, gone): (Vec<Hold>, Vec<Hold>) = holds::store::find_all(&mut tx, &listed)
        .await?
        .into_iter()
        .partition(|hold| hold.state == OPEN && hold.trip_id == Some(trip.id));
    let due: BTreeSet<EmployeeKey> = keys_of(&held)?.into_iter().collect();
    employees.retain(|employee| due.contains(&employee.key));
    let again = employees.clone();
    let verdicts = decide_again(&mut tx, table, policies, again, scope.direction, now).await?;
    employees.retain(|employee| {
        let verdict = verdicts.get(&employee.key);
        verdict.is_some_and(|verdict| !verdict.is_opposite)
    });
    let origin = Origin::person(Cause::Release, actor);
    let executed = execute_unrecorded(&mut tx, table, policies, employees, &origin, now);
    let (report, of_changes) = executed.await?;

    let mut skipped: Vec<Member> = gone.into_iter().map(settled).collect();
    let mut changed = vec![];
    for hold in held {
        let key = super::key_of(&hold)?;
        let mut member = judged(hold, &verdicts)?;
        match report.outcomes.get(&key) {
            Some(Outcome::Deactivated | Outcome::Reactivated) => {
                member.skipped = None;
                changed.push(member);
                continue;
            }
            Some(Outcome::Planned) => member.skipped = Some(IN_SHADOW_MODE.to_owned()),
            Some(Outcome::Blocked) => {
                let reason = report.blocked.get(&key).map_or("", String::as_str);
                member.skipped = Some(format!("the database did not change the account: {reason}"));
            }
            _ => {}
        }
        let unchanged = || "the account was already in that state".to_owned();
        member.skipped.get_or_insert_with(unchanged);
        skipped.push(member);
    }
    skipped.sort_by_key(|member| member.hold);
    let ids: Vec<i64> = changed.iter().map(|member| member.hold).collect();
    let mut events = store::close_holds(&mut tx, &ids, "approved", actor, now).await?;
    // The changes have withdrawn these holds, and that is not what became of them.
    events.extend(
        of_changes
            .into_iter()
            .filter(|event| !closes_one_of(event, &ids)),
    );

    let members = store::members(&mut tx, trip.id).await?;
    let waiting = members.iter().filter(|hold| !listed.contains(&hold.id));
    let waiting = waiting.count();
    if waiting == 0 {
        events.extend(close(&mut tx, &trip, "released", actor, now).await?);
        trip = store::find(&mut tx, trip.id).await?.unwrap_or(trip);
    }
    let reason = format!(
        "trip {} was released: {} accounts changed, {} skipped, {waiting} that joined later wait",
        trip.id,
        changed.len(),
        skipped.len()
    );
    let tenant = &scope.tenant;
    let entry = entry_about_tenant(AuditAction::Released, tenant, origin.actor.clone(), reason)?;
    audit::store::record(&mut tx, &[entry], now).await?;
    outbox::record(&mut tx, policies.subscriptions(), events, now).await?;
    tx.commit().await?;
    Ok(Released {
        trip,
        is_blocked: !report.blocked.is_empty(),
        changed,
        skipped,
        waiting,
        batch: origin.batch(),
    })
}

/// Returns whether an event is that of one of these holds, which was closed.
fn closes_one_of(event: &NewEvent, holds: &[i64]) -> bool {
    let hold = event.data.get("hold_id").and_then(Value::as_i64);
    event.kind == EventType::HoldClosed && hold.is_some_and(|hold| holds.contains(&hold))
}

/// Decides about employees by their facts as of now.
async fn decide_again(
    conn: &mut PgConnection,
    table: &AccountsTable,
    policies: &Policies,
    employees: Vec<Employee>,
    direction: Direction,
    now: DateTime<Utc>,
) -> Result<BTreeMap<EmployeeKey, Verdict>, sqlx::Error> {
    let evaluation = evaluate_facts(conn, table, policies, employees, now).await?;
    let Evaluation {
        mut decided,
        unconfigured,
        ..
    } = evaluation;
    shadow::plan_changes(conn, policies, &mut decided, ModeRead::Shown, now).await?;
    let mut verdicts: BTreeMap<EmployeeKey, Verdict> = decided
        .into_iter()
        .map(
            |Evaluated {
                 employee, decision, ..
             }| {
                let verdict = Verdict {
                    skipped: why_skipped(&decision, direction).map(str::to_owned),
                    is_opposite: change_of(&decision).is_some_and(|(_, other)| other != direction),
                    reason: decision.reason,
                };
                (employee.key, verdict)
            },
        )
        .collect();
    verdicts.extend(unconfigured.into_iter().map(|employee| {
        let reason = "the source is not configured any more".to_owned();
        let verdict = Verdict {
            skipped: Some(reason.clone()),
            is_opposite: false,
            reason,
        };
        (employee.key, verdict)
    }));
    Ok(verdicts)
}

/// Returns why a decision does not change the account in this direction.
fn why_skipped(decision: &Decision, direction: Direction) -> Option<&'static str> {
    if change_of(decision).is_some_and(|(_, decided)| decided == direction) {
        return None;
    }
    Some(match &decision.action {
        Action::Deactivate(_) => "the access ends instead",
        Action::Reactivate(_) => "the access is given back instead",
        Action::EndSessions(_) | Action::Keep(NoActionReason::AlreadyInactive) => {
            "the account is inactive already"
        }
        Action::Hold(_) => "a person must decide for another reason",
        Action::Keep(NoActionReason::Employed) => "the access stays",
        Action::Keep(NoActionReason::Scheduled) => "the access ends later",
        Action::Keep(NoActionReason::NoAccount) => "no account is found",
        Action::Keep(NoActionReason::AwaitingRead) => "the employee is read from the API first",
        Action::Keep(NoActionReason::Planned(_)) => IN_SHADOW_MODE,
    })
}

/// Returns a member with the decision as of now.
fn judged(hold: Hold, verdicts: &BTreeMap<EmployeeKey, Verdict>) -> Result<Member, sqlx::Error> {
    let key = super::key_of(&hold)?;
    let mut member = Member::new(hold);
    match verdicts.get(&key) {
        Some(verdict) => {
            member.reason.clone_from(&verdict.reason);
            member.skipped.clone_from(&verdict.skipped);
        }
        None => member.skipped = Some("the employee is not known any more".to_owned()),
    }
    Ok(member)
}

/// Returns a member that the trip does not hold any more.
fn settled(hold: Hold) -> Member {
    let why = match hold.state.as_str() {
        "open" => "a person must decide for another reason".to_owned(),
        "withdrawn" => "newer facts settled it since the list was shown".to_owned(),
        state => format!("it was {state} since the list was shown"),
    };
    let mut member = Member::new(hold);
    member.skipped = Some(why);
    member
}
