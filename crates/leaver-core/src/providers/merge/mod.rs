//! Merge: webhooks with whole records of many companies, and an API with pages of them.

mod api_responses;
mod departure;
mod payload;
mod position;
pub(crate) mod scheme;

pub use api_responses::{
    Connection, ConnectionStatus, EmployeePage, ModelSync, SyncPage, SyncStatus, merge_connection,
    merge_page, merge_record, merge_sync_page,
};
pub(in crate::providers) use departure::departure;
pub use position::merge_expanded;

use super::{ParseError, Parsed, PositionFacts, ProviderConfig, json};
use crate::domain::Capabilities;

/// The capabilities of Merge.
pub(super) const CAPABILITIES: Capabilities = Capabilities {
    signs_timestamp: false,
    has_events_without_values: false,
    lists_changed_fields: false,
    has_custom_field_names: false,
    reports_employment_status: false,
    future_hires_are_inactive: false,
    has_linked_accounts: true,
    lists_changed_employees: false,
    // tests/openapi/merge-hris.yaml, GET /hris/v1/employees
    has_bulk_reads: true,
    manages_webhooks: false,
    // Merge infers deletions from what a resync returns, with limited coverage:
    // https://help.merge.dev/articles/5392795-deleted-data-detection, as of November 2025
    deletion_means_departure: false,
    // Two retries within seconds: https://help.merge.dev/en/articles/5720975-if-my-webhook-fails-will-it-retry,
    // read on 22 November 2026
    last_retry_after_minutes: 1,
};

/// Parses a body that is not blank. Merge sends JSON only.
pub(super) fn parse(config: &ProviderConfig, body: &[u8]) -> Result<Parsed, ParseError> {
    let event = payload::parse(body, &config.position)?;
    Ok(payload::changes(&event, config))
}

/// Returns the linked account that an authentic body names.
pub(super) fn linked_account(body: &[u8]) -> Option<String> {
    let event = payload::parse(json::without_byte_order_mark(body), &PositionFacts::NONE).ok()?;
    event.linked_account
}

/// Returns whether an authentic body states its own time. A body that names no employee has no need of one.
pub(super) fn has_event_times(body: &[u8]) -> bool {
    let event = payload::parse(json::without_byte_order_mark(body), &PositionFacts::NONE);
    event.is_ok_and(|event| event.has_event_time())
}

#[cfg(test)]
#[expect(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up should fail"
)]
mod tests;
