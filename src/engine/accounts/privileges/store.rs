//! Privileges on the accounts table, from the catalog.

use sqlx::PgConnection;

use crate::engine::accounts::{AccountsMapping, AccountsTable};

/// Privileges of a role on the accounts table.
#[derive(Clone, Debug)]
pub(crate) struct Rights {
    /// The role.
    pub(crate) role: String,
    /// True if it can read the mapped columns.
    pub(crate) select: bool,
    /// True if it can update the columns that end access.
    pub(crate) update: bool,
    /// True if it can use the schema of the table.
    pub(crate) usage: bool,
}

/// Returns the privileges of a role on the accounts table; of the connected role without a name.
///
/// # Errors
/// Returns the database's error.
pub(crate) async fn rights(
    conn: &mut PgConnection,
    table: &AccountsTable,
    mapping: &AccountsMapping,
    role: Option<&str>,
) -> Result<Rights, sqlx::Error> {
    let row = sqlx::query!(
        r#"SELECT r.role AS "role!",
                  (SELECT bool_and(has_column_privilege(r.role, $1, c, 'SELECT')) FROM unnest($2::text[]) AS c) AS "select!",
                  (SELECT bool_and(has_column_privilege(r.role, $1, c, 'UPDATE')) FROM unnest($3::text[]) AS c) AS "update!",
                  has_schema_privilege(r.role, $5, 'USAGE') AS "usage!"
           FROM (SELECT COALESCE($4::text, current_user::text)::name AS role) AS r"#,
        table.name,
        &mapping.columns() as &[&str],
        &mapping.written_columns() as &[&str],
        role,
        table.schema,
    )
    .fetch_one(conn)
    .await?;
    Ok(Rights {
        role: row.role,
        select: row.select,
        update: row.update,
        usage: row.usage,
    })
}

/// The connected role, as far as it may do more than the service needs.
#[derive(Clone, Debug)]
pub(crate) struct RoleAttributes {
    /// The role.
    pub(crate) role: String,
    /// True for a superuser.
    pub(crate) is_superuser: bool,
    /// True if row level security does not apply to it.
    pub(crate) bypasses_rls: bool,
}

/// Returns the attributes of the connected role.
///
/// # Errors
/// Returns the database's error.
pub(crate) async fn role_attributes(
    conn: &mut PgConnection,
) -> Result<RoleAttributes, sqlx::Error> {
    sqlx::query_as!(
        RoleAttributes,
        r#"SELECT rolname::text AS "role!", rolsuper AS "is_superuser!", rolbypassrls AS "bypasses_rls!"
           FROM pg_roles WHERE rolname = current_user"#,
    )
    .fetch_one(conn)
    .await
}

/// Another role that can create objects in a schema.
#[derive(Clone, Debug)]
pub(crate) struct SchemaCreator {
    /// The schema.
    pub(crate) schema: String,
    /// The role; `None` for all roles.
    pub(crate) role: Option<String>,
    /// True if it owns the schema.
    pub(crate) is_owner: bool,
    /// The owner of the table, who can own the schema instead.
    pub(crate) table_owner: String,
}

/// Returns the other roles that can create objects in the schemas that exist of these. Superusers, the owner of the database
/// and the owners of the table and of our tables are left out, since the service runs on their tables.
///
/// # Errors
/// Returns the database's error.
pub(super) async fn schema_creators(
    conn: &mut PgConnection,
    schemas: &[String],
    (table_schema, table): (&str, &str),
) -> Result<Vec<SchemaCreator>, sqlx::Error> {
    sqlx::query_as!(
        SchemaCreator,
        r#"WITH used AS (
               SELECT n.nspname::text AS schema, n.nspowner AS owner, n.nspacl AS acl
               FROM pg_namespace n WHERE n.nspname::text = ANY ($1)
           ), trusted AS (
               SELECT oid FROM pg_roles WHERE rolsuper OR rolname IN (current_user, 'pg_database_owner')
               UNION SELECT datdba FROM pg_database WHERE datname = current_database()
               UNION SELECT c.relowner FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
               WHERE (n.nspname::text = $2 AND c.relname::text = $3)
                  OR (n.nspname = 'leaver' AND c.relname = '_sqlx_migrations')
           ), creators AS (
               SELECT u.schema, a.grantee AS role, false AS is_owner
               FROM used u CROSS JOIN aclexplode(u.acl) a
               WHERE a.privilege_type = 'CREATE' AND a.grantee <> u.owner
               UNION SELECT u.schema, u.owner, true FROM used u
           )
           SELECT c.schema AS "schema!", r.rolname::text AS role, c.is_owner AS "is_owner!",
                  (SELECT pg_get_userbyid(t.relowner)::text FROM pg_class t JOIN pg_namespace n ON n.oid = t.relnamespace
                   WHERE n.nspname::text = $2 AND t.relname::text = $3) AS "table_owner!"
           FROM creators c LEFT JOIN pg_roles r ON r.oid = c.role
           WHERE NOT EXISTS (SELECT FROM trusted t WHERE t.oid = c.role)
           ORDER BY 1, 2"#,
        schemas,
        table_schema,
        table,
    )
    .fetch_all(conn)
    .await
}

/// Returns the schemas of the search path that exist. It runs under the path of the operator, so each name has its schema.
///
/// # Errors
/// Returns the database's error.
pub(super) async fn current_schemas(conn: &mut PgConnection) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"SELECT pg_catalog.current_schemas(false)::pg_catalog.text[] AS "schemas!""#
    )
    .fetch_one(conn)
    .await
}
