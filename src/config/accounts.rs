//! Section `[accounts]`. It has no variables of its own.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::values::AccountRefs;
use super::{Provenance, SettingsError};
use crate::engine::accounts::{AccountsMapping, Shape};
use leaver_core::domain::{EmailDomains, WorkEmail};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawAccounts {
    table: String,
    id_column: String,
    email_column: String,
    email_domains: BTreeMap<String, String>,
    /// Without a default: the layers set it if no other shape is set.
    #[serde(default)]
    active_column: String,
    disabled_column: String,
    deactivated_at_column: String,
    status_column: String,
    active_values: Vec<String>,
    inactive_value: String,
    tenant_column: String,
    single_company: bool,
    #[serde(rename = "where")]
    filter: String,
    also_set: BTreeMap<String, String>,
    end_sessions: Vec<String>,
    protected: AccountRefs,
    protected_where: String,
    search_path: String,
}

impl RawAccounts {
    /// Parses the protected e-mails and ids. Fails if one is blank or a duplicate.
    pub(super) fn protected(
        &self,
        provenance: &Provenance,
    ) -> Result<BTreeSet<WorkEmail>, SettingsError> {
        let protected: BTreeSet<WorkEmail> = self
            .protected
            .0
            .iter()
            .filter_map(|email| WorkEmail::parse(email))
            .collect();
        if protected.len() < self.protected.0.len() {
            return Err(provenance.invalid_setting(
                "accounts.protected",
                "an entry is blank or listed twice; remove it",
            ));
        }
        let domains = self.email_domains(provenance)?;
        Ok(protected
            .iter()
            .map(|email| domains.present(email))
            .collect())
    }

    fn email_domains(&self, provenance: &Provenance) -> Result<EmailDomains, SettingsError> {
        let renamed = self.email_domains.iter();
        EmailDomains::new(renamed.map(|(former, present)| (former.as_str(), present.as_str())))
            .map_err(|error| {
                provenance.invalid_setting("accounts.email_domains", error.to_string())
            })
    }

    /// Returns true if a column holds the tenant of an account.
    pub(super) fn has_tenant_column(&self) -> bool {
        !self.tenant_column.is_empty()
    }

    /// Returns true if the tenants of all sources are declared to be one company.
    pub(super) fn is_single_company(&self) -> bool {
        self.single_company
    }

    pub(super) fn build(self, provenance: &Provenance) -> Result<AccountsMapping, SettingsError> {
        let shape = self.shape(provenance)?;
        let email_domains = self.email_domains(provenance)?;
        let trimmed = |text: String| text.trim().to_owned();
        if self.also_set.contains_key(shape.column()) {
            return Err(provenance.invalid_setting(
                "accounts.also_set",
                format!(
                    "it sets `{}` a second time; remove that column",
                    shape.key()
                ),
            ));
        }
        if self.also_set.values().any(|value| value.trim().is_empty()) {
            return Err(provenance.invalid_setting(
                "accounts.also_set",
                "an expression is blank; write SQL such as \"now()\"",
            ));
        }
        Ok(AccountsMapping {
            table: self.table,
            id_column: self.id_column,
            email_column: self.email_column,
            email_domains,
            shape,
            tenant_column: Some(self.tenant_column).filter(|name| !name.is_empty()),
            single_company: self.single_company,
            filter: trimmed(self.filter),
            also_set: self.also_set.into_iter().collect(),
            end_sessions: self.end_sessions,
            protected: self.protected.0.into_iter().map(trimmed).collect(),
            protected_where: trimmed(self.protected_where),
            search_path: trimmed(self.search_path),
        })
    }

    /// Returns the one shape that is set.
    fn shape(&self, provenance: &Provenance) -> Result<Shape, SettingsError> {
        let columns = [
            ("active_column", &self.active_column),
            ("disabled_column", &self.disabled_column),
            ("deactivated_at_column", &self.deactivated_at_column),
            ("status_column", &self.status_column),
        ];
        let mut set = columns.into_iter().filter(|(_, column)| !column.is_empty());
        let Some((key, column)) = set.next() else {
            return Err(provenance.invalid_setting(
                "accounts.active_column",
                "it is empty; name the column that stores access",
            ));
        };
        if let Some((other, _)) = set.next() {
            return Err(provenance.invalid_setting(
                &format!("accounts.{other}"),
                format!("`accounts.{key}` is set as well; keep the one that stores access"),
            ));
        }
        let column = column.clone();
        if key != "status_column"
            && !(self.active_values.is_empty() && self.inactive_value.is_empty())
        {
            let unused = if self.active_values.is_empty() {
                "accounts.inactive_value"
            } else {
                "accounts.active_values"
            };
            return Err(provenance.invalid_setting(
                unused,
                "it has an effect with `accounts.status_column` only; set that column or remove this key",
            ));
        }
        Ok(match key {
            "active_column" => Shape::Active(column),
            "disabled_column" => Shape::Disabled(column),
            "deactivated_at_column" => Shape::DeactivatedAt(column),
            _ => self.status(column, provenance)?,
        })
    }

    fn status(&self, column: String, provenance: &Provenance) -> Result<Shape, SettingsError> {
        if self.active_values.is_empty() {
            return Err(provenance.invalid_setting(
                "accounts.active_values",
                "it is empty; list the values of `accounts.status_column` that have access",
            ));
        }
        if self.inactive_value.is_empty() {
            return Err(provenance.invalid_setting(
                "accounts.inactive_value",
                "it is empty; name the value of `accounts.status_column` that ends access",
            ));
        }
        if self.active_values.contains(&self.inactive_value) {
            return Err(provenance.invalid_setting(
                "accounts.inactive_value",
                "it is one of `accounts.active_values`, so it would end nothing; name another value",
            ));
        }
        Ok(Shape::Status {
            column,
            active: self.active_values.clone(),
            inactive: self.inactive_value.clone(),
        })
    }
}
