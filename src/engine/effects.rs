//! Applies decisions to accounts behind a savepoint: an account that the database does not change is named, and everything
//! else of the transaction is kept.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use sqlx::{Connection, PgConnection};
use tracing::warn;

use crate::base::halves::Halves;
use crate::db::error::redacted_message;
use crate::engine::Failure;
use crate::engine::accounts::{self, AccountsTable, Applied, ApplyError, IfProtected};
use leaver_core::decision::{Action, Decision};
use leaver_core::domain::AccountId;

/// Time limit for splitting. The rows are locked meanwhile. The accounts that are left count as blocked and are tried later.
const SPLIT_LIMIT: Duration = Duration::from_secs(10);

/// All decisions about one account. They are never separated, since together they say what happens to it.
type AboutAccount<'a> = Vec<&'a Decision>;

/// Applies decisions. If the database rejects the change of an account, the others are applied without it, and the account
/// is returned as blocked with the reason. Without a decision that changes an account, it runs no statement.
///
/// # Errors
/// Returns the database's error if it is an outage, a lock that is not available, or not about the accounts. The transaction
/// must be rolled back then.
pub(crate) async fn apply(
    conn: &mut PgConnection,
    table: &AccountsTable,
    decisions: &[&Decision],
    if_protected: IfProtected,
) -> Result<Applied, sqlx::Error> {
    let mut by_account: BTreeMap<&AccountId, AboutAccount<'_>> = BTreeMap::new();
    for decision in decisions {
        if let Some(account) = changed_account(decision) {
            by_account.entry(account).or_default().push(decision);
        }
    }
    let mut all = Applied::default();
    if by_account.is_empty() {
        return Ok(all);
    }
    let until = Instant::now() + SPLIT_LIMIT;
    let mut halves = Halves::new(by_account.into_values().collect());
    let mut has_progress = false;
    let mut last_reason = String::new();
    while let Some(part) = halves.next() {
        // Without progress the same accounts would be left at each attempt.
        if has_progress && Instant::now() > until {
            let reason = format!("not tried yet, since others took too long; {last_reason}");
            block(&mut all, &part, &reason);
            continue;
        }
        match attempt(conn, table, &part, if_protected).await {
            Ok(applied) => {
                has_progress = true;
                add(&mut all, applied);
            }
            Err(error) => {
                last_reason = rejection(error)?;
                if let Some(alone) = halves.split(part) {
                    has_progress = true;
                    block(&mut all, &alone, &last_reason);
                }
            }
        }
    }
    warn_about(&all);
    Ok(all)
}

/// Applies decisions behind a savepoint, which is rolled back if the database rejects one of them.
async fn attempt(
    conn: &mut PgConnection,
    table: &AccountsTable,
    part: &[AboutAccount<'_>],
    if_protected: IfProtected,
) -> Result<Applied, ApplyError> {
    let mut savepoint = conn.begin().await?;
    let decisions = part.iter().flatten().copied();
    match accounts::apply(&mut savepoint, table, decisions, if_protected).await {
        Ok(applied) => {
            savepoint.commit().await?;
            Ok(applied)
        }
        Err(error) => {
            savepoint.rollback().await?;
            Err(error)
        }
    }
}

/// Returns the account that a decision changes.
fn changed_account(decision: &Decision) -> Option<&AccountId> {
    match &decision.action {
        Action::Deactivate(account)
        | Action::EndSessions(account)
        | Action::Reactivate(account) => Some(account),
        Action::Hold(_) | Action::Keep(_) => None,
    }
}

/// Returns why the database rejects a change, without values.
///
/// # Errors
/// Returns the error itself if it is not about the accounts.
fn rejection(failed: ApplyError) -> Result<String, sqlx::Error> {
    let ApplyError { statement, error } = failed;
    if error.as_database_error().is_none() {
        return Err(error);
    }
    match Failure::from(error) {
        Failure::Rejected(error) => {
            let reason = redacted_message(&error);
            Ok(statement.map_or(reason.clone(), |name| format!("{name}: {reason}")))
        }
        Failure::Outage(error) | Failure::Locked(error) => Err(error),
        other => Ok(other.to_string()),
    }
}

fn block(applied: &mut Applied, part: &[AboutAccount<'_>], reason: &str) {
    let accounts = part
        .iter()
        .filter_map(|about| changed_account(about.first()?));
    let accounts = accounts.map(|account| (account.clone(), reason.to_owned()));
    applied.blocked.extend(accounts);
}

fn add(all: &mut Applied, applied: Applied) {
    let Applied {
        deactivated,
        reactivated,
        sessions_ended,
        blocked,
    } = applied;
    all.deactivated.extend(deactivated);
    all.reactivated.extend(reactivated);
    all.sessions_ended.extend(sessions_ended);
    all.blocked.extend(blocked);
}

fn warn_about(applied: &Applied) {
    let mut by_reason: BTreeMap<&str, usize> = BTreeMap::new();
    for reason in applied.blocked.values() {
        *by_reason.entry(reason).or_default() += 1;
    }
    for (reason, accounts) in by_reason {
        warn!(
            accounts,
            reason, "engine.apply: the database did not change accounts; will retry"
        );
    }
}
