//! Queries on the catalog of Postgres, and on the values of a status column.

use sqlx::{AssertSqlSafe, PgConnection, Row};

use super::{FoundColumn, FoundTable};
use crate::engine::accounts::mapping::quote;

/// More different values than a status has.
const MAX_VALUES: usize = 20;

/// Returns the tables with an e-mail, those whose name is one of sessions or tokens, and the named one, with all columns.
///
/// # Errors
/// Returns the database's error.
pub(super) async fn tables(
    conn: &mut PgConnection,
    named: Option<&(String, String)>,
) -> Result<Vec<FoundTable>, sqlx::Error> {
    let (schema, name) = named.cloned().unwrap_or_default();
    let rows = sqlx::query(
        "SELECT c.oid::bigint AS oid, n.nspname::text AS schema_name, c.relname::text AS table_name,
                a.attname::text AS name, b.typname::text AS type_name,
                ARRAY(SELECT e.enumlabel::text FROM pg_catalog.pg_enum e WHERE e.enumtypid = b.oid
                      ORDER BY e.enumsortorder) AS labels,
                EXISTS (SELECT FROM pg_catalog.pg_index i WHERE i.indrelid = c.oid AND i.indisprimary AND i.indnkeyatts = 1
                        AND i.indkey[0] = a.attnum) AS is_primary,
                (SELECT r.confrelid::bigint FROM pg_catalog.pg_constraint r
                 WHERE r.conrelid = c.oid AND r.contype = 'f' AND r.conkey = ARRAY[a.attnum]
                 ORDER BY r.oid LIMIT 1) AS refers_to
         FROM pg_catalog.pg_class c
         JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
         JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
         JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
         JOIN pg_catalog.pg_type b ON b.oid = COALESCE(NULLIF(t.typbasetype, 0), t.oid)
         WHERE c.relkind IN ('r', 'p', 'v', 'f') AND NOT c.relispartition
           AND n.nspname NOT IN ('information_schema', 'leaver') AND n.nspname::text NOT LIKE 'pg\\_%'
           AND has_schema_privilege(n.oid, 'USAGE')
           AND (c.relname ~* 'session|token'
                OR EXISTS (SELECT FROM pg_catalog.pg_attribute m
                           WHERE m.attrelid = c.oid AND m.attnum > 0 AND NOT m.attisdropped AND m.attname ~* 'mail')
                OR (n.nspname::text = $1 AND c.relname::text = $2))
         ORDER BY n.nspname, c.relname, a.attnum",
    )
    .bind(schema)
    .bind(name)
    .fetch_all(conn)
    .await?;
    let mut tables: Vec<FoundTable> = vec![];
    for row in rows {
        let oid: i64 = row.try_get("oid")?;
        if tables.last().is_none_or(|table| table.oid != oid) {
            tables.push(FoundTable {
                schema: row.try_get("schema_name")?,
                name: row.try_get("table_name")?,
                oid,
                columns: vec![],
            });
        }
        let column = FoundColumn {
            name: row.try_get("name")?,
            type_name: row.try_get("type_name")?,
            values: row.try_get("labels")?,
            is_primary: row.try_get("is_primary")?,
            refers_to: row.try_get("refers_to")?,
        };
        if let Some(table) = tables.last_mut() {
            table.columns.push(column);
        }
    }
    Ok(tables)
}

/// Returns the values of a column in the first rows of its table; none if there are more than a status has, or if the role may
/// not read the column.
pub(super) async fn values(
    conn: &mut PgConnection,
    schema: &str,
    table: &str,
    column: &str,
) -> Vec<String> {
    let statement = format!(
        "SELECT DISTINCT sample.value FROM (SELECT {}::text AS value FROM {}.{} LIMIT 10000) sample
         WHERE sample.value IS NOT NULL ORDER BY 1 LIMIT {}",
        quote(column),
        quote(schema),
        quote(table),
        MAX_VALUES + 1,
    );
    let found = sqlx::query_scalar(AssertSqlSafe(statement)).fetch_all(conn);
    let found: Vec<String> = found.await.unwrap_or_default();
    if found.len() > MAX_VALUES {
        vec![]
    } else {
        found
    }
}
