//! Settings of a transaction.

use sqlx::PgConnection;

/// Limits how long this transaction waits for a lock, 5 s, so that a lock held by the application cannot stop us.
pub(crate) async fn set_lock_timeout(conn: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::query!("SELECT set_config('lock_timeout', '5s', true)")
        .fetch_one(conn)
        .await?;
    Ok(())
}

/// Allows waits of 5 s for locks that only our own transactions hold: those end soon. Returns the limit before.
pub(crate) async fn wait_for_own_locks(conn: &mut PgConnection) -> Result<String, sqlx::Error> {
    let before = sqlx::query_scalar!(r#"SELECT current_setting('lock_timeout') AS "timeout!""#)
        .fetch_one(&mut *conn)
        .await?;
    set_lock_timeout(conn).await?;
    Ok(before)
}

/// Restores a limit that [`wait_for_own_locks`] returned.
pub(crate) async fn restore_lock_timeout(
    conn: &mut PgConnection,
    timeout: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query!("SELECT set_config('lock_timeout', $1, true)", timeout)
        .fetch_one(conn)
        .await?;
    Ok(())
}

/// Limits the further waits of this transaction to 100 ms: another session is known to hold a lock for long, and others
/// must not wait with us.
pub(crate) async fn set_short_lock_timeout(conn: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::query!("SELECT set_config('lock_timeout', '100ms', true)")
        .fetch_one(conn)
        .await?;
    Ok(())
}

/// Checks all deferred constraints now. Those of later statements are deferred until the next check, or the commit.
///
/// # Errors
/// Returns the database's error, which may come from a deferred trigger of the application.
pub(crate) async fn check_deferred_constraints(conn: &mut PgConnection) -> Result<(), sqlx::Error> {
    // In one message: the second statement must not cost a round trip.
    sqlx::raw_sql("SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED")
        .execute(conn)
        .await?;
    Ok(())
}
