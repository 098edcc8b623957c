//! What should become of a slice of employees, with nothing done yet: their accounts, who shares them, and the
//! decision about each. Whoever acts on it, or only asks, decides alike.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::policies::Policies;
use super::shared_accounts::{SharedAccounts, find_accounts};
use crate::engine::accounts::AccountsTable;
use leaver_core::decision::policy::Rehire;
use leaver_core::decision::{Action, Decision, NoActionReason, decide};
use leaver_core::domain::{Account, AccountId, Employee};

/// One employee, and what should become of their account.
#[derive(Clone, Debug)]
pub struct Evaluated {
    /// Who.
    pub employee: Employee,
    /// The accounts that the link, or else the work e-mail, leads to.
    pub found: Vec<Account>,
    /// What should be done, and why.
    pub decision: Decision,
}

impl Evaluated {
    /// The account, when there is one and no doubt about it.
    #[must_use]
    pub fn account(&self) -> Option<&Account> {
        self.found.first().filter(|_| self.found.len() == 1)
    }

    /// The decision in a word, for a person.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self.decision.action {
            Action::Deactivate(_) => "deactivate",
            Action::Reactivate(_) => "reactivate",
            Action::Hold(_) => "hold",
            Action::Keep(NoActionReason::Employed) => "keep",
            Action::Keep(NoActionReason::AlreadyInactive) => "already inactive",
            Action::Keep(NoActionReason::NoAccount) => "no account",
            Action::Keep(NoActionReason::Waiting) => "scheduled",
            Action::Keep(NoActionReason::Reading) => "reading",
        }
    }
}

/// A slice, decided.
#[derive(Debug)]
pub struct Evaluation {
    /// The employees of configured sources, in the order given.
    pub decided: Vec<Evaluated>,
    /// Those of sources that are no longer configured.
    pub unconfigured: Vec<Employee>,
    /// Accounts that we switched off and that are on.
    pub externally_reactivated_since: BTreeSet<AccountId>,
}

/// Decides about a slice, in a number of statements that does not depend on its length. Changes nothing.
///
/// # Errors
/// Whatever the database says.
pub async fn evaluate(
    conn: &mut PgConnection,
    table: &AccountsTable,
    rules: &Policies,
    employees: Vec<Employee>,
    now: DateTime<Utc>,
) -> Result<Evaluation, sqlx::Error> {
    let mut accounts = find_accounts(conn, table, &employees).await?;
    let company = SharedAccounts::gather(conn, rules, &employees, &accounts, now).await?;
    let externally_reactivated_since = company.externally_reactivated_since(&accounts);
    let mut decided = Vec::with_capacity(employees.len());
    let mut unconfigured = vec![];
    for mut employee in employees {
        let Some(policy) = rules.policy(&employee.key.source) else {
            unconfigured.push(employee);
            continue;
        };
        let found = accounts.remove(&employee.key).unwrap_or_default();
        employee.deactivated_at = company.deactivated_at(&employee, &found);
        // Where returns are asked about, that of the other source has been.
        if employee.deactivated_at.is_none() && policy.rehire == Rehire::Reactivate {
            employee.deactivated_at = company.missed_return_at(&employee, &found);
        }
        let (account_match, others) = company.match_account(&employee, &found);
        let decision = decide(policy, &employee, &account_match, &others, now);
        let decision = company.reconcile_sources(&employee, decision);
        decided.push(Evaluated {
            employee,
            found,
            decision,
        });
    }
    Ok(Evaluation {
        decided,
        unconfigured,
        externally_reactivated_since,
    })
}
