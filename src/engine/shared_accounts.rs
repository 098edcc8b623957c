//! Finds the accounts of employees, and the other employees who share them.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::policies::Policies;
use super::records::Records;
use crate::engine::accounts::{self, AccountsTable};
use crate::roster::sharing::{self, store::AccountEmail};
use leaver_core::decision::assess::{Employment, assess};
use leaver_core::decision::policy::Policy;
use leaver_core::decision::{AccountMatch, OtherRecord};
use leaver_core::domain::{
    Account, AccountId, Employee, EmployeeKey, SourceName, Tenant, WorkEmail,
};

/// The accounts of employees.
pub(crate) struct FoundAccounts {
    /// The linked account, or without a link those with the work e-mail.
    pub by_employee: HashMap<EmployeeKey, Vec<Account>>,
    /// Employees whose linked account is gone, each with the number of active accounts that have the work e-mail. These
    /// accounts are not the employee's: the address may have been given to a successor.
    pub link_gone: HashMap<EmployeeKey, usize>,
}

/// Finds the accounts of each employee: the linked one, or without a link those with the work e-mail.
pub(crate) async fn find_accounts(
    conn: &mut PgConnection,
    table: &AccountsTable,
    employees: &[Employee],
) -> Result<FoundAccounts, sqlx::Error> {
    let link = |employee: &Employee| {
        let account = employee.account_id.clone();
        account.map(|account| (account, employee.key.tenant.clone()))
    };
    let links: BTreeSet<(AccountId, Tenant)> = employees.iter().filter_map(link).collect();
    let by_id = accounts::store::find_by_id(conn, table, &links).await?;

    let mut found = HashMap::new();
    let mut link_gone = HashMap::new();
    let mut wanted: BTreeMap<(WorkEmail, Tenant), Vec<EmployeeKey>> = BTreeMap::new();
    for employee in employees {
        if let Some(account) = link(employee).and_then(|link| by_id.get(&link)) {
            found.insert(employee.key.clone(), vec![account.clone()]);
            continue;
        }
        if employee.account_id.is_some() {
            link_gone.insert(employee.key.clone(), 0);
        }
        if let Some(email) = employee.work_email() {
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
            if let Some(count) = link_gone.get_mut(&key) {
                *count = accounts.iter().filter(|account| account.is_active).count();
            } else {
                found.insert(key, accounts.clone());
            }
        }
    }
    Ok(FoundAccounts {
        by_employee: found,
        link_gone,
    })
}

/// Finds who else has these accounts: employees who are linked to them, and employees of other sources, or of other tenants of
/// the source, with the e-mail.
async fn find_others(
    conn: &mut PgConnection,
    table: &AccountsTable,
    policies: &Policies,
    sources: &[SourceName],
    accounts: &HashMap<EmployeeKey, Vec<Account>>,
) -> Result<Vec<Employee>, sqlx::Error> {
    let mut ids = BTreeSet::new();
    let mut emails = BTreeSet::new();
    for (key, found) in accounts {
        let [account] = found.as_slice() else {
            continue;
        };
        ids.insert(account.id.clone());
        let Some(email) = &account.email else {
            continue;
        };
        let mut add = |source: &SourceName, tenant: Option<Tenant>| {
            let aliases = table.email_domains.aliases(email).into_iter();
            emails.extend(aliases.map(|email| AccountEmail {
                source: source.clone(),
                account: account.id.clone(),
                email,
                tenant: tenant.clone(),
            }));
        };
        for source in sources.iter().filter(|source| **source != key.source) {
            add(source, table.has_tenants.then(|| key.tenant.clone()));
        }
        if !table.has_tenants {
            let mut others = policies.tenants_of(key.source.as_str());
            others.remove(&key.tenant);
            for tenant in others {
                add(&key.source, Some(tenant));
            }
        }
    }
    let mut others = sharing::store::find_linked(conn, sources, &ids).await?;
    others.extend(sharing::store::find_by_email(conn, &emails).await?);
    table.complete_links(&mut others);
    Ok(others)
}

/// Who shares an account, by source and account.
pub(crate) struct SharedAccounts {
    pub(super) sources: Vec<SourceName>,
    pub(super) by_account: HashMap<(SourceName, AccountId), Vec<AccountHolder>>,
}

/// An employee with an account.
pub(crate) struct AccountHolder {
    pub(super) key: EmployeeKey,
    pub(super) record: OtherRecord,
    /// True if the assessment is uncertain and no read of the API will settle it.
    pub(super) needs_person: bool,
    /// True if the source was read completely and recently.
    pub(super) is_fresh: bool,
    deactivated_at: Option<DateTime<Utc>>,
}

impl AccountHolder {
    fn new(
        policies: &Policies,
        policy: &Policy,
        records: &Records,
        employee: &Employee,
        account: &AccountId,
        now: DateTime<Utc>,
    ) -> Self {
        let employment = assess(policy, employee, now);
        Self {
            key: employee.key.clone(),
            needs_person: matches!(employment, Employment::Uncertain { needs_read, .. } if !(needs_read && policy.can_read)),
            is_fresh: records.is_fresh(policy, employee, now),
            record: OtherRecord {
                employment,
                hire_date: employee.hire_date(),
                confirmed_at: records.confirmed_at(employee),
                presence: records.presence(policies, employee),
                is_of_other_tenant: false,
            },
            deactivated_at: employee
                .deactivated_at
                .filter(|_| employee.account_id.as_ref() == Some(account)),
        }
    }

    pub(super) fn has_left(&self) -> bool {
        matches!(self.record.employment, Employment::Left { .. })
    }

    pub(super) fn is_certainly_employed(&self) -> bool {
        self.record.employment.is_certainly_employed()
    }

    /// Returns true if Leaver deactivated the account for this record.
    pub(super) fn has_ended_access(&self) -> bool {
        self.deactivated_at.is_some()
    }
}

impl SharedAccounts {
    /// Loads who has these accounts: `employees` themselves, and others from the roster. For `employees` the given values
    /// count, which may be newer than the roster's.
    pub(crate) async fn load(
        conn: &mut PgConnection,
        table: &AccountsTable,
        policies: &Policies,
        employees: &[Employee],
        accounts: &HashMap<EmployeeKey, Vec<Account>>,
        now: DateTime<Utc>,
    ) -> Result<Self, sqlx::Error> {
        let sources = policies.names();
        let given: HashSet<&EmployeeKey> = employees.iter().map(|e| &e.key).collect();
        let mut others: Vec<Employee> =
            find_others(conn, table, policies, &sources, accounts).await?;
        others.retain(|other| !given.contains(&other.key));
        let mut holders: Vec<(&Employee, &AccountId)> = vec![];
        for employee in employees {
            if let Some([account]) = accounts.get(&employee.key).map(Vec::as_slice) {
                holders.push((employee, &account.id));
            }
        }
        holders.extend(
            others
                .iter()
                .filter_map(|e| Some((e, e.account_id.as_ref()?))),
        );
        let held: HashSet<&AccountId> = holders.iter().map(|(_, account)| *account).collect();
        let records = if held.len() < holders.len() {
            Records::load(conn, &sources).await?
        } else {
            Records::default()
        };
        let mut by_account: HashMap<(SourceName, AccountId), Vec<AccountHolder>> = HashMap::new();
        for (employee, account) in holders {
            if let Some(policy) = policies.policy(&employee.key.source) {
                by_account
                    .entry((employee.key.source.clone(), account.clone()))
                    .or_default()
                    .push(AccountHolder::new(
                        policies, policy, &records, employee, account, now,
                    ));
            }
        }
        Ok(Self {
            sources,
            by_account,
        })
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
        let back = self
            .in_other_sources(&employee.key.source, &account.id)
            .filter(|holders| holders.iter().any(AccountHolder::is_certainly_employed));
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

    /// Returns how the employee's account was found, and the other records in the source that have it.
    pub(crate) fn match_account(
        &self,
        employee: &Employee,
        found: &[Account],
        link_gone: Option<usize>,
    ) -> (AccountMatch, Vec<OtherRecord>) {
        if let Some(count) = link_gone {
            return (AccountMatch::LinkGone(count), vec![]);
        }
        let account = match found {
            [] => return (AccountMatch::None, vec![]),
            [account] => account,
            several => return (AccountMatch::Ambiguous(several.len()), vec![]),
        };
        let holders = self
            .by_account
            .get(&(employee.key.source.clone(), account.id.clone()));
        let others: Vec<OtherRecord> = holders
            .into_iter()
            .flatten()
            .filter(|other| other.key != employee.key)
            .map(|other| OtherRecord {
                is_of_other_tenant: other.key.tenant != employee.key.tenant,
                ..other.record.clone()
            })
            .collect();
        let account_match = if employee.account_id.as_ref() == Some(&account.id) {
            AccountMatch::Linked(account.clone())
        } else if others.is_empty() {
            AccountMatch::Found(account.clone())
        } else {
            AccountMatch::Shared {
                account: account.clone(),
                other_is_employed: others.iter().any(OtherRecord::may_keep_access),
            }
        };
        (account_match, others)
    }
}
