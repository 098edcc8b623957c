//! The accounts of an undo: those that are restored, and those that stay as they are with the reason.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::engine::batches::Direction;
use leaver_core::decision::PROTECTED;
use leaver_core::domain::{AccountId, EmployeeKey};

/// An account and its selected changes.
#[derive(Clone, Debug)]
pub struct UndoneAccount {
    /// The account.
    pub account: AccountId,
    /// The employee of its first change that is not undone.
    pub employee: EmployeeKey,
    /// The direction of that change: the account returns to its state before it.
    pub direction: Direction,
    /// When it was made.
    pub at: DateTime<Utc>,
    /// Its batch.
    pub batch: Uuid,
    /// Its cause, as in `leaver.changes`.
    pub cause: String,
    /// The reason why the account stays as it is; `None` if it can be, or was, restored.
    pub kept_because: Option<KeptBecause>,
    /// IDs of its selected changes.
    pub(super) selected: Vec<i64>,
    /// IDs of those that are not undone.
    pub(super) changes: Vec<i64>,
}

impl UndoneAccount {
    /// Returns true if the undo gives access back.
    pub(super) fn activates(&self) -> bool {
        self.opposite() == Direction::Reactivated
    }

    /// Returns the direction of the undo.
    pub(super) fn opposite(&self) -> Direction {
        match self.direction {
            Direction::Deactivated => Direction::Reactivated,
            Direction::Reactivated => Direction::Deactivated,
        }
    }
}

/// The reason why an account stays as it is.
#[derive(Clone, Debug, PartialEq, Eq, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum KeptBecause {
    /// All its changes were undone already.
    UndoneAlready,
    /// There is no such account any more.
    Gone,
    /// It is active again.
    ActiveAgain,
    /// It is inactive again.
    InactiveAgain,
    /// Another batch has changed it later.
    ChangedLater(Uuid),
    /// Somebody else has written the row since.
    Touched,
    /// It is not known who wrote the row last.
    NotComparable,
    /// It is not in the list that was confirmed.
    NotListed,
    /// It is to be deactivated, and is protected.
    Protected,
    /// It is to be deactivated, and another tenant reports the person as employed. The text names the tenant.
    Objection(String),
    /// The database did not change it.
    Blocked(String),
}

impl KeptBecause {
    /// Returns the word for programs.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        self.into()
    }

    /// Returns the reason for people.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Self::UndoneAlready => "undone already".to_owned(),
            Self::Gone => "the account is gone, or `accounts.where` excludes it".to_owned(),
            Self::ActiveAgain => "already active again".to_owned(),
            Self::InactiveAgain => "already inactive again".to_owned(),
            Self::ChangedLater(batch) => format!("changed later by batch {batch}"),
            Self::Touched => "touched since by somebody else".to_owned(),
            Self::NotComparable => {
                "the row does not show who wrote it last; --touched restores it as well".to_owned()
            }
            Self::NotListed => "not in the confirmed list".to_owned(),
            Self::Protected => format!("it {PROTECTED}; `leaver end` ends this access"),
            Self::Objection(text) => text.clone(),
            Self::Blocked(reason) => format!("blocked by the database: {reason}"),
        }
    }
}

/// The accounts of an undo.
#[derive(Clone, Debug)]
pub struct UndoReport {
    /// The accounts, in the order of their changes.
    pub accounts: Vec<UndoneAccount>,
    /// The digest of those that can be restored; `None` if there is none.
    pub digest: Option<String>,
    /// The batch of the undo; `None` if it was only listed, or nothing was restored.
    pub batch: Option<Uuid>,
    /// Number of accounts of the confirmed list that were not restored.
    pub missed: usize,
}

impl UndoReport {
    /// Returns the accounts that can be, or were, restored.
    pub fn restored(&self) -> impl Iterator<Item = &UndoneAccount> {
        self.accounts.iter().filter(|a| a.kept_because.is_none())
    }

    /// Returns the accounts that stay as they are.
    pub fn kept(&self) -> impl Iterator<Item = &UndoneAccount> {
        self.accounts.iter().filter(|a| a.kept_because.is_some())
    }
}
