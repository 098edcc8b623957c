//! Rejects a trip: its changes are dropped, and due again only when facts change.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use sqlx::{Connection, PgConnection};

use super::{Trip, TripError, close, find_open, keys_of, store};
use crate::engine::audit::{self, Actor, AuditAction, AuditEntry};
use crate::engine::holds::Hold;
use crate::engine::outbox;
use crate::engine::policies::Policies;
use crate::engine::safeguard;
use crate::roster::{self, sharing::Sharing};
use leaver_core::domain::{AccountId, DeliveryId};

/// Attempts, while other transactions add holds to the trip.
const ATTEMPTS: usize = 20;

/// A rejected trip.
#[derive(Debug)]
pub struct Rejected {
    /// The trip.
    pub trip: Trip,
    /// Its holds.
    pub holds: Vec<Hold>,
}

/// Rejects all holds of a trip and closes it. The accounts stay as they are until facts change.
///
/// # Errors
/// Returns a [`TripError`]; nothing has changed then.
pub async fn reject(
    conn: &mut PgConnection,
    policies: &Policies,
    trip: i64,
    actor: &Actor,
    now: DateTime<Utc>,
) -> Result<Rejected, TripError> {
    for _ in 0..ATTEMPTS {
        let mut tx = conn.begin().await?;
        if let Some(rejected) = attempt(&mut tx, policies, trip, actor, now).await? {
            tx.commit().await?;
            return Ok(rejected);
        }
        tx.rollback().await?;
    }
    Err(TripError::Busy(trip))
}

/// Returns `None` if a hold joined before the scope was locked: its employee is not locked, and can be locked only before
/// the scope.
async fn attempt(
    conn: &mut PgConnection,
    policies: &Policies,
    id: i64,
    actor: &Actor,
    now: DateTime<Utc>,
) -> Result<Option<Rejected>, TripError> {
    let scope = find_open(conn, id).await?.scope();
    let known = store::members(conn, id).await?;
    roster::store::lock(conn, &keys_of(&known)?, &Sharing::default(), now).await?;
    safeguard::store::lock(conn, &[&scope]).await?;
    let trip = find_open(conn, id).await?;
    let holds = store::members(conn, id).await?;
    let known: BTreeSet<i64> = known.iter().map(|hold| hold.id).collect();
    if holds.iter().any(|hold| !known.contains(&hold.id)) {
        return Ok(None);
    }
    let ids: Vec<i64> = holds.iter().map(|hold| hold.id).collect();
    let mut events = store::close_holds(conn, &ids, "rejected", actor, now).await?;
    events.extend(close(conn, &trip, "rejected", actor, now).await?);
    let entries = holds
        .iter()
        .map(|hold| entry(hold, actor))
        .collect::<Result<Vec<_>, sqlx::Error>>()?;
    audit::store::record(conn, &entries, now).await?;
    outbox::record(conn, policies.subscriptions(), events, now).await?;
    Ok(Some(Rejected { trip, holds }))
}

fn entry(hold: &Hold, actor: &Actor) -> Result<AuditEntry, sqlx::Error> {
    Ok(AuditEntry {
        action: AuditAction::Rejected,
        reason: hold.reason.clone(),
        employee: super::key_of(hold)?,
        account: hold.account_id.clone().map(AccountId::new),
        delivery: hold.delivery_id.map(DeliveryId),
        actor: actor.clone(),
    })
}
