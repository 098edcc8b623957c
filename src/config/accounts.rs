//! Section `[accounts]`. It has no variables of its own.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::{Provenance, SettingsError};
use crate::engine::accounts::AccountsMapping;
use leaver_core::domain::WorkEmail;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawAccounts {
    table: String,
    id_column: String,
    email_column: String,
    active_column: String,
    tenant_column: String,
    end_sessions: Vec<String>,
    protected: Vec<String>,
}

impl RawAccounts {
    /// Parses the protected e-mails. Fails if one is blank or a duplicate.
    pub(super) fn protected(
        &self,
        provenance: &Provenance,
    ) -> Result<BTreeSet<WorkEmail>, SettingsError> {
        let protected: BTreeSet<WorkEmail> = self
            .protected
            .iter()
            .filter_map(|email| WorkEmail::parse(email))
            .collect();
        if protected.len() < self.protected.len() {
            return Err(provenance.invalid_setting(
                "accounts.protected",
                "an entry is blank or listed twice; remove it",
            ));
        }
        Ok(protected)
    }

    pub(super) fn build(self) -> AccountsMapping {
        AccountsMapping {
            table: self.table,
            id_column: self.id_column,
            email_column: self.email_column,
            active_column: self.active_column,
            tenant_column: Some(self.tenant_column).filter(|name| !name.is_empty()),
            end_sessions: self.end_sessions,
        }
    }
}
