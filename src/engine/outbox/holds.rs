//! Events about holds and trips.

use serde_json::json;

use super::{Events, NewEvent, Subject, work_email};
use crate::db::employee_keys::employee_key;
use crate::engine::audit::Actor;
use crate::engine::holds::{Hold, NewHold};
use crate::engine::origin::Cause;
use crate::engine::safeguard::Scope;
use crate::engine::safeguard::trips::Trip;
use leaver_core::domain::AccountId;
use leaver_core::events::{EventType, without_values};

/// Returns the event of a hold that was opened under this ID.
pub(crate) fn of_opened_hold(hold: &NewHold, id: i64, cause: Cause) -> NewEvent {
    let data = json!({
        "account_id": hold.question.account.as_ref().map(AccountId::as_str),
        "cause": cause.as_str(),
        "hold_id": id,
        "reason": without_values(&hold.reason),
        "requested_action": hold.question.requested_action.as_str(),
        "trip_id": hold.trip,
    });
    let mut details = work_email(hold.work_email.as_ref());
    details["reason"] = hold.reason.as_str().into();
    NewEvent::new(EventType::HoldOpened, Subject::of(&hold.employee), data).with_details(details)
}

/// Returns the events of holds that were closed, as they are now.
///
/// # Errors
/// Returns a decoding error for an invalid source name.
pub(crate) fn of_closed_holds<'h>(
    holds: impl IntoIterator<Item = &'h Hold>,
    actor: &Actor,
) -> Result<Events, sqlx::Error> {
    let event = |hold: &Hold| {
        let key = employee_key(&hold.source, hold.tenant.clone(), hold.employee_id.clone())?;
        let data = json!({
            "account_id": hold.account_id,
            "by": actor.kind(),
            "hold_id": hold.id,
            "requested_action": hold.requested_action,
            "state": hold.state,
            "trip_id": hold.trip_id,
        });
        Ok(NewEvent::new(
            EventType::HoldClosed,
            Subject::of(&key),
            data,
        ))
    };
    holds.into_iter().map(event).collect()
}

/// A trip that was opened.
pub(crate) struct OpenedTrip<'a> {
    /// The ID.
    pub(crate) id: i64,
    /// The tenant and the direction.
    pub(crate) scope: &'a Scope,
    /// The limit that was exceeded: `hour`, `day` or `grant`.
    pub(crate) limited_by: &'a str,
    /// Changes within the window, with those that would have come.
    pub(crate) changes: u64,
    /// The limit.
    pub(crate) limit: u64,
    /// Accounts of which the limit is a percentage.
    pub(crate) population: u64,
    /// Changes that it holds from the beginning.
    pub(crate) held: usize,
}

/// Returns the event of a trip that was opened.
pub(crate) fn of_opened_trip(trip: &OpenedTrip<'_>) -> NewEvent {
    let data = json!({
        "direction": trip.scope.direction.as_str(),
        "held": trip.held,
        "limit_count": trip.limit,
        "limited_by": trip.limited_by,
        "population": trip.population,
        "trip_id": trip.id,
        "window_count": trip.changes,
    });
    let subject = Subject::Tenant(trip.scope.tenant.clone());
    NewEvent::new(EventType::SafeguardTripped, subject, data)
}

/// Returns the event of a trip that a person closed.
pub(crate) fn of_closed_trip(trip: &Trip, state: &str, actor: &Actor) -> Events {
    let data = json!({
        "by": actor.kind(),
        "direction": trip.direction,
        "state": state,
        "trip_id": trip.id,
    });
    let subject = Subject::Tenant(trip.scope().tenant);
    let event = NewEvent::new(EventType::SafeguardReleased, subject, data);
    [event].into_iter().collect()
}
