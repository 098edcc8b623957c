//! The safeguard: above a limit of changes within an hour or a day no account is changed until a person has decided.
//!
//! A scope is a tenant and a direction. While a trip of a scope is open, all changes of the scope become holds of the trip.
//! Facts, schedules and deliveries are processed as always.

mod admit;
mod outlook;
pub(crate) mod standing;
pub(crate) mod store;

use chrono::{DateTime, Utc};
use serde::Serialize;

pub(super) use self::admit::{Admission, admit};
pub use self::outlook::Outlook;
pub(super) use self::outlook::outlooks;
use crate::engine::batches::Direction;
use leaver_core::decision::{Action, Decision, RequestedAction};
use leaver_core::domain::{AccountId, Tenant};

/// A tenant and a direction: the safeguard counts each apart.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Scope {
    /// The tenant.
    pub tenant: Tenant,
    /// The direction.
    pub direction: Direction,
}

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

/// Returns the account that a decision changes, and the direction.
pub(crate) fn change_of(decision: &Decision) -> Option<(&AccountId, Direction)> {
    match &decision.action {
        Action::Deactivate(account) => Some((account, Direction::Deactivated)),
        Action::Reactivate(account) => Some((account, Direction::Reactivated)),
        Action::EndSessions(_) | Action::Hold(_) | Action::Keep(_) => None,
    }
}

impl Direction {
    /// Returns the action that a hold requests for a change in this direction.
    #[must_use]
    pub fn requested_action(self) -> RequestedAction {
        match self {
            Self::Deactivated => RequestedAction::Deactivate,
            Self::Reactivated => RequestedAction::Reactivate,
        }
    }
}
