//! Advisory locks, by name.

use sqlx::PgConnection;

pub(super) async fn try_lock(conn: &mut PgConnection, name: &str) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"SELECT pg_try_advisory_lock(hashtextextended('leaver.' || $1, 0)) AS "locked!""#,
        name,
    )
    .fetch_one(conn)
    .await
}

pub(super) async fn unlock(conn: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::query!(r#"SELECT true AS "done!" FROM (SELECT pg_advisory_unlock_all()) AS unlocked"#)
        .fetch_one(conn)
        .await
        .map(drop)
}
