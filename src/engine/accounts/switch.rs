//! Changes access and reads the rows again.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::PgConnection;

use super::catalog::Relation;
use super::mapping::Switch;
use super::{AccountsTable, IfProtected, catalog, store};
use leaver_core::domain::AccountId;

/// The effect of one direction.
#[derive(Debug, Default)]
pub(super) struct Switched {
    /// Seen in the new state, and not in it before.
    pub(super) changed: BTreeSet<AccountId>,
    /// Not seen in the new state, each with the reason.
    pub(super) blocked: BTreeMap<AccountId, String>,
}

/// Ends access of accounts. The rows are locked before protection is read again, so no other session can change it in between.
/// Otherwise it does the same as [`switch`].
///
/// # Errors
/// Returns the database's error.
pub(super) async fn deactivate(
    conn: &mut PgConnection,
    table: &AccountsTable,
    ids: &BTreeSet<AccountId>,
    if_protected: IfProtected,
) -> Result<Switched, sqlx::Error> {
    let direction = &table.statements.deactivate;
    if ids.is_empty() || if_protected == IfProtected::Deactivate {
        return switch(conn, table, direction, ids).await;
    }
    store::select_ids(conn, table, &table.statements.lock_present, ids).await?;
    // The queries on our own tables run under the search path of all connections.
    store::leave_search_path(conn).await?;
    let protected = store::protected_among(conn, table, ids).await?;
    store::enter_search_path(conn, table).await?;
    let others = ids.difference(&protected).cloned().collect();
    let mut switched = switch(conn, table, direction, &others).await?;
    let reason = "the account became protected before its access ended; it is decided again";
    let blocked = protected.into_iter().map(|id| (id, reason.to_owned()));
    switched.blocked.extend(blocked);
    Ok(switched)
}

/// Changes access of accounts. One that another session changed in the meantime is in neither set. It runs under the configured
/// search path, and is back under it when it returns.
///
/// # Errors
/// Returns the database's error.
pub(super) async fn switch(
    conn: &mut PgConnection,
    table: &AccountsTable,
    direction: &Switch,
    ids: &BTreeSet<AccountId>,
) -> Result<Switched, sqlx::Error> {
    if ids.is_empty() {
        return Ok(Switched::default());
    }
    let before = store::select_ids(conn, table, &direction.select, ids).await?;
    if !before.is_empty() && is_writable(conn, table).await? {
        store::update(conn, table, &direction.update, &before).await?;
    }
    let after = store::read_back(conn, table, ids).await?;
    let mut switched = Switched::default();
    let mut unchanged = vec![];
    for id in ids {
        if after.get(id) != Some(&direction.to_active) {
            unchanged.push(id.clone());
        } else if before.contains(id) {
            switched.changed.insert(id.clone());
        }
    }
    if !unchanged.is_empty() {
        let reason = current(conn, table).await?.obstacles(&table.access_column);
        let reason = format!("the database did not change the account: {reason}");
        switched.blocked = unchanged
            .into_iter()
            .map(|id| (id, reason.clone()))
            .collect();
    }
    Ok(switched)
}

/// Returns whether the column can be written. A table that could not be written when it was inspected is read again.
async fn is_writable(conn: &mut PgConnection, table: &AccountsTable) -> Result<bool, sqlx::Error> {
    let column = &table.access_column;
    Ok(table.relation.refusal(column).is_none()
        || current(conn, table).await?.refusal(column).is_none())
}

/// Reads the table in the catalog, under the search path of all connections.
async fn current(conn: &mut PgConnection, table: &AccountsTable) -> Result<Relation, sqlx::Error> {
    store::leave_search_path(conn).await?;
    let relation = catalog::current(conn, table).await?;
    store::enter_search_path(conn, table).await?;
    Ok(relation)
}
