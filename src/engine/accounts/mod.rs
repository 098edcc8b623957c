//! The application's users: who has which account, and the switching off and on. It carries decisions out
//! and takes none; of the application's schema it touches the mapped columns and runs the `end_sessions`
//! statements, and nothing else.

pub mod mapping;
pub mod store;

use std::collections::BTreeSet;

use sqlx::PgConnection;

pub use self::mapping::{AccountsMapping, AccountsTable, MappingError};
use leaver_core::decision::{Action, Decision};
use leaver_core::domain::AccountId;

/// What was really changed. An account that somebody else switched off in the meantime is not in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// Switched off now, sessions ended.
    pub deactivated: BTreeSet<AccountId>,
    /// Switched on again now.
    pub reactivated: BTreeSet<AccountId>,
}

/// Carries a slice of decisions out: at most one statement to switch off, one for each `end_sessions`, one
/// to switch on. Each repeats its precondition, so doing it twice changes nothing.
///
/// # Errors
/// Whatever the database says, an error of the application's own triggers included.
pub async fn apply<'a>(
    conn: &mut PgConnection,
    table: &AccountsTable,
    decisions: impl IntoIterator<Item = &'a Decision>,
) -> Result<Applied, sqlx::Error> {
    let mut off = BTreeSet::new();
    let mut on = BTreeSet::new();
    for decision in decisions {
        match &decision.action {
            Action::Deactivate(account) => {
                off.insert(account.clone());
            }
            Action::Reactivate(account) => {
                on.insert(account.clone());
            }
            Action::Hold(_) | Action::Keep(_) => {}
        }
    }
    // Somebody who left one source and works in another: one of them saying "left" is enough.
    let on: BTreeSet<AccountId> = on.difference(&off).cloned().collect();
    Ok(Applied {
        deactivated: store::deactivate(conn, table, &off).await?,
        reactivated: store::reactivate(conn, table, &on).await?,
    })
}

#[cfg(test)]
#[expect(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up should fail"
)]
mod tests;
