//! Privileges on the accounts table, and those of others on the schemas that its statements use.

pub(crate) mod store;

use std::collections::BTreeSet;

use sqlx::{Connection, PgConnection};

pub(crate) use self::store::{Rights, SchemaCreator, rights, role_attributes};
use super::AccountsTable;
use super::mapping::quote;
use super::store::enter_search_path;

/// Returns the schemas that the service uses, and the other roles that can create objects in them: `leaver`, the schema of the
/// table, and those of `accounts.search_path`.
///
/// # Errors
/// Returns the database's error.
pub(crate) async fn schemas_and_creators(
    conn: &mut PgConnection,
    table: &AccountsTable,
) -> Result<(Vec<String>, Vec<SchemaCreator>), sqlx::Error> {
    let mut tx = conn.begin().await?;
    enter_search_path(&mut tx, table).await?;
    let path = store::current_schemas(&mut tx).await?.into_iter();
    let mut schemas: BTreeSet<String> = path.filter(|name| !name.starts_with("pg_")).collect();
    tx.rollback().await?;
    schemas.extend(["leaver".to_owned(), table.schema.clone()]);
    let schemas: Vec<String> = schemas.into_iter().collect();
    let creators =
        store::schema_creators(conn, &schemas, (&table.schema, &table.bare_name)).await?;
    Ok((schemas, creators))
}

impl SchemaCreator {
    /// Returns who it is and the statement that ends it, as text for people.
    pub(crate) fn advice(&self) -> String {
        let schema = quote(&self.schema);
        let role = self.role.as_deref();
        match role {
            Some(role) if self.is_owner => format!(
                "role {role} owns it and can create objects in it; run: ALTER SCHEMA {schema} OWNER TO {};",
                quote(&self.table_owner)
            ),
            Some(role) => format!(
                "role {role} can create objects in it; run: REVOKE CREATE ON SCHEMA {schema} FROM {};",
                quote(role)
            ),
            None => format!(
                "every role can create objects in it; run: REVOKE CREATE ON SCHEMA {schema} FROM PUBLIC;"
            ),
        }
    }
}
