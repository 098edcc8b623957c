//! Values that all providers report: ids, status words, e-mails.

use super::{EntryError, json};
use crate::domain::{EmployeeId, Facts, Field, Status, WorkEmail};

/// Longest employee id, in bytes. The database indexes it together with source and tenant.
const MAX_ID_BYTES: usize = 200;
/// Longest e-mail, in bytes: 64 before the `@`, 255 after it (RFC 5321, section 4.5.3.1).
const MAX_EMAIL_BYTES: usize = 320;
/// Longest status word that is kept, in characters.
const MAX_WORD_CHARS: usize = 40;

/// Returns a trimmed id of 1 to 200 bytes without control characters.
pub(super) fn employee_id(text: &str) -> Result<EmployeeId, EntryError> {
    match text.trim() {
        "" => Err(EntryError::NoId),
        id if id.len() > MAX_ID_BYTES
            || id.contains(char::is_control)
            || json::is_unreadable(id) =>
        {
            Err(EntryError::UnusableId)
        }
        id => Ok(EmployeeId::new(id)),
    }
}

/// Returns a provider's own status word, cut to 40 characters.
pub(super) fn unknown_status(text: &str) -> Status {
    Status::Unknown(printable(text))
}

/// Returns the first 40 characters of a word, without control characters.
pub(super) fn printable(text: &str) -> String {
    let plain = text.chars().filter(|c| !c.is_control());
    plain.take(MAX_WORD_CHARS).collect()
}

/// Returns an e-mail of at most 320 bytes without control characters, or `None`.
pub(super) fn work_email(text: &str) -> Option<WorkEmail> {
    let plausible = text.len() <= MAX_EMAIL_BYTES && !text.trim().contains(char::is_control);
    plausible.then(|| WorkEmail::parse(text)).flatten()
}

/// Returns whether no fact has a value, readable or not.
pub(super) fn is_empty(facts: &Facts) -> bool {
    fn has_none<T>(field: &Field<T>) -> bool {
        matches!(field, Field::Absent | Field::Empty)
    }
    has_none(&facts.status)
        && has_none(&facts.employment_status)
        && has_none(&facts.hire_date)
        && has_none(&facts.termination_date)
        && has_none(&facts.work_email)
}

/// Turns every empty fact except the status into an absent one.
///
/// A record without a status is a shell or hides fields, so its empty fields do not prove that there is no value.
pub(super) fn drop_empty(facts: &mut Facts) {
    fn drop_one<T>(field: &mut Field<T>) {
        if matches!(field, Field::Empty) {
            *field = Field::Absent;
        }
    }
    drop_one(&mut facts.employment_status);
    drop_one(&mut facts.hire_date);
    drop_one(&mut facts.termination_date);
    drop_one(&mut facts.work_email);
    if let Some(position) = &mut facts.position {
        drop_one(&mut position.job_title.value);
        drop_one(&mut position.department.value);
        drop_one(&mut position.manager.value);
    }
}
