//! Checks of the configured columns against the catalog.

use super::{MappingError, quote};

/// A column, from the catalog.
pub(in crate::engine::accounts) struct Column {
    pub(in crate::engine::accounts) name: String,
    pub(in crate::engine::accounts) type_name: String,
    pub(in crate::engine::accounts) base_type: String,
    /// The schema of the base type.
    pub(in crate::engine::accounts) base_schema: String,
    pub(in crate::engine::accounts) is_not_null: bool,
    /// The values of an enum type, else empty.
    pub(in crate::engine::accounts) labels: Vec<String>,
}

impl Column {
    /// Returns an operator that compares values of [`Column::compared_type`], by its schema. An operator that others have
    /// created in another schema is never used.
    pub(super) fn operator(&self, symbol: &str) -> String {
        if self.is_citext() {
            format!("OPERATOR({}.{symbol})", quote(&self.base_schema))
        } else {
            format!("OPERATOR(pg_catalog.{symbol})")
        }
    }

    /// Returns the type as which values are compared. `citext` has operators for itself, but not for a domain over it.
    pub(super) fn compared_type(&self) -> String {
        if self.is_citext() {
            format!("{}.citext", quote(&self.base_schema))
        } else {
            self.type_name.clone()
        }
    }

    /// Returns an expression of this column as it is compared.
    pub(super) fn compared(&self, expression: &str) -> String {
        if self.is_citext() {
            format!("{expression}::{}", self.compared_type())
        } else {
            expression.to_owned()
        }
    }

    pub(super) fn is_citext(&self) -> bool {
        self.base_type == "citext"
    }
}

/// The columns of one table.
pub(super) struct Columns<'a> {
    pub(super) table: &'a str,
    pub(super) columns: &'a [Column],
}

impl<'a> Columns<'a> {
    /// Returns the column of a key. Fails if it is missing or its type does not fit.
    pub(super) fn find(
        &self,
        key: &'static str,
        column: &str,
        fits: fn(&Column) -> bool,
        wanted: &'static str,
    ) -> Result<&'a Column, MappingError> {
        let found = self
            .columns
            .iter()
            .find(|candidate| candidate.name == column)
            .ok_or_else(|| MappingError::NoColumn {
                key,
                table: self.table.to_owned(),
                column: column.to_owned(),
                present: self.names(),
            })?;
        if fits(found) {
            Ok(found)
        } else {
            Err(MappingError::ColumnType {
                key,
                table: self.table.to_owned(),
                column: column.to_owned(),
                found: found.type_name.clone(),
                wanted,
            })
        }
    }

    fn names(&self) -> String {
        let names: Vec<&str> = self.columns.iter().map(|c| c.name.as_str()).collect();
        names.join(", ")
    }
}

pub(super) fn is_id(column: &Column) -> bool {
    matches!(
        column.base_type.as_str(),
        "smallint" | "integer" | "bigint" | "uuid"
    ) || is_text(column)
}

pub(super) fn is_text(column: &Column) -> bool {
    matches!(
        column.base_type.as_str(),
        "text" | "character varying" | "character" | "bpchar" | "citext" | "name"
    )
}
