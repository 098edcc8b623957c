//! The table `leaver.linked_accounts`.

use sqlx::PgConnection;

use super::LinkedAccount;
use crate::db::employee_keys::source_name;
use leaver_core::domain::SourceName;

/// Lists the linked accounts of these sources.
///
/// # Errors
/// Returns the database's error.
pub(crate) async fn list(
    conn: &mut PgConnection,
    sources: &[SourceName],
) -> Result<Vec<LinkedAccount>, sqlx::Error> {
    let sources: Vec<String> = sources.iter().map(ToString::to_string).collect();
    let rows = sqlx::query!(
        "SELECT source, linked_account_id, first_seen_at, company_since, deleted_at FROM leaver.linked_accounts
         WHERE source = ANY($1) ORDER BY source, first_seen_at, linked_account_id",
        &sources,
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(LinkedAccount {
                source: source_name(&row.source)?,
                id: row.linked_account_id,
                first_seen_at: row.first_seen_at,
                company_since: row.company_since,
                deleted_at: row.deleted_at,
            })
        })
        .collect()
}

/// Lists the linked accounts of these sources, and lets no other transaction add one until this one ends. Two batches
/// would otherwise each take the account of their own delivery for the first one.
///
/// # Errors
/// Returns the database's error.
pub(crate) async fn lock(
    conn: &mut PgConnection,
    sources: &[SourceName],
) -> Result<Vec<LinkedAccount>, sqlx::Error> {
    sqlx::query!("LOCK TABLE leaver.linked_accounts IN SHARE ROW EXCLUSIVE MODE")
        .execute(&mut *conn)
        .await?;
    list(conn, sources).await
}

/// Inserts linked accounts, and records which of them is the company and which were deleted.
///
/// # Errors
/// Returns the database's error; nothing was written then.
pub(crate) async fn save(
    conn: &mut PgConnection,
    accounts: &[LinkedAccount],
) -> Result<(), sqlx::Error> {
    let sources: Vec<String> = accounts.iter().map(|a| a.source.to_string()).collect();
    let ids: Vec<&str> = accounts.iter().map(|a| a.id.as_str()).collect();
    let first: Vec<_> = accounts.iter().map(|a| a.first_seen_at).collect();
    let company: Vec<_> = accounts.iter().map(|a| a.company_since).collect();
    let deleted: Vec<_> = accounts.iter().map(|a| a.deleted_at).collect();
    sqlx::query!(
        "INSERT INTO leaver.linked_accounts (source, linked_account_id, first_seen_at, company_since, deleted_at)
         SELECT * FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::timestamptz[], $5::timestamptz[])
              AS a (source, linked_account_id, first_seen_at, company_since, deleted_at)
         -- The deletion of one before the next one takes its place.
         ORDER BY deleted_at NULLS LAST
         ON CONFLICT ON CONSTRAINT linked_accounts_pkey
         DO UPDATE SET company_since = excluded.company_since, deleted_at = excluded.deleted_at",
        &sources,
        &ids as &[&str],
        &first,
        &company as &[Option<chrono::DateTime<chrono::Utc>>],
        &deleted as &[Option<chrono::DateTime<chrono::Utc>>],
    )
    .execute(conn)
    .await?;
    Ok(())
}
