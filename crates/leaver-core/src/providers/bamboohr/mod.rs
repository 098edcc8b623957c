//! BambooHR: webhooks of two structures, as JSON or form, and an API for single employees.

mod api_responses;
mod bulk;
mod departure;
mod employees;
mod facts;
mod field_names;
mod form;
mod payload;
pub(crate) mod scheme;
mod webhooks;

pub use api_responses::{
    BAMBOOHR_FIELDS, ChangedAction, ChangedEmployee, ChangedSince, EmployeeRead, bamboohr_changed,
    bamboohr_deletion, bamboohr_employee, bamboohr_record, bamboohr_requested_fields,
};
pub use bulk::{
    BAMBOOHR_DATASET_LIST, BAMBOOHR_REPORT_LIST, DatasetFields, DatasetFieldsPage, DatasetTotals,
    InvalidRow, RowContext, bamboohr_dataset_fields, bamboohr_dataset_totals,
    bamboohr_report_request, bamboohr_report_row, bamboohr_report_withheld,
};
pub(in crate::providers) use departure::departure;
pub use field_names::FieldNames;
pub use scheme::Layout;
pub use webhooks::{
    LogEntry, LogTime, MonitorField, NewWebhook, RefusedFields, Webhook, WebhookConfig,
    bamboohr_monitor_fields, bamboohr_new_webhook, bamboohr_refused_fields, bamboohr_webhook,
    bamboohr_webhook_log, bamboohr_webhooks,
};

use std::ops::Range;

use bytes::Bytes;

use super::entries::{Collector, Entries, Opened};
use super::{InvalidEntry, ParseError, ProviderConfig, json};
use crate::domain::{Capabilities, EmployeeChange};

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
    // tests/openapi/bamboohr.yaml, operations request-custom-report and get-data-from-dataset-v2, where the account allows them
    has_bulk_reads: true,
    // tests/openapi/bamboohr.yaml, operations list-webhooks, create-webhook and list-webhook-logs
    manages_webhooks: true,
    // A deletion removes the record for good:
    // https://documentation.bamboohr.com/reference/delete-employee, read on 22 November 2026
    deletion_means_departure: true,
    // Pauses of 5, 10, 20, 40 and 80 minutes:
    // https://documentation.bamboohr.com/reference/employee-updated-webhook, read on 22 November 2026
    last_retry_after_minutes: 155,
};

/// Parses a body that is not blank. With more than `max` changes, it returns their places.
pub(super) fn open(config: &ProviderConfig, body: Bytes, max: usize) -> Result<Opened, ParseError> {
    // Its employees belong to the source's only tenant.
    let tenant = config.tenancy.tenant_of(None, false);
    // No key of a form begins like JSON.
    if !matches!(body.first(), Some(b'{' | b'[')) {
        return form::open(config, tenant, &body, max);
    }
    let body = json::readable(body)?;
    let (mut found, mut position) = (Collector::new(max), 0);
    let ignored = payload::read(&body, |place, event| {
        let Ok(tenant) = tenant else { return };
        let change = event.and_then(|event| {
            facts::change(
                event,
                &config.fields,
                &config.position,
                tenant,
                config.timezone,
            )
        });
        match change {
            Ok(change) => found.add(&place, change),
            Err(cause) => found.add_bad(InvalidEntry { position, cause }),
        }
        position += 1;
    })?;
    let ignored = ignored.or(tenant.err());
    Ok(found.finish(config, &body, ignored, entries_at))
}

/// Parses entries of a JSON body again.
fn entries_at(entries: &Entries, positions: Range<usize>) -> Vec<EmployeeChange> {
    let config = entries.config();
    let Ok(tenant) = config.tenancy.tenant_of(None, false) else {
        return vec![];
    };
    let index = entries.index();
    positions
        .filter_map(|position| {
            let event = payload::entry(entries.text(index.place(position)), index.id(position));
            facts::change(
                event.ok()?,
                &config.fields,
                &config.position,
                tenant,
                config.timezone,
            )
            .ok()
        })
        .collect()
}

#[cfg(test)]
#[expect(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up should fail"
)]
mod tests;
