//! What should be done, and why. Pure: facts, account, policy and the time go in, a decision comes out that
//! leaves nothing to choose to whoever carries it out.

pub mod access_end;
pub mod assess;
pub mod policy;
mod hold_request;

use chrono::{DateTime, Utc};

use self::assess::{Employment, assess};
use self::hold_request::Basis;
use self::policy::{Policy, Rehire};
use crate::domain::{Account, AccountId, Employee};

pub use self::hold_request::{HoldRequest, RequestedAction};

/// What the users table has for an employee.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccountMatch {
    /// The remembered link led to it.
    Linked(Account),
    /// The work e-mail led to it, and nobody else of this source has it.
    Found(Account),
    /// The work e-mail led to it, but it is linked to another employee of this source.
    Shared {
        /// The account.
        account: Account,
        /// Whether one of those others still works there.
        other_is_employed: bool,
    },
    /// The work e-mail fits this many accounts.
    Ambiguous(usize),
    /// Neither a link nor a fitting account.
    None,
}

/// What should be done about one employee.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// What to do to the account now.
    pub action: Action,
    /// When to look at this employee again; replaces whatever was scheduled before.
    pub access_ends_at: Option<DateTime<Utc>>,
    /// The account to remember, when there is one.
    pub link: Option<AccountId>,
    /// Why, for a person. No name and no address stands in it.
    pub reason: String,
}

/// What to do to an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Switch it off and end its sessions.
    Deactivate(AccountId),
    /// Switch it on again.
    Reactivate(AccountId),
    /// Ask a person.
    Hold(HoldRequest),
    /// Leave it as it is.
    Keep(NoActionReason),
}

/// Why nothing is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoActionReason {
    /// The facts do not say that the person left.
    Employed,
    /// The account is off already.
    AlreadyInactive,
    /// The person left, but no account fits; looked for again when facts change.
    NoAccount,
    /// Access ends at an instant that lies ahead.
    Waiting,
    /// What changed is to be read first.
    Reading,
}

/// What `others` is for: the judgements of the other employees of the same source that are linked to the
/// same account.
#[must_use]
pub fn decide(
    policy: &Policy,
    employee: &Employee,
    found: &AccountMatch,
    others: &[Employment],
    now: DateTime<Utc>,
) -> Decision {
    let employment = assess(policy, employee, now);
    let facts_fingerprint = Basis {
        employee,
        found,
        policy,
    };
    let reason = employment.because().to_owned();
    let decision = |action, reason: String| Decision {
        action,
        access_ends_at: None,
        link: found.to_remember(&employment),
        reason,
    };
    match &employment {
        Employment::Left { .. } => {
            let (action, reason) = end_access(&facts_fingerprint, others, reason);
            decision(action, reason)
        }
        Employment::Uncertain {
            needs_read: true,
            ends_at,
            ..
        } if policy.can_read => Decision {
            access_ends_at: *ends_at,
            ..decision(Action::Keep(NoActionReason::Reading), read_is_due(employee))
        },
        Employment::Uncertain {
            needs_read,
            employed,
            ends_at,
            ..
        } => {
            // A change we have not read does not take back the question about a return.
            let still_asked = (*needs_read && *employed)
                .then(|| welcome_back(&facts_fingerprint))
                .flatten()
                .filter(|action| matches!(action, Action::Hold(_)));
            let (action, reason) = match still_asked {
                Some(action) => (action, back_again(&reason)),
                None => doubt(&facts_fingerprint, others, *needs_read, reason),
            };
            Decision {
                access_ends_at: *ends_at,
                ..decision(action, reason)
            }
        }
        Employment::Leaving { at, employed, .. } => {
            let (action, reason) =
                match employed.then(|| welcome_back(&facts_fingerprint)).flatten() {
                    Some(action) => (action, back_again(&reason)),
                    None => (Action::Keep(NoActionReason::Waiting), reason),
                };
            Decision {
                access_ends_at: Some(*at),
                ..decision(action, reason)
            }
        }
        Employment::Employed { .. } => match welcome_back(&facts_fingerprint) {
            Some(action) => decision(action, back_again(&reason)),
            None => decision(Action::Keep(NoActionReason::Employed), reason),
        },
        Employment::Unclear { .. } => decision(Action::Keep(NoActionReason::Employed), reason),
    }
}

impl AccountMatch {
    fn account(&self) -> Option<&Account> {
        match self {
            Self::Linked(account) | Self::Found(account) | Self::Shared { account, .. } => {
                Some(account)
            }
            Self::Ambiguous(_) | Self::None => None,
        }
    }

    /// A link is made once and kept. An account that belongs to somebody who still works there is not
    /// taken over by an employee who does not.
    fn to_remember(&self, employment: &Employment) -> Option<AccountId> {
        match self {
            Self::Linked(account) | Self::Found(account) => Some(account.id.clone()),
            Self::Shared {
                account,
                other_is_employed,
            } => (employment.is_employed() || !other_is_employed).then(|| account.id.clone()),
            Self::Ambiguous(_) | Self::None => None,
        }
    }
}

const LINKED_ELSEWHERE: &str = "the account is linked to another employee who still works there";
const SAME_ACCOUNT: &str = "another employee with the same account still works there";

/// The person has left: end access, unless somebody must be asked first or there is nothing to end.
fn end_access(
    facts_fingerprint: &Basis<'_>,
    others: &[Employment],
    reason: String,
) -> (Action, String) {
    let protected = |account: &Account| {
        account
            .email
            .as_ref()
            .is_some_and(|email| facts_fingerprint.policy.protected.contains(email))
    };
    match facts_fingerprint.found {
        AccountMatch::None => (
            Action::Keep(NoActionReason::NoAccount),
            format!("{reason}; no account is linked and no work e-mail fits one"),
        ),
        AccountMatch::Ambiguous(count) => (
            facts_fingerprint.question(RequestedAction::Deactivate, "ambiguous"),
            format!("{reason}; but the work e-mail fits {count} accounts"),
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
            facts_fingerprint.question(RequestedAction::Deactivate, "linked-elsewhere"),
            format!("{reason}; but {LINKED_ELSEWHERE}"),
        ),
        AccountMatch::Linked(_) if others.iter().any(Employment::is_employed) => (
            Action::Keep(NoActionReason::Employed),
            format!("{reason}; but {SAME_ACCOUNT}"),
        ),
        AccountMatch::Linked(account)
        | AccountMatch::Found(account)
        | AccountMatch::Shared { account, .. } => {
            if protected(account) {
                (
                    facts_fingerprint.question(RequestedAction::Deactivate, "protected"),
                    format!("{reason}; but the account is protected (accounts.protected)"),
                )
            } else {
                (Action::Deactivate(account.id.clone()), reason)
            }
        }
    }
}

/// A person must say. Somebody without any account is no question, unless a read could still find one; nor is
/// somebody whose account would stay on even if they had left.
fn doubt(
    facts_fingerprint: &Basis<'_>,
    others: &[Employment],
    needs_read: bool,
    reason: String,
) -> (Action, String) {
    let why = match facts_fingerprint.employee.values_pending_since {
        Some(at) if needs_read => format!("needs-read@{}", at.to_rfc3339()),
        _ => reason.clone(),
    };
    match facts_fingerprint.found {
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
            facts_fingerprint.question(
                RequestedAction::Deactivate,
                &format!("linked-elsewhere: {why}"),
            ),
            format!("{reason}; and {LINKED_ELSEWHERE}"),
        ),
        _ => (
            facts_fingerprint.question(RequestedAction::Deactivate, &why),
            reason,
        ),
    }
}

/// Of what is not known nobody needs to be asked while a read can tell.
fn read_is_due(employee: &Employee) -> String {
    let when = employee
        .values_pending_since
        .map_or_else(String::new, |at| {
            format!(" at {}", at.format("%Y-%m-%dT%H:%M:%SZ"))
        });
    format!("a read is due: the HR system reported a change{when} but not what it is")
}

fn back_again(reason: &str) -> String {
    format!("{reason}; works there again after we deactivated")
}

/// Works there although we switched the account off. Only what we did is ever undone, and what we did we did
/// to an account that somebody is linked to: this employee, or one who had it under another id.
fn welcome_back(facts_fingerprint: &Basis<'_>) -> Option<Action> {
    let (AccountMatch::Linked(account) | AccountMatch::Shared { account, .. }) =
        facts_fingerprint.found
    else {
        return None;
    };
    let off_since = facts_fingerprint.employee.deactivated_at?;
    if account.is_active {
        return None;
    }
    match facts_fingerprint.policy.rehire {
        Rehire::Hold => {
            let why = format!("rehire@{}", off_since.to_rfc3339());
            Some(facts_fingerprint.question(RequestedAction::Reactivate, &why))
        }
        Rehire::Reactivate => Some(Action::Reactivate(account.id.clone())),
        Rehire::Ignore => None,
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may fail loudly")]
mod tests;
