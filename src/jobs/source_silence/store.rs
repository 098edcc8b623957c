//! The table `leaver.source_status`.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use leaver_core::domain::SourceName;

/// Notes the sources that are new, as of now.
///
/// # Errors
/// Whatever the database says.
pub async fn note(
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

/// Since when these sources are listened to; those that are not noted yet are left out.
///
/// # Errors
/// Whatever the database says.
pub async fn since(
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
