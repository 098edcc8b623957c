//! Holds: decisions that wait for a person. There is one open hold per employee; a rejected hold is opened again only if the
//! facts it was based on have changed.

pub(crate) mod answers;
mod close;
mod history;
pub mod resolve;
pub mod selection;
pub mod store;

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgConnection;

pub(crate) use self::history::{HoldHistory, HoldState, HoldStatus};
use crate::engine::accounts::Applied;
use crate::engine::audit::Actor;
use crate::engine::outbox::Events;
use leaver_core::decision::{HoldRequest, RequestedAction};
use leaver_core::domain::{DeliveryId, EmployeeKey, WorkEmail};

/// A hold to be opened.
#[derive(Clone, Debug)]
pub(crate) struct NewHold {
    /// The employee.
    pub employee: EmployeeKey,
    /// Work e-mail of the employee.
    pub work_email: Option<WorkEmail>,
    /// A decision that needs a person.
    pub question: HoldRequest,
    /// Why it needs a person.
    pub reason: String,
    /// The delivery that caused it.
    pub delivery: Option<DeliveryId>,
    /// The trip that holds the change.
    pub trip: Option<i64>,
}

/// A hold as shown to people.
#[derive(Clone, Debug, Serialize)]
pub struct Hold {
    /// The ID, for `approve` and `reject`.
    pub id: i64,
    /// When it was opened.
    pub opened_at: DateTime<Utc>,
    /// The source.
    pub source: String,
    /// The tenant, a company of the source.
    pub tenant: String,
    /// The employee ID of the HR system.
    pub employee_id: String,
    /// The account; `None` if the person has to name it.
    pub account_id: Option<String>,
    /// `deactivate` or `reactivate`.
    pub requested_action: String,
    /// Why it needs a person.
    pub reason: String,
    /// `open`, `approved`, `rejected` or `withdrawn`.
    pub state: String,
    /// The delivery that caused it.
    pub delivery_id: Option<uuid::Uuid>,
    /// The trip of the safeguard that holds the change.
    pub trip_id: Option<i64>,
    /// The cause of the change that is held, as in `leaver.changes`.
    pub cause: Option<String>,
}

/// Withdraws the open holds that requested what was applied. Returns the events.
///
/// # Errors
/// Returns the database's error; the transaction must be rolled back then.
pub(crate) async fn withdraw_settled(
    conn: &mut PgConnection,
    applied: &Applied,
    actor: &Actor,
    now: DateTime<Utc>,
) -> Result<Events, sqlx::Error> {
    let (reactivate, deactivate) = (RequestedAction::Reactivate, RequestedAction::Deactivate);
    let (returned, ended) = (&applied.reactivated, &applied.deactivated);
    let mut events = store::withdraw_applied(conn, reactivate, returned, actor, now).await?;
    events.extend(store::withdraw_applied(conn, deactivate, ended, actor, now).await?);
    Ok(events)
}
