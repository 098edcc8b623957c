//! The statements.

use sqlx::PgConnection;

use super::{CHANNEL, Topic};

/// Sends a message at the commit of this transaction.
///
/// # Errors
/// Returns the database's error.
pub(crate) async fn send(conn: &mut PgConnection, topic: Topic) -> Result<(), sqlx::Error> {
    let topic: &str = topic.into();
    sqlx::query!(
        r#"SELECT true AS "sent!" FROM (SELECT pg_notify($1, $2)) AS sent"#,
        CHANNEL,
        topic
    )
    .fetch_one(conn)
    .await
    .map(drop)
}

/// Sends a message in a transaction of its own, which does not wait for the disk.
///
/// # Errors
/// Returns the database's error.
pub(crate) async fn send_alone(conn: &mut PgConnection, topic: Topic) -> Result<(), sqlx::Error> {
    let topic: &str = topic.into();
    sqlx::query!(
        r#"WITH sparing AS (SELECT set_config('synchronous_commit', 'off', true))
           SELECT true AS "sent!" FROM sparing, LATERAL (SELECT pg_notify($1, $2)) AS sent"#,
        CHANNEL,
        topic
    )
    .fetch_one(conn)
    .await
    .map(drop)
}
