//! Undoes recorded changes of accounts: a list first, then exactly that list. Only accounts that nobody has touched since are
//! restored, unless a person requests more. Sessions stay ended.

mod account;
mod carry_out;
mod examine;
mod keep;
mod object;
mod selection;
mod store;

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use sqlx::{Connection, PgConnection};

pub use self::account::{KeptBecause, UndoReport, UndoneAccount};
pub use self::carry_out::carry_out;
use self::examine::examine;
pub use self::selection::Selection;
use crate::engine::accounts::AccountsTable;
use crate::engine::audit::Actor;
use crate::engine::policies::Policies;
use crate::engine::previews::{DigestError, Preview, PreviewKind};

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

/// Lists the accounts that an undo restores and those that it leaves as they are, and stores the list, so that its digest can
/// be confirmed. No account is changed.
///
/// # Errors
/// Returns an [`UndoError`].
pub async fn list(
    conn: &mut PgConnection,
    table: &AccountsTable,
    policies: &Policies,
    undo: &Undo,
    actor: &Actor,
    now: DateTime<Utc>,
) -> Result<UndoReport, UndoError> {
    require_writers(table, undo)?;
    let mut tx = conn.begin().await?;
    let ids = store::ids(&mut tx, &undo.selection).await?;
    let mut accounts = examine(&mut tx, table, &ids, undo, false).await?;
    object::keep_accounts(&mut tx, table, policies, &mut accounts, now).await?;
    tx.rollback().await?;
    let restorable = accounts.iter().filter(|a| a.kept_because.is_none());
    let members: BTreeSet<i64> = restorable.flat_map(|a| a.changes.clone()).collect();
    let mut digest = None;
    if !members.is_empty() {
        let preview = Preview::of_ids(PreviewKind::Undo, undo.subject(), members);
        preview.keep(conn, actor, now).await?;
        digest = Some(preview.digest);
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
