//! Finds the accounts of employees, and the other employees who share them.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::policies::Policies;
use crate::engine::accounts::{self, AccountsTable};
use crate::roster;
use leaver_core::decision::assess::{Employment, assess};
use leaver_core::decision::{
    AccountMatch, Action, Decision, HoldRequest, NoActionReason, RequestedAction,
};
use leaver_core::domain::{
    Account, AccountId, Employee, EmployeeKey, SourceName, Tenant, WorkEmail,
};

/// Finds the accounts of each employee: the linked one, or else those with the work e-mail. A link to a deleted account
/// counts as no link.
pub(crate) async fn find_accounts(
    conn: &mut PgConnection,
    table: &AccountsTable,
    employees: &[Employee],
) -> Result<HashMap<EmployeeKey, Vec<Account>>, sqlx::Error> {
    let link = |employee: &Employee| {
        let account = employee.account_id.clone();
        account.map(|account| (account, employee.key.tenant.clone()))
    };
    let links: BTreeSet<(AccountId, Tenant)> = employees.iter().filter_map(link).collect();
    let by_id = accounts::store::find_by_id(conn, table, &links).await?;

    let mut found = HashMap::new();
    let mut wanted: BTreeMap<(WorkEmail, Tenant), Vec<EmployeeKey>> = BTreeMap::new();
    for employee in employees {
        if let Some(account) = link(employee).and_then(|link| by_id.get(&link)) {
            found.insert(employee.key.clone(), vec![account.clone()]);
        } else if let Some(email) = employee.work_email() {
            let tenant = employee.key.tenant.clone();
            wanted
                .entry((email.clone(), tenant))
                .or_default()
                .push(employee.key.clone());
        }
    }
    let (emails, keys): (Vec<_>, Vec<_>) = wanted.into_iter().unzip();
    let by_email = accounts::store::find_by_email(conn, table, &emails).await?;
    for (keys, accounts) in keys.into_iter().zip(by_email) {
        for key in keys {
            found.insert(key, accounts.clone());
        }
    }
    Ok(found)
}

/// Who shares an account, by source and account.
pub(crate) struct SharedAccounts {
    sources: Vec<SourceName>,
    by_account: HashMap<(SourceName, AccountId), Vec<AccountHolder>>,
}

/// An employee with an account.
struct AccountHolder {
    key: EmployeeKey,
    employment: Employment,
    /// True if the assessment is uncertain and no read of the API will settle it.
    needs_person: bool,
    deactivated_at: Option<DateTime<Utc>>,
}

impl SharedAccounts {
    /// Loads who is linked to these accounts: `employees` themselves, and others from the roster. For `employees` the given
    /// values count, which may be newer than the roster's.
    pub(crate) async fn load(
        conn: &mut PgConnection,
        policies: &Policies,
        employees: &[Employee],
        accounts: &HashMap<EmployeeKey, Vec<Account>>,
        now: DateTime<Utc>,
    ) -> Result<Self, sqlx::Error> {
        let mut by_account: HashMap<(SourceName, AccountId), Vec<AccountHolder>> = HashMap::new();
        let mut given = HashSet::new();
        let mut add = |employee: &Employee, account: &AccountId| {
            if let Some(policy) = policies.policy(&employee.key.source) {
                let employment = assess(policy, employee, now);
                by_account
                    .entry((employee.key.source.clone(), account.clone()))
                    .or_default()
                    .push(AccountHolder {
                        key: employee.key.clone(),
                        needs_person: matches!(employment, Employment::Uncertain { needs_read, .. } if !(needs_read && policy.can_read)),
                        employment,
                        deactivated_at: employee
                            .deactivated_at
                            .filter(|_| employee.account_id.as_ref() == Some(account)),
                    });
            }
        };
        for employee in employees {
            given.insert(&employee.key);
            if let Some([account]) = accounts.get(&employee.key).map(Vec::as_slice) {
                add(employee, &account.id);
            }
        }
        let names = policies.names();
        let pairs: Vec<(SourceName, AccountId)> = accounts
            .values()
            .filter(|accounts| accounts.len() == 1)
            .flatten()
            .flat_map(|account| names.iter().map(|name| (name.clone(), account.id.clone())))
            .collect();
        for other in roster::store::find_linked(conn, &pairs).await? {
            if let (false, Some(account)) = (given.contains(&other.key), other.account_id.clone()) {
                add(&other, &account);
            }
        }
        Ok(Self {
            sources: names,
            by_account,
        })
    }

    /// Changes a reactivation that another source contradicts. While another source reports the person as left, the account
    /// stays inactive. While another source is uncertain, the reactivation becomes a hold: no hold was opened for that
    /// uncertainty while the account was inactive.
    pub(crate) fn reconcile_sources(
        &self,
        employee: &Employee,
        mut decision: Decision,
    ) -> Decision {
        let Action::Reactivate(account) = &decision.action else {
            return decision;
        };
        let others: Vec<&Vec<AccountHolder>> = self
            .sources
            .iter()
            .filter(|name| **name != employee.key.source)
            .filter_map(|name| self.by_account.get(&(name.clone(), account.clone())))
            .collect();
        let left = |other: &AccountHolder| matches!(other.employment, Employment::Left { .. });
        let works = |other: &AccountHolder| other.employment.is_employed();
        if others
            .iter()
            .any(|holders| holders.iter().any(left) && !holders.iter().any(works))
        {
            decision.action = Action::Keep(NoActionReason::AlreadyInactive);
            decision.reason += "; but another source reports a termination";
            return decision;
        }
        let uncertain = others
            .iter()
            .filter(|holders| {
                !holders
                    .iter()
                    .any(|other| other.employment.is_certainly_employed())
            })
            .find_map(|holders| holders.iter().find(|other| other.needs_person));
        if let Some(other) = uncertain {
            let uncertainty = other.employment.reason();
            decision.reason += "; but another source is uncertain: ";
            decision.reason += uncertainty;
            decision.action = Action::Hold(HoldRequest {
                requested_action: RequestedAction::Reactivate,
                account: Some(account.clone()),
                facts_fingerprint: format!("uncertain-elsewhere: {uncertainty};account={account}"),
            });
        }
        decision
    }

    /// Returns when Leaver last deactivated the employee's current account, for any employee of the same source: a person
    /// rehired under a new employee id returns to the account of the old one. Deactivations of the employee's earlier
    /// accounts do not count.
    pub(crate) fn deactivated_at(
        &self,
        employee: &Employee,
        found: &[Account],
    ) -> Option<DateTime<Utc>> {
        let [account] = found else { return None };
        let key = (employee.key.source.clone(), account.id.clone());
        let holders = self.by_account.get(&key)?;
        holders
            .iter()
            .filter_map(|other| other.deactivated_at)
            .max()
    }

    /// Returns when Leaver deactivated the employee's current account for an employee of another source who works there
    /// again. The account was not reactivated at that return, because this source still reported the person as left.
    pub(crate) fn missed_return_at(
        &self,
        employee: &Employee,
        found: &[Account],
    ) -> Option<DateTime<Utc>> {
        let [account] = found else { return None };
        let others = self
            .sources
            .iter()
            .filter(|name| **name != employee.key.source);
        let back = others
            .filter_map(|name| self.by_account.get(&(name.clone(), account.id.clone())))
            .filter(|holders| {
                holders
                    .iter()
                    .any(|other| other.employment.is_certainly_employed())
            });
        back.flatten()
            .filter_map(|other| other.deactivated_at)
            .max()
    }

    /// Returns those of these accounts that are active although Leaver deactivated them: somebody else reactivated them.
    pub(crate) fn externally_reactivated(
        &self,
        accounts: &HashMap<EmployeeKey, Vec<Account>>,
    ) -> BTreeSet<AccountId> {
        let was_deactivated =
            |holders: &[AccountHolder]| holders.iter().any(|other| other.deactivated_at.is_some());
        let ours: HashSet<&AccountId> = self
            .by_account
            .iter()
            .filter(|(_, holders)| was_deactivated(holders))
            .map(|((_, id), _)| id)
            .collect();
        accounts
            .values()
            .flatten()
            .filter(|account| account.is_active && ours.contains(&account.id))
            .map(|account| account.id.clone())
            .collect()
    }

    /// Returns how the employee's account was found, and the employment of the others in the source who have it.
    pub(crate) fn match_account(
        &self,
        employee: &Employee,
        found: &[Account],
    ) -> (AccountMatch, Vec<Employment>) {
        let account = match found {
            [] => return (AccountMatch::None, vec![]),
            [account] => account,
            several => return (AccountMatch::Ambiguous(several.len()), vec![]),
        };
        let holders = self
            .by_account
            .get(&(employee.key.source.clone(), account.id.clone()));
        let others: Vec<Employment> = holders
            .into_iter()
            .flatten()
            .filter(|other| other.key != employee.key)
            .map(|other| other.employment.clone())
            .collect();
        let account_match = if employee.account_id.as_ref() == Some(&account.id) {
            AccountMatch::Linked(account.clone())
        } else if others.is_empty() {
            AccountMatch::Found(account.clone())
        } else {
            AccountMatch::Shared {
                account: account.clone(),
                other_is_employed: others.iter().any(Employment::is_employed),
            }
        };
        (account_match, others)
    }
}
