//! Reads, deactivates and reactivates accounts in the application's own table.
//!
//! It executes decisions and makes none. In the application's schema it uses the mapped columns and the `end_sessions`
//! statements, and nothing else.

mod apply_error;
pub(crate) mod catalog;
pub mod lookup;
pub(crate) mod mapping;
pub(crate) mod numbers;
pub(crate) mod privileges;
pub(crate) mod protected;
pub(crate) mod safeguarded;
mod switch;
pub mod store;
pub(crate) mod trial;
pub(crate) mod writers;

use std::collections::{BTreeMap, BTreeSet};

use sqlx::PgConnection;

pub use self::apply_error::ApplyError;
pub(crate) use self::apply_error::first_words;
pub(crate) use self::mapping::MappingError;
pub use self::mapping::{AccountsMapping, AccountsTable, Shape};
use crate::db::transaction::check_deferred_constraints;
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

/// Accounts that became protected after the decision about them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IfProtected {
    /// They keep access and are blocked: the decision was made for accounts without protection.
    Block,
    /// A person decided with the protection in view.
    Deactivate,
}

/// Applies decisions in a number of statements that does not depend on their number. Each row is read again after its write:
/// only an account that is seen in its new state counts as changed, and any other is blocked.
///
/// # Errors
/// [`ApplyError`] with the database's error, which may come from a trigger of the application. The transaction must be rolled back then.
pub async fn apply<'a>(
    conn: &mut PgConnection,
    table: &AccountsTable,
    decisions: impl IntoIterator<Item = &'a Decision>,
    if_protected: IfProtected,
) -> Result<Applied, ApplyError> {
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
    if off.is_empty() && on.is_empty() && sessions.is_empty() {
        return Ok(Applied::default());
    }
    store::enter_search_path(conn, table).await?;
    let ended = switch::deactivate(conn, table, &off, if_protected).await?;
    let returned = switch::switch(conn, table, &table.statements.reactivate, &on).await?;
    // Accounts that another session deactivated after the decision lose their sessions as well.
    let found_inactive = off
        .iter()
        .filter(|id| !ended.changed.contains(*id) && !ended.blocked.contains_key(*id))
        .cloned();
    let sessions_ended: BTreeSet<AccountId> = sessions
        .into_iter()
        .filter(|account| !off.contains(account) && !on.contains(account))
        .chain(found_inactive)
        .collect();
    let to_end = ended.changed.union(&sessions_ended).cloned().collect();
    store::end_sessions(conn, table, &to_end).await?;
    // A deferred trigger of the application would otherwise fail the commit, and the new facts would be lost with it.
    check_deferred_constraints(conn).await?;
    store::leave_search_path(conn).await?;
    let mut blocked = ended.blocked;
    blocked.extend(returned.blocked);
    Ok(Applied {
        deactivated: ended.changed,
        reactivated: returned.changed,
        sessions_ended,
        blocked,
    })
}

/// Returns whether a statement that ends sessions uses `$2`, the tenant of the accounts.
fn uses_tenant(statement: &str) -> bool {
    let mut rest = statement;
    while let Some((_, after)) = rest.split_once("$2") {
        if !after.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_' || c == '$') {
            return true;
        }
        rest = after;
    }
    false
}

#[cfg(test)]
#[expect(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up should fail"
)]
mod tests;
