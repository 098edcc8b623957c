//! Checks the configured names of the application's accounts table against the catalog of Postgres, and builds the statements
//! for it once.

use sqlx::PgConnection;

/// The names in `[accounts]`, each spelled as in the database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountsMapping {
    /// `schema.table`, or a table of `public`. A part that contains a dot stands in double quotes.
    pub table: String,
    /// The primary key, of any integer, uuid or text type.
    pub id_column: String,
    /// The work e-mail.
    pub email_column: String,
    /// The boolean column that is false for an inactive account.
    pub active_column: String,
    /// The column of the tenant, if the table holds accounts of several companies.
    pub tenant_column: Option<String>,
    /// Statements that end sessions; `$1` is the list of account IDs as `text[]`.
    pub end_sessions: Vec<String>,
}

impl AccountsMapping {
    /// Returns the columns that Leaver reads.
    pub(super) fn columns(&self) -> Vec<&str> {
        let columns = [&self.id_column, &self.email_column, &self.active_column];
        let columns = columns.into_iter().chain(&self.tenant_column);
        columns.map(String::as_str).collect()
    }

    /// Returns the statement that grants a role the privileges on the table that the service needs, and no more.
    #[must_use]
    pub(crate) fn grant_statement(&self, table: &AccountsTable, role: &str) -> String {
        let columns: Vec<String> = self.columns().into_iter().map(quote).collect();
        format!(
            "GRANT SELECT ({}), UPDATE ({}) ON {} TO {};",
            columns.join(", "),
            quote(&self.active_column),
            table.name,
            quote(role)
        )
    }
}

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
    /// The catalog could not be read.
    #[error("cannot read the definition of the accounts table")]
    Database(#[from] sqlx::Error),
}

/// An accounts table that fits the mapping, and the statements for it.
#[derive(Clone, Debug)]
pub struct AccountsTable {
    /// The table's name, quoted where needed.
    pub name: String,
    /// Type of the id column, as the catalog spells it.
    pub id_type: String,
    /// True if an index supports the lookup by e-mail.
    pub email_is_indexed: bool,
    /// The expression that the lookup compares, for the statement that creates an index.
    pub email_expression: String,
    /// True if a column has the tenant of each account.
    pub(crate) has_tenants: bool,
    pub(super) find_by_id: String,
    pub(super) find_by_email: String,
    pub(super) active_after: String,
    pub(super) deactivate: String,
    pub(super) reactivate: String,
    pub(super) end_sessions: Vec<String>,
}

/// A column, from the catalog.
pub(super) struct Column {
    pub(super) name: String,
    pub(super) type_name: String,
    pub(super) base_type: String,
}

impl AccountsTable {
    /// Finds the table and checks every name and type.
    ///
    /// # Errors
    /// Returns a [`MappingError`], which names the key to change.
    pub async fn inspect(
        conn: &mut PgConnection,
        mapping: &AccountsMapping,
    ) -> Result<Self, MappingError> {
        let (schema, table) = split_table_name(&mapping.table)?;
        let columns = super::store::columns(conn, &schema, &table).await?;
        if columns.is_empty() {
            let hint = suggest_table(conn, &table).await?;
            return Err(MappingError::NoTable {
                schema,
                table,
                hint,
            });
        }
        let name = format!("{}.{}", quote(&schema), quote(&table));
        let checked = |key, column: &str, fits: fn(&str) -> bool, wanted| {
            check_column(&columns, &name, key, column, fits, wanted)
        };
        let id = checked(
            "id_column",
            &mapping.id_column,
            is_id_type,
            "an integer, uuid or text type",
        )?;
        let email = checked(
            "email_column",
            &mapping.email_column,
            is_text_type,
            "text, varchar or citext",
        )?;
        let active = checked(
            "active_column",
            &mapping.active_column,
            |t| t == "boolean",
            "boolean",
        )?;
        let tenant = match &mapping.tenant_column {
            Some(column) => Some(checked("tenant_column", column, |_| true, "any type")?),
            None => None,
        };

        let (id_column, active_column) = (quote(&id.name), quote(&active.name));
        let id_type = id.type_name.clone();
        let email_column = quote(&email.name);
        let email_expression = format!("leaver.email_key(u.{email_column}::text)");
        let tenant_expression = tenant.map_or_else(
            || "NULL::text".to_owned(),
            |column| format!("u.{}::text", quote(&column.name)),
        );
        let same_tenant = if tenant.is_some() {
            format!(" AND {tenant_expression} = w.tenant")
        } else {
            String::new()
        };
        let read = format!(
            "u.{id_column}::text AS id, u.{email_column}::text AS email, COALESCE(u.{active_column}, true) AS is_active"
        );
        let switch = |from: &str, to: &str| {
            format!(
                "WITH locked AS MATERIALIZED (
                     SELECT u.{id_column} AS id FROM {name} u
                     WHERE u.{id_column} = ANY($1::text[]::{id_type}[]) AND u.{active_column} IS DISTINCT FROM {to}
                     ORDER BY u.{id_column} FOR NO KEY UPDATE
                 )
                 UPDATE {name} u SET {active_column} = {to} FROM locked
                 WHERE u.{id_column} = locked.id AND u.{active_column} IS {from}
                 RETURNING u.{id_column}::text AS id"
            )
        };
        let email_is_indexed = is_indexed(conn, &schema, &table, &email.name).await?;
        Ok(Self {
            has_tenants: mapping.tenant_column.is_some(),
            id_type: id_type.clone(),
            email_is_indexed,
            email_expression: email_expression.replacen("u.", "", 1),
            find_by_id: format!(
                "SELECT {read} FROM {name} u WHERE u.{id_column} = ANY($1::text[]::{id_type}[])"
            ),
            find_by_email: format!(
                "SELECT w.n, {read} FROM unnest($1::text[], $2::text[], $3::bigint[]) AS w (email, tenant, n)
                 JOIN {name} u ON {email_expression} = leaver.email_key(w.email){same_tenant} ORDER BY w.n"
            ),
            active_after: format!(
                "SELECT {read} FROM {name} u
                 WHERE u.{active_column} IS DISTINCT FROM false AND ($1::text IS NULL OR u.{id_column} > $1::text::{id_type})
                 ORDER BY u.{id_column} LIMIT $2"
            ),
            deactivate: switch("DISTINCT FROM false", "false"),
            reactivate: switch("DISTINCT FROM true", "true"),
            end_sessions: mapping.end_sessions.clone(),
            name,
        })
    }

    /// Returns the statement that creates an index for the lookup by e-mail.
    #[must_use]
    pub(crate) fn index_statement(&self) -> String {
        format!(
            "CREATE INDEX CONCURRENTLY ON {} ({});",
            self.name, self.email_expression
        )
    }

    /// Returns the configured statements that end sessions.
    #[must_use]
    pub fn end_sessions(&self) -> &[String] {
        &self.end_sessions
    }
}

/// Splits a table name into schema and table: one or two parts, quoted or not, without folding the case.
pub(super) fn split_table_name(text: &str) -> Result<(String, String), MappingError> {
    let bad = || MappingError::TableName(text.to_owned());
    let mut parts = vec![];
    let mut rest = text.trim();
    loop {
        let (part, after) = if let Some(quoted) = rest.strip_prefix('"') {
            let mut name = String::new();
            let mut tail = quoted;
            loop {
                let (before, behind) = tail.split_once('"').ok_or_else(bad)?;
                name.push_str(before);
                match behind.strip_prefix('"') {
                    Some(more) => {
                        name.push('"');
                        tail = more;
                    }
                    None => break (name, behind),
                }
            }
        } else {
            let end = rest.find('.').unwrap_or(rest.len());
            (rest[..end].to_owned(), &rest[end..])
        };
        if part.is_empty() || part.contains('\0') {
            return Err(bad());
        }
        parts.push(part);
        if after.is_empty() {
            break;
        }
        rest = after.strip_prefix('.').ok_or_else(bad)?;
    }
    match <[String; 2]>::try_from(parts) {
        Ok([schema, table]) => Ok((schema, table)),
        Err(mut parts) if parts.len() == 1 => Ok(("public".to_owned(), parts.remove(0))),
        Err(_) => Err(bad()),
    }
}

/// Quotes any text as an SQL identifier.
pub(super) fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn is_id_type(base: &str) -> bool {
    matches!(base, "smallint" | "integer" | "bigint" | "uuid") || is_text_type(base)
}

fn is_text_type(base: &str) -> bool {
    matches!(
        base,
        "text" | "character varying" | "character" | "bpchar" | "citext" | "name"
    )
}

fn check_column<'a>(
    columns: &'a [Column],
    table: &str,
    key: &'static str,
    column: &str,
    fits: fn(&str) -> bool,
    wanted: &'static str,
) -> Result<&'a Column, MappingError> {
    let found = columns
        .iter()
        .find(|candidate| candidate.name == column)
        .ok_or_else(|| {
            let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
            MappingError::NoColumn {
                key,
                table: table.to_owned(),
                column: column.to_owned(),
                present: names.join(", "),
            }
        })?;
    if fits(&found.base_type) {
        Ok(found)
    } else {
        Err(MappingError::ColumnType {
            key,
            table: table.to_owned(),
            column: column.to_owned(),
            found: found.type_name.clone(),
            wanted,
        })
    }
}

async fn suggest_table(conn: &mut PgConnection, table: &str) -> Result<String, sqlx::Error> {
    let alike = super::store::tables_like(conn, table).await?;
    Ok(if alike.is_empty() {
        String::new()
    } else {
        format!("; is it one of {}?", alike.join(", "))
    })
}

async fn is_indexed(
    conn: &mut PgConnection,
    schema: &str,
    table: &str,
    email_column: &str,
) -> Result<bool, sqlx::Error> {
    let keys = super::store::leading_index_keys(conn, schema, table).await?;
    let plain = [email_column.to_owned(), quote(email_column)];
    Ok(keys.iter().any(|key| {
        let inner = key
            .strip_prefix("leaver.email_key(")
            .and_then(|rest| rest.strip_suffix(')'));
        inner.is_some_and(|inner| {
            let inner = inner.trim_end_matches("::text").trim_matches(['(', ')']);
            plain.iter().any(|name| name == inner)
        })
    }))
}
