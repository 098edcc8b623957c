//! From what is known to what is done, for a slice of employees in one transaction: find their accounts,
//! decide, apply, raise holds, save the roster, record. Whoever observed, this is the only way on.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::Rulebook;
use crate::accounts::{self, AccountsTable, Applied};
use crate::audit::{self, Actor, AuditAction, AuditEntry};
use crate::decision::judgement::{Judgement, judge};
use crate::decision::{AccountMatch, Action, Decision, Kept, decide};
use crate::domain::{Account, AccountId, Employee, EmployeeKey, SourceName, Tenant, WorkEmail};
use crate::holds::{self, NewHold};
use crate::roster;

/// How it ended for one employee.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Ending {
    /// The account was switched off.
    Deactivated,
    /// The account was switched on again.
    Reactivated,
    /// Access ends later.
    Scheduled,
    /// A person must say.
    Held,
    /// The account stays as it is.
    Kept,
    /// The account was off already.
    AlreadyInactive,
    /// Nobody to switch off.
    NoAccount,
    /// Nothing new was said.
    Unchanged,
    /// What was said is older than what is known.
    Stale,
}

impl Ending {
    /// Whether something was done, as opposed to found.
    #[must_use]
    pub fn is_deed(self) -> bool {
        matches!(
            self,
            Self::Deactivated | Self::Reactivated | Self::Scheduled | Self::Held
        )
    }

    /// The word in a delivery's outcome and in the metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Deactivated => "deactivated",
            Self::Reactivated => "reactivated",
            Self::Scheduled => "scheduled",
            Self::Held => "held",
            Self::Kept => "kept",
            Self::AlreadyInactive => "already_inactive",
            Self::NoAccount => "no_account",
            Self::Unchanged => "unchanged",
            Self::Stale => "stale",
        }
    }
}

/// What was done for a slice of employees.
#[derive(Debug, Default)]
pub struct Acted {
    /// How it ended, employee by employee.
    pub endings: HashMap<EmployeeKey, Ending>,
    /// Whether an end of access was noted or moved, so that the timer should look anew.
    pub schedule_moved: bool,
}

/// Decides and carries out, in a number of statements that does not depend on the length of the slice.
///
/// The roster rows of `employees` must be locked by the transaction. Employees of sources that are no
/// longer configured are saved and otherwise left alone.
///
/// # Errors
/// Whatever the database says; the transaction must be rolled back then.
pub async fn act(
    conn: &mut PgConnection,
    table: &AccountsTable,
    rules: &Rulebook,
    employees: Vec<Employee>,
    actor: &Actor,
    now: DateTime<Utc>,
) -> Result<Acted, sqlx::Error> {
    let accounts = find_accounts(conn, table, &employees).await?;
    let company = Company::gather(conn, rules, &employees, &accounts, now).await?;

    let mut decided: Vec<(Employee, Option<Account>, Decision)> =
        Vec::with_capacity(employees.len());
    let mut unruled: Vec<(Employee, bool)> = vec![];
    for employee in employees {
        let Some(policy) = rules.policy(&employee.key.source) else {
            unruled.push((employee, true));
            continue;
        };
        let found = accounts.get(&employee.key).map_or(&[][..], Vec::as_slice);
        let (account_match, others) = company.judge_match(&employee, found);
        let decision = decide(policy, &employee, &account_match, &others, now);
        let decision = company.heed_other_sources(&employee, decision);
        let account = found.first().filter(|_| found.len() == 1).cloned();
        decided.push((employee, account, decision));
    }

    let applied =
        accounts::apply(conn, table, decided.iter().map(|(_, _, decision)| decision)).await?;
    let mut record = Record {
        actor,
        now,
        applied: &applied,
        told: HashSet::new(),
        entries: vec![],
        holds: vec![],
        settled: vec![],
        here: vec![],
    };
    let mut acted = Acted::default();
    let mut saved = unruled;
    for (mut employee, account, decision) in decided {
        let ending = record.note(&mut employee, account.as_ref(), &decision);
        acted.schedule_moved |= ending == Ending::Scheduled;
        acted.endings.insert(employee.key.clone(), ending);
        saved.push((employee, true));
    }
    let Record {
        mut entries,
        holds,
        settled,
        here,
        ..
    } = record;

    holds::store::withdraw(conn, &settled, now).await?;
    holds::store::lapse(conn, &here).await?;
    for position in holds::store::raise(conn, &holds, now).await? {
        let Some(hold) = holds.get(position) else {
            continue;
        };
        entries.push(AuditEntry {
            action: AuditAction::Held,
            reason: hold.reason.clone(),
            employee: hold.employee.clone(),
            account: hold.question.account.clone(),
            delivery: hold.delivery,
            actor: actor.clone(),
        });
    }
    roster::store::save(conn, &saved, now).await?;
    audit::store::record(conn, &entries, now).await?;
    Ok(acted)
}

/// What [`act`] would do about one employee now, and why, without doing it; `None` when the source is not
/// configured.
///
/// # Errors
/// Whatever the database says.
pub async fn foresee(
    conn: &mut PgConnection,
    table: &AccountsTable,
    rules: &Rulebook,
    employee: &Employee,
    now: DateTime<Utc>,
) -> Result<Option<(&'static str, String)>, sqlx::Error> {
    let Some(policy) = rules.policy(&employee.key.source) else {
        return Ok(None);
    };
    let slice = std::slice::from_ref(employee);
    let accounts = find_accounts(conn, table, slice).await?;
    let company = Company::gather(conn, rules, slice, &accounts, now).await?;
    let found = accounts.get(&employee.key).map_or(&[][..], Vec::as_slice);
    let (account_match, others) = company.judge_match(employee, found);
    let decision = decide(policy, employee, &account_match, &others, now);
    let decision = company.heed_other_sources(employee, decision);
    let what = match decision.action {
        Action::Deactivate(_) => "deactivate",
        Action::Reactivate(_) => "reactivate",
        Action::Hold(_) => "hold",
        Action::Keep(Kept::StillHere) => "keep",
        Action::Keep(Kept::AlreadyInactive) => "already inactive",
        Action::Keep(Kept::NoAccount) => "no account",
        Action::Keep(Kept::Waiting) => "scheduled",
    };
    Ok(Some((what, decision.reason)))
}

/// Per employee, the accounts that the link or else the work e-mail leads to. A link whose account is gone
/// counts as none.
async fn find_accounts(
    conn: &mut PgConnection,
    table: &AccountsTable,
    employees: &[Employee],
) -> Result<HashMap<EmployeeKey, Vec<Account>>, sqlx::Error> {
    let ids: BTreeSet<AccountId> = employees.iter().filter_map(|e| e.account.clone()).collect();
    let by_id: HashMap<AccountId, Account> = accounts::store::find_by_id(conn, table, &ids)
        .await?
        .into_iter()
        .map(|account| (account.id.clone(), account))
        .collect();

    let mut found = HashMap::new();
    let mut wanted: BTreeMap<(WorkEmail, Tenant), Vec<EmployeeKey>> = BTreeMap::new();
    for employee in employees {
        if let Some(account) = employee.account.as_ref().and_then(|id| by_id.get(id)) {
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
struct Company {
    sources: Vec<SourceName>,
    by_account: HashMap<(SourceName, AccountId), Vec<(EmployeeKey, Judgement)>>,
}

impl Company {
    /// Those in the roster who are linked to one of these accounts, and those of this very slice, who may
    /// know better than the roster yet does.
    async fn gather(
        conn: &mut PgConnection,
        rules: &Rulebook,
        employees: &[Employee],
        accounts: &HashMap<EmployeeKey, Vec<Account>>,
        now: DateTime<Utc>,
    ) -> Result<Self, sqlx::Error> {
        let mut by_account: HashMap<(SourceName, AccountId), Vec<(EmployeeKey, Judgement)>> =
            HashMap::new();
        let mut here = HashSet::new();
        let mut add = |employee: &Employee, account: &AccountId| {
            if let Some(policy) = rules.policy(&employee.key.source) {
                by_account
                    .entry((employee.key.source.clone(), account.clone()))
                    .or_default()
                    .push((employee.key.clone(), judge(policy, employee, now)));
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
            if let (false, Some(account)) = (here.contains(&other.key), other.account.clone()) {
                add(&other, &account);
            }
        }
        Ok(Self {
            sources: names,
            by_account,
        })
    }

    /// Sources are judged one by one, and one that says "left" is enough: while it does, a return that another
    /// one tells of switches nothing on.
    fn heed_other_sources(&self, employee: &Employee, mut decision: Decision) -> Decision {
        if let Action::Reactivate(account) = &decision.action {
            let others = self
                .sources
                .iter()
                .filter(|name| **name != employee.key.source);
            let left_elsewhere = others
                .filter_map(|name| self.by_account.get(&(name.clone(), account.clone())))
                .any(|sharing| {
                    let mut judgements = sharing.iter().map(|(_, judgement)| judgement);
                    judgements
                        .clone()
                        .any(|j| matches!(j, Judgement::Left { .. }))
                        && !judgements.any(Judgement::is_employed)
                });
            if left_elsewhere {
                decision.action = Action::Keep(Kept::AlreadyInactive);
                decision.reason += "; but another source says that the person has left";
            }
        }
        decision
    }

    fn judge_match(
        &self,
        employee: &Employee,
        found: &[Account],
    ) -> (AccountMatch, Vec<Judgement>) {
        let account = match found {
            [] => return (AccountMatch::None, vec![]),
            [account] => account,
            several => return (AccountMatch::Ambiguous(several.len()), vec![]),
        };
        let sharing = self
            .by_account
            .get(&(employee.key.source.clone(), account.id.clone()));
        let others: Vec<Judgement> = sharing
            .into_iter()
            .flatten()
            .filter(|(key, _)| *key != employee.key)
            .map(|(_, judgement)| judgement.clone())
            .collect();
        let account_match = if employee.account.as_ref() == Some(&account.id) {
            AccountMatch::Linked(account.clone())
        } else if others.is_empty() {
            AccountMatch::Found(account.clone())
        } else {
            AccountMatch::Shared {
                account: account.clone(),
                other_is_employed: others.iter().any(Judgement::is_employed),
            }
        };
        (account_match, others)
    }
}

/// What is written down about a slice while it is carried out.
struct Record<'a> {
    actor: &'a Actor,
    now: DateTime<Utc>,
    applied: &'a Applied,
    /// Accounts whose change is recorded already: two employees of one account make one change.
    told: HashSet<AccountId>,
    entries: Vec<AuditEntry>,
    holds: Vec<NewHold>,
    settled: Vec<EmployeeKey>,
    /// Those who, as things stand, have not left.
    here: Vec<EmployeeKey>,
}

impl Record<'_> {
    /// Brings the roster entry in line with what was done, and writes it down.
    fn note(
        &mut self,
        employee: &mut Employee,
        account: Option<&Account>,
        decision: &Decision,
    ) -> Ending {
        if let Some(link) = &decision.link {
            if employee.account.as_ref() != Some(link) {
                // What we did to the account of before says nothing about this one.
                employee.deactivated_at = None;
            }
            employee.account = Some(link.clone());
        }
        let moved = self.note_schedule(employee, decision);
        if !matches!(decision.action, Action::Hold(_)) {
            self.settled.push(employee.key.clone());
        }
        if matches!(
            decision.action,
            Action::Reactivate(_) | Action::Keep(Kept::StillHere | Kept::Waiting)
        ) {
            self.here.push(employee.key.clone());
        }
        match &decision.action {
            Action::Deactivate(id) => {
                if !self.applied.deactivated.contains(id) {
                    return Ending::AlreadyInactive;
                }
                employee.deactivated_at = Some(self.now);
                self.tell(
                    AuditAction::Deactivated,
                    employee,
                    Some(id),
                    &decision.reason,
                );
                Ending::Deactivated
            }
            Action::Reactivate(id) => {
                if !self.applied.reactivated.contains(id) {
                    return Ending::Kept;
                }
                employee.deactivated_at = None;
                self.tell(
                    AuditAction::Reactivated,
                    employee,
                    Some(id),
                    &decision.reason,
                );
                Ending::Reactivated
            }
            Action::Hold(question) => {
                self.holds.push(NewHold {
                    employee: employee.key.clone(),
                    question: question.clone(),
                    reason: decision.reason.clone(),
                    delivery: employee.delivery,
                });
                Ending::Held
            }
            Action::Keep(kept) => {
                if account.is_some_and(|account| account.is_active) {
                    employee.deactivated_at = None;
                }
                match kept {
                    Kept::Waiting if moved => Ending::Scheduled,
                    Kept::Waiting => Ending::Unchanged,
                    Kept::StillHere => Ending::Kept,
                    Kept::AlreadyInactive => Ending::AlreadyInactive,
                    Kept::NoAccount => Ending::NoAccount,
                }
            }
        }
    }

    /// Whether an end of access was noted or moved. One that has come, or that gives way to a deactivation
    /// now, is not withdrawn but carried out.
    fn note_schedule(&mut self, employee: &mut Employee, decision: &Decision) -> bool {
        // What is not ahead would make the timer look again at once, for ever.
        let after = decision.access_ends_at.filter(|at| *at > self.now);
        let before = std::mem::replace(&mut employee.access_ends_at, after);
        if before == after {
            return false;
        }
        let account = employee.account.clone();
        if let Some(at) = after {
            let reason = format!(
                "{}; access ends at {}",
                decision.reason,
                at.format("%Y-%m-%dT%H:%M:%SZ")
            );
            self.push(AuditAction::Scheduled, employee, account.as_ref(), &reason);
            return true;
        }
        let withdrawn = before.is_some_and(|at| at > self.now)
            && !matches!(decision.action, Action::Deactivate(_));
        if withdrawn {
            self.push(
                AuditAction::Unscheduled,
                employee,
                account.as_ref(),
                &decision.reason,
            );
        }
        false
    }

    fn tell(
        &mut self,
        action: AuditAction,
        employee: &Employee,
        account: Option<&AccountId>,
        reason: &str,
    ) {
        if account.is_none_or(|id| self.told.insert(id.clone())) {
            self.push(action, employee, account, reason);
        }
    }

    fn push(
        &mut self,
        action: AuditAction,
        employee: &Employee,
        account: Option<&AccountId>,
        reason: &str,
    ) {
        self.entries.push(AuditEntry {
            action,
            reason: reason.to_owned(),
            employee: employee.key.clone(),
            account: account.cloned(),
            delivery: employee.delivery,
            actor: self.actor.clone(),
        });
    }
}
