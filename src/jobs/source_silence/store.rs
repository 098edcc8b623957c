//! The table `leaver.source_status`.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use leaver_core::domain::SourceName;

/// Inserts the sources that are new; `now` is when they were first configured.
///
/// # Errors
/// Returns the database's error; nothing was written then.
pub(crate) async fn insert_new(
    conn: &mut PgConnection,
    sources: &[SourceName],
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let names: Vec<String> = sources.iter().map(ToString::to_string).collect();
    sqlx::query!(
        "INSERT INTO leaver.source_status (source, since) SELECT unnest($1::text[]), $2
         ON CONFLICT ON CONSTRAINT source_status_pkey DO NOTHING",
        &names,
        now,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Loads when these sources were first configured. Unknown sources are left out.
///
/// # Errors
/// Returns the database's error.
pub(crate) async fn listening_since(
    conn: &mut PgConnection,
    sources: &[SourceName],
) -> Result<HashMap<String, DateTime<Utc>>, sqlx::Error> {
    let names: Vec<String> = sources.iter().map(ToString::to_string).collect();
    let rows = sqlx::query!(
        "SELECT source, since FROM leaver.source_status WHERE source = ANY($1)",
        &names,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.source, row.since))
        .collect())
}
