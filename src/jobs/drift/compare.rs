//! One comparison, page by page. Each page is read in one snapshot of the database, so an employee who is being
//! deactivated at that moment is not reported.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::{
    AccountWithoutEmployee, DriftReport, EmployeeWithoutAccount, SourceCompleteness,
    TerminatedWithAccess, store,
};
use crate::engine::accounts::{self, AccountsTable};
use crate::engine::audit::Actor;
use crate::engine::evaluate::{Evaluated, evaluate};
use crate::engine::execute::Outcome;
use crate::engine::holds;
use crate::engine::{Engine, Failure};
use crate::roster;
use leaver_core::decision::Action;
use leaver_core::decision::assess::{Employment, assess};
use leaver_core::decision::policy::DriftMode;
use leaver_core::domain::{EmployeeKey, SourceName, WorkEmail};

/// Employees or accounts per page.
const PAGE_SIZE: i64 = 500;

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
    let mut after: Option<EmployeeKey> = None;
    loop {
        let page = compare_employees(engine, &table, after.as_ref(), &mut report);
        let (next, mut fixable) = pool.with_silence_timeout(page).await?;
        if mode == DriftMode::Fix && !fixable.is_empty() {
            fix(engine, &mut fixable, &mut report).await?;
        }
        report.terminated_with_access.append(&mut fixable);
        match next {
            Some(key) => after = Some(key),
            None => break,
        }
    }
    let accounts = compare_accounts(engine, &table, &mut report);
    pool.with_silence_timeout(accounts).await?;
    Ok(report)
}

async fn new_report(engine: &Engine) -> Result<DriftReport, sqlx::Error> {
    let names = engine.policies.names();
    let mut conn = engine.pool.acquire().await?;
    let known = roster::sync_state::store::list(&mut conn, &names).await?;
    let mut reads: Vec<SourceCompleteness> = known
        .into_iter()
        .map(|state| {
            let has_full_read = state.last_full_started_at.is_some();
            let no_full_read =
                (!has_full_read).then(|| "not all employees were read yet".to_owned());
            SourceCompleteness {
                source: state.source,
                account: state.linked_account_id,
                complete: has_full_read && state.incomplete.is_none(),
                last_complete_at: state.last_completed_at,
                everybody_read_at: state.last_full_started_at,
                reason: state.incomplete.or(no_full_read),
            }
        })
        .collect();
    let unread = |name: &&SourceName| reads.iter().all(|read| read.source != **name);
    let unread: Vec<SourceCompleteness> = names.iter().filter(unread).map(never_read).collect();
    reads.extend(unread);
    Ok(DriftReport {
        checked_at: engine.clock.now(),
        rests_on_complete_reads: reads.iter().all(|read| read.everybody_read_at.is_some()),
        reads,
        terminated_with_access: vec![],
        accepted: vec![],
        fixed: vec![],
        active_without_employee: vec![],
        unmatched: vec![],
    })
}

fn never_read(source: &SourceName) -> SourceCompleteness {
    SourceCompleteness {
        source: source.clone(),
        account: String::new(),
        complete: false,
        last_complete_at: None,
        everybody_read_at: None,
        reason: Some(
            "never read, so only what its webhooks sent is known; set `sources.api` to read it"
                .to_owned(),
        ),
    }
}

/// Compares one page of the roster. Returns where the next page begins, and whose access can be ended.
async fn compare_employees(
    engine: &Engine,
    table: &AccountsTable,
    after: Option<&EmployeeKey>,
    report: &mut DriftReport,
) -> Result<(Option<EmployeeKey>, Vec<TerminatedWithAccess>), sqlx::Error> {
    let now = engine.clock.now();
    let mut conn = engine.pool.acquire().await?;
    let mut snapshot = store::snapshot(&mut conn).await?;
    let names = engine.policies.names();
    let page = roster::scan::store::entries_after(&mut snapshot, &names, after, PAGE_SIZE).await?;
    let is_last = i64::try_from(page.len()).unwrap_or(PAGE_SIZE) < PAGE_SIZE;
    let next = page.last().map(|last| last.key.clone());
    let evaluation = evaluate(&mut snapshot, table, &engine.policies, page, now).await?;
    let mut with_access = vec![];
    for decided in evaluation.decided {
        let left = has_left(engine, &decided, now);
        if decided.found.is_empty() {
            report.unmatched.push(unmatched(&decided, left));
        } else if left && has_undue_access(&decided) {
            with_access.push(decided);
        }
    }
    let mut fixable = vec![];
    for (decided, hold) in with_holds(&mut snapshot, with_access).await? {
        let Action::Hold(request) = &decided.decision.action else {
            fixable.push(terminated_with_access(&decided, None));
            continue;
        };
        match hold {
            Some(hold) if hold.rejected && hold.facts_fingerprint == request.facts_fingerprint => {
                let accepted = terminated_with_access(&decided, Some(hold.id));
                report.accepted.push(accepted);
            }
            hold => {
                let open = hold.filter(|hold| !hold.rejected).map(|hold| hold.id);
                let found = terminated_with_access(&decided, open);
                report.terminated_with_access.push(found);
            }
        }
    }
    snapshot.rollback().await?;
    Ok((next.filter(|_| !is_last), fixable))
}

fn has_left(engine: &Engine, decided: &Evaluated, now: DateTime<Utc>) -> bool {
    let employee = &decided.employee;
    let policy = engine.policies.policy(&employee.key.source);
    policy.is_some_and(|policy| matches!(assess(policy, employee, now), Employment::Left { .. }))
}

/// Returns true if an account is active that the decision would deactivate, or hold for a person.
fn has_undue_access(decided: &Evaluated) -> bool {
    let is_active = decided.found.iter().any(|account| account.is_active);
    let ends_access = matches!(
        decided.decision.action,
        Action::Deactivate(_) | Action::Hold(_)
    );
    is_active && ends_access
}

async fn with_holds(
    conn: &mut PgConnection,
    with_access: Vec<Evaluated>,
) -> Result<Vec<(Evaluated, Option<holds::HoldStatus>)>, sqlx::Error> {
    if with_access.is_empty() {
        return Ok(vec![]);
    }
    let keys: Vec<EmployeeKey> = with_access
        .iter()
        .map(|decided| decided.employee.key.clone())
        .collect();
    let holds = holds::store::standing(conn, &keys).await?;
    Ok(with_access.into_iter().zip(holds).collect())
}

fn email_of(decided: &Evaluated) -> Option<String> {
    let email = decided.employee.work_email();
    email.map(|email| email.expose().to_owned())
}

fn terminated_with_access(decided: &Evaluated, hold: Option<i64>) -> TerminatedWithAccess {
    let key = decided.employee.key.clone();
    TerminatedWithAccess {
        source: key.source,
        tenant: key.tenant,
        employee_id: key.employee_id,
        account_id: decided.account().map(|account| account.id.clone()),
        work_email: email_of(decided),
        reason: decided.decision.reason.clone(),
        hold,
        failure: None,
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
    }
}

/// Ends the access of these employees. Those whose access could not be ended stay in `fixable`.
async fn fix(
    engine: &Engine,
    fixable: &mut Vec<TerminatedWithAccess>,
    report: &mut DriftReport,
) -> Result<(), Failure> {
    let keys: Vec<EmployeeKey> = fixable.iter().map(TerminatedWithAccess::key).collect();
    let executed = engine.reevaluate(&keys, &Actor::Drift).await?;
    let failure = executed.failure.map(|failure| failure.to_string());
    for mut found in std::mem::take(fixable) {
        match executed.outcomes.get(&found.key()) {
            // Two employees may share the account, and either may have been deactivated first.
            Some(Outcome::Deactivated | Outcome::AlreadyInactive) => report.fixed.push(found),
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
        let emails: Vec<&str> = page
            .iter()
            .filter_map(|account| account.email.as_ref().map(WorkEmail::expose))
            .collect();
        let claimed =
            roster::scan::store::find_claimed_accounts(&mut snapshot, &names, &ids, &emails)
                .await?;
        for account in page {
            let email = account.email.as_ref();
            if claimed.account_ids.contains(account.id.as_str())
                || email.is_some_and(|email| claimed.work_emails.contains(email.expose()))
            {
                continue;
            }
            report.active_without_employee.push(AccountWithoutEmployee {
                email: email.map(|email| email.expose().to_owned()),
                protected: account.is_protected || email.is_some_and(is_protected),
                account_id: account.id,
            });
        }
        snapshot.rollback().await?;
    }
}
