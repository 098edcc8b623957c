//! Settings of a transaction.

use sqlx::PgConnection;

/// Limits how long this transaction waits for a lock, 5 s, so that a lock held by the application cannot stop us.
pub(crate) async fn set_lock_timeout(conn: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::query!("SELECT set_config('lock_timeout', '5s', true)")
        .fetch_one(conn)
        .await?;
    Ok(())
}
