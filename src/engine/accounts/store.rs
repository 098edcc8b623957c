//! The application's accounts table and the catalog that describes it. The statements on the accounts table are built from the
//! configuration, so only they are not checked at compile time.

use std::collections::BTreeSet;

use sqlx::{AssertSqlSafe, PgConnection, Row};

use super::mapping::Column;
use super::{AccountsMapping, AccountsTable};
use leaver_core::domain::{Account, AccountId, Tenant, WorkEmail};

/// Returns the accounts with these ids. An id without a row is left out.
///
/// # Errors
/// Returns the database's error.
pub(crate) async fn find_by_id(
    conn: &mut PgConnection,
    table: &AccountsTable,
    ids: &BTreeSet<AccountId>,
) -> Result<Vec<Account>, sqlx::Error> {
    if ids.is_empty() {
        return Ok(vec![]);
    }
    let rows = sqlx::query(AssertSqlSafe(table.find_by_id.clone()))
        .bind(texts(ids))
        .fetch_all(conn)
        .await?;
    rows.iter().map(read_account).collect()
}

/// Returns the accounts with each work e-mail, in the order given, whichever of its spellings they hold.
///
/// The query may find more than these: its key follows IDNA less closely than [`WorkEmail`].
///
/// # Errors
/// Returns the database's error.
pub async fn find_by_email(
    conn: &mut PgConnection,
    table: &AccountsTable,
    wanted: &[(WorkEmail, Tenant)],
) -> Result<Vec<Vec<Account>>, sqlx::Error> {
    let mut found = vec![vec![]; wanted.len()];
    if wanted.is_empty() {
        return Ok(found);
    }
    let (mut emails, mut tenants, mut positions) = (vec![], vec![], vec![]);
    for (position, (email, tenant)) in (0_i64..).zip(wanted) {
        for spelling in email.spellings() {
            emails.push(spelling);
            tenants.push(tenant.as_str());
            positions.push(position);
        }
    }
    let rows = sqlx::query(AssertSqlSafe(table.find_by_email.clone()))
        .bind(emails)
        .bind(tenants)
        .bind(positions)
        .fetch_all(conn)
        .await?;
    for row in &rows {
        let Ok(position) = usize::try_from(row.try_get::<i64, _>("n")?) else {
            continue;
        };
        let account = read_account(row)?;
        if let (Some((email, _)), Some(slot)) = (wanted.get(position), found.get_mut(position))
            && account.email.as_ref() == Some(email)
            && !slot.contains(&account)
        {
            slot.push(account);
        }
    }
    Ok(found)
}

/// Returns a page of active accounts in the order of their ids: those after `after`, or the first.
///
/// # Errors
/// Returns the database's error.
pub(crate) async fn active_after(
    conn: &mut PgConnection,
    table: &AccountsTable,
    after: Option<&AccountId>,
    limit: i64,
) -> Result<Vec<Account>, sqlx::Error> {
    let rows = sqlx::query(AssertSqlSafe(table.active_after.clone()))
        .bind(after.map(AccountId::as_str))
        .bind(limit)
        .fetch_all(conn)
        .await?;
    rows.iter().map(read_account).collect()
}

/// Deactivates accounts. Returns those that were active.
///
/// # Errors
/// Returns the database's error.
pub(super) async fn deactivate(
    conn: &mut PgConnection,
    table: &AccountsTable,
    ids: &BTreeSet<AccountId>,
) -> Result<BTreeSet<AccountId>, sqlx::Error> {
    switch(conn, &table.deactivate, ids).await
}

/// Ends the sessions of accounts, with one run of each statement of `accounts.end_sessions`.
///
/// # Errors
/// Returns the database's error.
pub(super) async fn end_sessions(
    conn: &mut PgConnection,
    table: &AccountsTable,
    ids: &BTreeSet<AccountId>,
) -> Result<(), sqlx::Error> {
    if ids.is_empty() {
        return Ok(());
    }
    for statement in &table.end_sessions {
        sqlx::query(AssertSqlSafe(statement.clone()))
            .bind(texts(ids))
            .execute(&mut *conn)
            .await?;
    }
    Ok(())
}

/// Reactivates accounts. Returns those that were inactive.
///
/// # Errors
/// Returns the database's error.
pub(super) async fn reactivate(
    conn: &mut PgConnection,
    table: &AccountsTable,
    ids: &BTreeSet<AccountId>,
) -> Result<BTreeSet<AccountId>, sqlx::Error> {
    switch(conn, &table.reactivate, ids).await
}

async fn switch(
    conn: &mut PgConnection,
    statement: &str,
    ids: &BTreeSet<AccountId>,
) -> Result<BTreeSet<AccountId>, sqlx::Error> {
    if ids.is_empty() {
        return Ok(BTreeSet::new());
    }
    let rows = sqlx::query(AssertSqlSafe(statement.to_owned()))
        .bind(texts(ids))
        .fetch_all(conn)
        .await?;
    rows.iter()
        .map(|row| Ok(AccountId::new(row.try_get::<String, _>("id")?)))
        .collect()
}

fn texts(ids: &BTreeSet<AccountId>) -> Vec<String> {
    ids.iter().map(ToString::to_string).collect()
}

fn read_account(row: &sqlx::postgres::PgRow) -> Result<Account, sqlx::Error> {
    let email: Option<String> = row.try_get("email")?;
    Ok(Account {
        id: AccountId::new(row.try_get::<String, _>("id")?),
        email: email.as_deref().and_then(WorkEmail::parse),
        is_active: row.try_get("is_active")?,
    })
}

/// Returns the columns of a table or view, in order; none if it does not exist.
///
/// Types are named so that a cast does not truncate: `bpchar`, since `character` is `character(1)`.
pub(super) async fn columns(
    conn: &mut PgConnection,
    schema: &str,
    table: &str,
) -> Result<Vec<Column>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"SELECT a.attname::text AS "name!", format_type(a.atttypid, -1) AS "type_name!",
                  COALESCE(format_type(NULLIF(t.typbasetype, 0), -1), t.typname::text) AS "base_name!",
                  t.typtype::text AS "kind!", bn.nspname::text AS "type_schema!", t.typname::text AS "bare!"
           FROM pg_class c
           JOIN pg_namespace n ON n.oid = c.relnamespace
           JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
           JOIN pg_type t ON t.oid = a.atttypid
           JOIN pg_namespace bn ON bn.oid = t.typnamespace
           WHERE n.nspname::text = $1 AND c.relname::text = $2 AND c.relkind IN ('r', 'p', 'v', 'f')
           ORDER BY a.attnum"#,
        schema,
        table,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let base_type = match (row.kind.as_str(), row.bare.as_str()) {
                ("d", _) => row.base_name,
                (_, "citext") => "citext".to_owned(),
                _ => row.type_name.clone(),
            };
            Column {
                name: row.name,
                type_name: row.type_name,
                base_type,
            }
        })
        .collect())
}

/// Returns tables whose name differs only in case or schema.
pub(super) async fn tables_like(
    conn: &mut PgConnection,
    table: &str,
) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"SELECT n.nspname || '.' || c.relname AS "name!"
           FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
           WHERE c.relkind IN ('r', 'p', 'v', 'f')
             AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'leaver')
             AND trim(trailing 's' FROM lower(c.relname)) = trim(trailing 's' FROM lower($1))
           ORDER BY 1 LIMIT 5"#,
        table,
    )
    .fetch_all(conn)
    .await
}

/// Returns the first key of each valid index of a table, spelled as in the catalog.
pub(super) async fn leading_index_keys(
    conn: &mut PgConnection,
    schema: &str,
    table: &str,
) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"SELECT pg_get_indexdef(i.indexrelid, 1, true) AS "key!"
           FROM pg_index i
           JOIN pg_class c ON c.oid = i.indrelid
           JOIN pg_namespace n ON n.oid = c.relnamespace
           WHERE n.nspname::text = $1 AND c.relname::text = $2 AND i.indisvalid AND i.indpred IS NULL"#,
        schema,
        table,
    )
    .fetch_all(conn)
    .await
}

/// Privileges of the connected role, for `leaver check`.
#[derive(Clone, Debug)]
pub struct Rights {
    /// The role.
    pub role: String,
    /// True if it can read the mapped columns.
    pub select: bool,
    /// True if it can update the column that ends access.
    pub update: bool,
}

/// Returns the privileges of the connected role on the accounts table.
///
/// # Errors
/// Returns the database's error.
pub async fn rights(
    conn: &mut PgConnection,
    table: &AccountsTable,
    mapping: &AccountsMapping,
) -> Result<Rights, sqlx::Error> {
    let row = sqlx::query!(
        r#"SELECT current_user::text AS "role!",
                  (SELECT bool_and(has_column_privilege($1, c, 'SELECT')) FROM unnest($2::text[]) AS c) AS "select!",
                  has_column_privilege($1, $3, 'UPDATE') AS "update!""#,
        table.name,
        &mapping.columns() as &[&str],
        mapping.active_column,
    )
    .fetch_one(conn)
    .await?;
    Ok(Rights {
        role: row.role,
        select: row.select,
        update: row.update,
    })
}

/// Runs a statement that ends sessions, without ids, and rolls it back.
///
/// # Errors
/// Returns why Postgres rejects it.
pub(crate) async fn try_end_sessions(
    conn: &mut PgConnection,
    statement: &str,
) -> Result<(), sqlx::Error> {
    let mut tx = sqlx::Connection::begin(conn).await?;
    sqlx::query(AssertSqlSafe(statement.to_owned()))
        .bind(Vec::<String>::new())
        .execute(&mut *tx)
        .await?;
    tx.rollback().await
}
