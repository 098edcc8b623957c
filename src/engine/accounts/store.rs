//! The application's accounts table and the catalog that describes it. The statements on the accounts table are built from the
//! configuration, so only they are not checked at compile time.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, PgConnection, Postgres, Row};

use super::apply_error::{ApplyError, statement_name};
use super::mapping::quote;
use super::{AccountsTable, protected};
use crate::db::connection::SEARCH_PATH;
use leaver_core::domain::{Account, AccountId, Tenant, WorkEmail};

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
    let (mut found, mut accounts) = (vec![], vec![]);
    for row in read(conn, table, query).await? {
        if let Some(link) = position(&row)?.and_then(|n| links.get(n)) {
            found.push((*link).clone());
            accounts.push(read_account(table, &row)?);
        }
    }
    protected::store::mark(conn, table, &mut accounts).await?;
    Ok(found.into_iter().zip(accounts).collect())
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
    let ids: Vec<&str> = ids.iter().map(AccountId::as_str).collect();
    let statement = match tenant {
        Some(_) => &table.statements.find_by_id,
        None => &table.statements.find_in_any_tenant,
    };
    let query = sqlx::query(AssertSqlSafe(statement.clone()))
        .bind(ids)
        .bind(tenants);
    read_accounts(conn, table, query).await
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
    let rows = read(conn, table, query).await?;
    let accounts = rows.iter().map(|row| read_account(table, row));
    let mut accounts = accounts.collect::<Result<Vec<Account>, _>>()?;
    protected::store::mark(conn, table, &mut accounts).await?;
    for (row, account) in rows.iter().zip(accounts) {
        let Some(position) = position(row)? else {
            continue;
        };
        if let (Some((email, _)), Some(slot)) = (wanted.get(position), found.get_mut(position))
            && account.email == Some(table.email_domains.present(email))
            && !slot.contains(&account)
        {
            slot.push(account);
        }
    }
    Ok(found)
}

/// Returns those of these accounts that are protected and have access now.
///
/// # Errors
/// Returns the database's error.
pub(super) async fn protected_among(
    conn: &mut PgConnection,
    table: &AccountsTable,
    ids: &BTreeSet<AccountId>,
) -> Result<BTreeSet<AccountId>, sqlx::Error> {
    let found = find_in_tenant(conn, table, ids, None).await?.into_iter();
    let protected = found.filter(|account| account.is_protected && account.is_active);
    Ok(protected
        .map(|account| account.id)
        .filter(|id| ids.contains(id))
        .collect())
}

/// Returns a page of active accounts in a stable order: those after `after`, or the first.
///
/// # Errors
/// Returns the database's error.
pub(crate) async fn active_after(
    conn: &mut PgConnection,
    table: &AccountsTable,
    after: Option<&AccountId>,
    limit: i64,
) -> Result<Vec<Account>, sqlx::Error> {
    let mut query = sqlx::query(AssertSqlSafe(table.statements.active_after.clone()))
        .bind(after.map(AccountId::as_str))
        .bind(limit);
    if table.pages_by_tenant() {
        query = query.bind(after.and_then(AccountId::tenant));
    }
    read_accounts(conn, table, query).await
}

/// Returns the accounts that a query finds, with their protection.
async fn read_accounts(
    conn: &mut PgConnection,
    table: &AccountsTable,
    query: Query<'_, Postgres, PgArguments>,
) -> Result<Vec<Account>, sqlx::Error> {
    let rows = read(conn, table, query).await?;
    let accounts = rows.iter().map(|row| read_account(table, row));
    let mut accounts = accounts.collect::<Result<Vec<Account>, _>>()?;
    protected::store::mark(conn, table, &mut accounts).await?;
    Ok(accounts)
}

/// Returns true if no two accounts have the same id, or the same id and tenant.
///
/// # Errors
/// Returns the database's error.
pub(super) async fn has_unique_ids(
    conn: &mut PgConnection,
    table: &AccountsTable,
    in_tenant: bool,
) -> Result<bool, sqlx::Error> {
    let tenant = table.tenant_column.iter().filter(|_| in_tenant);
    let columns: Vec<String> = std::iter::once(&table.id_column)
        .chain(tenant)
        .map(|column| format!("{}.{}", quote(&table.bare_name), quote(column)))
        .collect();
    let columns = columns.join(", ");
    let statement = format!(
        "SELECT NOT EXISTS (SELECT FROM {} WHERE {} GROUP BY {columns} HAVING pg_catalog.count(*) OPERATOR(pg_catalog.>) 1) AS is_unique",
        table.name, table.filter
    );
    let rows = read(conn, table, sqlx::query(AssertSqlSafe(statement))).await?;
    rows.first()
        .map_or(Ok(true), |row| row.try_get("is_unique"))
}

/// Runs a query. It runs under the configured search path if it contains SQL of the operator, or runs SQL of the application:
/// that of a view or of a policy.
///
/// # Errors
/// Returns the database's error.
pub(super) async fn read(
    conn: &mut PgConnection,
    table: &AccountsTable,
    query: Query<'_, Postgres, PgArguments>,
) -> Result<Vec<PgRow>, sqlx::Error> {
    let is_ours = !table.has_expressions && table.relation.runs_no_foreign_code();
    if is_ours {
        return query.fetch_all(conn).await;
    }
    // The rollback restores the search path.
    let mut tx = sqlx::Connection::begin(conn).await?;
    enter_search_path(&mut tx, table).await?;
    let rows = query.fetch_all(&mut *tx).await?;
    tx.rollback().await?;
    Ok(rows)
}

/// Sets the configured search path until [`leave_search_path`], for SQL of the operator and of the application, such as the
/// triggers of the table. `pg_catalog` comes first and `pg_temp` last.
///
/// # Errors
/// Returns the database's error.
pub(super) async fn enter_search_path(
    conn: &mut PgConnection,
    table: &AccountsTable,
) -> Result<(), sqlx::Error> {
    let configured = table.search_path.trim();
    let path = if configured.is_empty() {
        SEARCH_PATH.to_owned()
    } else {
        format!("pg_catalog, {configured}, pg_temp")
    };
    set_search_path(conn, &path).await
}

/// Sets the search path of all connections again.
///
/// # Errors
/// Returns the database's error.
pub(super) async fn leave_search_path(conn: &mut PgConnection) -> Result<(), sqlx::Error> {
    set_search_path(conn, SEARCH_PATH).await
}

/// Sets the search path of the transaction.
async fn set_search_path(conn: &mut PgConnection, path: &str) -> Result<(), sqlx::Error> {
    sqlx::query("SELECT pg_catalog.set_config('search_path', $1, true)")
        .bind(path)
        .execute(conn)
        .await?;
    Ok(())
}

/// Runs the statements that end sessions, if there are accounts.
///
/// # Errors
/// [`ApplyError`] with the statement that failed.
pub(super) async fn end_sessions(
    conn: &mut PgConnection,
    table: &AccountsTable,
    ids: &BTreeSet<AccountId>,
) -> Result<(), ApplyError> {
    if ids.is_empty() {
        return Ok(());
    }
    for (position, statement) in table.end_sessions.iter().enumerate() {
        for query in ending_sessions(table, statement, ids) {
            let executed = query.execute(&mut *conn).await;
            executed.map_err(|error| ApplyError {
                statement: Some(statement_name(position, statement)),
                error,
            })?;
        }
    }
    Ok(())
}

/// Returns the queries of a statement that ends sessions: one, or one for each tenant if the statement uses it.
fn ending_sessions<'q>(
    table: &AccountsTable,
    statement: &str,
    ids: &BTreeSet<AccountId>,
) -> Vec<Query<'q, Postgres, PgArguments>> {
    let query = || sqlx::query(AssertSqlSafe(statement.to_owned()));
    if !table.has_tenants || !super::uses_tenant(statement) {
        return vec![query().bind(texts(ids))];
    }
    let mut by_tenant: BTreeMap<Option<String>, BTreeSet<AccountId>> = BTreeMap::new();
    for id in ids {
        let tenant = id.tenant().map(str::to_owned);
        by_tenant.entry(tenant).or_default().insert(id.clone());
    }
    by_tenant
        .into_iter()
        .map(|(tenant, ids)| query().bind(texts(&ids)).bind(tenant))
        .collect()
}

/// Returns the accounts that have not reached the target of a direction, and locks their rows where that is possible.
///
/// # Errors
/// Returns the database's error.
pub(super) async fn select_ids(
    conn: &mut PgConnection,
    table: &AccountsTable,
    statement: &str,
    ids: &BTreeSet<AccountId>,
) -> Result<BTreeSet<AccountId>, sqlx::Error> {
    let rows = about(table, statement, ids).fetch_all(conn).await?;
    rows.iter().map(|row| read_id(row, "tenant")).collect()
}

/// Runs the update of a direction.
///
/// # Errors
/// Returns the database's error.
pub(super) async fn update(
    conn: &mut PgConnection,
    table: &AccountsTable,
    statement: &str,
    ids: &BTreeSet<AccountId>,
) -> Result<(), sqlx::Error> {
    about(table, statement, ids).execute(conn).await?;
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
    let query = about(table, &table.statements.read_back, ids);
    let rows = query.fetch_all(conn).await?;
    rows.iter()
        .map(|row| Ok((read_id(row, "tenant")?, row.try_get("is_active")?)))
        .collect()
}

/// Returns the query of a statement about these accounts: `$1` their ids, and `$2` their tenants if a column is mapped.
pub(super) fn about<'q>(
    table: &AccountsTable,
    statement: &str,
    ids: &BTreeSet<AccountId>,
) -> Query<'q, Postgres, PgArguments> {
    let query = sqlx::query(AssertSqlSafe(statement.to_owned())).bind(texts(ids));
    if !table.has_tenants {
        return query;
    }
    let tenants: Vec<Option<String>> = ids
        .iter()
        .map(|id| id.tenant().map(str::to_owned))
        .collect();
    query.bind(tenants)
}

pub(super) fn texts(ids: &BTreeSet<AccountId>) -> Vec<String> {
    ids.iter().map(ToString::to_string).collect()
}

pub(super) fn read_id(row: &PgRow, tenant: &str) -> Result<AccountId, sqlx::Error> {
    let id = AccountId::new(row.try_get::<String, _>("id")?);
    Ok(id.in_tenant(row.try_get::<Option<String>, _>(tenant)?))
}

fn position(row: &PgRow) -> Result<Option<usize>, sqlx::Error> {
    let position: i64 = row.try_get("n")?;
    Ok(usize::try_from(position - 1).ok())
}

fn read_account(table: &AccountsTable, row: &PgRow) -> Result<Account, sqlx::Error> {
    let email: Option<String> = row.try_get("email")?;
    let email = email.as_deref().and_then(WorkEmail::parse);
    let email = email.map(|email| table.email_domains.present(&email));
    let is_listed = email
        .as_ref()
        .is_some_and(|email| table.protection.emails.contains(email));
    Ok(Account {
        id: read_id(row, "leaver_tenant")?,
        email,
        is_active: row.try_get("is_active")?,
        is_protected: is_listed || row.try_get("is_protected")?,
        has_other_inactive_status: row.try_get("has_other_status")?,
    })
}
