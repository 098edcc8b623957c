//! What each of our transactions needs: a limit on waits for locks, and a rollback that is awaited.

mod store;

use std::time::Duration;

use sqlx::{Postgres, Transaction};
use tracing::warn;

pub(crate) use self::store::set_lock_timeout;
use super::error::chain;

/// Time limit for a rollback. On a dead connection it would never return.
const ROLL_BACK: Duration = Duration::from_secs(5);

/// Rolls a transaction back and waits for it. A transaction that is only dropped rolls back later, and until then
/// `SKIP LOCKED` hides its rows from the retry.
pub(crate) async fn roll_back(tx: Transaction<'_, Postgres>) {
    let trouble = match tokio::time::timeout(ROLL_BACK, tx.rollback()).await {
        Ok(Ok(())) => return,
        Ok(Err(error)) => chain(&error),
        Err(_) => "no response in time".to_owned(),
    };
    warn!(error = trouble, "db.roll_back: connection lost");
}
