//! Parses provider payloads and API responses into `EmployeeChange`s.
//!
//! Each provider has a folder with its signature scheme, payloads, API responses and capabilities. This file
//! dispatches to them. An entry that cannot be parsed is reported and does not affect the others.

pub(crate) mod bamboohr;
pub use bamboohr::{
    BAMBOOHR_DATASET_LIST, BAMBOOHR_FIELDS, BAMBOOHR_REPORT_LIST, ChangedAction, ChangedEmployee,
    ChangedSince, DatasetFields, DatasetFieldsPage, DatasetTotals, EmployeeRead, FieldNames,
    InvalidRow, Layout, LogEntry, LogTime, MonitorField, NewWebhook, RefusedFields, RowContext,
    Webhook, WebhookConfig, bamboohr_changed, bamboohr_dataset_fields, bamboohr_dataset_totals,
    bamboohr_deletion, bamboohr_employee, bamboohr_monitor_fields, bamboohr_new_webhook,
    bamboohr_record, bamboohr_refused_fields, bamboohr_report_request, bamboohr_report_row,
    bamboohr_report_withheld, bamboohr_requested_fields, bamboohr_webhook, bamboohr_webhook_log,
    bamboohr_webhooks,
};

pub(crate) mod merge;
pub use merge::{
    Connection, ConnectionStatus, EmployeePage, ModelSync, SyncPage, SyncStatus, merge_connection,
    merge_expanded, merge_page, merge_record, merge_sync_page,
};

#[cfg(test)]
pub(crate) mod toy;

mod ignored;
pub use ignored::Ignored;

mod parse_error;
pub use parse_error::{EntryError, FIELDS_NOT_MAPPED, InvalidEntry, InvalidResponse, ParseError};

mod tenancy;
pub use tenancy::Tenancy;

mod responses;
pub use responses::error_in_success;

mod entries;
pub use entries::{Entries, Opened};

mod example;
pub use example::departure;

mod dates;
mod json;
mod json_keep;
mod json_list;
pub use json_list::{JsonList, ListPart};

mod json_repair;
mod position;
pub use position::PositionFacts;

mod values;

use std::collections::HashSet;

use bytes::Bytes;
use chrono_tz::Tz;

use crate::domain::{Capabilities, EmployeeChange, Provider};

impl Provider {
    /// Returns what the provider sends and offers.
    #[must_use]
    pub const fn capabilities(self) -> &'static Capabilities {
        match self {
            Self::BambooHr => &bamboohr::CAPABILITIES,
            Self::Merge => &merge::CAPABILITIES,
            #[cfg(test)]
            Self::Toy => &toy::CAPABILITIES,
        }
    }
}

/// How the bodies of one source are parsed.
#[derive(Clone, Debug)]
pub struct ProviderConfig {
    /// The provider that defines the format.
    pub provider: Provider,
    /// The names of posted fields, for providers with custom field names.
    pub fields: FieldNames,
    /// Which tenant the employees of a body belong to.
    pub tenancy: Tenancy,
    /// Linked accounts of other applications. Their bodies are ignored.
    pub ignored_accounts: HashSet<String>,
    /// The zone of the source's calendar days.
    pub timezone: Tz,
    /// The observed facts about the position.
    pub position: PositionFacts,
}

impl ProviderConfig {
    /// Returns true if a linked account is listed, either as one of a tenant or as one to ignore.
    #[must_use]
    pub fn lists(&self, linked_account: &str) -> bool {
        let is_of_tenant = match &self.tenancy {
            Tenancy::One(_) => false,
            Tenancy::ByLinkedAccount(tenants) => tenants.contains_key(linked_account),
        };
        is_of_tenant || self.ignored_accounts.contains(linked_account)
    }
}

/// The content of a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Parsed {
    /// Changes of employees.
    Changes(Changes),
    /// Nothing about employees of a configured tenant.
    Ignored(Ignored),
}

/// The changes in a body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// The entries that could be parsed, in the body's order.
    pub changes: Vec<EmployeeChange>,
    /// The first entries that could not be parsed, up to 100.
    pub bad_entries: Vec<InvalidEntry>,
    /// The number of further entries that could not be parsed.
    pub more_bad_entries: usize,
}

impl Changes {
    /// Returns whether every change states its own time. The arrival time of the body is then irrelevant.
    #[must_use]
    pub fn has_event_times(&self) -> bool {
        self.changes.iter().all(|change| change.as_of.is_some())
    }
}

/// Parses a body in the format of the configured provider. Takes memory for each change, so it is for small bodies.
///
/// The body alone selects JSON or form: the `Content-Type` is not signed, and proxies change it.
///
/// # Errors
/// Returns [`ParseError`] if the body as a whole cannot be parsed. A retry cannot succeed.
pub fn normalize(config: &ProviderConfig, body: &[u8]) -> Result<Parsed, ParseError> {
    let opened = open(config, &Bytes::copy_from_slice(body), usize::MAX)?;
    Ok(match opened {
        Opened::Parsed(parsed) => parsed,
        // Not reached: no body has so many changes.
        Opened::Many(_) => Parsed::Changes(Changes::default()),
    })
}

/// Opens a body in the format of the configured provider. If it has more than `max` changes, only their places are kept.
///
/// # Errors
/// Returns [`ParseError`] if the body as a whole cannot be parsed. A retry cannot succeed.
pub fn open(config: &ProviderConfig, body: &Bytes, max: usize) -> Result<Opened, ParseError> {
    let start = body.len() - json::without_byte_order_mark(body).len();
    let body = body.slice(start..);
    if body.is_empty() {
        return Ok(Opened::Parsed(Parsed::Ignored(Ignored::Empty)));
    }
    match config.provider {
        Provider::BambooHr => bamboohr::open(config, body, max),
        Provider::Merge => merge::parse(config, &body).map(Opened::Parsed),
        #[cfg(test)]
        Provider::Toy => toy::parse(config, &body).map(Opened::Parsed),
    }
}

/// Returns the linked account that a body names.
#[must_use]
pub fn linked_account(config: &ProviderConfig, body: &[u8]) -> Option<String> {
    match config.provider {
        Provider::BambooHr => None,
        Provider::Merge => merge::linked_account(body),
        #[cfg(test)]
        Provider::Toy => None,
    }
}

/// Returns whether all entries of an ignored body state their own time. Another configuration may read them.
#[must_use]
pub fn has_event_times(config: &ProviderConfig, body: &[u8]) -> bool {
    match config.provider {
        Provider::BambooHr => true,
        Provider::Merge => merge::has_event_times(body),
        #[cfg(test)]
        Provider::Toy => true,
    }
}

#[cfg(test)]
#[expect(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up should fail"
)]
mod tests;
