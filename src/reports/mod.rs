//! Read-only views of the current state. Each has one serialisable type, which a command's table, its `--json` and
//! the HTTP API share.

pub(crate) mod audit;
pub(crate) mod backtest;
pub(crate) mod completeness;
pub(crate) mod deliveries;
pub(crate) mod drift;
pub(crate) mod employees;
pub(crate) mod events;
pub mod explain;
pub(crate) mod health;
pub(crate) mod holds;
pub mod leaver_state;
pub(crate) mod leavers;
pub(crate) mod period;
pub mod safeguard;
pub(crate) mod scope;

use leaver_core::domain::{DateOrInstant, EmploymentStatus};

/// Returns the word for BambooHR's employment history status.
fn employment_status(status: EmploymentStatus) -> &'static str {
    match status {
        EmploymentStatus::Terminated => "terminated",
        EmploymentStatus::Other => "other",
    }
}

/// Returns a date as `2026-01-31` and an instant in RFC 3339 with `Z`.
fn date_or_instant(value: &DateOrInstant) -> String {
    match value {
        DateOrInstant::Day(day) => day.to_string(),
        DateOrInstant::Instant(instant) => {
            instant.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true)
        }
    }
}
