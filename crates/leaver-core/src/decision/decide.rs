//! Combines the assessment of an employee with the matching account.

use chrono::{DateTime, Utc};

use super::assess::{Employment, assess};
use super::hold_request::Inputs;
use super::policy::{Policy, Rehire};
use super::{AccountMatch, Action, Decision, NoActionReason, RequestedAction};
use crate::domain::{Account, AccountId, Employee};

const LINKED_ELSEWHERE: &str = "the account is linked to another employee who is still employed";
const SAME_ACCOUNT: &str = "another employee with the same account is still employed";

/// Decides what to do about one employee.
///
/// `others` are the assessments of the other employees of the same source that are linked to the same account.
#[must_use]
pub fn decide(
    policy: &Policy,
    employee: &Employee,
    account_match: &AccountMatch,
    others: &[Employment],
    now: DateTime<Utc>,
) -> Decision {
    let employment = assess(policy, employee, now);
    let inputs = Inputs {
        policy,
        employee,
        account_match,
    };
    let reason = employment.reason().to_owned();
    let (action, reason) = match &employment {
        Employment::Left { .. } => end_access(&inputs, others, reason),
        Employment::Uncertain {
            needs_read: true, ..
        } if policy.can_read => (
            Action::Keep(NoActionReason::AwaitingRead),
            awaiting_read(employee),
        ),
        Employment::Uncertain {
            needs_read,
            employed,
            ..
        } => {
            // An open hold about a rehire stays open while the values of a later change are unknown.
            let rehire = (*needs_read && *employed)
                .then(|| handle_rehire(&inputs))
                .flatten()
                .filter(|action| matches!(action, Action::Hold(_)));
            match rehire {
                Some(action) => (action, rehired(&reason)),
                None => resolve_uncertainty(&inputs, others, *needs_read, reason),
            }
        }
        Employment::Leaving { employed, .. } => {
            match employed.then(|| handle_rehire(&inputs)).flatten() {
                Some(action) => (action, rehired(&reason)),
                None => (Action::Keep(NoActionReason::Scheduled), reason),
            }
        }
        Employment::Employed { .. } => match handle_rehire(&inputs) {
            Some(action) => (action, rehired(&reason)),
            None => (Action::Keep(NoActionReason::Employed), reason),
        },
        Employment::Unclear { .. } => (Action::Keep(NoActionReason::Employed), reason),
    };
    Decision {
        action,
        access_ends_at: match &employment {
            Employment::Leaving { at, .. } => Some(*at),
            Employment::Uncertain { ends_at, .. } => *ends_at,
            Employment::Employed { .. } | Employment::Unclear { .. } | Employment::Left { .. } => {
                None
            }
        },
        link: account_to_link(account_match, &employment),
        reason,
    }
}

/// Returns the account to link. An employee who left does not take over the account of somebody who is still employed.
fn account_to_link(account_match: &AccountMatch, employment: &Employment) -> Option<AccountId> {
    match account_match {
        AccountMatch::Linked(account) | AccountMatch::Found(account) => Some(account.id.clone()),
        AccountMatch::Shared {
            account,
            other_is_employed,
        } => (employment.is_employed() || !other_is_employed).then(|| account.id.clone()),
        AccountMatch::Ambiguous(_) | AccountMatch::None => None,
    }
}

fn hold(inputs: &Inputs<'_>, requested_action: RequestedAction, cause: &str) -> Action {
    Action::Hold(inputs.request(requested_action, cause))
}

/// Ends the access of a person who has left, unless a hold is needed or there is nothing to end.
fn end_access(inputs: &Inputs<'_>, others: &[Employment], reason: String) -> (Action, String) {
    let is_protected = |account: &Account| {
        let email = account.email.as_ref();
        account.is_protected || email.is_some_and(|email| inputs.policy.protected.contains(email))
    };
    match inputs.account_match {
        AccountMatch::None => (
            Action::Keep(NoActionReason::NoAccount),
            format!("{reason}; no account is linked and the work e-mail matches none"),
        ),
        AccountMatch::Ambiguous(count) => (
            hold(inputs, RequestedAction::Deactivate, "ambiguous"),
            format!("{reason}; but the work e-mail matches {count} accounts"),
        ),
        AccountMatch::Linked(account)
        | AccountMatch::Found(account)
        | AccountMatch::Shared { account, .. }
            if !account.is_active =>
        {
            (Action::Keep(NoActionReason::AlreadyInactive), reason)
        }
        AccountMatch::Shared {
            other_is_employed: true,
            ..
        } => (
            hold(inputs, RequestedAction::Deactivate, "linked-elsewhere"),
            format!("{reason}; but {LINKED_ELSEWHERE}"),
        ),
        AccountMatch::Linked(_) if others.iter().any(Employment::is_employed) => (
            Action::Keep(NoActionReason::Employed),
            format!("{reason}; but {SAME_ACCOUNT}"),
        ),
        AccountMatch::Linked(account)
        | AccountMatch::Found(account)
        | AccountMatch::Shared { account, .. } => {
            if is_protected(account) {
                (
                    hold(inputs, RequestedAction::Deactivate, "protected"),
                    format!("{reason}; but the account is protected (`accounts.protected`)"),
                )
            } else {
                (Action::Deactivate(account.id.clone()), reason)
            }
        }
    }
}

/// Opens a hold, unless its answer could not change anything.
fn resolve_uncertainty(
    inputs: &Inputs<'_>,
    others: &[Employment],
    needs_read: bool,
    reason: String,
) -> (Action, String) {
    let cause = match inputs.employee.values_pending_since {
        Some(at) if needs_read => format!("needs-read@{}", at.to_rfc3339()),
        _ => reason.clone(),
    };
    match inputs.account_match {
        // A read could still return an e-mail that matches an account.
        AccountMatch::None if !needs_read => (Action::Keep(NoActionReason::NoAccount), reason),
        AccountMatch::Linked(account)
        | AccountMatch::Found(account)
        | AccountMatch::Shared { account, .. }
            if !account.is_active =>
        {
            (Action::Keep(NoActionReason::AlreadyInactive), reason)
        }
        AccountMatch::Linked(_) if others.iter().any(Employment::is_employed) => (
            Action::Keep(NoActionReason::Employed),
            format!("{reason}; but {SAME_ACCOUNT}"),
        ),
        AccountMatch::Shared {
            other_is_employed: true,
            ..
        } => (
            hold(
                inputs,
                RequestedAction::Deactivate,
                &format!("linked-elsewhere: {cause}"),
            ),
            format!("{reason}; and {LINKED_ELSEWHERE}"),
        ),
        _ => (hold(inputs, RequestedAction::Deactivate, &cause), reason),
    }
}

fn awaiting_read(employee: &Employee) -> String {
    let when = employee
        .values_pending_since
        .map_or_else(String::new, |at| {
            format!(" at {}", at.format("%Y-%m-%dT%H:%M:%SZ"))
        });
    format!("waits for an API read: the HR system reported a change{when} without its values")
}

fn rehired(reason: &str) -> String {
    format!("{reason}; the person is employed again after Leaver deactivated the account")
}

/// Returns what to do about an employed person whose account Leaver deactivated, or `None` if there is nothing to do.
fn handle_rehire(inputs: &Inputs<'_>) -> Option<Action> {
    // Leaver deactivates linked accounts only. The link is this employee's, or one under a former employee id.
    let (AccountMatch::Linked(account) | AccountMatch::Shared { account, .. }) =
        inputs.account_match
    else {
        return None;
    };
    // An account that somebody else deactivated is never reactivated.
    let deactivated_at = inputs.employee.deactivated_at?;
    if account.is_active {
        return None;
    }
    match inputs.policy.rehire {
        Rehire::Hold => {
            let cause = format!("rehire@{}", deactivated_at.to_rfc3339());
            Some(hold(inputs, RequestedAction::Reactivate, &cause))
        }
        Rehire::Reactivate => Some(Action::Reactivate(account.id.clone())),
        Rehire::Ignore => None,
    }
}
