//! Queries on the catalog of Postgres.

use sqlx::PgConnection;

use super::{MappedColumns, Relation};
use crate::engine::accounts::mapping::Column;

/// Reads a table that exists, with its mapped columns.
///
/// # Errors
/// Returns the database's error; `RowNotFound` if the table or a column is gone.
pub(in crate::engine::accounts) async fn relation(
    conn: &mut PgConnection,
    schema: &str,
    table: &str,
    columns: MappedColumns<'_>,
) -> Result<Relation, sqlx::Error> {
    sqlx::query_as!(
        Relation,
        r#"SELECT c.relkind::text AS "kind!", current_user::text AS "role!",
                  pg_relation_is_updatable(c.oid, true) & 4 <> 0
                  AND (pg_column_is_updatable(c.oid, access.attnum, true)
                       OR EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = c.oid AND t.tgtype & 80 = 80)
                       OR EXISTS (SELECT FROM pg_rewrite r WHERE r.ev_class = c.oid AND r.ev_type = '2' AND r.is_instead))
                      AS "is_updatable!",
                  access.attgenerated <> '' AS "is_generated!",
                  row_security_active(c.oid) AS "has_row_security!",
                  c.relkind IN ('r', 'p') AND has_column_privilege(c.oid, 'xmin', 'SELECT') AS "shows_writers!",
                  ARRAY(SELECT t.tgname::text FROM pg_trigger t
                        WHERE t.tgrelid = c.oid AND NOT t.tgisinternal AND t.tgenabled IN ('O', 'A') AND t.tgtype & 16 <> 0
                          AND t.tgtype & 66 <> 0
                        ORDER BY 1) AS "triggers!",
                  ARRAY(SELECT r.rulename::text FROM pg_rewrite r
                        WHERE r.ev_class = c.oid AND r.ev_type = '2' AND r.ev_enabled IN ('O', 'A')
                        ORDER BY 1) AS "rules!",
                  EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisunique AND i.indisvalid
                          AND i.indpred IS NULL AND i.indnkeyatts = 1 AND i.indkey[0] = id.attnum) AS "id_is_unique!",
                  tenant.attnotnull IS TRUE
                  AND EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisunique AND i.indisvalid
                              AND i.indpred IS NULL AND i.indnkeyatts = 2
                              AND ((i.indkey[0] = id.attnum AND i.indkey[1] = tenant.attnum)
                                   OR (i.indkey[0] = tenant.attnum AND i.indkey[1] = id.attnum)))
                      AS "id_is_unique_in_tenant!",
                  EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisunique AND i.indisvalid
                          AND i.indnkeyatts > 1 AND id.attnum = ANY (i.indkey)) AS "id_is_part_of_key!"
           FROM pg_class c
           JOIN pg_namespace n ON n.oid = c.relnamespace
           JOIN pg_attribute id ON id.attrelid = c.oid AND id.attname::text = $3
           JOIN pg_attribute access ON access.attrelid = c.oid AND access.attname::text = $4
           LEFT JOIN pg_attribute tenant ON tenant.attrelid = c.oid AND tenant.attname::text = $5
           WHERE n.nspname::text = $1 AND c.relname::text = $2"#,
        schema,
        table,
        columns.id,
        columns.access,
        columns.tenant,
    )
    .fetch_one(conn)
    .await
}

/// Returns tables whose name differs only in case or schema.
pub(in crate::engine::accounts) async fn tables_like(
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

/// Returns the columns of a table or view, in order; none if it does not exist.
///
/// Types are named so that a cast does not truncate: `bpchar`, since `character` is `character(1)`.
pub(in crate::engine::accounts) async fn columns(
    conn: &mut PgConnection,
    schema: &str,
    table: &str,
) -> Result<Vec<Column>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"SELECT a.attname::text AS "name!", format_type(a.atttypid, -1) AS "type_name!",
                  format_type(b.oid, -1) AS "base_name!", b.typname::text AS "base_bare!",
                  bn.nspname::text AS "base_schema!",
                  a.attnotnull AS "is_not_null!",
                  ARRAY(SELECT e.enumlabel::text FROM pg_enum e WHERE e.enumtypid IN (t.oid, t.typbasetype)
                        ORDER BY e.enumsortorder) AS "labels!"
           FROM pg_class c
           JOIN pg_namespace n ON n.oid = c.relnamespace
           JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
           JOIN pg_type t ON t.oid = a.atttypid
           JOIN pg_type b ON b.oid = COALESCE(NULLIF(t.typbasetype, 0), t.oid)
           JOIN pg_namespace bn ON bn.oid = b.typnamespace
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
            // The type of an extension may be in any schema.
            let base_type = match row.base_bare.as_str() {
                "citext" => row.base_bare,
                _ => row.base_name,
            };
            Column {
                name: row.name,
                type_name: row.type_name,
                base_type,
                base_schema: row.base_schema,
                is_not_null: row.is_not_null,
                labels: row.labels,
            }
        })
        .collect())
}

/// Returns true if the table of remembered protection exists and can be read.
///
/// # Errors
/// Returns the database's error.
pub(in crate::engine::accounts) async fn has_protected_accounts(
    conn: &mut PgConnection,
) -> Result<bool, sqlx::Error> {
    // A role without the schema gets an error from `to_regclass`.
    sqlx::query_scalar(
        "SELECT EXISTS (SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
                        WHERE n.nspname = 'leaver' AND c.relname = 'protected_accounts'
                          AND has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT'))",
    )
    .fetch_one(conn)
    .await
}
