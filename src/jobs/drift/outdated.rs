//! Employees whose stored state is outdated: an account, the date or the policy has changed since the last evaluation.

use chrono::{DateTime, Utc};

use crate::engine::evaluate::Evaluated;
use crate::engine::holds::HoldHistory;
use leaver_core::decision::{Action, NoActionReason};

/// Returns true if an account is found now for a leaver who is stored without one, and only the mode `fix` or newer facts
/// change it.
pub(super) fn is_found_now(decided: &Evaluated) -> bool {
    decided.employee.without_account_since.is_some()
        && matches!(
            decided.decision.action,
            Action::Deactivate(_) | Action::Reactivate(_)
        )
}

/// Returns true if an evaluation would store another state: open or withdraw a hold, find or miss the account, move a
/// scheduled end, clear a block, or remove a change from the plan. Evaluating these employees again gives nobody access.
pub(super) fn is_outdated(
    decided: &Evaluated,
    holds: &HoldHistory,
    is_planned: bool,
    now: DateTime<Utc>,
) -> bool {
    let employee = &decided.employee;
    let is_counted = employee.without_account_since.is_some();
    // A changed cut-off or time zone moves the ends that are scheduled.
    let has_moved =
        employee.access_ends_at != decided.decision.access_ends_at.filter(|at| *at > now);
    match &decided.decision.action {
        // Their access differs from the decision, which only the mode `fix` or newer facts change.
        Action::Deactivate(_)
        | Action::Reactivate(_)
        | Action::Keep(NoActionReason::AwaitingRead | NoActionReason::Planned(_)) => false,
        _ if is_planned => true,
        Action::Hold(request) => {
            let fingerprint = &request.facts_fingerprint;
            let is_stored = match holds.open() {
                Some(hold) => {
                    hold.facts_fingerprint == *fingerprint && holds.rejection(fingerprint).is_none()
                }
                None => holds.rejection(fingerprint).is_some(),
            };
            !is_stored || is_counted || employee.blocked.is_some() || has_moved
        }
        Action::EndSessions(_) => holds.open().is_some() || is_counted,
        Action::Keep(_) => {
            holds.open().is_some()
                || employee.blocked.is_some()
                || has_moved
                || is_counted != decided.is_leaver_without_account()
        }
    }
}
