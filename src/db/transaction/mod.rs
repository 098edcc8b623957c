//! Helpers for our transactions: a limit on waits for locks, and a rollback that is awaited.

mod store;

use std::time::Duration;

use sqlx::{Postgres, Transaction};
use tracing::warn;

pub(crate) use self::store::{
    check_deferred_constraints, restore_lock_timeout, set_lock_timeout, set_short_lock_timeout,
    wait_for_own_locks,
};
use super::error::redacted_message;

/// Time limit for a rollback. On a dead connection it would never return.
const ROLLBACK_TIMEOUT: Duration = Duration::from_secs(5);

/// Rolls a transaction back and waits for it, 5 s at most. A transaction that is only dropped rolls back later, and until then
/// `SKIP LOCKED` hides its rows from the retry.
pub(crate) async fn roll_back(tx: Transaction<'_, Postgres>) {
    let cause = match tokio::time::timeout(ROLLBACK_TIMEOUT, tx.rollback()).await {
        Ok(Ok(())) => return,
        Ok(Err(error)) => redacted_message(&error),
        Err(_) => "no response in time".to_owned(),
    };
    warn!(
        error = cause,
        "db.roll_back: cannot roll back; the connection is closed"
    );
}
