//! One comparison, page by page. Each page is read in one snapshot of the database, so an employee who is being
//! deactivated at that moment is not reported.

use std::collections::BTreeSet;

use sqlx::PgConnection;

use super::completeness::new_report;
use super::outdated::{is_found_now, is_outdated};
use super::{
    AccountWithoutEmployee, DriftReport, EmployeeWithoutAccount, TerminatedWithAccess, store,
};
use crate::engine::accounts::{self, AccountsTable};
use crate::engine::evaluate::{Evaluated, evaluate};
use crate::engine::execute::Outcome;
use crate::engine::holds;
use crate::engine::origin::Origin;
use crate::engine::shadow;
use crate::engine::{Engine, Failure};
use crate::roster::{self, sharing::Sharing};
use leaver_core::decision::assess::Employment;
use leaver_core::decision::policy::DriftMode;
use leaver_core::decision::{Action, NoActionReason, RequestedAction};
use leaver_core::domain::{Account, EmployeeKey, WorkEmail};

/// Employees or accounts per page.
const PAGE_SIZE: i64 = 500;
/// Outdated employees per transaction.
const PAGE_LENGTH: usize = 500;

/// Compares all employees and accounts. Ends the access that should have ended if the mode is `fix`.
///
/// # Errors
/// Returns the failure; access that was ended before it stays ended.
pub async fn compare(engine: &Engine, mode: DriftMode) -> Result<DriftReport, Failure> {
    let compared = compare_pages(engine, mode).await;
    compared.inspect_err(|_| engine.forget_accounts_table())
}

async fn compare_pages(engine: &Engine, mode: DriftMode) -> Result<DriftReport, Failure> {
    let table = engine.accounts_table().await?;
    let pool = &engine.pool;
    let mut report = pool.with_silence_timeout(new_report(engine)).await?;
    let origin = Origin::drift();
    let mut after: Option<EmployeeKey> = None;
    loop {
        let page = compare_employees(engine, &table, after.as_ref(), &mut report);
        let Page {
            next,
            mut fixable,
            outdated,
        } = pool.with_silence_timeout(page).await?;
        if mode == DriftMode::Fix && !fixable.is_empty() {
            fix(engine, &mut fixable, &mut report, &origin).await?;
        }
        report.outdated.extend(outdated);
        report.terminated_with_access.append(&mut fixable);
        match next {
            Some(key) => after = Some(key),
            None => break,
        }
    }
    if mode == DriftMode::Fix {
        store_states(engine, &mut report).await?;
    }
    let accounts = compare_accounts(engine, &table, &mut report);
    pool.with_silence_timeout(accounts).await?;
    Ok(report)
}

/// Evaluates the employees whose stored state is outdated, page by page. Stores that others have an account now.
///
/// # Errors
/// Returns the failure; the states stored before it are kept.
pub(super) async fn store_states(engine: &Engine, report: &mut DriftReport) -> Result<(), Failure> {
    let origin = Origin::drift();
    let outdated = std::mem::take(&mut report.outdated);
    for page in outdated.chunks(PAGE_LENGTH) {
        engine.reevaluate(page, &origin).await?;
    }
    for page in std::mem::take(&mut report.found_now).chunks(PAGE_LENGTH) {
        engine.store_found_accounts(page).await?;
    }
    Ok(())
}

/// The remaining work of one page of the roster.
struct Page {
    /// Where the next page begins, if there is one.
    next: Option<EmployeeKey>,
    /// Whose access can be ended.
    fixable: Vec<TerminatedWithAccess>,
    /// Whose stored state is outdated.
    outdated: Vec<EmployeeKey>,
}

/// Compares one page of the roster.
async fn compare_employees(
    engine: &Engine,
    table: &AccountsTable,
    after: Option<&EmployeeKey>,
    report: &mut DriftReport,
) -> Result<Page, sqlx::Error> {
    let now = engine.clock.now();
    let mut conn = engine.pool.acquire().await?;
    let mut snapshot = store::snapshot(&mut conn).await?;
    let names = engine.policies.names();
    let page = roster::scan::store::entries_after(&mut snapshot, &names, after, PAGE_SIZE).await?;
    let is_last = i64::try_from(page.len()).unwrap_or(PAGE_SIZE) < PAGE_SIZE;
    let next = page.last().map(|last| last.key.clone());
    let evaluation = evaluate(&mut snapshot, table, &engine.policies, page, now).await?;
    let sharing = engine.policies.sharing(table);
    let others = other_accounts(&mut snapshot, table, &sharing, &evaluation.decided).await?;
    report.terminated_with_access.extend(others);
    let keys = evaluation.decided.iter();
    let keys: Vec<EmployeeKey> = keys.map(|decided| decided.employee.key.clone()).collect();
    let holds = holds::store::history(&mut snapshot, &keys).await?;
    let planned = shadow::store::are_planned(&mut snapshot, &keys).await?;
    let (mut fixable, mut outdated) = (vec![], vec![]);
    for ((decided, holds), is_planned) in evaluation.decided.into_iter().zip(holds).zip(planned) {
        if is_outdated(&decided, &holds, is_planned, now) {
            outdated.push(decided.employee.key.clone());
        }
        if is_found_now(&decided) {
            report.found_now.push(decided.employee.key.clone());
        }
        if !has_undue_access(&decided) {
            if decided.found.is_empty() && !decided.is_ended_without_account() {
                let left = decided.is_leaver_without_account();
                report.unmatched.push(unmatched(&decided, left));
            }
            continue;
        }
        let left = matches!(decided.employment, Employment::Left { .. });
        let Action::Hold(request) = &decided.decision.action else {
            fixable.push(terminated_with_access(&decided, None));
            continue;
        };
        if let Some(hold) = holds.rejection(&request.facts_fingerprint) {
            let accepted = terminated_with_access(&decided, Some(hold.id));
            report.accepted.push(accepted);
        } else {
            let open = holds.open().map(|hold| hold.id);
            let found = terminated_with_access(&decided, open);
            let list = if left {
                &mut report.terminated_with_access
            } else {
                &mut report.held
            };
            list.push(found);
        }
    }
    snapshot.rollback().await?;
    Ok(Page {
        next: next.filter(|_| !is_last),
        fixable,
        outdated,
    })
}

/// Finds active accounts with the work e-mail of a person who left and is linked to another account. An account that is linked
/// to any employee does not count: it may be that of a successor.
async fn other_accounts(
    conn: &mut PgConnection,
    table: &AccountsTable,
    sharing: &Sharing,
    decided: &[Evaluated],
) -> Result<Vec<TerminatedWithAccess>, sqlx::Error> {
    let mut linked = vec![];
    let mut wanted = vec![];
    for decided in decided {
        let employee = &decided.employee;
        let left = matches!(decided.employment, Employment::Left { .. });
        let is_linked = employee.account_id.is_some() && decided.account().is_some();
        if let (true, true, Some(email)) = (left, is_linked, employee.work_email()) {
            wanted.push((email.clone(), employee.key.tenant.clone()));
            linked.push(decided);
        }
    }
    let found = accounts::store::find_by_email(conn, table, &wanted).await?;
    let others: Vec<(&Evaluated, Account)> = linked
        .into_iter()
        .zip(found)
        .flat_map(|(decided, found)| found.into_iter().map(move |account| (decided, account)))
        .filter(|(decided, account)| {
            account.is_active && decided.employee.account_id.as_ref() != Some(&account.id)
        })
        .collect();
    if others.is_empty() {
        return Ok(vec![]);
    }
    let ids: Vec<&str> = others
        .iter()
        .map(|(_, account)| account.id.as_str())
        .collect();
    let claimed = roster::scan::store::find_claimed_accounts(conn, sharing, &ids, &[]).await?;
    Ok(others
        .into_iter()
        .filter(|(_, account)| !claimed.has_link(&account.id))
        .map(|(decided, account)| TerminatedWithAccess {
            account_id: Some(account.id),
            reason: format!(
                "{}; the employee is linked to another account, and this one has the same e-mail",
                decided.decision.reason
            ),
            planned: false,
            failure: None,
            blocked_since: None,
            ..terminated_with_access(decided, None)
        })
        .collect())
}

/// Returns true if an account is active that the decision would deactivate, or hold for a person.
fn has_undue_access(decided: &Evaluated) -> bool {
    let ends_access = match &decided.decision.action {
        Action::Deactivate(_)
        | Action::Keep(NoActionReason::Planned(RequestedAction::Deactivate)) => true,
        Action::Hold(request) => request.requested_action == RequestedAction::Deactivate,
        _ => false,
    };
    ends_access && decided.has_active_account()
}

fn email_of(decided: &Evaluated) -> Option<String> {
    let email = decided.employee.work_email();
    email.map(|email| email.expose().to_owned())
}

fn terminated_with_access(decided: &Evaluated, hold: Option<i64>) -> TerminatedWithAccess {
    let key = decided.employee.key.clone();
    let blocked = decided.employee.blocked.as_ref();
    TerminatedWithAccess {
        source: key.source,
        tenant: key.tenant,
        employee_id: key.employee_id,
        account_id: decided.account().map(|account| account.id.clone()),
        work_email: email_of(decided),
        reason: decided.decision.reason.clone(),
        hold,
        planned: decided.planned.is_some(),
        failure: blocked.map(|blocked| blocked.reason.clone()),
        blocked_since: blocked.map(|blocked| blocked.since),
    }
}

fn unmatched(decided: &Evaluated, left: bool) -> EmployeeWithoutAccount {
    let key = decided.employee.key.clone();
    EmployeeWithoutAccount {
        source: key.source,
        tenant: key.tenant,
        employee_id: key.employee_id,
        work_email: email_of(decided),
        left,
        since: decided.employee.without_account_since,
    }
}

/// Ends the access of these employees. Those whose access could not be ended stay in `fixable`.
async fn fix(
    engine: &Engine,
    fixable: &mut Vec<TerminatedWithAccess>,
    report: &mut DriftReport,
    origin: &Origin,
) -> Result<(), Failure> {
    let keys: Vec<EmployeeKey> = fixable.iter().map(TerminatedWithAccess::key).collect();
    let executed = engine.reevaluate(&keys, origin).await?;
    let failure = executed.failure.map(|failure| failure.to_string());
    for mut found in std::mem::take(fixable) {
        match executed.outcomes.get(&found.key()) {
            // Two employees may share the account, and either may have been deactivated first.
            Some(Outcome::Deactivated | Outcome::AlreadyInactive) => report.fixed.push(found),
            Some(Outcome::Blocked) => {
                found.failure = executed.blocked.get(&found.key()).cloned();
                found.blocked_since.get_or_insert(report.checked_at);
                fixable.push(found);
            }
            // The safeguard has tripped, or newer facts need a person.
            Some(Outcome::Held) => {
                let held =
                    "a person must decide; `leaver holds list` and `leaver safeguard` show it";
                found.failure = Some(held.to_owned());
                fixable.push(found);
            }
            Some(Outcome::Planned) => fixable.push(found),
            // Another replica was faster, or the facts have changed since the page was read.
            Some(_) => {}
            None => {
                found.failure.clone_from(&failure);
                fixable.push(found);
            }
        }
    }
    Ok(())
}

async fn compare_accounts(
    engine: &Engine,
    table: &AccountsTable,
    report: &mut DriftReport,
) -> Result<(), sqlx::Error> {
    let names = engine.policies.names();
    let sharing = engine.policies.sharing(table);
    let policies = || names.iter().filter_map(|name| engine.policies.policy(name));
    let is_protected = |email: &WorkEmail| policies().any(|p| p.protected.contains(email));
    let mut after = None;
    loop {
        let mut conn = engine.pool.acquire().await?;
        let mut snapshot = store::snapshot(&mut conn).await?;
        let page =
            accounts::store::active_after(&mut snapshot, table, after.as_ref(), PAGE_SIZE).await?;
        let Some(last) = page.last() else {
            return snapshot.rollback().await;
        };
        after = Some(last.id.clone());
        let ids: Vec<&str> = page.iter().map(|account| account.id.as_str()).collect();
        let aliases = |account: &Account| {
            let email = account.email.as_ref();
            email.map_or_else(BTreeSet::new, |email| table.email_domains.aliases(email))
        };
        let emails: BTreeSet<WorkEmail> = page.iter().flat_map(aliases).collect();
        let emails: Vec<&str> = emails.iter().map(WorkEmail::expose).collect();
        let claimed =
            roster::scan::store::find_claimed_accounts(&mut snapshot, &sharing, &ids, &emails)
                .await?;
        for account in page {
            let email = account.email.as_ref();
            if claimed.has_link(&account.id)
                || aliases(&account)
                    .iter()
                    .any(|email| claimed.has_email(&account.id, email))
            {
                continue;
            }
            report.active_without_employee.push(AccountWithoutEmployee {
                email: email.map(|email| email.expose().to_owned()),
                protected: account.is_protected || email.is_some_and(is_protected),
                tenant: account.id.tenant().map(str::to_owned),
                account_id: account.id,
            });
        }
        snapshot.rollback().await?;
    }
}
