//! Employee keys and account ids as the columns of a statement, and back.

use leaver_core::domain::{AccountId, EmployeeId, EmployeeKey, SourceName, Tenant};

/// The columns of a slice of keys, for `unnest` in statements about many employees.
#[derive(Clone, Debug, Default)]
pub(crate) struct KeyColumns {
    /// The sources.
    pub(crate) sources: Vec<String>,
    /// The tenants.
    pub(crate) tenants: Vec<String>,
    /// The employee ids.
    pub(crate) employee_ids: Vec<String>,
}

impl KeyColumns {
    /// Splits keys into columns, keeping their order.
    pub(crate) fn of<'a>(keys: impl IntoIterator<Item = &'a EmployeeKey>) -> Self {
        let mut columns = Self::default();
        for key in keys {
            columns.sources.push(key.source.to_string());
            columns.tenants.push(key.tenant.to_string());
            columns.employee_ids.push(key.employee_id.to_string());
        }
        columns
    }
}

/// The columns of accounts, for `unnest` in statements about employees who are linked to them.
#[derive(Clone, Debug, Default)]
pub(crate) struct AccountColumns {
    /// The ids.
    pub(crate) ids: Vec<String>,
    /// The tenants; `None` for an account of employees of any tenant.
    pub(crate) tenants: Vec<Option<String>>,
}

impl AccountColumns {
    /// Splits account ids into columns, keeping their order.
    pub(crate) fn of<'a>(accounts: impl IntoIterator<Item = &'a AccountId>) -> Self {
        let mut columns = Self::default();
        for account in accounts {
            columns.ids.push(account.to_string());
            columns.tenants.push(account.tenant().map(str::to_owned));
        }
        columns
    }
}

/// Builds a key from the columns of a row. Fails if `source` is not a source name.
pub(crate) fn employee_key(
    source: &str,
    tenant: String,
    employee_id: String,
) -> Result<EmployeeKey, sqlx::Error> {
    Ok(EmployeeKey {
        source: source_name(source)?,
        tenant: Tenant::new(tenant),
        employee_id: EmployeeId::new(employee_id),
    })
}

/// Checks a source name from a row.
pub(crate) fn source_name(text: &str) -> Result<SourceName, sqlx::Error> {
    SourceName::parse(text).map_err(|error| sqlx::Error::Decode(error.into()))
}
