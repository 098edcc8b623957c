//! One comparison, page by page. Each page is read in one snapshot of the database, so an employee who is being
//! deactivated at that moment is not reported.

use super::completeness::new_report;
use super::fix::fix;
use super::orphans::compare_accounts;
use super::outdated::{States, is_found_now, is_outdated};
use super::siblings::other_accounts;
use super::{DriftReport, EmployeeWithoutAccount, Finding, TerminatedWithAccess, store};
use crate::engine::accounts::AccountsTable;
use crate::engine::evaluate::{Evaluated, evaluate};
use crate::engine::holds;
use crate::engine::shadow;
use crate::engine::{Engine, Failure};
use crate::roster;
use leaver_core::decision::assess::Employment;
use leaver_core::decision::policy::DriftMode;
use leaver_core::decision::{Action, NoActionReason, RequestedAction};
use leaver_core::domain::EmployeeKey;

/// Employees or accounts per page.
pub(super) const PAGE_SIZE: i64 = 500;

/// Compares all employees and accounts. Ends the access that should have ended if the mode is `fix`.
///
/// # Errors
/// Returns the failure; access that was ended before it stays ended.
pub async fn compare(engine: &Engine, mode: DriftMode) -> Result<DriftReport, Failure> {
    compare_each(engine, mode, &mut |_| {}, &|_| {}).await
}

/// The same, and calls `on_found` with every row, listed in the report or not, and `on_page` with the number of employees so
/// far.
///
/// # Errors
/// Returns the failure; access that was ended before it stays ended.
pub async fn compare_each(
    engine: &Engine,
    mode: DriftMode,
    on_found: &mut OnFound<'_>,
    on_page: &OnPage<'_>,
) -> Result<DriftReport, Failure> {
    let stores_states = mode == DriftMode::Fix;
    compare_and_store(engine, mode, stores_states, on_found, on_page).await
}

/// The same. Stores outdated states again if `stores_states`, in either mode.
///
/// # Errors
/// Returns the failure; the states stored before it are kept.
pub(super) async fn compare_and_store(
    engine: &Engine,
    mode: DriftMode,
    stores_states: bool,
    on_found: &mut OnFound<'_>,
    on_page: &OnPage<'_>,
) -> Result<DriftReport, Failure> {
    let compared = compare_pages(engine, mode, stores_states, on_found, on_page).await;
    compared.inspect_err(|_| engine.forget_accounts_table())
}

/// Receives every row of a comparison.
pub(super) type OnFound<'a> = dyn FnMut(&Finding) + Send + 'a;

/// Receives the number of employees that were compared so far.
type OnPage<'a> = dyn Fn(u64) + Sync + 'a;

/// The report so far, and the receiver of its rows.
pub(super) struct Found<'a> {
    report: DriftReport,
    on_found: &'a mut OnFound<'a>,
}

impl Found<'_> {
    pub(super) fn add(&mut self, finding: Finding) {
        (self.on_found)(&finding);
        self.report.add(finding);
    }
}

async fn compare_pages(
    engine: &Engine,
    mode: DriftMode,
    stores_states: bool,
    on_found: &mut OnFound<'_>,
    on_page: &OnPage<'_>,
) -> Result<DriftReport, Failure> {
    let table = engine.accounts_table().await?;
    let pool = &engine.pool;
    let report = pool.with_silence_timeout(new_report(engine)).await?;
    let mut on_found = |finding: &Finding| on_found(finding);
    let mut found = Found {
        report,
        on_found: &mut on_found,
    };
    let mut states = States::default();
    let mut after: Option<EmployeeKey> = None;
    let mut compared = 0;
    loop {
        let page = compare_employees(engine, &table, after.as_ref(), &mut found);
        let page = pool.with_silence_timeout(page).await?;
        compared += page.employees;
        on_page(compared);
        let rows = if mode == DriftMode::Fix && !page.fixable.is_empty() {
            fix(engine, page.fixable, found.report.checked_at).await?
        } else {
            let rows = page.fixable.into_iter();
            rows.map(Finding::TerminatedWithAccess).collect()
        };
        for row in rows {
            found.add(row);
        }
        if stores_states {
            states.add(page.outdated, page.found_now);
            states.store_full_pages(engine).await?;
        }
        match page.next {
            Some(key) => after = Some(key),
            None => break,
        }
    }
    states.store_rest(engine).await?;
    let accounts = compare_accounts(engine, &table, &mut found);
    pool.with_silence_timeout(accounts).await?;
    Ok(found.report)
}

/// The remaining work of one page of the roster.
struct Page {
    /// How many employees it has.
    employees: u64,
    /// Where the next page begins, if there is one.
    next: Option<EmployeeKey>,
    /// Whose access can be ended.
    fixable: Vec<TerminatedWithAccess>,
    /// Whose stored state is outdated.
    outdated: Vec<EmployeeKey>,
    /// Who is stored as a leaver without an account, and has one now.
    found_now: Vec<EmployeeKey>,
}

/// Compares one page of the roster.
async fn compare_employees(
    engine: &Engine,
    table: &AccountsTable,
    after: Option<&EmployeeKey>,
    found: &mut Found<'_>,
) -> Result<Page, sqlx::Error> {
    let now = engine.clock.now();
    let mut conn = engine.pool.acquire().await?;
    let mut snapshot = store::snapshot(&mut conn).await?;
    let names = engine.policies.names();
    let page = roster::scan::store::entries_after(&mut snapshot, &names, after, PAGE_SIZE).await?;
    let is_last = i64::try_from(page.len()).unwrap_or(PAGE_SIZE) < PAGE_SIZE;
    let next = page.last().map(|last| last.key.clone());
    let employees = u64::try_from(page.len()).unwrap_or_default();
    let evaluation = evaluate(&mut snapshot, table, &engine.policies, page, now).await?;
    let sharing = engine.policies.sharing(table);
    for other in other_accounts(&mut snapshot, table, &sharing, &evaluation.decided).await? {
        found.add(Finding::TerminatedWithAccess(other));
    }
    let keys = evaluation.decided.iter();
    let keys: Vec<EmployeeKey> = keys.map(|decided| decided.employee.key.clone()).collect();
    let holds = holds::store::history(&mut snapshot, &keys).await?;
    let planned = shadow::store::are_planned(&mut snapshot, &keys).await?;
    let (mut fixable, mut outdated, mut found_now) = (vec![], vec![], vec![]);
    for ((decided, holds), is_planned) in evaluation.decided.into_iter().zip(holds).zip(planned) {
        if is_outdated(&decided, &holds, is_planned, now) {
            outdated.push(decided.employee.key.clone());
        }
        if is_found_now(&decided) {
            found_now.push(decided.employee.key.clone());
        }
        if !has_undue_access(&decided) {
            if decided.found.is_empty() && !decided.is_ended_without_account() {
                let left = decided.is_leaver_without_account();
                found.add(Finding::Unmatched(unmatched(&decided, left)));
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
            found.add(Finding::Accepted(accepted));
        } else {
            let open = holds.open().map(|hold| hold.id);
            let row = terminated_with_access(&decided, open);
            found.add(if left {
                Finding::TerminatedWithAccess(row)
            } else {
                Finding::Held(row)
            });
        }
    }
    snapshot.rollback().await?;
    Ok(Page {
        employees,
        next: next.filter(|_| !is_last),
        fixable,
        outdated,
        found_now,
    })
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

/// Returns the row of an employee with an active account.
pub(super) fn terminated_with_access(
    decided: &Evaluated,
    hold: Option<i64>,
) -> TerminatedWithAccess {
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
