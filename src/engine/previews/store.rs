//! The table `leaver.previews`.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use sqlx::types::Json;

use super::{Preview, PreviewKind};
use crate::engine::audit::Actor;

/// A stored list.
pub(super) struct Stored {
    /// The IDs of the members.
    pub(super) members: Json<BTreeSet<i64>>,
    /// When it was shown first.
    pub(super) made_at: DateTime<Utc>,
    /// When it was carried out.
    pub(super) used_at: Option<DateTime<Utc>>,
}

/// Inserts a list, unless it is there.
///
/// # Errors
/// Returns the database's error.
pub(super) async fn insert(
    conn: &mut PgConnection,
    preview: &Preview,
    actor: &Actor,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "INSERT INTO leaver.previews (kind, subject, digest, members, made_at, made_by)
         VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (kind, subject, digest) DO UPDATE SET made_at = EXCLUDED.made_at
         WHERE previews.used_at IS NULL",
        preview.kind.as_str(),
        preview.subject,
        preview.digest,
        Json(&preview.members) as _,
        now,
        actor.to_string(),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Locks a list until the transaction ends.
///
/// # Errors
/// Returns the database's error.
pub(super) async fn lock(
    conn: &mut PgConnection,
    kind: PreviewKind,
    subject: &str,
    digest: &str,
) -> Result<Option<Stored>, sqlx::Error> {
    sqlx::query_as!(
        Stored,
        r#"SELECT members AS "members: Json<BTreeSet<i64>>", made_at, used_at FROM leaver.previews
           WHERE kind = $1 AND subject = $2 AND digest = $3 FOR UPDATE"#,
        kind.as_str(),
        subject,
        digest,
    )
    .fetch_optional(conn)
    .await
}

/// Marks a list as carried out.
///
/// # Errors
/// Returns the database's error.
pub(super) async fn mark_used(
    conn: &mut PgConnection,
    kind: PreviewKind,
    subject: &str,
    digest: &str,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE leaver.previews SET used_at = $4 WHERE kind = $1 AND subject = $2 AND digest = $3",
        kind.as_str(),
        subject,
        digest,
        now,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Deletes up to `limit` lists that were shown before a time, and returns how many.
///
/// # Errors
/// Returns the database's error.
pub(crate) async fn delete_before(
    conn: &mut PgConnection,
    before: DateTime<Utc>,
    limit: i64,
) -> Result<u64, sqlx::Error> {
    let done = sqlx::query!(
        "DELETE FROM leaver.previews AS p
         USING (SELECT kind, subject, digest FROM leaver.previews WHERE made_at < $1 LIMIT $2) AS old
         WHERE (p.kind, p.subject, p.digest) = (old.kind, old.subject, old.digest)",
        before,
        limit,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}
