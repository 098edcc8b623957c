//! What should become of a slice of employees, with nothing done yet: their accounts, who shares them, and the
//! decision about each. Whoever acts on it, or only asks, decides alike.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::policies::Rulebook;
use super::shared_accounts::{Company, find_accounts};
use crate::engine::accounts::AccountsTable;
use leaver_core::decision::policy::Rehire;
use leaver_core::decision::{Action, Decision, Kept, decide};
use leaver_core::domain::{Account, AccountId, Employee};

/// One employee, and what should become of their account.
#[derive(Clone, Debug)]
pub struct Decided {
    /// Who.
    pub employee: Employee,
    /// The accounts that the link, or else the work e-mail, leads to.
    pub found: Vec<Account>,
    /// What should be done, and why.
    pub decision: Decision,
}

impl Decided {
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
            Action::Keep(Kept::StillHere) => "keep",
            Action::Keep(Kept::AlreadyInactive) => "already inactive",
            Action::Keep(Kept::NoAccount) => "no account",
            Action::Keep(Kept::Waiting) => "scheduled",
            Action::Keep(Kept::Reading) => "reading",
        }
    }
}

/// A slice, decided.
#[derive(Debug)]
pub struct Deliberated {
    /// The employees of configured sources, in the order given.
    pub decided: Vec<Decided>,
    /// Those of sources that are no longer configured.
    pub unruled: Vec<Employee>,
    /// Accounts that we switched off and that are on.
    pub switched_on_since: BTreeSet<AccountId>,
}

/// Decides about a slice, in a number of statements that does not depend on its length. Changes nothing.
///
/// # Errors
/// Whatever the database says.
pub async fn deliberate(
    conn: &mut PgConnection,
    table: &AccountsTable,
    rules: &Rulebook,
    employees: Vec<Employee>,
    now: DateTime<Utc>,
) -> Result<Deliberated, sqlx::Error> {
    let mut accounts = find_accounts(conn, table, &employees).await?;
    let company = Company::gather(conn, rules, &employees, &accounts, now).await?;
    let switched_on_since = company.switched_on_since(&accounts);
    let mut decided = Vec::with_capacity(employees.len());
    let mut unruled = vec![];
    for mut employee in employees {
        let Some(policy) = rules.policy(&employee.key.source) else {
            unruled.push(employee);
            continue;
        };
        let found = accounts.remove(&employee.key).unwrap_or_default();
        employee.deactivated_at = company.deactivated_at(&employee, &found);
        // Where returns are asked about, that of the other source has been.
        if employee.deactivated_at.is_none() && policy.rehire == Rehire::Reactivate {
            employee.deactivated_at = company.passed_over(&employee, &found);
        }
        let (account_match, others) = company.judge_match(&employee, &found);
        let decision = decide(policy, &employee, &account_match, &others, now);
        let decision = company.heed_other_sources(&employee, decision);
        decided.push(Decided {
            employee,
            found,
            decision,
        });
    }
    Ok(Deliberated {
        decided,
        unruled,
        switched_on_since,
    })
}
