//! Reads, deactivates and reactivates accounts in the application's own table.
//!
//! It executes decisions and makes none. In the application's schema it uses the mapped columns and the `end_sessions`
//! statements, and nothing else.

pub(crate) mod mapping;
pub mod store;

use std::collections::{BTreeMap, BTreeSet};

use sqlx::PgConnection;

pub(crate) use self::mapping::MappingError;
pub use self::mapping::{AccountsMapping, AccountsTable};
use leaver_core::decision::{Action, Decision};
use leaver_core::domain::AccountId;

/// Accounts that were changed. An account that somebody else changed in the meantime is not among them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// Deactivated, with their sessions ended.
    pub deactivated: BTreeSet<AccountId>,
    /// Reactivated.
    pub reactivated: BTreeSet<AccountId>,
    /// Inactive before, and their sessions ended now.
    pub sessions_ended: BTreeSet<AccountId>,
    /// Not changed by the database although it was asked to, each with the reason, which contains no values of the row.
    pub blocked: BTreeMap<AccountId, String>,
}

/// Applies decisions with at most one statement that deactivates, one per entry of `end_sessions`, and one that reactivates.
/// Each statement checks its precondition again, so a repetition changes nothing.
///
/// # Errors
/// Returns the database's error, which may come from a trigger of the application. The transaction must be rolled back then.
pub async fn apply<'a>(
    conn: &mut PgConnection,
    table: &AccountsTable,
    decisions: impl IntoIterator<Item = &'a Decision>,
) -> Result<Applied, sqlx::Error> {
    let mut off = BTreeSet::new();
    let mut on = BTreeSet::new();
    let mut sessions = BTreeSet::new();
    for decision in decisions {
        match &decision.action {
            Action::Deactivate(account) => {
                off.insert(account.clone());
            }
            Action::Reactivate(account) => {
                on.insert(account.clone());
            }
            Action::EndSessions(account) => {
                sessions.insert(account.clone());
            }
            Action::Hold(_) | Action::Keep(_) => {}
        }
    }
    // A person who left in one source and works in another loses access.
    let on: BTreeSet<AccountId> = on.difference(&off).cloned().collect();
    let deactivated = store::deactivate(conn, table, &off).await?;
    let reactivated = store::reactivate(conn, table, &on).await?;
    // One run of each statement for both.
    let sessions_ended: BTreeSet<AccountId> = sessions.difference(&deactivated).cloned().collect();
    let ended = deactivated.union(&sessions_ended).cloned().collect();
    store::end_sessions(conn, table, &ended).await?;
    Ok(Applied {
        deactivated,
        reactivated,
        sessions_ended,
        ..Applied::default()
    })
}

#[cfg(test)]
#[expect(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up should fail"
)]
mod tests;
