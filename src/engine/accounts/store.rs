//! The application's accounts table and the catalog that describes it. The statements on the accounts table are built from the
//! configuration, so only they are not checked at compile time.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, PgConnection, Postgres, Row};

use super::AccountsTable;
use super::mapping::{Column, quote};
use leaver_core::domain::{Account, AccountId, Tenant, WorkEmail};
use leaver_core::safeguard::{PerWindow, Window};

/// Returns the accounts of links, by link. Where a tenant column is mapped, a link leads to accounts of its tenant only.
///
/// # Errors
/// Returns the database's error.
pub(crate) async fn find_by_id(
    conn: &mut PgConnection,
    table: &AccountsTable,
    links: &BTreeSet<(AccountId, Tenant)>,
) -> Result<HashMap<(AccountId, Tenant), Account>, sqlx::Error> {
    if links.is_empty() {
        return Ok(HashMap::new());
    }
    let links: Vec<&(AccountId, Tenant)> = links.iter().collect();
    let ids: Vec<&str> = links.iter().map(|(id, _)| id.as_str()).collect();
    let tenants: Vec<&str> = links.iter().map(|(_, tenant)| tenant.as_str()).collect();
    let query = sqlx::query(AssertSqlSafe(table.statements.find_by_id.clone()))
        .bind(ids)
        .bind(tenants);
    let mut found = HashMap::new();
    for row in read(conn, table, query).await? {
        if let Some(link) = position(&row)?.and_then(|n| links.get(n)) {
            found.insert((*link).clone(), read_account(table, &row)?);
        }
    }
    Ok(found)
}

/// Returns the accounts with these ids in a tenant, or in any. An id without a row is left out.
///
/// # Errors
/// Returns the database's error.
pub(crate) async fn find_in_tenant(
    conn: &mut PgConnection,
    table: &AccountsTable,
    ids: &BTreeSet<AccountId>,
    tenant: Option<&Tenant>,
) -> Result<Vec<Account>, sqlx::Error> {
    if ids.is_empty() {
        return Ok(vec![]);
    }
    let tenants: Vec<Option<&str>> = ids.iter().map(|_| tenant.map(Tenant::as_str)).collect();
    let query = sqlx::query(AssertSqlSafe(table.statements.find_by_id.clone()))
        .bind(texts(ids))
        .bind(tenants);
    let rows = read(conn, table, query).await?;
    rows.iter().map(|row| read_account(table, row)).collect()
}

/// Returns the accounts with each work e-mail, in the order given, whichever of its spellings they hold, and whichever name
/// of a renamed domain.
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
    for (position, (email, tenant)) in (1_i64..).zip(wanted) {
        let aliases = table.email_domains.aliases(email);
        for spelling in aliases.iter().flat_map(WorkEmail::spellings) {
            emails.push(spelling);
            tenants.push(tenant.as_str());
            positions.push(position);
        }
    }
    let query = sqlx::query(AssertSqlSafe(table.statements.find_by_email.clone()))
        .bind(emails)
        .bind(tenants)
        .bind(positions);
    for row in read(conn, table, query).await? {
        let Some(position) = position(&row)? else {
            continue;
        };
        let account = read_account(table, &row)?;
        if let (Some((email, _)), Some(slot)) = (wanted.get(position), found.get_mut(position))
            && account.email == Some(table.email_domains.present(email))
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
    let query = sqlx::query(AssertSqlSafe(table.statements.active_after.clone()))
        .bind(after.map(AccountId::as_str))
        .bind(limit);
    let rows = read(conn, table, query).await?;
    rows.iter().map(|row| read_account(table, row)).collect()
}

/// Returns true if no two accounts have the same id.
///
/// # Errors
/// Returns the database's error.
pub(super) async fn has_unique_ids(
    conn: &mut PgConnection,
    table: &AccountsTable,
) -> Result<bool, sqlx::Error> {
    let id = format!("{}.{}", quote(&table.bare_name), quote(&table.id_column));
    let statement = format!(
        "SELECT NOT EXISTS (SELECT FROM {} WHERE {} GROUP BY {id} HAVING count(*) > 1) AS is_unique",
        table.name, table.filter
    );
    let rows = read(conn, table, sqlx::query(AssertSqlSafe(statement))).await?;
    rows.first()
        .map_or(Ok(true), |row| row.try_get("is_unique"))
}

/// Runs a query under the configured search path, which applies to the predicates in it.
async fn read(
    conn: &mut PgConnection,
    table: &AccountsTable,
    query: Query<'_, Postgres, PgArguments>,
) -> Result<Vec<PgRow>, sqlx::Error> {
    if !table.has_expressions || table.search_path.is_empty() {
        return query.fetch_all(conn).await;
    }
    // The rollback restores the search path.
    let mut tx = sqlx::Connection::begin(conn).await?;
    enter_search_path(&mut tx, table).await?;
    let rows = query.fetch_all(&mut *tx).await?;
    tx.rollback().await?;
    Ok(rows)
}

/// Sets the configured search path until [`leave_search_path`]. Returns the one before.
///
/// # Errors
/// Returns the database's error.
pub(super) async fn enter_search_path(
    conn: &mut PgConnection,
    table: &AccountsTable,
) -> Result<Option<String>, sqlx::Error> {
    let matters = table.has_expressions || !table.end_sessions.is_empty();
    if table.search_path.is_empty() || !matters {
        return Ok(None);
    }
    let before: String = sqlx::query_scalar("SELECT current_setting('search_path')")
        .fetch_one(&mut *conn)
        .await?;
    leave_search_path(conn, Some(table.search_path.clone())).await?;
    Ok(Some(before))
}

/// Sets the search path of the transaction.
///
/// # Errors
/// Returns the database's error.
pub(super) async fn leave_search_path(
    conn: &mut PgConnection,
    path: Option<String>,
) -> Result<(), sqlx::Error> {
    if let Some(path) = path {
        sqlx::query("SELECT set_config('search_path', $1, true)")
            .bind(path)
            .execute(conn)
            .await?;
    }
    Ok(())
}

/// Runs the statements that end sessions, if there are accounts.
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

/// Returns the ids that have not reached the target of a direction, and locks their rows where that is possible.
///
/// # Errors
/// Returns the database's error.
pub(super) async fn select_ids(
    conn: &mut PgConnection,
    statement: &str,
    ids: &BTreeSet<AccountId>,
) -> Result<BTreeSet<AccountId>, sqlx::Error> {
    let rows = sqlx::query(AssertSqlSafe(statement.to_owned()))
        .bind(texts(ids))
        .fetch_all(conn)
        .await?;
    rows.iter()
        .map(|row| Ok(AccountId::new(row.try_get::<String, _>("id")?)))
        .collect()
}

/// Runs the update of a direction.
///
/// # Errors
/// Returns the database's error.
pub(super) async fn update(
    conn: &mut PgConnection,
    statement: &str,
    ids: &BTreeSet<AccountId>,
) -> Result<(), sqlx::Error> {
    sqlx::query(AssertSqlSafe(statement.to_owned()))
        .bind(texts(ids))
        .execute(conn)
        .await?;
    Ok(())
}

/// Returns which accounts have access now, of those that are visible.
///
/// # Errors
/// Returns the database's error.
pub(super) async fn read_back(
    conn: &mut PgConnection,
    table: &AccountsTable,
    ids: &BTreeSet<AccountId>,
) -> Result<BTreeMap<AccountId, bool>, sqlx::Error> {
    let rows = sqlx::query(AssertSqlSafe(table.statements.read_back.clone()))
        .bind(texts(ids))
        .fetch_all(conn)
        .await?;
    rows.iter()
        .map(|row| {
            let id = AccountId::new(row.try_get::<String, _>("id")?);
            Ok((id, row.try_get("is_active")?))
        })
        .collect()
}

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
    let rows = sqlx::query(AssertSqlSafe(table.statements.last_writers.clone()))
        .bind(texts(ids))
        .fetch_all(conn)
        .await?;
    rows.iter()
        .map(|row| {
            let id = AccountId::new(row.try_get::<String, _>("id")?);
            Ok((id, row.try_get("writer")?))
        })
        .collect()
}

/// Counts the accounts of a tenant of which the limits of the safeguard are a percentage: active and linked, or ended within
/// the window, or among `wanted`.
///
/// # Errors
/// Returns the database's error.
pub(crate) async fn population(
    conn: &mut PgConnection,
    table: &AccountsTable,
    tenant: &Tenant,
    wanted: &BTreeSet<AccountId>,
    now: DateTime<Utc>,
) -> Result<PerWindow, sqlx::Error> {
    let query = sqlx::query(AssertSqlSafe(table.statements.population.clone()))
        .bind(tenant.as_str())
        .bind(texts(wanted))
        .bind(now - Window::Hour.length())
        .bind(now - Window::Day.length());
    let rows = read(conn, table, query).await?;
    let row = rows.first().ok_or(sqlx::Error::RowNotFound)?;
    let number = |column| {
        let count: i64 = row.try_get(column)?;
        Ok::<u64, sqlx::Error>(u64::try_from(count).unwrap_or_default())
    };
    Ok(PerWindow {
        hour: number("hour")?,
        day: number("day")?,
    })
}

fn texts(ids: &BTreeSet<AccountId>) -> Vec<String> {
    ids.iter().map(ToString::to_string).collect()
}

fn position(row: &PgRow) -> Result<Option<usize>, sqlx::Error> {
    let position: i64 = row.try_get("n")?;
    Ok(usize::try_from(position - 1).ok())
}

fn read_account(table: &AccountsTable, row: &PgRow) -> Result<Account, sqlx::Error> {
    let email: Option<String> = row.try_get("email")?;
    let email = email.as_deref().and_then(WorkEmail::parse);
    Ok(Account {
        id: AccountId::new(row.try_get::<String, _>("id")?),
        email: email.map(|email| table.email_domains.present(&email)),
        is_active: row.try_get("is_active")?,
        is_protected: row.try_get("is_protected")?,
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
                  t.typtype::text AS "kind!", t.typname::text AS "bare!",
                  ARRAY(SELECT e.enumlabel::text FROM pg_enum e WHERE e.enumtypid IN (t.oid, t.typbasetype)
                        ORDER BY e.enumsortorder) AS "labels!"
           FROM pg_class c
           JOIN pg_namespace n ON n.oid = c.relnamespace
           JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
           JOIN pg_type t ON t.oid = a.atttypid
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
                labels: row.labels,
            }
        })
        .collect())
}
