//! Undoes recorded changes of accounts: a list first, then exactly that list. Only accounts that nobody has touched since are
//! restored, unless a person requests more. Sessions stay ended.

mod carry_out;
mod keep;
mod selection;
mod store;

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use sqlx::{Connection, PgConnection};
use uuid::Uuid;

pub use self::carry_out::carry_out;
pub use self::selection::Selection;
use self::store::Recorded;
use crate::engine::accounts::{self, AccountsTable};
use crate::engine::batches::Direction;
use crate::engine::previews::{DigestError, Preview, PreviewKind};
use leaver_core::domain::{AccountId, EmployeeKey};
use leaver_core::undo::{Obstacle, PresentAccount, RecordedChange, Verdict, judge};

/// Why nothing was undone.
#[derive(Debug, thiserror::Error)]
pub enum UndoError {
    /// The digest is not accepted.
    #[error(transparent)]
    Digest(DigestError),
    /// Rows do not show who wrote them last.
    #[error("{0}add --touched to restore also accounts that somebody has changed since")]
    NoWriters(String),
    /// The database failed.
    #[error("cannot undo; nothing was changed")]
    Database(#[from] sqlx::Error),
}

impl From<DigestError> for UndoError {
    fn from(error: DigestError) -> Self {
        match error {
            DigestError::Database(error) => Self::Database(error),
            other => Self::Digest(other),
        }
    }
}

/// The changes to undo.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Undo {
    /// Selects the changes.
    pub selection: Selection,
    /// True if accounts that somebody has touched since are restored as well.
    pub also_touched: bool,
}

impl Undo {
    /// Returns the text by which the list is stored.
    fn subject(&self) -> String {
        let also = if self.also_touched { ", touched" } else { "" };
        format!("{}{also}", self.selection)
    }
}

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
    selected: Vec<i64>,
    /// IDs of those that are not undone.
    changes: Vec<i64>,
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

/// Lists the accounts that an undo restores and those that it leaves as they are, and stores the list, so that its digest can
/// be confirmed. No account is changed.
///
/// # Errors
/// Returns an [`UndoError`].
pub async fn list(
    conn: &mut PgConnection,
    table: &AccountsTable,
    undo: &Undo,
    person: &str,
    now: DateTime<Utc>,
) -> Result<UndoReport, UndoError> {
    require_writers(table, undo)?;
    let mut tx = conn.begin().await?;
    let ids = store::ids(&mut tx, &undo.selection).await?;
    let accounts = examine(&mut tx, table, &ids, undo, false).await?;
    tx.rollback().await?;
    let restorable = accounts.iter().filter(|a| a.kept_because.is_none());
    let members: BTreeSet<i64> = restorable.flat_map(|a| a.changes.clone()).collect();
    let mut digest = None;
    if !members.is_empty() {
        let preview = Preview {
            kind: PreviewKind::Undo,
            subject: undo.subject(),
            members,
        };
        digest = Some(preview.keep(conn, person, now).await?);
    }
    Ok(UndoReport {
        accounts,
        digest,
        batch: None,
        missed: 0,
    })
}

/// Fails if rows do not show who wrote them, and touched accounts are not to be restored.
fn require_writers(table: &AccountsTable, undo: &Undo) -> Result<(), UndoError> {
    match table.hides_writers() {
        Some(reason) if !undo.also_touched => Err(UndoError::NoWriters(reason)),
        _ => Ok(()),
    }
}

/// Groups changes by account and decides about each account. With `lock`, the rows of the accounts are locked first.
async fn examine(
    conn: &mut PgConnection,
    table: &AccountsTable,
    ids: &[i64],
    undo: &Undo,
    lock: bool,
) -> Result<Vec<UndoneAccount>, sqlx::Error> {
    if ids.is_empty() {
        return Ok(vec![]);
    }
    let selected = store::load(conn, ids).await?;
    let accounts = selected.iter().map(|change| change.account.clone());
    let present = accounts::writers::store::present(conn, table, &accounts.collect(), lock).await?;
    // Only now, since a writer may have been waited for.
    let selected = if lock {
        store::load(conn, ids).await?
    } else {
        selected
    };
    let mut by_account: BTreeMap<AccountId, Vec<Recorded>> = BTreeMap::new();
    for change in selected {
        let changes = by_account.entry(change.account.clone()).or_default();
        changes.push(change);
    }
    let mut examined = vec![];
    for (account, changes) in by_account {
        let present = present.get(&account).copied();
        examined.extend(examine_account(account, &changes, present, undo));
    }
    examined.sort_by(|one, other| (one.at, &one.account).cmp(&(other.at, &other.account)));
    Ok(examined)
}

fn examine_account(
    account: AccountId,
    changes: &[Recorded],
    present: Option<PresentAccount>,
    undo: &Undo,
) -> Option<UndoneAccount> {
    let recorded: Vec<RecordedChange> = changes.iter().map(Recorded::change).collect();
    let standing: Vec<&Recorded> = changes.iter().filter(|c| !c.is_undone).collect();
    let first = standing.first().copied().or_else(|| changes.first())?;
    let last = standing.last().copied().unwrap_or(first);
    let later = last.later_batch;
    let verdict = judge(&recorded, later.is_some(), present, undo.also_touched);
    let kept_because = match verdict {
        Verdict::Restore { .. } => None,
        Verdict::Keep(obstacle) => Some(match obstacle {
            Obstacle::UndoneAlready => KeptBecause::UndoneAlready,
            Obstacle::Gone => KeptBecause::Gone,
            Obstacle::ActiveAgain => KeptBecause::ActiveAgain,
            Obstacle::InactiveAgain => KeptBecause::InactiveAgain,
            Obstacle::ChangedLater => KeptBecause::ChangedLater(later.unwrap_or(last.batch)),
            Obstacle::Touched => KeptBecause::Touched,
            Obstacle::NotComparable => KeptBecause::NotComparable,
        }),
    };
    Some(UndoneAccount {
        account,
        employee: first.employee.clone(),
        direction: first.direction,
        at: first.at,
        batch: first.batch,
        cause: first.cause.clone(),
        kept_because,
        selected: changes.iter().map(|change| change.id).collect(),
        changes: standing.iter().map(|change| change.id).collect(),
    })
}
