//! The table `leaver.hooks`, and when it was last checked.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::ProviderWebhook;
use crate::db::employee_keys::source_name;
use leaver_core::domain::SourceName;

/// Loads when a source's webhooks were last checked. A failed check is dated back, see the column's comment.
///
/// # Errors
/// Returns the database's error.
pub async fn checked_at(
    conn: &mut PgConnection,
    source: &SourceName,
) -> Result<Option<DateTime<Utc>>, sqlx::Error> {
    let at = sqlx::query_scalar!(
        "SELECT webhooks_checked_at FROM leaver.source_status WHERE source = $1",
        source.as_str(),
    )
    .fetch_optional(conn)
    .await?;
    Ok(at.flatten())
}

/// Stores when a source's webhooks were last checked. Inserts the source if it is new.
///
/// # Errors
/// Returns the database's error; nothing was written then.
pub(crate) async fn save_checked_at(
    conn: &mut PgConnection,
    source: &SourceName,
    checked_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "INSERT INTO leaver.source_status (source, since) VALUES ($1, $2) ON CONFLICT DO NOTHING",
        source.as_str(),
        now,
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "UPDATE leaver.source_status SET webhooks_checked_at = $2 WHERE source = $1",
        source.as_str(),
        checked_at,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Lists the webhooks of these sources, by source and id.
///
/// # Errors
/// Returns the database's error.
pub async fn list(
    conn: &mut PgConnection,
    sources: &[SourceName],
) -> Result<Vec<ProviderWebhook>, sqlx::Error> {
    let names: Vec<String> = sources.iter().map(ToString::to_string).collect();
    let rows = sqlx::query!(
        "SELECT source, webhook_id, name, last_sent_at, last_status, problem, observed_at, checked_at
         FROM leaver.provider_webhooks WHERE source = ANY($1) ORDER BY source, length(webhook_id), webhook_id",
        &names,
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(ProviderWebhook {
                source: source_name(&row.source)?,
                id: row.webhook_id,
                name: row.name,
                last_sent_at: row.last_sent_at,
                last_status: row.last_status,
                problem: row.problem,
                observed_at: row.observed_at,
                checked_at: row.checked_at,
            })
        })
        .collect()
}

/// Inserts or updates webhooks. No webhook may appear twice.
///
/// # Errors
/// Returns the database's error; nothing was written then.
pub(crate) async fn save(
    conn: &mut PgConnection,
    hooks: &[ProviderWebhook],
) -> Result<(), sqlx::Error> {
    let sources: Vec<String> = hooks.iter().map(|hook| hook.source.to_string()).collect();
    let ids: Vec<&str> = hooks.iter().map(|hook| hook.id.as_str()).collect();
    let names: Vec<&str> = hooks.iter().map(|hook| hook.name.as_str()).collect();
    let sent: Vec<Option<DateTime<Utc>>> = hooks.iter().map(|hook| hook.last_sent_at).collect();
    let statuses: Vec<Option<&str>> = hooks.iter().map(|h| h.last_status.as_deref()).collect();
    let problems: Vec<Option<&str>> = hooks.iter().map(|h| h.problem.as_deref()).collect();
    let seen: Vec<DateTime<Utc>> = hooks.iter().map(|hook| hook.observed_at).collect();
    let checked: Vec<DateTime<Utc>> = hooks.iter().map(|hook| hook.checked_at).collect();
    sqlx::query!(
        "INSERT INTO leaver.provider_webhooks AS h
             (source, webhook_id, name, last_sent_at, last_status, problem, observed_at, checked_at)
         SELECT source, id, name, sent, status, problem, seen, checked
         FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[], $5::text[], $6::text[],
                     $7::timestamptz[], $8::timestamptz[])
              AS u (source, id, name, sent, status, problem, seen, checked)
         ORDER BY source, id
         ON CONFLICT ON CONSTRAINT provider_webhooks_pkey DO UPDATE
         SET name = excluded.name, last_sent_at = excluded.last_sent_at, last_status = excluded.last_status,
             problem = excluded.problem, observed_at = excluded.observed_at, checked_at = excluded.checked_at",
        &sources,
        &ids as &[&str],
        &names as &[&str],
        &sent as &[Option<DateTime<Utc>>],
        &statuses as &[Option<&str>],
        &problems as &[Option<&str>],
        &seen,
        &checked,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Deletes a webhook. Returns false if it was unknown.
///
/// # Errors
/// Returns the database's error; nothing was deleted then.
pub async fn forget(
    conn: &mut PgConnection,
    source: &SourceName,
    id: &str,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "DELETE FROM leaver.provider_webhooks WHERE source = $1 AND webhook_id = $2",
        source.as_str(),
        id,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}
