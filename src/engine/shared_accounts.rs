//! Whose account is whose: the accounts of a slice of employees, and who else has them.

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

/// Per employee, the accounts that the link or else the work e-mail leads to. A link whose account is gone
/// counts as none.
pub(crate) async fn find_accounts(
    conn: &mut PgConnection,
    table: &AccountsTable,
    employees: &[Employee],
) -> Result<HashMap<EmployeeKey, Vec<Account>>, sqlx::Error> {
    let ids: BTreeSet<AccountId> = employees
        .iter()
        .filter_map(|e| e.account_id.clone())
        .collect();
    let by_id: HashMap<AccountId, Account> = accounts::store::find_by_id(conn, table, &ids)
        .await?
        .into_iter()
        .map(|account| (account.id.clone(), account))
        .collect();

    let mut found = HashMap::new();
    let mut wanted: BTreeMap<(WorkEmail, Tenant), Vec<EmployeeKey>> = BTreeMap::new();
    for employee in employees {
        if let Some(account) = employee.account_id.as_ref().and_then(|id| by_id.get(id)) {
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

/// Who shares an account with whom, source by source.
pub(crate) struct SharedAccounts {
    sources: Vec<SourceName>,
    by_account: HashMap<(SourceName, AccountId), Vec<AccountHolder>>,
}

/// One of those who share an account.
struct AccountHolder {
    key: EmployeeKey,
    employment: Employment,
    /// Whether only a person can tell.
    asked: bool,
    deactivated_at: Option<DateTime<Utc>>,
}

impl SharedAccounts {
    /// Those in the roster who are linked to one of these accounts, and those of this very slice, who may
    /// know better than the roster yet does.
    pub(crate) async fn gather(
        conn: &mut PgConnection,
        rules: &Policies,
        employees: &[Employee],
        accounts: &HashMap<EmployeeKey, Vec<Account>>,
        now: DateTime<Utc>,
    ) -> Result<Self, sqlx::Error> {
        let mut by_account: HashMap<(SourceName, AccountId), Vec<AccountHolder>> = HashMap::new();
        let mut here = HashSet::new();
        let mut add = |employee: &Employee, account: &AccountId| {
            if let Some(policy) = rules.policy(&employee.key.source) {
                let employment = assess(policy, employee, now);
                by_account
                    .entry((employee.key.source.clone(), account.clone()))
                    .or_default()
                    .push(AccountHolder {
                        key: employee.key.clone(),
                        asked: matches!(employment, Employment::Uncertain { needs_read, .. } if !(needs_read && policy.can_read)),
                        employment,
                        deactivated_at: employee
                            .deactivated_at
                            .filter(|_| employee.account_id.as_ref() == Some(account)),
                    });
            }
        };
        for employee in employees {
            here.insert(&employee.key);
            if let Some([account]) = accounts.get(&employee.key).map(Vec::as_slice) {
                add(employee, &account.id);
            }
        }
        let names = rules.names();
        let pairs: Vec<(SourceName, AccountId)> = accounts
            .values()
            .filter(|accounts| accounts.len() == 1)
            .flatten()
            .flat_map(|account| names.iter().map(|name| (name.clone(), account.id.clone())))
            .collect();
        for other in roster::store::find_linked(conn, &pairs).await? {
            if let (false, Some(account)) = (here.contains(&other.key), other.account_id.clone()) {
                add(&other, &account);
            }
        }
        Ok(Self {
            sources: names,
            by_account,
        })
    }

    /// Sources are judged one by one, and one that says "left" is enough: while it does, a return that another
    /// one tells of switches nothing on. While one has a doubt, a person is asked about the return: nobody was asked
    /// about the doubt as long as the account was off.
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
        let still_here = |other: &AccountHolder| other.employment.is_employed();
        if others
            .iter()
            .any(|sharing| sharing.iter().any(left) && !sharing.iter().any(still_here))
        {
            decision.action = Action::Keep(NoActionReason::AlreadyInactive);
            decision.reason += "; but another source says that the person has left";
            return decision;
        }
        let doubted = others
            .iter()
            .filter(|sharing| !sharing.iter().any(|other| other.employment.works_there()))
            .find_map(|sharing| sharing.iter().find(|other| other.asked));
        if let Some(other) = doubted {
            let doubt = other.employment.because();
            decision.reason += "; but another source has a doubt: ";
            decision.reason += doubt;
            decision.action = Action::Hold(HoldRequest {
                requested_action: RequestedAction::Reactivate,
                account: Some(account.clone()),
                facts_fingerprint: format!("doubted-elsewhere: {doubt};account={account}"),
            });
        }
        decision
    }

    /// When we switched off the account that this employee has now, on whoever's leaving: somebody who comes
    /// back under a new employee id comes back to the account that the old one lost. What we did to an account
    /// that the employee had before does not count.
    pub(crate) fn deactivated_at(
        &self,
        employee: &Employee,
        found: &[Account],
    ) -> Option<DateTime<Utc>> {
        let [account] = found else { return None };
        let key = (employee.key.source.clone(), account.id.clone());
        let sharing = self.by_account.get(&key)?;
        sharing
            .iter()
            .filter_map(|other| other.deactivated_at)
            .max()
    }

    /// When we switched off the account that this employee has now, on the leaving of somebody in another source who
    /// works there again. That return was passed over while this source said "left", so this employee's makes it good.
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
            .filter(|sharing| sharing.iter().any(|other| other.employment.works_there()));
        back.flatten()
            .filter_map(|other| other.deactivated_at)
            .max()
    }

    /// Of these accounts, those that are on although an entry says that we switched them off: somebody has
    /// switched them on since.
    pub(crate) fn externally_reactivated_since(
        &self,
        accounts: &HashMap<EmployeeKey, Vec<Account>>,
    ) -> BTreeSet<AccountId> {
        let switched_off =
            |sharing: &[AccountHolder]| sharing.iter().any(|other| other.deactivated_at.is_some());
        let ours: HashSet<&AccountId> = self
            .by_account
            .iter()
            .filter(|(_, sharing)| switched_off(sharing))
            .map(|((_, id), _)| id)
            .collect();
        accounts
            .values()
            .flatten()
            .filter(|account| account.is_active && ours.contains(&account.id))
            .map(|account| account.id.clone())
            .collect()
    }

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
        let sharing = self
            .by_account
            .get(&(employee.key.source.clone(), account.id.clone()));
        let others: Vec<Employment> = sharing
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
