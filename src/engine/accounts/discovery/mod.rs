//! Finds the application's users table and proposes its mapping, for `leaver init`. It reads the catalog, and the values of a
//! status column without an enum.

mod proposal;
mod sessions;
mod shape;
mod store;
#[cfg(test)]
#[expect(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up should fail"
)]
mod tests;

use sqlx::PgConnection;

pub(crate) use self::proposal::{Missing, Proposal, propose};
use super::MappingError;
use super::mapping::split_table_name;

/// A table or view of the application.
#[derive(Clone, Debug, Default)]
pub(crate) struct FoundTable {
    schema: String,
    name: String,
    oid: i64,
    columns: Vec<FoundColumn>,
}

/// A column of it.
#[derive(Clone, Debug, Default)]
struct FoundColumn {
    name: String,
    /// Name of the type, below domains: `bool`, `text`, `timestamptz`.
    type_name: String,
    /// Values of an enum, or those that a status column has.
    values: Vec<String>,
    /// True if the column alone is the primary key.
    is_primary: bool,
    /// The table to which a foreign key of this column alone leads.
    refers_to: Option<i64>,
}

impl FoundTable {
    /// Returns the name as `accounts.table` takes it.
    pub(crate) fn setting(&self) -> String {
        let part = |name: &str| {
            if name.contains(['.', '"']) {
                super::mapping::quote(name)
            } else {
                name.to_owned()
            }
        };
        format!("{}.{}", part(&self.schema), part(&self.name))
    }
}

impl FoundColumn {
    fn is_text(&self) -> bool {
        matches!(
            self.type_name.as_str(),
            "text" | "varchar" | "bpchar" | "citext" | "name"
        )
    }

    fn is_time(&self) -> bool {
        matches!(
            self.type_name.as_str(),
            "timestamptz" | "timestamp" | "date"
        )
    }

    fn is_id(&self) -> bool {
        self.is_text() || matches!(self.type_name.as_str(), "int2" | "int4" | "int8" | "uuid")
    }

    /// Returns the name in lower case without underscores, so that `userId` and `user_id` are equal.
    fn plain(&self) -> String {
        plain(&self.name)
    }
}

fn plain(name: &str) -> String {
    name.to_lowercase().replace('_', "")
}

/// Reads the tables that may hold users or sessions, and `table` if it is given.
///
/// # Errors
/// Returns the database's error, or that the name is none of a table.
pub(crate) async fn tables(
    conn: &mut PgConnection,
    table: Option<&str>,
) -> Result<Vec<FoundTable>, MappingError> {
    let named = table.map(split_table_name).transpose()?;
    let mut tables = store::tables(conn, named.as_ref()).await?;
    for table in &mut tables {
        let (schema, name) = (table.schema.clone(), table.name.clone());
        for column in &mut table.columns {
            if column.is_text() && shape::is_status_name(column) {
                column.values = store::values(conn, &schema, &name, &column.name).await;
            }
        }
    }
    Ok(tables)
}

/// Returns the table with this name, as [`tables`] read it.
pub(crate) fn find<'t>(tables: &'t [FoundTable], name: &str) -> Option<&'t FoundTable> {
    let (schema, name) = split_table_name(name).ok()?;
    tables
        .iter()
        .find(|table| table.schema == schema && table.name == name)
}
