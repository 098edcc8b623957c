//! Changes whose values the API does not return: after a while a person has to decide.

use chrono::{DateTime, SecondsFormat, Utc};

use crate::domain::Employee;

/// Returns the reason of a hold if the values of a change cannot be read.
pub(super) fn failed_read(employee: &Employee) -> Option<String> {
    let changed_at = employee.values_pending_since?;
    let failure = employee.read_failed.as_ref()?;
    Some(format!(
        "the HR system reported a change at {} without its values, and they cannot be read since {}: {}; look in the HR \
         system and approve or reject",
        second_text(changed_at),
        second_text(failure.since),
        failure.cause
    ))
}

/// Returns true if the values of a change are unknown and a read, or a person in its place, would resolve that.
pub(super) fn is_unread(employee: &Employee, needs_read: bool) -> bool {
    needs_read || (failed_read(employee).is_some() && !employee.is_deleted())
}

fn second_text(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}
