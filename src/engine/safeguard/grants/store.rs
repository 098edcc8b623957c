//! The table `leaver.grants`.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::Grant;
use crate::engine::audit::Actor;
use crate::engine::safeguard::Scope;

/// Inserts a grant. The scope must be locked.
///
/// # Errors
/// Returns the database's error.
pub(super) async fn insert(
    conn: &mut PgConnection,
    scope: &Scope,
    count: i64,
    reason: &str,
    actor: &Actor,
    now: DateTime<Utc>,
    expires_at: DateTime<Utc>,
) -> Result<Grant, sqlx::Error> {
    sqlx::query_as!(
        Grant,
        "INSERT INTO leaver.grants (tenant, direction, allowed, reason, granted_by, granted_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)
         RETURNING id, tenant, direction, allowed, used, reason, granted_by, granted_at, expires_at",
        scope.tenant.as_str(),
        scope.direction.as_str(),
        count,
        reason,
        actor.to_string(),
        now,
        expires_at,
    )
    .fetch_one(conn)
    .await
}

/// Ends the grants of a scope that have not expired, and returns them. The scope must be locked.
///
/// # Errors
/// Returns the database's error.
pub(super) async fn end_live(
    conn: &mut PgConnection,
    scope: &Scope,
    now: DateTime<Utc>,
) -> Result<Vec<Grant>, sqlx::Error> {
    sqlx::query_as!(
        Grant,
        "UPDATE leaver.grants SET expires_at = $3
         WHERE tenant = $1 AND direction = $2 AND expires_at > $3
         RETURNING id, tenant, direction, allowed, used, reason, granted_by, granted_at, expires_at",
        scope.tenant.as_str(),
        scope.direction.as_str(),
        now,
    )
    .fetch_all(conn)
    .await
}

/// Ends the grants of a scope of which nothing is left. The scope must be locked.
///
/// # Errors
/// Returns the database's error.
pub(in crate::engine::safeguard) async fn end_used_up(
    conn: &mut PgConnection,
    scope: &Scope,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE leaver.grants SET expires_at = $3
         WHERE tenant = $1 AND direction = $2 AND expires_at > $3 AND used >= allowed",
        scope.tenant.as_str(),
        scope.direction.as_str(),
        now,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Returns the grants in effect, oldest first: the last one of each scope, if it has not expired.
///
/// # Errors
/// Returns the database's error.
pub(crate) async fn list_live(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
) -> Result<Vec<Grant>, sqlx::Error> {
    sqlx::query_as!(
        Grant,
        "SELECT id, tenant, direction, allowed, used, reason, granted_by, granted_at, expires_at
         FROM leaver.grants g
         WHERE expires_at > $1
           AND NOT EXISTS (SELECT FROM leaver.grants l
                           WHERE l.tenant = g.tenant AND l.direction = g.direction AND l.id > g.id)
         ORDER BY id",
        now,
    )
    .fetch_all(conn)
    .await
}
