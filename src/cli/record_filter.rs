//! Filters of the reports of a period: source, tenant, person.

use clap::Args;
use serde::Serialize;
use sqlx::PgConnection;

use crate::config::Settings;
use crate::engine::accounts::AccountsTable;
use crate::reports::completeness::Missing;
use crate::reports::scope::{PersonScope, Scope, store};
use crate::roster;
use leaver_core::domain::{SourceName, WorkEmail};

/// Whom a report is about. It may contain an e-mail.
#[derive(Debug, Clone, Args, Serialize)]
pub(super) struct RecordFilter {
    /// Only employees of this source
    #[arg(long, value_name = "NAME", value_parser = SourceName::parse)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) source: Option<SourceName>,
    /// Only employees of this company
    #[arg(long, value_name = "NAME")]
    #[serde(skip_serializing_if = "Option::is_none")]
    tenant: Option<String>,
    /// Only this person: work e-mail or employee ID
    #[arg(long, value_name = "EMAIL-OR-EMPLOYEE-ID")]
    #[serde(skip_serializing_if = "Option::is_none")]
    person: Option<String>,
}

impl RecordFilter {
    /// Resolves the filter: looks the person up in the roster.
    pub(super) async fn scope(
        &self,
        conn: &mut PgConnection,
        settings: &Settings,
    ) -> anyhow::Result<Scope> {
        let mut scope = Scope {
            source: self.source.as_ref().map(ToString::to_string),
            tenant: self.tenant.clone(),
            person: None,
        };
        if let Some(person) = self.person.as_deref().map(str::trim) {
            let table = AccountsTable::inspect(&mut *conn, &settings.accounts).await?;
            let email = WorkEmail::parse(person);
            let emails = email.map(|email| table.email_domains.aliases(&email));
            let find = roster::store::find_by_email_or_id;
            let found = find(conn, &emails.unwrap_or_default(), person).await?;
            scope.person = Some(PersonScope {
                keys: found.into_iter().map(|employee| employee.key).collect(),
                employee_id: person.to_owned(),
            });
        }
        Ok(scope)
    }

    /// Returns why a report without rows may rest on a misspelt filter.
    pub(super) async fn unknown(
        &self,
        conn: &mut PgConnection,
        scope: &Scope,
    ) -> Result<Vec<Missing>, sqlx::Error> {
        let mut found = vec![];
        if let Some(tenant) = &self.tenant
            && !store::has_tenant(conn, tenant).await?
        {
            found.push(Missing {
                code: "unknown_tenant",
                text: format!(
                    "nothing is known of tenant {tenant}; `leaver employees` shows the tenants"
                ),
            });
        }
        if scope.person.as_ref().is_some_and(|it| it.keys.is_empty()) {
            found.push(Missing {
                code: "unknown_person",
                text: "no employee has the e-mail or ID of `--person`; of somebody who was erased only the ID finds rows".to_owned(),
            });
        }
        Ok(found)
    }

    /// Returns the filter for people, without e-mails. `None` without a filter.
    pub(super) fn text(&self) -> Option<String> {
        let source = self.source.as_ref();
        let tenant = self.tenant.as_ref();
        let parts = [
            source.map(|source| format!("source {source}")),
            tenant.map(|tenant| format!("tenant {tenant}")),
            self.person.as_ref().map(|_| "one person".to_owned()),
        ];
        let given: Vec<String> = parts.into_iter().flatten().collect();
        (!given.is_empty()).then(|| given.join(", "))
    }
}
