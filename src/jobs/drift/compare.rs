//! One comparison, page by page, each page in one snapshot of the database, so that nobody who is being
//! deactivated at that moment is found.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::{
    AccountWithoutEmployee, Drift, EmployeeWithoutAccount, SourceCompleteness,
    TerminatedWithAccess, store,
};
use crate::db::error::chain;
use crate::engine::Engine;
use crate::engine::accounts::{self, AccountsTable};
use crate::engine::audit::Actor;
use crate::engine::evaluate::{Evaluated, evaluate};
use crate::engine::execute::Outcome;
use crate::engine::holds;
use crate::jobs::deliveries::LoopState;
use crate::roster;
use leaver_core::decision::Action;
use leaver_core::decision::assess::{Employment, assess};
use leaver_core::decision::policy::DriftMode;
use leaver_core::domain::{EmployeeKey, SourceName, WorkEmail};

/// Employees, or accounts, per page.
const PAGE: i64 = 500;

/// Compares everybody, and fixes what may be fixed if told to.
///
/// # Errors
/// What is wrong with the database or the users table, in words.
pub async fn compare(worker: &Engine, remedy: DriftMode) -> Result<Drift, String> {
    let mut memory = LoopState::default();
    let table = worker.accounts_table(&mut memory).await?;
    let said = |error: sqlx::Error| chain(&error);
    let pool = &worker.pool;
    let mut drift = pool.heard(begin(worker)).await.map_err(said)?;
    let mut after: Option<EmployeeKey> = None;
    loop {
        let page = look_at_employees(worker, &table, after.as_ref(), &mut drift);
        let (next, mut fixable) = pool.heard(page).await.map_err(said)?;
        if remedy == DriftMode::Fix && !fixable.is_empty() {
            fix(worker, &mut memory, &mut fixable, &mut drift).await?;
        }
        drift.terminated_with_access.append(&mut fixable);
        match next {
            Some(key) => after = Some(key),
            None => break,
        }
    }
    let accounts = look_at_accounts(worker, &table, &mut drift);
    pool.heard(accounts).await.map_err(said)?;
    Ok(drift)
}

async fn begin(worker: &Engine) -> Result<Drift, sqlx::Error> {
    let names = worker.rules.names();
    let mut conn = worker.pool.acquire().await?;
    let known = roster::sync_state::store::list(&mut conn, &names).await?;
    let mut reads: Vec<SourceCompleteness> = known
        .into_iter()
        .map(|read| {
            let everybody = read.full_from.is_some();
            let never = (!everybody).then(|| "not everybody has been read yet".to_owned());
            SourceCompleteness {
                source: read.source,
                account: read.account,
                complete: everybody && read.incomplete.is_none(),
                last_complete_at: read.ended_at,
                everybody_read_at: read.full_from,
                cause: read.incomplete.or(never),
            }
        })
        .collect();
    let unread = |name: &&SourceName| reads.iter().all(|read| read.source != **name);
    let unread: Vec<SourceCompleteness> = names.iter().filter(unread).map(never_read).collect();
    reads.extend(unread);
    Ok(Drift {
        checked_at: worker.clock.now(),
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
        cause: Some(
            "never read: only what its webhooks said is known; [sources.api] makes it readable"
                .to_owned(),
        ),
    }
}

/// Notes what a page of the roster shows; gives back where the next one begins, and whose access could be ended.
async fn look_at_employees(
    worker: &Engine,
    table: &AccountsTable,
    after: Option<&EmployeeKey>,
    drift: &mut Drift,
) -> Result<(Option<EmployeeKey>, Vec<TerminatedWithAccess>), sqlx::Error> {
    let now = worker.clock.now();
    let mut conn = worker.pool.acquire().await?;
    let mut snapshot = store::snapshot(&mut conn).await?;
    let names = worker.rules.names();
    let page = roster::scan::store::entries_after(&mut snapshot, &names, after, PAGE).await?;
    let is_last = i64::try_from(page.len()).unwrap_or(PAGE) < PAGE;
    let next = page.last().map(|last| last.key.clone());
    let deliberated = evaluate(&mut snapshot, table, &worker.rules, page, now).await?;
    let mut on = vec![];
    for decided in deliberated.decided {
        let left = has_left(worker, &decided, now);
        if decided.found.is_empty() {
            drift.unmatched.push(unmatched(&decided, left));
        } else if left && should_be_off(&decided) {
            on.push(decided);
        }
    }
    let mut fixable = vec![];
    for (decided, standing) in with_answers(&mut snapshot, on).await? {
        let Action::Hold(question) = &decided.decision.action else {
            fixable.push(still_on(&decided, None));
            continue;
        };
        match standing {
            Some(said) if said.rejected && said.basis == question.facts_fingerprint => {
                drift.accepted.push(still_on(&decided, Some(said.id)));
            }
            standing => {
                let open = standing.filter(|said| !said.rejected).map(|said| said.id);
                drift.terminated_with_access.push(still_on(&decided, open));
            }
        }
    }
    snapshot.rollback().await?;
    Ok((next.filter(|_| !is_last), fixable))
}

fn has_left(worker: &Engine, decided: &Evaluated, now: DateTime<Utc>) -> bool {
    let employee = &decided.employee;
    let policy = worker.rules.policy(&employee.key.source);
    policy.is_some_and(|policy| matches!(assess(policy, employee, now), Employment::Left { .. }))
}

/// Whether access is there that the decision would end, or would ask a person to end.
fn should_be_off(decided: &Evaluated) -> bool {
    let is_on = decided.found.iter().any(|account| account.is_active);
    let acts = matches!(
        decided.decision.action,
        Action::Deactivate(_) | Action::Hold(_)
    );
    is_on && acts
}

async fn with_answers(
    conn: &mut PgConnection,
    on: Vec<Evaluated>,
) -> Result<Vec<(Evaluated, Option<holds::HoldStatus>)>, sqlx::Error> {
    if on.is_empty() {
        return Ok(vec![]);
    }
    let keys: Vec<EmployeeKey> = on.iter().map(|one| one.employee.key.clone()).collect();
    let standing = holds::store::standing(conn, &keys).await?;
    Ok(on.into_iter().zip(standing).collect())
}

fn email_of(decided: &Evaluated) -> Option<String> {
    let email = decided.employee.work_email();
    email.map(|email| email.expose().to_owned())
}

fn still_on(decided: &Evaluated, hold: Option<i64>) -> TerminatedWithAccess {
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

/// Ends what may be ended; what remains in `fixable` is still on.
async fn fix(
    worker: &Engine,
    memory: &mut LoopState,
    fixable: &mut Vec<TerminatedWithAccess>,
    drift: &mut Drift,
) -> Result<(), String> {
    let keys: Vec<EmployeeKey> = fixable.iter().map(TerminatedWithAccess::key).collect();
    let (outcomes, failure) = worker.reevaluate(memory, &keys, &Actor::Drift).await?;
    for mut one in std::mem::take(fixable) {
        match outcomes.get(&one.key()) {
            // Two employees of one account: it is off, by whichever of the two.
            Some(Outcome::Deactivated | Outcome::AlreadyInactive) => drift.fixed.push(one),
            // Somebody was faster, or facts have changed in the meantime.
            Some(_) => {}
            None => {
                one.failure.clone_from(&failure);
                fixable.push(one);
            }
        }
    }
    Ok(())
}

async fn look_at_accounts(
    worker: &Engine,
    table: &AccountsTable,
    drift: &mut Drift,
) -> Result<(), sqlx::Error> {
    let names = worker.rules.names();
    let policies = || names.iter().filter_map(|name| worker.rules.policy(name));
    let is_protected = |email: &WorkEmail| policies().any(|p| p.protected.contains(email));
    let mut after = None;
    loop {
        let mut conn = worker.pool.acquire().await?;
        let mut snapshot = store::snapshot(&mut conn).await?;
        let page =
            accounts::store::active_after(&mut snapshot, table, after.as_ref(), PAGE).await?;
        let Some(last) = page.last() else {
            return snapshot.rollback().await;
        };
        after = Some(last.id.clone());
        let ids: Vec<&str> = page.iter().map(|account| account.id.as_str()).collect();
        let emails: Vec<&str> = page
            .iter()
            .filter_map(|account| account.email.as_ref().map(WorkEmail::expose))
            .collect();
        let (linked, mentioned) =
            roster::scan::store::find_claimed_accounts(&mut snapshot, &names, &ids, &emails)
                .await?;
        for account in page {
            let email = account.email.as_ref();
            if linked.contains(account.id.as_str())
                || email.is_some_and(|email| mentioned.contains(email.expose()))
            {
                continue;
            }
            drift.active_without_employee.push(AccountWithoutEmployee {
                email: email.map(|email| email.expose().to_owned()),
                protected: email.is_some_and(is_protected),
                account_id: account.id,
            });
        }
        snapshot.rollback().await?;
    }
}
