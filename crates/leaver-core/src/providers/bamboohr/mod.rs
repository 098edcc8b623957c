//! BambooHR: webhooks of two structures, as JSON or form, and an API for single employees.

mod api_responses;
mod facts;
mod field_names;
mod form;
mod payload;
pub(crate) mod scheme;
mod webhooks;

pub use api_responses::{
    BAMBOOHR_FIELDS, ChangedAction, ChangedEmployee, ChangedSince, EmployeeRead, bamboohr_changed,
    bamboohr_deletion, bamboohr_employee, bamboohr_record,
};
pub use field_names::FieldNames;
pub use scheme::Layout;
pub use webhooks::{
    LogEntry, LogTime, MonitorField, NewWebhook, RefusedFields, Webhook, WebhookConfig,
    bamboohr_monitor_fields, bamboohr_new_webhook, bamboohr_refused_fields, bamboohr_webhook,
    bamboohr_webhook_log, bamboohr_webhooks,
};

use super::{ParseError, Parsed, ProviderConfig};
use crate::domain::Capabilities;

/// The capabilities of BambooHR.
pub(super) const CAPABILITIES: Capabilities = Capabilities {
    signs_timestamp: true,
    has_events_without_values: true,
    lists_changed_fields: true,
    has_custom_field_names: true,
    reports_employment_status: true,
    // https://documentation.bamboohr.com/reference/get-data-from-dataset-v1, read on 22 November 2026
    future_hires_are_inactive: true,
    has_linked_accounts: false,
    // tests/openapi/bamboohr.yaml, operation get-changed-employee-ids
    lists_changed_employees: true,
    has_bulk_reads: false,
    // tests/openapi/bamboohr.yaml, operations list-webhooks, create-webhook and list-webhook-logs
    manages_webhooks: true,
    // A deletion removes the record for good:
    // https://documentation.bamboohr.com/reference/delete-employee, read on 22 November 2026
    deletion_means_departure: true,
    // Pauses of 5, 10, 20, 40 and 80 minutes:
    // https://documentation.bamboohr.com/reference/employee-updated-webhook, read on 22 November 2026
    last_retry_after_minutes: 155,
};

/// Parses a body that is not blank.
pub(super) fn parse(config: &ProviderConfig, body: &[u8]) -> Result<Parsed, ParseError> {
    Ok(match payload::parse(body)? {
        payload::Payload::Events(events) => facts::changes(events, config),
        payload::Payload::Ignored(ignored) => Parsed::Ignored(ignored),
    })
}

#[cfg(test)]
#[expect(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up should fail"
)]
mod tests;
