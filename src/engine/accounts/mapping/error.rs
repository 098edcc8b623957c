//! How an accounts table can fail to fit the configuration.

/// The accounts table does not fit the configuration. Each text names the key to change.
#[derive(Debug, thiserror::Error)]
pub enum MappingError {
    /// The configured name is not a table name.
    #[error(
        "accounts.table = \"{0}\" is not a table name; write `schema.table`, with double quotes around a part that contains a dot"
    )]
    TableName(String),
    /// There is no such table.
    #[error("accounts.table: there is no table {schema}.{table} in this database{hint}")]
    NoTable {
        /// The schema.
        schema: String,
        /// The name without the schema.
        table: String,
        /// Similar tables, as the end of the text.
        hint: String,
    },
    /// There is no such column.
    #[error("accounts.{key}: table {table} has no column \"{column}\"; it has {present}")]
    NoColumn {
        /// The configuration key.
        key: &'static str,
        /// The table.
        table: String,
        /// The configured name.
        column: String,
        /// The columns of the table.
        present: String,
    },
    /// The column has an unsuitable type.
    #[error(
        "accounts.{key}: column \"{column}\" of {table} is of type {found}; it must be {wanted}"
    )]
    ColumnType {
        /// The configuration key.
        key: &'static str,
        /// The table.
        table: String,
        /// The column.
        column: String,
        /// Its type.
        found: String,
        /// The suitable types.
        wanted: &'static str,
    },
    /// The enum type of the status column lacks a configured value.
    #[error("accounts.{key}: \"{value}\" is not a value of the enum; it has {present}")]
    NoLabel {
        /// The configuration key.
        key: &'static str,
        /// The configured value.
        value: String,
        /// The values of the enum.
        present: String,
    },
    /// Several rows may have the same id.
    #[error(
        "accounts.id_column: \"{column}\" does not identify one row of {table}; name a column with a unique index of its own, or map `accounts.tenant_column`, not null, and add a unique index on both"
    )]
    IdNotUnique {
        /// The column.
        column: String,
        /// The table.
        table: String,
    },
    /// A statement that ends sessions would end those of another tenant.
    #[error(
        "accounts.end_sessions[{position}] uses no $2, but ids are unique inside a tenant only; add a condition on the tenant such as `tenant_id::text = $2`"
    )]
    SessionsWithoutTenant {
        /// The position of the statement.
        position: usize,
    },
    /// The catalog could not be read.
    #[error("cannot read the definition of the accounts table")]
    Database(#[from] sqlx::Error),
}
