//! Reads who wrote rows of the accounts table last.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::{PgConnection, Row};

use super::super::AccountsTable;
use super::super::store::{about, enter_search_path, leave_search_path, read, read_id};
use leaver_core::domain::AccountId;
use leaver_core::undo::PresentAccount;

/// Returns the transactions that wrote the rows of accounts that this transaction has written. Empty where rows show none:
/// views, foreign tables, and roles that may not read `xmin`.
///
/// # Errors
/// Returns the database's error.
pub(crate) async fn last_writers(
    conn: &mut PgConnection,
    table: &AccountsTable,
    ids: &BTreeSet<AccountId>,
) -> Result<BTreeMap<AccountId, i64>, sqlx::Error> {
    if !table.relation.shows_writers {
        return Ok(BTreeMap::new());
    }
    let query = about(table, &table.statements.last_writers, ids);
    let rows = read(conn, table, query).await?;
    rows.iter()
        .map(|row| Ok((read_id(row, "tenant")?, row.try_get("writer")?)))
        .collect()
}

/// Returns accounts as they are now. An id without a row is left out. With `lock`, locks the rows until the transaction ends,
/// in the order of a change of access. The rows of views and foreign tables cannot be locked.
///
/// # Errors
/// Returns the database's error.
pub(crate) async fn present(
    conn: &mut PgConnection,
    table: &AccountsTable,
    ids: &BTreeSet<AccountId>,
    lock: bool,
) -> Result<BTreeMap<AccountId, PresentAccount>, sqlx::Error> {
    let statements = &table.statements;
    let statement = if lock {
        &statements.lock_present
    } else {
        &statements.present
    };
    enter_search_path(conn, table).await?;
    let rows = about(table, statement, ids).fetch_all(&mut *conn).await?;
    leave_search_path(conn).await?;
    rows.iter()
        .map(|row| {
            let id = read_id(row, "tenant")?;
            let writer: Option<i64> = row.try_get("writer")?;
            let present = PresentAccount {
                is_active: row.try_get("is_active")?,
                writer: writer.and_then(|writer| u32::try_from(writer).ok()),
            };
            Ok((id, present))
        })
        .collect()
}
