//! Decides what to do about an employee, and why.
//!
//! A decision is a pure function of facts, account, policy and time. The code that executes it has nothing left to choose.

pub mod access_end;
pub mod assess;
pub mod departure;
pub mod repeat;
mod failed_read;
mod unreadable;
pub mod policy;

mod decide;
pub use decide::{PROTECTED, decide};

mod others;
pub use others::{OtherRecord, Presence};

mod hold_request;
pub use hold_request::{HoldRequest, RequestedAction, differ_in_facts, request_change};

use chrono::{DateTime, Utc};

use crate::domain::{Account, AccountId};

/// The accounts that match an employee.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccountMatch {
    /// The employee is linked to this account.
    Linked(Account),
    /// The work e-mail matches this account, and no other employee of this source is linked to it.
    Found(Account),
    /// The work e-mail matches this account, but other employees of this source are linked to it.
    Shared {
        /// The account.
        account: Account,
        /// True if one of the others may keep access.
        other_is_employed: bool,
    },
    /// The work e-mail matches this many accounts.
    Ambiguous(usize),
    /// The account the employee is linked to is gone. This many active accounts have the work e-mail, which may belong to
    /// somebody else by now.
    LinkGone(usize),
    /// No account is linked and none matches.
    None,
}

impl AccountMatch {
    fn account(&self) -> Option<&Account> {
        match self {
            Self::Linked(account) | Self::Found(account) | Self::Shared { account, .. } => {
                Some(account)
            }
            Self::Ambiguous(_) | Self::LinkGone(_) | Self::None => None,
        }
    }
}

/// The decision about one employee.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The change of the account now.
    pub action: Action,
    /// When access ends, if that is scheduled. It replaces an earlier schedule.
    pub access_ends_at: Option<DateTime<Utc>>,
    /// The account to link the employee to, if any.
    pub link: Option<AccountId>,
    /// Why, for the audit log. It contains no name and no e-mail.
    pub reason: String,
}

/// A change of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Deactivate it and end its sessions.
    Deactivate(AccountId),
    /// End its sessions only: the person left, and the account is inactive already.
    EndSessions(AccountId),
    /// Reactivate it.
    Reactivate(AccountId),
    /// Open a hold.
    Hold(HoldRequest),
    /// Leave it unchanged.
    Keep(NoActionReason),
}

/// Why an account is left unchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoActionReason {
    /// The facts do not imply that the person left.
    Employed,
    /// The account is already inactive.
    AlreadyInactive,
    /// The person left, but no account matches. The next change of the facts repeats the search.
    NoAccount,
    /// Access ends at a future time.
    Scheduled,
    /// The values of a change have to be read first.
    AwaitingRead,
    /// The source is in shadow mode: the change is planned.
    Planned(RequestedAction),
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may fail loudly")]
mod tests;
