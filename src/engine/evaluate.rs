//! Decides about employees without changing anything: finds their accounts and who shares them, and calls
//! [`leaver_core::decision::decide`]. Execution, drift and `leaver explain` all decide here.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::policies::Policies;
use super::records::Records;
use super::safeguard::standing;
use super::shadow::plan::Planned;
use super::shadow::{self, ModeRead};
use super::shared_accounts::{FoundAccounts, SharedAccounts, find_accounts};
use super::tenants;
use crate::engine::accounts::AccountsTable;
use leaver_core::decision::assess::{Employment, assess};
use leaver_core::decision::policy::Rehire;
use leaver_core::decision::{Action, Decision, NoActionReason, RequestedAction, decide, departure};
use leaver_core::domain::{Account, AccountId, Employee};

/// An employee and the decision about the account.
#[derive(Clone, Debug)]
pub(crate) struct Evaluated {
    /// The employee.
    pub employee: Employee,
    /// The assessment of the facts.
    pub employment: Employment,
    /// The linked account, or without a link the accounts with the work e-mail.
    pub found: Vec<Account>,
    /// The number of active accounts with the work e-mail, if the linked account is gone.
    pub link_gone: Option<usize>,
    /// The decision and its reason.
    pub decision: Decision,
    /// The trip that holds the change.
    pub trip: Option<i64>,
    /// True if a person rejected the change on the same facts.
    pub is_rejected: bool,
    /// The change that shadow mode replaced.
    pub planned: Option<Planned>,
    /// True if the end was carried out, whether or not the account still exists.
    pub is_settled: bool,
}

impl Evaluated {
    /// Returns the account if there is exactly one.
    #[must_use]
    pub(crate) fn account(&self) -> Option<&Account> {
        self.found.first().filter(|_| self.found.len() == 1)
    }

    /// Returns true if an account is active that is the person's, or may be after the linked one is gone.
    #[must_use]
    pub(crate) fn has_active_account(&self) -> bool {
        self.link_gone.is_some_and(|count| count > 0)
            || self.found.iter().any(|account| account.is_active)
    }

    /// Returns true if the person left, or may have left, no account was found, and none was ended before.
    #[must_use]
    pub(crate) fn is_leaver_without_account(&self) -> bool {
        self.decision.action == Action::Keep(NoActionReason::NoAccount)
            && !self.employment.is_certainly_employed()
            && !self.is_settled
    }

    /// Returns true if the end was carried out, and the account was deleted since.
    #[must_use]
    pub(crate) fn is_ended_without_account(&self) -> bool {
        let is_kept = matches!(
            self.decision.action,
            Action::Keep(NoActionReason::NoAccount | NoActionReason::AlreadyInactive)
        );
        is_kept && self.found.is_empty() && self.is_settled
    }

    /// Returns true if the decision changes an account, or leaves that to a person.
    #[must_use]
    pub(super) fn changes_or_asks(&self) -> bool {
        match self.decision.action {
            Action::Deactivate(_)
            | Action::EndSessions(_)
            | Action::Reactivate(_)
            | Action::Hold(_) => true,
            Action::Keep(_) => false,
        }
    }

    /// Returns the decision as a short label for people.
    #[must_use]
    pub(crate) fn label(&self) -> &'static str {
        match self.decision.action {
            Action::Deactivate(_) => "deactivate",
            Action::EndSessions(_) => "end sessions",
            Action::Reactivate(_) => "reactivate",
            Action::Hold(_) => "hold",
            Action::Keep(NoActionReason::Employed) => "keep",
            Action::Keep(NoActionReason::AlreadyInactive) => "already inactive",
            Action::Keep(NoActionReason::NoAccount) => "no account",
            Action::Keep(NoActionReason::Scheduled) => "scheduled",
            Action::Keep(NoActionReason::AwaitingRead) => "reading",
            Action::Keep(NoActionReason::Planned(_)) => "planned",
        }
    }
}

/// Decisions about a list of employees.
#[derive(Debug)]
pub(crate) struct Evaluation {
    /// Employees of configured sources, in the order given.
    pub decided: Vec<Evaluated>,
    /// Employees of sources that are not configured any more.
    pub unconfigured: Vec<Employee>,
    /// Accounts that Leaver deactivated and somebody else reactivated.
    pub externally_reactivated: BTreeSet<AccountId>,
}

/// Decides about employees, in a number of statements that does not depend on their number. A change that a person rejected
/// on the same facts, or that an open trip holds, is a hold. A change of a source in shadow mode is planned.
///
/// # Errors
/// Returns the database's error.
pub(crate) async fn evaluate(
    conn: &mut PgConnection,
    table: &AccountsTable,
    policies: &Policies,
    employees: Vec<Employee>,
    now: DateTime<Utc>,
) -> Result<Evaluation, sqlx::Error> {
    let mut evaluation = evaluate_answers(conn, table, policies, employees, now).await?;
    let decided = &mut evaluation.decided;
    shadow::plan_changes(conn, policies, decided, ModeRead::Shown, now).await?;
    Ok(evaluation)
}

/// Does the same whatever the mode of the source is.
///
/// # Errors
/// Returns the database's error.
pub(super) async fn evaluate_answers(
    conn: &mut PgConnection,
    table: &AccountsTable,
    policies: &Policies,
    employees: Vec<Employee>,
    now: DateTime<Utc>,
) -> Result<Evaluation, sqlx::Error> {
    let mut evaluation = evaluate_facts(conn, table, policies, employees, now).await?;
    standing::apply(conn, &mut evaluation.decided).await?;
    Ok(evaluation)
}

/// Decides about employees by the facts alone: without the answers of people, trips and modes.
///
/// # Errors
/// Returns the database's error.
pub(super) async fn evaluate_facts(
    conn: &mut PgConnection,
    table: &AccountsTable,
    policies: &Policies,
    mut employees: Vec<Employee>,
    now: DateTime<Utc>,
) -> Result<Evaluation, sqlx::Error> {
    table.complete_links(&mut employees);
    let FoundAccounts {
        by_employee: mut accounts,
        link_gone,
    } = find_accounts(conn, table, &employees).await?;
    let shared = SharedAccounts::load(conn, table, policies, &employees, &accounts, now).await?;
    let externally_reactivated = shared.externally_reactivated(&accounts);
    let mut decided = Vec::with_capacity(employees.len());
    let mut unconfigured = vec![];
    let mut records = None;
    for mut employee in employees {
        let Some(policy) = policies.policy(&employee.key.source) else {
            unconfigured.push(employee);
            continue;
        };
        let found = accounts.remove(&employee.key).unwrap_or_default();
        employee.deactivated_at = shared.deactivated_at(&employee, &found);
        // With `Rehire::Hold` the return in the other source has opened a hold of its own.
        if employee.deactivated_at.is_none() && policy.rehire == Rehire::Reactivate {
            employee.deactivated_at = shared.missed_return_at(&employee, &found);
        }
        employee.deactivated_at = employee
            .deactivated_at
            .or_else(|| employee.rehired_after_end_by_hand());
        let gone = link_gone.get(&employee.key).copied();
        let (account_match, others) = shared.match_account(&employee, &found, gone);
        let decision = decide(policy, &employee, &account_match, &others, now);
        let decision = shared.reconcile_sources(policy, &employee, decision);
        let decision = settle_several_inactive(decision, &found);
        let decision = if tenants::is_change(&decision) {
            let known = match &records {
                Some(known) => known,
                None => records.insert(companies(conn, policies).await?),
            };
            tenants::hold_if_outside(policies, known, &employee, decision)
        } else {
            decision
        };
        let decision = tenants::explain_hold(policies, &shared, &employee, &found, decision);
        let decision = name_row_security(table, decision);
        let employment = assess(policy, &employee, now);
        decided.push(Evaluated {
            is_settled: departure::is_settled(policy, &employee, now),
            employee,
            employment,
            found,
            link_gone: gone,
            decision,
            trip: None,
            is_rejected: false,
            planned: None,
        });
    }
    Ok(Evaluation {
        decided,
        unconfigured,
        externally_reactivated,
    })
}

/// Loads which linked accounts are companies. Where no source has a company that is remembered, it runs no statement.
async fn companies(conn: &mut PgConnection, policies: &Policies) -> Result<Records, sqlx::Error> {
    let sources = policies.sources_with_remembered_company();
    if sources.is_empty() {
        return Ok(Records::default());
    }
    Records::load(conn, &sources).await
}

/// Adds to the reason that an account may be there and hidden.
fn name_row_security(table: &AccountsTable, mut decision: Decision) -> Decision {
    if decision.action == Action::Keep(NoActionReason::NoAccount)
        && let Some(hint) = table.relation.may_hide()
    {
        decision.reason = format!("{}; {hint}", decision.reason);
    }
    decision
}

/// Replaces a question about several accounts by the answer if all of them are inactive: there is nothing left to end.
fn settle_several_inactive(mut decision: Decision, found: &[Account]) -> Decision {
    let is_question = matches!(
        &decision.action,
        Action::Hold(request) if request.requested_action == RequestedAction::Deactivate
    );
    if is_question && found.len() > 1 && found.iter().all(|account| !account.is_active) {
        decision.action = Action::Keep(NoActionReason::AlreadyInactive);
        decision.reason += "; all of them are inactive";
    }
    decision
}
