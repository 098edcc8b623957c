//! A provider for tests. It proves that the steps in `CONTRIBUTING.md` are complete and that dispatch reaches it.

mod payload;
pub(crate) mod scheme;

use super::{ParseError, Parsed, ProviderConfig};
use crate::domain::Capabilities;

/// What the toy provider sends and offers.
pub(super) const CAPABILITIES: Capabilities = Capabilities {
    signs_timestamp: false,
    has_events_without_values: false,
    lists_changed_fields: false,
    has_custom_field_names: false,
    reports_employment_status: false,
    future_hires_are_inactive: false,
    has_linked_accounts: false,
    lists_changed_employees: false,
    has_bulk_reads: false,
    manages_webhooks: false,
    deletion_means_departure: true,
    last_retry_after_minutes: 0,
};

/// Parses a body that is not blank.
pub(super) fn parse(config: &ProviderConfig, body: &[u8]) -> Result<Parsed, ParseError> {
    payload::parse(body, &config.tenancy)
}

#[expect(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up should fail"
)]
mod tests;
