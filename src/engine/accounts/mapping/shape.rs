//! The four ways in which a users table stores access.

use super::columns::{Column, Columns, is_text};
use super::{MappingError, literal, quote, text_array};

/// How a row shows that it has access, and what ends it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A boolean. The row has access if it is true or null.
    Active(String),
    /// A boolean. The row has access if it is false or null.
    Disabled(String),
    /// A time. The row has access if it is null or in the future.
    DeactivatedAt(String),
    /// A text or an enum. The row has access if it is one of some values.
    Status {
        /// The column.
        column: String,
        /// The values with access. A return without a remembered value writes the first.
        active: Vec<String>,
        /// The value that ends access.
        inactive: String,
    },
}

/// A shape as SQL expressions. `has_access` names the table, the others do not.
pub(super) struct AccessSql {
    pub(super) has_access: String,
    pub(super) off: String,
    pub(super) on: String,
    /// True for a status that neither has access nor is written by a deactivation. It names the table.
    pub(super) has_other_status: Option<String>,
    /// The status to remember before a deactivation.
    pub(super) remembered: Option<String>,
}

impl Shape {
    /// Returns the name of the column.
    #[must_use]
    pub fn column(&self) -> &str {
        match self {
            Self::Active(column)
            | Self::Disabled(column)
            | Self::DeactivatedAt(column)
            | Self::Status { column, .. } => column,
        }
    }

    /// Returns the configuration key.
    #[must_use]
    pub fn key(&self) -> &'static str {
        match self {
            Self::Active(_) => "active_column",
            Self::Disabled(_) => "disabled_column",
            Self::DeactivatedAt(_) => "deactivated_at_column",
            Self::Status { .. } => "status_column",
        }
    }

    /// Checks the column and returns its expressions. `table` and `id` are quoted names, `tenant` is an expression.
    pub(super) fn sql(
        &self,
        columns: &Columns<'_>,
        table: &str,
        id: &str,
        tenant: &str,
    ) -> Result<AccessSql, MappingError> {
        let name = format!("{table}.{}", quote(self.column()));
        match self {
            Self::Active(_) | Self::Disabled(_) => {
                let is_boolean = |column: &Column| column.base_type == "boolean";
                columns.find(self.key(), self.column(), is_boolean, "boolean")?;
                let on = matches!(self, Self::Active(_));
                Ok(AccessSql {
                    // IS [NOT] TRUE uses no operator, while IS DISTINCT FROM looks one up in the search path.
                    has_access: format!("{name} IS NOT {}", if on { "FALSE" } else { "TRUE" }),
                    off: (!on).to_string(),
                    on: on.to_string(),
                    has_other_status: None,
                    remembered: None,
                })
            }
            Self::DeactivatedAt(_) => {
                let is_time = |column: &Column| now_as(&column.base_type).is_some();
                let wanted = "timestamptz, timestamp or date";
                let column = columns.find(self.key(), self.column(), is_time, wanted)?;
                let now = now_as(&column.base_type).unwrap_or("pg_catalog.now()");
                Ok(AccessSql {
                    has_access: format!("{name} IS NULL OR {name} OPERATOR(pg_catalog.>) {now}"),
                    off: past_as(&column.base_type).unwrap_or(now).to_owned(),
                    on: "NULL".to_owned(),
                    has_other_status: None,
                    remembered: None,
                })
            }
            Self::Status {
                active, inactive, ..
            } => {
                let fits = |column: &Column| is_text(column) || !column.labels.is_empty();
                let wanted = "text, varchar, citext or an enum";
                let column = columns.find(self.key(), self.column(), fits, wanted)?;
                for value in active {
                    check_label(column, "active_values", value)?;
                }
                check_label(column, "inactive_value", inactive)?;
                let (values, kind) = (text_array(active), &column.type_name);
                let first = active.first().map_or("NULL".to_owned(), |v| literal(v));
                let (has_access, off) = (
                    format!("COALESCE({name}::text OPERATOR(pg_catalog.=) ANY ({values}), false)"),
                    literal(inactive),
                );
                Ok(AccessSql {
                    has_other_status: Some(format!(
                        "NOT {has_access} AND COALESCE({name}::text OPERATOR(pg_catalog.<>) {off}, true)"
                    )),
                    has_access,
                    off: format!("{off}::{kind}"),
                    on: format!(
                        "COALESCE((SELECT s.previous FROM leaver.account_status s
                             WHERE s.tenant OPERATOR(pg_catalog.=) COALESCE({tenant}, '')
                               AND s.account_id OPERATOR(pg_catalog.=) {table}.{id}::text
                               AND s.previous OPERATOR(pg_catalog.=) ANY ({values})), {first})::{kind}"
                    ),
                    remembered: Some(format!("{name}::text")),
                })
            }
        }
    }
}

/// Returns the time of the transaction as a value of this type. Columns without a time zone hold UTC.
fn now_as(base_type: &str) -> Option<&'static str> {
    match base_type {
        "timestamp with time zone" => Some("pg_catalog.now()"),
        "timestamp without time zone" => Some("(pg_catalog.now() AT TIME ZONE 'UTC')"),
        "date" => Some("(pg_catalog.now() AT TIME ZONE 'UTC')::pg_catalog.date"),
        _ => None,
    }
}

/// Returns the second of the transaction's begin as a value of this type.
fn past_as(base_type: &str) -> Option<&'static str> {
    // A column such as timestamp(3) rounds what is written. A fraction of a second could be rounded into the
    // future, which means access.
    match base_type {
        "timestamp with time zone" => Some("pg_catalog.date_trunc('second', pg_catalog.now())"),
        "timestamp without time zone" => {
            Some("pg_catalog.date_trunc('second', pg_catalog.now() AT TIME ZONE 'UTC')")
        }
        _ => now_as(base_type),
    }
}

fn check_label(column: &Column, key: &'static str, value: &str) -> Result<(), MappingError> {
    if column.labels.is_empty() || column.labels.iter().any(|label| label == value) {
        return Ok(());
    }
    Err(MappingError::NoLabel {
        key,
        value: value.to_owned(),
        present: column.labels.join(", "),
    })
}
