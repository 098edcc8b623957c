//! Combines the assessment of an employee with the matching account.

use chrono::{DateTime, NaiveDate, Utc};

use super::access_end::day_start;
use super::assess::{Employment, assess};
use super::departure;
use super::failed_read::is_unread;
use super::hold_request::Inputs;
use super::others::{self, Effect, OtherRecord};
use super::policy::{Policy, Rehire};
use super::{AccountMatch, Action, Decision, NoActionReason, RequestedAction};
use crate::domain::{Account, AccountId, Employee, Status};

/// The end of a sentence about an account that is deactivated only after a person approves it.
pub const PROTECTED: &str = "is protected (`accounts.protected`)";

const LINKED_ELSEWHERE: &str = "the account is linked to another employee who is still employed";
const LINK_GONE: &str =
    "the linked account is gone, and the work e-mail may belong to somebody else by now";
const DELETED_AFTER_ITS_END: &str =
    "access ended before, the account is gone since, and no active account has the work e-mail";
const SAME_ACCOUNT: &str = "another employee with the same account is still employed";
const CONTINUES: &str =
    "the employment of another record with the same account follows without a day between";

/// Decides what to do about one employee.
///
/// `others` are the other records of the same source with the same account.
#[must_use]
pub fn decide(
    policy: &Policy,
    employee: &Employee,
    account_match: &AccountMatch,
    others: &[OtherRecord],
    now: DateTime<Utc>,
) -> Decision {
    let employment = assess(policy, employee, now);
    let others = others::effect(policy, employee, others, now);
    let inputs = Inputs {
        policy,
        employee,
        account_match,
    };
    let reason = employment.reason().to_owned();
    let (action, reason) = match &employment {
        Employment::Left { .. } => match announced_return(&inputs, now) {
            Some((day, action)) => (
                action,
                format!(
                    "{reason}; the HR system reports the person as active, and the hire date {day}"
                ),
            ),
            None => end_access(&inputs, others, now, reason),
        },
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
            let is_unread = is_unread(employee, *needs_read);
            let is_news = departure::is_reported_since(employee);
            let rehire = (is_unread && *employed && is_news)
                .then(|| handle_rehire(&inputs, now))
                .flatten()
                .filter(|action| matches!(action, Action::Hold(_)));
            match rehire {
                Some(action) => (action, rehired(&reason)),
                None => resolve_uncertainty(&inputs, others, is_unread, now, reason),
            }
        }
        Employment::Leaving { employed, .. } => {
            match employed.then(|| handle_rehire(&inputs, now)).flatten() {
                Some(action) => (action, rehired(&reason)),
                None => (Action::Keep(NoActionReason::Scheduled), reason),
            }
        }
        Employment::Employed { .. } => match handle_rehire(&inputs, now) {
            Some(action) => (action, rehired(&reason)),
            None => (Action::Keep(NoActionReason::Employed), reason),
        },
        Employment::Unclear { .. } => (Action::Keep(NoActionReason::Employed), reason),
    };
    let access_ends_at = match &employment {
        Employment::Leaving { at, .. } => Some(*at),
        Employment::Uncertain { ends_at, .. } => *ends_at,
        Employment::Left { .. } => match others {
            Effect::Continues(at) if action == Action::Keep(NoActionReason::Scheduled) => Some(at),
            _ => None,
        },
        Employment::Employed { .. } | Employment::Unclear { .. } => None,
    };
    Decision {
        action,
        access_ends_at,
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
        } => {
            // A record whose employment has not begun is linked: it may continue the one that ends.
            let may_begin = matches!(employment, Employment::Unclear { .. });
            (may_begin || employment.is_employed() || !other_is_employed)
                .then(|| account.id.clone())
        }
        AccountMatch::Ambiguous(_) | AccountMatch::LinkGone(_) | AccountMatch::None => None,
    }
}

fn hold(inputs: &Inputs<'_>, requested_action: RequestedAction, cause: &str) -> Action {
    Action::Hold(inputs.request(requested_action, cause))
}

/// Ends the access of a person who has left, unless a hold is needed or there is nothing to end.
fn end_access(
    inputs: &Inputs<'_>,
    others: Effect,
    now: DateTime<Utc>,
    reason: String,
) -> (Action, String) {
    let is_protected = |account: &Account| {
        let email = account.email.as_ref();
        account.is_protected || email.is_some_and(|email| inputs.policy.protected.contains(email))
    };
    match inputs.account_match {
        AccountMatch::None => (
            Action::Keep(NoActionReason::NoAccount),
            format!("{reason}; no account is linked and the work e-mail matches none"),
        ),
        AccountMatch::LinkGone(0) if inputs.is_settled(now) => (
            Action::Keep(NoActionReason::AlreadyInactive),
            format!("{reason}; {DELETED_AFTER_ITS_END}"),
        ),
        AccountMatch::LinkGone(0) => (
            Action::Keep(NoActionReason::NoAccount),
            format!(
                "{reason}; the linked account is gone, and no active account has the work e-mail"
            ),
        ),
        AccountMatch::LinkGone(_) => (
            hold(inputs, RequestedAction::Deactivate, "link-gone"),
            format!("{reason}; but {LINK_GONE}"),
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
            let is_shared = others != Effect::Nothing
                || matches!(
                    inputs.account_match,
                    AccountMatch::Shared {
                        other_is_employed: true,
                        ..
                    }
                );
            if is_shared || departure::is_carried_out(inputs.employee) {
                (Action::Keep(NoActionReason::AlreadyInactive), reason)
            } else {
                (Action::EndSessions(account.id.clone()), reason)
            }
        }
        AccountMatch::Shared {
            other_is_employed: true,
            ..
        } => (
            hold(inputs, RequestedAction::Deactivate, "linked-elsewhere"),
            format!("{reason}; but {LINKED_ELSEWHERE}"),
        ),
        AccountMatch::Linked(_) | AccountMatch::Shared { .. } if others != Effect::Nothing => {
            match others {
                Effect::Asks(cause) => (
                    hold(
                        inputs,
                        RequestedAction::Deactivate,
                        &format!("other-record: {cause}"),
                    ),
                    format!("{reason}; but another record has the same account, and {cause}"),
                ),
                Effect::Continues(_) => (
                    Action::Keep(NoActionReason::Scheduled),
                    format!("{reason}; but {CONTINUES}"),
                ),
                Effect::Keeps | Effect::Nothing => (
                    Action::Keep(NoActionReason::Employed),
                    format!("{reason}; but {SAME_ACCOUNT}"),
                ),
            }
        }
        AccountMatch::Linked(account)
        | AccountMatch::Found(account)
        | AccountMatch::Shared { account, .. } => {
            if is_protected(account) {
                (
                    hold(inputs, RequestedAction::Deactivate, "protected"),
                    format!("{reason}; but the account {PROTECTED}"),
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
    others: Effect,
    is_unread: bool,
    now: DateTime<Utc>,
    reason: String,
) -> (Action, String) {
    let cause = match inputs.employee.values_pending_since {
        Some(at) if is_unread => format!("needs-read@{}", at.to_rfc3339()),
        _ => reason.clone(),
    };
    match inputs.account_match {
        AccountMatch::LinkGone(0) if inputs.is_settled(now) => (
            Action::Keep(NoActionReason::AlreadyInactive),
            format!("{reason}; {DELETED_AFTER_ITS_END}"),
        ),
        // A read could still return an e-mail that matches an account.
        AccountMatch::None | AccountMatch::LinkGone(0) if !is_unread => {
            (Action::Keep(NoActionReason::NoAccount), reason)
        }
        AccountMatch::LinkGone(1..) => (
            hold(
                inputs,
                RequestedAction::Deactivate,
                &format!("link-gone: {cause}"),
            ),
            format!("{reason}; and {LINK_GONE}"),
        ),
        AccountMatch::Linked(account)
        | AccountMatch::Found(account)
        | AccountMatch::Shared { account, .. }
            if !account.is_active =>
        {
            (Action::Keep(NoActionReason::AlreadyInactive), reason)
        }
        AccountMatch::Linked(_) if others == Effect::Keeps => (
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
fn handle_rehire(inputs: &Inputs<'_>, now: DateTime<Utc>) -> Option<Action> {
    if departure::outlasts_the_facts(inputs.policy, inputs.employee) {
        return None;
    }
    let account = account_to_give_back(inputs)?;
    let begins_later = departure::later_hire_date(inputs.policy, inputs.employee)
        .is_some_and(|day| day_start(day, inputs.policy.timezone) > now);
    let is_repeated = departure::is_hire_date_repeated(inputs.policy, inputs.employee);
    match inputs.policy.rehire {
        Rehire::Hold => request_return(inputs),
        Rehire::Reactivate if begins_later || is_repeated => request_return(inputs),
        Rehire::Reactivate => Some(Action::Reactivate(account.id.clone())),
        Rehire::Ignore => None,
    }
}

/// Returns a hold for a person whose end was carried out and who is reported as active, if the next employment begins
/// later. No event has to follow on that day, so the hold is opened now.
fn announced_return(inputs: &Inputs<'_>, now: DateTime<Utc>) -> Option<(NaiveDate, Action)> {
    let day = departure::later_hire_date(inputs.policy, inputs.employee)
        .filter(|day| day_start(*day, inputs.policy.timezone) > now)?;
    account_to_give_back(inputs)?;
    let is_open =
        inputs.employee.status() == Some(&Status::Active) && inputs.policy.rehire != Rehire::Ignore;
    is_open.then(|| Some((day, request_return(inputs)?)))?
}

fn request_return(inputs: &Inputs<'_>) -> Option<Action> {
    let deactivated_at = inputs.employee.deactivated_at?;
    let cause = format!("rehire@{}", deactivated_at.to_rfc3339());
    Some(hold(inputs, RequestedAction::Reactivate, &cause))
}

/// Returns the account if it is inactive and Leaver deactivated it. An account that somebody else deactivated is never
/// reactivated.
fn account_to_give_back<'a>(inputs: &Inputs<'a>) -> Option<&'a Account> {
    // Leaver deactivates linked accounts only. The link is this employee's, or one under a former employee id.
    let (AccountMatch::Linked(account) | AccountMatch::Shared { account, .. }) =
        inputs.account_match
    else {
        return None;
    };
    let is_ours = inputs.employee.deactivated_at.is_some() && !account.has_other_inactive_status;
    (is_ours && !account.is_active).then_some(account)
}
