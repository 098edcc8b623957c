//! Checks the configured names of the application's accounts table against the catalog of Postgres, and builds the statements
//! for it once.

mod columns;
mod error;
mod names;
mod shape;
mod statements;
mod tenant;

use std::collections::BTreeSet;
use std::fmt;

use sqlx::PgConnection;

pub(super) use self::columns::Column;
use self::columns::{Columns, is_id, is_text};
pub(crate) use self::error::MappingError;
pub(super) use self::names::{literal, quote, split_table_name, text_array};
pub use self::shape::Shape;
use self::statements::Parts;
pub(super) use self::statements::{Statements, Switch};
use self::tenant::TenantSql;
use super::catalog::{self, MappedColumns, Relation};
use super::protected::Protection;
use leaver_core::domain::{AccountId, EmailDomains, Employee, Tenant, WorkEmail};

/// The section `[accounts]`. Names are spelled as in the database.
///
/// `Debug` shows names only: the SQL of the operator and the protected accounts may contain personal data.
#[derive(Clone, PartialEq, Eq)]
pub struct AccountsMapping {
    /// `schema.table`, or a table of `public`. A part that contains a dot stands in double quotes.
    pub table: String,
    /// The primary key, of any integer, uuid or text type. It is unique by itself or together with the tenant column.
    pub id_column: String,
    /// The work e-mail.
    pub email_column: String,
    /// Domains of work e-mails that were renamed.
    pub email_domains: EmailDomains,
    /// How a row stores access.
    pub shape: Shape,
    /// The column of the tenant, if the table holds accounts of several companies.
    pub tenant_column: Option<String>,
    /// True if the tenants of all sources are declared to be one company.
    pub single_company: bool,
    /// Predicate: only rows for which it holds are accounts. Empty: all rows.
    pub filter: String,
    /// Further columns that both directions write, each with its SQL expression.
    pub also_set: Vec<(String, String)>,
    /// Statements that end sessions; `$1` is the list of account IDs as `text[]`, `$2` their tenant.
    pub end_sessions: Vec<String>,
    /// Ids of accounts that are deactivated only after a person approves it.
    pub protected: Vec<String>,
    /// Predicate: the same for rows for which it holds. Empty: no row.
    pub protected_where: String,
    /// Schemas in which `end_sessions`, the predicates and the triggers of the table find names. Empty: `pg_catalog` alone.
    pub search_path: String,
}

impl fmt::Debug for AccountsMapping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccountsMapping")
            .field("table", &self.table)
            .field("id_column", &self.id_column)
            .field("email_column", &self.email_column)
            .field("email_domains", &self.email_domains)
            .field("shape", &self.shape)
            .field("tenant_column", &self.tenant_column)
            .finish_non_exhaustive()
    }
}

impl AccountsMapping {
    /// Returns the columns that Leaver reads.
    pub(super) fn columns(&self) -> Vec<&str> {
        let columns = [&self.id_column, &self.email_column];
        let columns = columns.into_iter().chain(&self.tenant_column);
        let mut columns: Vec<&str> = columns.map(String::as_str).collect();
        columns.push(self.shape.column());
        columns
    }

    /// Returns the protected entries as addresses. An id is one that no account has.
    fn protected_emails(&self) -> BTreeSet<WorkEmail> {
        let entries = self.protected.iter();
        let emails = entries.filter_map(|entry| WorkEmail::parse(entry));
        emails
            .map(|email| self.email_domains.present(&email))
            .collect()
    }

    /// Returns the columns that Leaver writes.
    pub(super) fn written_columns(&self) -> Vec<&str> {
        let also = self.also_set.iter().map(|(column, _)| column.as_str());
        std::iter::once(self.shape.column()).chain(also).collect()
    }

    /// Returns true if statements on the table contain SQL of the operator.
    fn has_expressions(&self) -> bool {
        !self.filter.is_empty() || !self.protected_where.is_empty() || !self.also_set.is_empty()
    }

    /// Returns the statement that grants a role the privileges on the table that the service needs, and no more.
    #[must_use]
    pub(crate) fn grant_statement(&self, table: &AccountsTable, role: &str) -> String {
        format!(
            "GRANT SELECT ({}), UPDATE ({}) ON {} TO {};",
            quoted_list(self.readable_columns(table)),
            quoted_list(self.written_columns()),
            table.name,
            quote(role)
        )
    }

    /// Returns the statement that grants a role the privileges that the service needs in shadow mode. Predicates may read
    /// columns that are not mapped.
    #[must_use]
    pub(crate) fn select_statement(&self, table: &AccountsTable, role: &str) -> String {
        let columns = if self.filter.is_empty() && self.protected_where.is_empty() {
            format!(" ({})", quoted_list(self.readable_columns(table)))
        } else {
            String::new()
        };
        let (name, role) = (&table.name, quote(role));
        format!("GRANT SELECT{columns} ON {name} TO {role};")
    }

    /// Returns the statement that lets a role use the schema of the table.
    #[must_use]
    pub(crate) fn usage_statement(table: &AccountsTable, role: &str) -> String {
        let (schema, role) = (quote(&table.schema), quote(role));
        format!("GRANT USAGE ON SCHEMA {schema} TO {role};")
    }

    /// Returns the statement that takes from a role the privilege to change accounts.
    #[must_use]
    pub(crate) fn revoke_statement(&self, table: &AccountsTable, role: &str) -> String {
        format!(
            "REVOKE UPDATE, UPDATE ({}) ON {} FROM {};",
            quoted_list(self.written_columns()),
            table.name,
            quote(role)
        )
    }

    fn readable_columns(&self, table: &AccountsTable) -> Vec<&str> {
        let mut readable = self.columns();
        if table.relation.can_lock() {
            // An undo compares who wrote the row last.
            readable.push("xmin");
        }
        readable
    }
}

fn quoted_list(columns: Vec<&str>) -> String {
    let quoted: Vec<String> = columns.into_iter().map(quote).collect();
    quoted.join(", ")
}

/// An accounts table that fits the mapping, and the statements for it.
#[derive(Clone, Debug)]
pub struct AccountsTable {
    /// The table's name, quoted where needed.
    pub name: String,
    /// Type of the id column, as the catalog spells it.
    pub id_type: String,
    /// The expression that the lookup compares, for the statement that creates an index.
    pub(super) email_expression: String,
    pub(super) email_column: String,
    /// Domains of work e-mails that were renamed.
    pub(crate) email_domains: EmailDomains,
    /// Protection by e-mail.
    pub(crate) protection: Protection,
    /// The table in the catalog, as inspected.
    pub(crate) relation: Relation,
    pub(super) schema: String,
    pub(super) bare_name: String,
    pub(super) id_column: String,
    pub(super) access_column: String,
    pub(super) tenant_column: Option<String>,
    pub(super) filter: String,
    pub(super) statements: Statements,
    /// True if the table holds accounts of several tenants.
    pub(crate) has_tenants: bool,
    pub(super) end_sessions: Vec<String>,
    pub(super) search_path: String,
    /// True if the search path matters to the statements on the table.
    pub(super) has_expressions: bool,
}

impl AccountsTable {
    /// Finds the table and checks every name and type, and that an id names one row, or one row of a tenant.
    ///
    /// # Errors
    /// Returns a [`MappingError`], which names the key to change.
    pub async fn inspect(
        conn: &mut PgConnection,
        mapping: &AccountsMapping,
    ) -> Result<Self, MappingError> {
        let (schema, bare_name) = split_table_name(&mapping.table)?;
        let present = catalog::store::columns(conn, &schema, &bare_name).await?;
        if present.is_empty() {
            let hint = suggest_table(conn, &bare_name).await?;
            let table = bare_name;
            return Err(MappingError::NoTable {
                schema,
                table,
                hint,
            });
        }
        let name = format!("{}.{}", quote(&schema), quote(&bare_name));
        let columns = Columns {
            table: &name,
            columns: &present,
        };
        let wanted = "an integer, uuid or text type";
        let id = columns.find("id_column", &mapping.id_column, is_id, wanted)?;
        let wanted = "text, varchar or citext";
        let email = columns.find("email_column", &mapping.email_column, is_text, wanted)?;
        let table = quote(&bare_name);
        let tenant = match &mapping.tenant_column {
            Some(column) => Some(columns.find("tenant_column", column, |_| true, "any type")?),
            None => None,
        };
        let tenant = TenantSql::new(&table, tenant);
        let access = mapping
            .shape
            .sql(&columns, &table, &quote(&id.name), &tenant.text)?;
        for (column, _) in &mapping.also_set {
            columns.find("also_set", column, |_| true, "any type")?;
        }
        let access_column = mapping.shape.column();
        let mapped = MappedColumns {
            id: &id.name,
            access: access_column,
            tenant: mapping.tenant_column.as_deref(),
        };
        let relation = catalog::relation(conn, &schema, &bare_name, mapped).await?;

        let email_column = quote(&email.name);
        let email_key = format!("leaver.email_key({table}.{email_column}::text)");
        let statements = Parts {
            mapping,
            name: &name,
            table: &table,
            id,
            email,
            tenant: &tenant,
            pages_by_tenant: tenant.is_mapped() && !relation.id_is_unique,
            can_lock: relation.can_lock(),
            shows_writers: relation.shows_writers,
            access: &access,
        }
        .build(&email_key);
        let table = Self {
            id_type: id.type_name.clone(),
            email_expression: email_key.replacen(&format!("{table}."), "", 1),
            email_column: email.name.clone(),
            email_domains: mapping.email_domains.clone(),
            protection: Protection {
                emails: mapping.protected_emails(),
                is_remembered: catalog::store::has_protected_accounts(conn).await?,
            },
            relation,
            id_column: mapping.id_column.clone(),
            access_column: access_column.to_owned(),
            tenant_column: mapping.tenant_column.clone(),
            filter: statements::filter(mapping),
            statements,
            has_tenants: tenant.is_mapped(),
            end_sessions: mapping.end_sessions.clone(),
            search_path: mapping.search_path.clone(),
            has_expressions: mapping.has_expressions(),
            name,
            schema,
            bare_name,
        };
        table.check_ids(conn).await?;
        Ok(table)
    }

    /// Checks that an id names one row. Without an index that guarantees it, the rows are compared. If ids are unique inside a
    /// tenant only, each statement that ends sessions must use the tenant.
    async fn check_ids(&self, conn: &mut PgConnection) -> Result<(), MappingError> {
        if self.relation.id_is_unique {
            return Ok(());
        }
        let is_contradicted = self.relation.id_is_part_of_key && self.relation.is_plain_table();
        if !is_contradicted && super::store::has_unique_ids(conn, self, false).await? {
            return Ok(());
        }
        let is_unique_in_tenant = self.has_tenants
            && (self.relation.id_is_unique_in_tenant
                || (!is_contradicted && super::store::has_unique_ids(conn, self, true).await?));
        if !is_unique_in_tenant {
            return Err(MappingError::IdNotUnique {
                column: self.id_column.clone(),
                table: self.name.clone(),
            });
        }
        let without_tenant = |statement: &String| !super::uses_tenant(statement);
        match self.end_sessions.iter().position(without_tenant) {
            Some(position) => Err(MappingError::SessionsWithoutTenant { position }),
            None => Ok(()),
        }
    }

    /// Returns true if pages of accounts are in the order of tenant and id, and not of the id alone.
    pub(super) fn pages_by_tenant(&self) -> bool {
        self.has_tenants && !self.relation.id_is_unique
    }

    /// Returns the mapped columns that the catalog describes further.
    pub(super) fn columns(&self) -> MappedColumns<'_> {
        MappedColumns {
            id: &self.id_column,
            access: &self.access_column,
            tenant: self.tenant_column.as_deref(),
        }
    }

    /// Returns the account of an id in a tenant. Without a tenant column, ids have no tenant.
    pub(crate) fn account_in(&self, id: AccountId, tenant: &Tenant) -> AccountId {
        id.in_tenant(self.has_tenants.then(|| tenant.as_str()))
    }

    /// Sets the tenant of the linked accounts: the roster stores their ids alone.
    pub(crate) fn complete_links(&self, employees: &mut [Employee]) {
        for employee in employees {
            let link = employee.account_id.take();
            employee.account_id = link.map(|id| self.account_in(id, &employee.key.tenant));
        }
    }

    /// Returns why a row does not show which transaction wrote it, as the beginning of a message; `None` if it does.
    #[must_use]
    pub(crate) fn hides_writers(&self) -> Option<String> {
        let Self { name, relation, .. } = self;
        if relation.shows_writers {
            return None;
        }
        Some(if relation.can_lock() {
            let role = &relation.role;
            let grant = format!("GRANT SELECT (xmin) ON {name} TO {};", quote(role));
            format!("role {role} cannot read who wrote a row of {name} last; run `{grant}`, or ")
        } else {
            format!(
                "{name} is a view or a foreign table, which does not show who wrote a row last; "
            )
        })
    }

    /// Returns the configured statements that end sessions.
    #[must_use]
    pub fn end_sessions(&self) -> &[String] {
        &self.end_sessions
    }
}

async fn suggest_table(conn: &mut PgConnection, table: &str) -> Result<String, sqlx::Error> {
    let alike = catalog::store::tables_like(conn, table).await?;
    Ok(if alike.is_empty() {
        String::new()
    } else {
        format!("; is it one of {}?", alike.join(", "))
    })
}
