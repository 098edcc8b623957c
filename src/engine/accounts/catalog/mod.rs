//! The accounts table in the catalog of Postgres, and what there can keep a row as it is.

pub(super) mod store;

use sqlx::PgConnection;

pub(super) use self::store::relation;
use super::AccountsTable;

/// A table or view, as the connected role sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is an independent fact of the catalog"
)]
pub(crate) struct Relation {
    /// `pg_class.relkind`: table, partitioned table, view or foreign table.
    pub(crate) kind: String,
    /// The connected role.
    pub(crate) role: String,
    /// True if an `UPDATE` of the access column is possible, through the table, an updatable view or a trigger.
    pub(crate) is_updatable: bool,
    /// True if the access column is computed from others.
    pub(crate) is_generated: bool,
    /// True if row level security applies to the role.
    pub(crate) has_row_security: bool,
    /// True if the role can read which transaction wrote a row.
    pub(crate) shows_writers: bool,
    /// Triggers before or instead of an update.
    pub(crate) triggers: Vec<String>,
    /// Rewrite rules for updates.
    pub(crate) rules: Vec<String>,
    /// True if a unique index has the id column alone.
    pub(crate) id_is_unique: bool,
    /// True if a unique index has the id column and a tenant column that is not null.
    pub(crate) id_is_unique_in_tenant: bool,
    /// True if a unique index has the id column beside others.
    pub(crate) id_is_part_of_key: bool,
}

/// The mapped columns that the catalog describes further.
#[derive(Clone, Copy, Debug)]
pub(super) struct MappedColumns<'a> {
    pub(super) id: &'a str,
    pub(super) access: &'a str,
    pub(super) tenant: Option<&'a str>,
}

/// Reads the table in the catalog again.
///
/// # Errors
/// Returns the database's error.
pub(super) async fn current(
    conn: &mut PgConnection,
    table: &AccountsTable,
) -> Result<Relation, sqlx::Error> {
    relation(conn, &table.schema, &table.bare_name, table.columns()).await
}

impl AccountsTable {
    /// Returns whether the table is in the catalog as it was inspected.
    ///
    /// # Errors
    /// Returns the database's error.
    pub(crate) async fn is_current(&self, conn: &mut PgConnection) -> Result<bool, sqlx::Error> {
        match current(conn, self).await {
            Ok(relation) => Ok(relation == self.relation),
            Err(sqlx::Error::RowNotFound) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

impl Relation {
    pub(super) fn can_lock(&self) -> bool {
        matches!(self.kind.as_str(), "r" | "p")
    }

    /// Returns true if a query of the relation runs no function of the application: neither that of a view nor of a policy.
    pub(super) fn runs_no_foreign_code(&self) -> bool {
        self.can_lock() && !self.has_row_security
    }

    pub(super) fn is_plain_table(&self) -> bool {
        self.kind == "r"
    }

    /// Returns what may hide an account from the role, as the end of a sentence.
    pub(crate) fn may_hide(&self) -> Option<String> {
        self.has_row_security.then(|| {
            format!(
                "row level security applies to role {} and may hide one",
                self.role
            )
        })
    }

    /// Returns why no row can be written, if that is so.
    pub(crate) fn refusal(&self, column: &str) -> Option<String> {
        if self.is_generated {
            Some(format!(
                "column \"{column}\" is generated from other columns; map a column that can be written"
            ))
        } else if self.is_updatable {
            None
        } else {
            Some(format!(
                "column \"{column}\" of this view cannot be updated; create an INSTEAD OF UPDATE trigger on the view"
            ))
        }
    }

    /// Returns what may have kept a row as it is. Contains names of the schema only.
    pub(crate) fn obstacles(&self, column: &str) -> String {
        if let Some(refusal) = self.refusal(column) {
            return refusal;
        }
        let mut found = vec![];
        if self.has_row_security {
            found.push(format!(
                "row level security applies to role {}; create a policy FOR ALL for it, or grant it BYPASSRLS",
                self.role
            ));
        }
        if !self.triggers.is_empty() {
            found.push(format!(
                "trigger {} may keep the value; let it accept the change",
                self.triggers.join(", ")
            ));
        }
        if !self.rules.is_empty() {
            found.push(format!(
                "rule {} rewrites the update; let it write the row",
                self.rules.join(", ")
            ));
        }
        if found.is_empty() {
            return "the row is not visible or was changed by another session".to_owned();
        }
        found.join("; ")
    }
}
