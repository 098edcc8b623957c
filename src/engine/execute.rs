//! Executes decisions about a list of employees in one transaction: changes accounts, opens and withdraws holds, saves the
//! roster and writes the audit log. Every source of observations ends here.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::changes::ChangeSet;
use super::effects;
use super::evaluate::{Evaluated, Evaluation, evaluate};
use super::policies::Policies;
use crate::engine::accounts::AccountsTable;
use crate::engine::audit::{self, Actor, AuditAction, AuditEntry};
use crate::engine::holds;
use crate::roster;
use leaver_core::decision::assess::assess;
use leaver_core::decision::departure;
use leaver_core::decision::policy::Policy;
use leaver_core::decision::{Decision, RequestedAction};
use leaver_core::domain::{Employee, EmployeeKey};

/// The effect on the account of one employee.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    strum::IntoStaticStr,
    strum::VariantNames,
)]
#[strum(serialize_all = "snake_case")]
pub enum Outcome {
    /// The account was deactivated.
    Deactivated,
    /// The account was reactivated.
    Reactivated,
    /// The end of access was scheduled or moved.
    Scheduled,
    /// A hold was opened: a person decides.
    Held,
    /// The account stays active.
    Kept,
    /// The account was inactive before.
    AlreadyInactive,
    /// The database did not carry out the decision. It is tried again.
    Blocked,
    /// The employee has no account.
    NoAccount,
    /// The observation repeats what is known.
    Unchanged,
    /// The observation is older than what is known.
    Stale,
    /// The employee is read from the provider's API first.
    Reading,
}

impl Outcome {
    /// All names.
    pub(crate) const NAMES: &'static [&'static str] = <Self as strum::VariantNames>::VARIANTS;

    /// Returns whether something was changed or was to be changed, as opposed to found.
    #[must_use]
    pub fn is_change(self) -> bool {
        matches!(
            self,
            Self::Deactivated | Self::Reactivated | Self::Scheduled | Self::Held | Self::Blocked
        )
    }

    /// Returns the name used in `leaver.deliveries.outcome` and in the metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// The effects of a list of decisions.
#[derive(Debug, Default)]
pub struct ExecutionReport {
    /// The outcome of each employee of a configured source.
    pub outcomes: HashMap<EmployeeKey, Outcome>,
    /// True if an end of access was scheduled or moved.
    pub schedule_changed: bool,
    /// True if a read of an employee became due.
    pub reads_pending: bool,
    /// Why the database did not carry out a decision, by employee.
    pub blocked: HashMap<EmployeeKey, String>,
}

/// Evaluates employees and executes the decisions, in a number of statements that does not depend on the number of
/// employees.
///
/// The transaction must hold the locks of their roster rows. Employees of sources that are not configured any more are saved
/// without a decision.
///
/// # Errors
/// Returns the database's error; the transaction must be rolled back then.
pub async fn execute(
    conn: &mut PgConnection,
    table: &AccountsTable,
    policies: &Policies,
    employees: Vec<Employee>,
    actor: &Actor,
    now: DateTime<Utc>,
) -> Result<ExecutionReport, sqlx::Error> {
    let Evaluation {
        decided,
        unconfigured,
        externally_reactivated: mut active_again,
    } = evaluate(conn, table, policies, employees, now).await?;
    let mut to_read = vec![];
    for Evaluated { employee, .. } in &decided {
        let can_read = |policy: &Policy| policy.can_read;
        let policy = policies.policy(&employee.key.source);
        let read = roster::pending_reads::for_employee(employee);
        to_read.extend(read.filter(|_| policy.is_some_and(can_read)));
    }

    let decisions: Vec<&Decision> = decided
        .iter()
        .map(|evaluated| &evaluated.decision)
        .collect();
    let applied = effects::apply(conn, table, &decisions).await?;
    active_again.extend(applied.reactivated.iter().cloned());
    active_again.retain(|account| !applied.deactivated.contains(account));
    roster::store::forget_deactivation(conn, &active_again).await?;
    let mut changes = ChangeSet::new(actor, now, &applied);
    let mut report = ExecutionReport::default();
    let mut saved = unconfigured;
    for evaluated in decided {
        let account = evaluated.account().cloned();
        let unmatched = evaluated.is_leaver_without_account();
        let has_account = match evaluated.link_gone {
            // The end was that of the account that is gone. A later end needs another look for an account.
            Some(_) => true,
            None => account.as_ref().is_some_and(|account| account.is_active),
        };
        let Evaluated {
            mut employee,
            decision,
            ..
        } = evaluated;
        departure::confirm(&mut employee);
        if has_returned(policies, &employee, has_account, now) {
            departure::returned(&mut employee, now);
        }
        let outcome = changes.record(&mut employee, account.as_ref(), &decision, unmatched);
        report.schedule_changed |= outcome == Outcome::Scheduled;
        report.outcomes.insert(employee.key.clone(), outcome);
        if let (Outcome::Blocked, Some(blocked)) = (outcome, &employee.blocked) {
            let reason = blocked.reason.clone();
            report.blocked.insert(employee.key.clone(), reason);
        }
        saved.push(employee);
    }
    let ChangeSet {
        mut entries,
        holds,
        without_hold,
        not_leaving,
        ..
    } = changes;

    holds::store::withdraw(conn, &without_hold, now).await?;
    holds::store::withdraw_applied(conn, RequestedAction::Reactivate, &applied.reactivated, now)
        .await?;
    holds::store::withdraw_applied(conn, RequestedAction::Deactivate, &applied.deactivated, now)
        .await?;
    holds::store::lapse(conn, &not_leaving).await?;
    for position in holds::store::raise(conn, &holds, now).await? {
        let Some(hold) = holds.get(position) else {
            continue;
        };
        entries.push(AuditEntry {
            action: AuditAction::HoldOpened,
            reason: hold.reason.clone(),
            employee: hold.employee.clone(),
            account: hold.question.account.clone(),
            delivery: hold.delivery,
            actor: actor.clone(),
        });
    }
    roster::store::save(conn, &saved, now).await?;
    report.reads_pending = roster::pending_reads::store::insert(conn, &to_read, now).await?;
    audit::store::record(conn, &entries, now).await?;
    Ok(report)
}

/// Returns whether the person works although an end was carried out, and has access or another account: somebody else gave
/// it.
fn has_returned(
    policies: &Policies,
    employee: &Employee,
    has_account: bool,
    now: DateTime<Utc>,
) -> bool {
    departure::is_carried_out(employee)
        && has_account
        && policies
            .policy(&employee.key.source)
            .is_some_and(|policy| assess(policy, employee, now).is_certainly_employed())
}
