//! The state of a person: employed, or one of the states of a leaver (ADR 0009).

use serde::Serialize;

use crate::engine::evaluate::Evaluated;
use leaver_core::decision::{Action, NoActionReason, RequestedAction, departure};

/// The state of a person. It is computed from the roster, the account as it is now, and the hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum LeaverState {
    /// The facts do not imply that the person left.
    #[serde(rename = "employed")]
    Employed,
    /// Access ends at a known time.
    #[serde(rename = "scheduled")]
    Scheduled,
    /// A person decides.
    #[serde(rename = "held")]
    Held,
    /// The database did not end access.
    #[serde(rename = "blocked")]
    Blocked,
    /// The person left, and no account is found.
    #[serde(rename = "no account")]
    NoAccount,
    /// The account is inactive, or was deleted after its end.
    #[serde(rename = "ended")]
    Ended,
    /// The person left, and the account is active: somebody reactivated it, or rejected the hold, or the source is in shadow
    /// mode. Drift lists it.
    #[serde(rename = "has access")]
    HasAccess,
}

impl LeaverState {
    /// Returns the state after an evaluation. `is_rejected` is true if a person rejected the hold on these facts.
    pub(crate) fn of(decided: &Evaluated, is_rejected: bool) -> Self {
        let employee = &decided.employee;
        let is_inactive =
            !decided.found.is_empty() && decided.found.iter().all(|account| !account.is_active);
        match &decided.decision.action {
            Action::Deactivate(_)
            | Action::EndSessions(_)
            | Action::Reactivate(_)
            | Action::Keep(NoActionReason::AwaitingRead)
                if employee.blocked.is_some() =>
            {
                Self::Blocked
            }
            Action::Hold(_) if is_rejected && is_inactive => Self::Ended,
            Action::Hold(_) if is_rejected && decided.has_active_account() => Self::HasAccess,
            // A person answered that nothing follows, and there is no account.
            Action::Hold(_) if is_rejected => Self::Employed,
            Action::Hold(_) => Self::Held,
            Action::Deactivate(_)
            | Action::Keep(NoActionReason::Planned(RequestedAction::Deactivate)) => Self::HasAccess,
            Action::EndSessions(_)
            | Action::Reactivate(_)
            | Action::Keep(
                NoActionReason::AlreadyInactive
                | NoActionReason::Planned(RequestedAction::Reactivate),
            ) => Self::Ended,
            Action::Keep(NoActionReason::NoAccount) if decided.is_leaver_without_account() => {
                Self::NoAccount
            }
            Action::Keep(_) if decided.is_ended_without_account() => Self::Ended,
            // Access that a person ended by hand while the HR system still reports employment.
            Action::Keep(_) if departure::is_carried_out(employee) && is_inactive => Self::Ended,
            Action::Keep(NoActionReason::Scheduled) => Self::Scheduled,
            Action::Keep(_) => Self::Employed,
        }
    }

    /// Returns the word shown to people.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Employed => "employed",
            Self::Scheduled => "scheduled",
            Self::Held => "held",
            Self::Blocked => "blocked",
            Self::NoAccount => "no account",
            Self::Ended => "ended",
            Self::HasAccess => "has access",
        }
    }
}
