//! Releases and rejects trips. Each is one transaction.

mod reject;
mod release;
pub(crate) mod store;

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgConnection;

pub use self::reject::{Rejected, reject};
pub use self::release::{Listed, Released, preview, release};
use super::{NOBODY, Scope, grants};
use crate::db::employee_keys::employee_key;
use crate::engine::audit::{self, Actor, AuditAction, AuditEntry};
use crate::engine::batches::Direction;
use crate::engine::holds::Hold;
use crate::engine::outbox::{self, Events};
use crate::engine::previews::DigestError;
use leaver_core::domain::{EmployeeKey, Tenant};

/// State of an open trip.
const OPEN: &str = "open";

/// A trip as shown to people.
#[derive(Clone, Debug, Serialize)]
pub struct Trip {
    /// The ID, for `leaver safeguard release` and `reject`.
    pub id: i64,
    /// The tenant.
    pub tenant: String,
    /// `deactivated` or `reactivated`.
    pub direction: String,
    /// When it tripped.
    pub opened_at: DateTime<Utc>,
    /// The limit that was exceeded: `hour`, `day` or `grant`.
    pub limited_by: String,
    /// Changes within the window, with those that would have come.
    pub window_count: i64,
    /// The limit at that time.
    pub limit_count: i64,
    /// Accounts of which the limit is a percentage.
    pub population: i64,
    /// `open`, `released` or `rejected`.
    pub state: String,
    /// When a person decided.
    pub closed_at: Option<DateTime<Utc>>,
    /// The person who decided.
    pub closed_by: Option<String>,
}

impl Trip {
    /// Returns the tenant and the direction.
    #[must_use]
    pub fn scope(&self) -> Scope {
        Scope {
            tenant: Tenant::new(self.tenant.as_str()),
            direction: Direction::from_stored(&self.direction),
        }
    }
}

/// An open hold of a trip, with the decision as of now.
#[derive(Clone, Debug, Serialize)]
pub struct Member {
    /// The hold.
    pub hold: i64,
    /// The source.
    pub source: String,
    /// The tenant.
    pub tenant: String,
    /// The ID of the employee in the HR system.
    pub employee_id: String,
    /// The account.
    pub account_id: Option<String>,
    /// The cause of the change, as in `leaver.changes`.
    pub cause: Option<String>,
    /// Why the account is to be changed, or is not any more.
    pub reason: String,
    /// Why a release would leave the account as it is; `None` if it would change the account.
    pub skipped: Option<String>,
}

impl Member {
    fn new(hold: Hold) -> Self {
        Self {
            hold: hold.id,
            source: hold.source,
            tenant: hold.tenant,
            employee_id: hold.employee_id,
            account_id: hold.account_id,
            cause: hold.cause,
            reason: hold.reason,
            skipped: None,
        }
    }

    /// Returns the key of the employee.
    ///
    /// # Errors
    /// Returns a decoding error for an invalid source name.
    pub fn key(&self) -> Result<EmployeeKey, sqlx::Error> {
        employee_key(&self.source, self.tenant.clone(), self.employee_id.clone())
    }
}

/// Why a trip cannot be released or rejected.
#[derive(Debug, thiserror::Error)]
pub enum TripError {
    /// There is no such trip.
    #[error("there is no trip {0}; `leaver safeguard` shows the open ones")]
    Unknown(i64),
    /// A person decided before.
    #[error(
        "trip {id} is not open any more: it was {state} by {by}; `leaver safeguard` shows the open ones"
    )]
    Closed {
        /// The trip.
        id: i64,
        /// Its state.
        state: String,
        /// Who decided.
        by: String,
    },
    /// The digest is not accepted.
    #[error(transparent)]
    Digest(#[from] DigestError),
    /// Holds joined the trip at each attempt.
    #[error("changes keep joining trip {0}; nothing was changed, try again")]
    Busy(i64),
    /// The database failed.
    #[error("cannot decide about the trip; nothing was changed")]
    Database(#[from] sqlx::Error),
}

/// Returns an open trip.
async fn find_open(conn: &mut PgConnection, id: i64) -> Result<Trip, TripError> {
    let trip = store::find(conn, id).await?.ok_or(TripError::Unknown(id))?;
    if trip.state == OPEN {
        return Ok(trip);
    }
    Err(TripError::Closed {
        id,
        state: trip.state,
        by: trip.closed_by.unwrap_or_default(),
    })
}

/// Closes a trip, and returns the event. A grant that is used up ends with it, since the person has decided about what exceeded it.
async fn close(
    conn: &mut PgConnection,
    trip: &Trip,
    state: &str,
    actor: &Actor,
    now: DateTime<Utc>,
) -> Result<Events, sqlx::Error> {
    store::close(conn, trip.id, state, actor, now).await?;
    grants::store::end_used_up(conn, &trip.scope(), now).await?;
    Ok(outbox::of_closed_trip(trip, state, actor))
}

fn key_of(hold: &Hold) -> Result<EmployeeKey, sqlx::Error> {
    employee_key(&hold.source, hold.tenant.clone(), hold.employee_id.clone())
}

/// Returns the keys of the employees of holds, sorted.
fn keys_of(holds: &[Hold]) -> Result<Vec<EmployeeKey>, sqlx::Error> {
    let mut keys = holds.iter().map(key_of).collect::<Result<Vec<_>, _>>()?;
    keys.sort();
    keys.dedup();
    Ok(keys)
}

/// Returns an audit entry about a tenant.
pub(super) fn entry_about_tenant(
    action: AuditAction,
    tenant: &Tenant,
    actor: Actor,
    reason: String,
) -> Result<AuditEntry, sqlx::Error> {
    Ok(audit::AuditEntry {
        action,
        reason,
        employee: employee_key(NOBODY, tenant.as_str().to_owned(), NOBODY.to_owned())?,
        account: None,
        delivery: None,
        actor,
    })
}
