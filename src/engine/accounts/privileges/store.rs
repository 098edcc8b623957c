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
