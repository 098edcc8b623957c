//! The safeguard: above a limit of changes within an hour or a day no account is changed until a person has decided.
//!
//! A scope is a tenant and a direction. While a trip of a scope is open, all changes of the scope become holds of the trip.
//! Facts, schedules and deliveries are processed as always.

mod admit;
pub mod grants;
mod outlook;
pub(crate) mod standing;
pub(crate) mod store;
pub mod trips;

pub(super) use self::admit::{Admission, admit, wanted};
pub use self::outlook::Outlook;
pub(super) use self::outlook::outlooks;
use std::collections::{BTreeMap, BTreeSet};

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

/// Accounts to be changed, by scope.
pub(crate) type Wanted = BTreeMap<Scope, BTreeSet<AccountId>>;

/// Source and employee id of an audit entry that is about no employee.
const NOBODY: &str = "-";

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
