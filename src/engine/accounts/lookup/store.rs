//! Plans of Postgres, indexes in the catalog, and the trial of an index on an empty copy.

use serde_json::Value;
use sqlx::postgres::PgArguments;
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, Connection, PgConnection, Postgres, Row, Transaction};

use super::plan::Scan;
use crate::engine::accounts::AccountsTable;
use crate::engine::accounts::mapping::quote;
use crate::engine::accounts::store::enter_search_path;

/// An index with the key of an address, from the catalog.
#[derive(Debug)]
pub(super) struct Index {
    /// The name, without a schema.
    pub(super) name: String,
    /// False if it could not be built completely.
    pub(super) is_valid: bool,
    /// True if it contains some rows only.
    pub(super) is_partial: bool,
    /// Its keys, as the catalog spells them.
    pub(super) keys: Vec<String>,
}

/// Returns true if the function of the key exists and may be used: before the first migration it does not.
///
/// # Errors
/// Returns the database's error.
pub(in crate::engine::accounts) async fn has_key(
    conn: &mut PgConnection,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
                          WHERE n.nspname = 'leaver' AND p.proname = 'email_key'
                            AND has_schema_privilege(n.oid, 'USAGE') AND has_function_privilege(p.oid, 'EXECUTE')) AS "has_key!""#
    )
    .fetch_one(conn)
    .await
}

/// Begins a transaction that neither waits nor runs for long, so that no session of the application waits behind it.
///
/// # Errors
/// Returns the database's error.
pub(super) async fn begin(
    conn: &mut PgConnection,
) -> Result<Transaction<'_, Postgres>, sqlx::Error> {
    let mut tx = conn.begin().await?;
    sqlx::query!(
        "SELECT set_config('lock_timeout', '1s', true) AS lock, set_config('statement_timeout', '3s', true) AS statement"
    )
    .fetch_one(&mut *tx)
    .await?;
    Ok(tx)
}

/// Lets the planner avoid an index only where none can be used: it would prefer to read a small table as a whole.
///
/// # Errors
/// Returns the database's error.
pub(super) async fn prefer_indexes(conn: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "SELECT set_config(name, 'off', true)
         FROM unnest('{enable_seqscan,enable_hashjoin,enable_mergejoin}'::text[]) AS s (name)"
    )
    .fetch_all(conn)
    .await?;
    Ok(())
}

/// Returns the plan of the look-up by e-mail: of the statement of the service, or of one like it.
///
/// # Errors
/// Returns the database's error.
pub(super) async fn explain_lookup(
    conn: &mut PgConnection,
    table: &AccountsTable,
    statement: &str,
) -> Result<Value, sqlx::Error> {
    enter_search_path(conn, table).await?;
    let statement = format!("EXPLAIN (FORMAT JSON) {statement}");
    let query = sqlx::query(AssertSqlSafe(statement))
        .bind(vec!["somebody@leaver.invalid"])
        .bind(vec![""])
        .bind(vec![1_i64]);
    plan(conn, query).await
}

/// Returns the plan of a search for one key, without the limits of the look-up.
///
/// # Errors
/// Returns the database's error.
pub(super) async fn explain_key(
    conn: &mut PgConnection,
    table: &AccountsTable,
) -> Result<Value, sqlx::Error> {
    let (name, key) = (&table.name, &table.email_expression);
    let statement = format!(
        "EXPLAIN (FORMAT JSON) SELECT FROM {name} WHERE {key} OPERATOR(pg_catalog.=) 'somebody@leaver.invalid'"
    );
    plan(conn, sqlx::query(AssertSqlSafe(statement))).await
}

/// Returns the plan of a query of all addresses, with the expressions of its columns.
///
/// # Errors
/// Returns the database's error.
pub(super) async fn explain_column(
    conn: &mut PgConnection,
    table: &AccountsTable,
    column: &str,
) -> Result<Value, sqlx::Error> {
    let statement = format!(
        "EXPLAIN (VERBOSE, FORMAT JSON) SELECT {} FROM {}",
        quote(column),
        table.name
    );
    plan(conn, sqlx::query(AssertSqlSafe(statement))).await
}

async fn plan(
    conn: &mut PgConnection,
    query: Query<'_, Postgres, PgArguments>,
) -> Result<Value, sqlx::Error> {
    query.persistent(false).fetch_one(conn).await?.try_get(0)
}

/// Returns the indexes with these names, and those of the table whose keys contain the key of an address.
///
/// # Errors
/// Returns the database's error.
pub(super) async fn indexes(
    conn: &mut PgConnection,
    table: &AccountsTable,
    names: &[String],
) -> Result<Vec<Index>, sqlx::Error> {
    sqlx::query_as!(
        Index,
        r#"SELECT c.relname::text AS "name!", i.indisvalid AS "is_valid!", i.indpred IS NOT NULL AS "is_partial!",
                  ARRAY(SELECT pg_get_indexdef(i.indexrelid, k, true) FROM generate_series(1, i.indnkeyatts::int) k) AS "keys!"
           FROM pg_index i
           JOIN pg_class c ON c.oid = i.indexrelid
           JOIN pg_class t ON t.oid = i.indrelid
           JOIN pg_namespace n ON n.oid = t.relnamespace
           WHERE (c.relname::text = ANY ($1) OR (n.nspname::text = $2 AND t.relname::text = $3))
             AND pg_get_indexdef(i.indexrelid) LIKE '%email\_key(%'
           ORDER BY 1"#,
        names,
        table.schema,
        table.bare_name,
    )
    .fetch_all(conn)
    .await
}

/// Returns the table of which a relation is a partition, or the relation itself, and its kind.
///
/// # Errors
/// Returns the database's error; `RowNotFound` if the relation is gone.
pub(super) async fn root_of(
    conn: &mut PgConnection,
    scan: &Scan,
) -> Result<(String, String, String), sqlx::Error> {
    let row = sqlx::query!(
        r#"SELECT n.nspname::text AS "schema!", c.relname::text AS "table!", c.relkind::text AS "kind!"
           FROM pg_class part
           JOIN pg_namespace own ON own.oid = part.relnamespace
           JOIN pg_class c ON c.oid = COALESCE(pg_partition_root(part.oid), part.oid)
           JOIN pg_namespace n ON n.oid = c.relnamespace
           WHERE own.nspname::text = $1 AND part.relname::text = $2"#,
        scan.schema,
        scan.relation,
    )
    .fetch_one(conn)
    .await?;
    Ok((row.schema, row.table, row.kind))
}

/// Creates an empty copy of a table, with its name, and an index on it. The copy is temporary and locks nothing.
///
/// # Errors
/// Returns why Postgres refuses the index, or the copy.
pub(super) async fn create_copy_with_index(
    conn: &mut PgConnection,
    (schema, name): (&str, &str),
    key: &str,
) -> Result<(), sqlx::Error> {
    let (schema, name) = (quote(schema), quote(name));
    for statement in [
        format!("CREATE TEMPORARY TABLE {name} (LIKE {schema}.{name}) ON COMMIT DROP"),
        format!("CREATE INDEX ON pg_temp.{name} ({key})"),
    ] {
        sqlx::query(AssertSqlSafe(statement))
            .execute(&mut *conn)
            .await?;
    }
    Ok(())
}
