//! Grants: permission, given ahead, for a number of changes. Until it expires, a grant takes the place of the limits.

pub(crate) mod store;

use std::ops::RangeInclusive;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use sqlx::{Connection, PgConnection};

use super::trips::entry_about_tenant;
use super::{Scope, store as scopes, trips};
use crate::engine::audit::{self, Actor, AuditAction};

/// How long a grant may last.
pub const DURATION: RangeInclusive<Duration> =
    Duration::from_secs(1)..=Duration::from_hours(31 * 24);

/// A grant as shown to people.
#[derive(Clone, Debug, Serialize)]
pub struct Grant {
    /// The ID.
    pub id: i64,
    /// The tenant.
    pub tenant: String,
    /// `deactivated` or `reactivated`.
    pub direction: String,
    /// Accounts that may be changed.
    pub allowed: i64,
    /// Accounts that were changed under it.
    pub used: i64,
    /// Why, as the person wrote it.
    pub reason: String,
    /// The person who gave it.
    pub granted_by: String,
    /// When it was given.
    pub granted_at: DateTime<Utc>,
    /// When the limits apply again.
    pub expires_at: DateTime<Utc>,
}

/// The effect of a new grant.
#[derive(Debug)]
pub struct Given {
    /// The grant.
    pub grant: Grant,
    /// Earlier grants that it ended.
    pub ended: Vec<Grant>,
    /// The open trip of the scope, which it does not open.
    pub open_trip: Option<i64>,
}

/// Gives a grant. It ends an earlier one of the scope.
///
/// # Errors
/// Returns the database's error; nothing has changed then.
pub async fn give(
    conn: &mut PgConnection,
    scope: &Scope,
    allowed: u32,
    lasts: TimeDelta,
    reason: &str,
    actor: &Actor,
    now: DateTime<Utc>,
) -> Result<Given, sqlx::Error> {
    let mut tx = conn.begin().await?;
    scopes::lock(&mut tx, &[scope]).await?;
    let ended = store::end_live(&mut tx, scope, now).await?;
    let expires_at = now + lasts;
    let allowed = i64::from(allowed);
    let grant = store::insert(&mut tx, scope, allowed, reason, actor, now, expires_at).await?;
    let open = trips::store::list_open(&mut tx).await?;
    let open_trip = open.into_iter().find(|trip| trip.scope() == *scope);
    let text = format!(
        "{allowed} changes ({}) until {}: {reason}",
        scope.direction.as_str(),
        expires_at.format("%Y-%m-%dT%H:%M:%SZ")
    );
    let actor = actor.clone();
    let entry = entry_about_tenant(AuditAction::Granted, &scope.tenant, actor, text)?;
    audit::store::record(&mut tx, &[entry], now).await?;
    tx.commit().await?;
    Ok(Given {
        grant,
        ended,
        open_trip: open_trip.map(|trip| trip.id),
    })
}
