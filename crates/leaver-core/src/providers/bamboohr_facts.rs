//! What BambooHR's names and values mean.
//!
//! A change is thin, so that somebody must look the employee up, when it brings no value that we need and
//! is a creation, or an update that names a field of ours, or a bare number among the changed ones: a
//! field id, which may be any. An event-based update that names no field at all is thin too.

use super::bamboohr::{Event, Reading, Structure};
use super::field_names::{FieldNames, are_same, is_among};
use super::{Changes, Ignored, ProviderConfig, dates, unknown_status, work_email};
use crate::domain::{
    ChangeKind, DateOrInstant, EmployeeChange, EmploymentStatus, Facts, Field, Status, Tenant,
};

pub(super) fn changes(
    reading: Reading,
    provider_config: &ProviderConfig,
) -> Result<Changes, Ignored> {
    let tenant = provider_config.tenancy.tenant_of(None, false)?;
    let events = reading.events.into_iter();
    Ok(Changes {
        changes: events
            .map(|event| change(event, &provider_config.fields, tenant))
            .collect(),
        bad_entries: reading.bad_entries,
    })
}

pub(super) fn change(event: Event, names: &FieldNames, tenant: &Tenant) -> EmployeeChange {
    EmployeeChange {
        tenant: tenant.clone(),
        kind: event.kind,
        as_of: event.at,
        facts: facts(&event, names),
        notification_only: is_thin(&event, names),
        employee_id: event.employee_id,
    }
}

fn is_thin(event: &Event, names: &FieldNames) -> bool {
    let has_value = event.fields.iter().any(|(name, _)| names.include(name));
    let mut changed = event.changed_fields.iter();
    match event.kind {
        // There is nobody left to look up.
        ChangeKind::Deleted => false,
        ChangeKind::Created => !has_value,
        ChangeKind::Updated if has_value => false,
        ChangeKind::Updated => {
            let unsaid = event.structure == Structure::EventBased && changed.len() == 0;
            unsaid || changed.any(|name| names.include(name) || is_field_id(name))
        }
    }
}

fn is_field_id(name: &str) -> bool {
    name.trim().parse::<i64>().is_ok()
}

fn facts(event: &Event, names: &FieldNames) -> Facts {
    if event.kind == ChangeKind::Deleted {
        return Facts::default();
    }
    let posted = PostedFields(&event.fields);
    let mut changed = event.changed_fields.iter();
    Facts {
        status: match posted.read(&names.status, |text| Some(status(text))) {
            // Everybody has a status, so an empty one says nothing.
            Field::Empty => Field::Absent,
            status => status,
        },
        status_changed: changed.any(|name| is_among(name, &names.status)),
        employment_status: posted.read(&names.employment_status, |text| {
            Some(employment_status(text))
        }),
        hire_date: posted.read(&names.hire_date, dates::parse_day),
        termination_date: posted.read(&names.termination_date, |text| {
            dates::parse_day(text).map(DateOrInstant::Day)
        }),
        work_email: posted.read(&names.work_email, work_email),
    }
}

/// The posted fields.
struct PostedFields<'e>(&'e [(String, Option<String>)]);

impl PostedFields<'_> {
    /// The first value in the order of `names`. Something that cannot be read outweighs something empty,
    /// so that a date we do not understand never counts as "no date".
    fn read<T>(&self, names: &[String], read: impl Fn(&str) -> Option<T>) -> Field<T> {
        let (mut empty, mut unreadable) = (false, false);
        for name in names {
            for (_, value) in self.0.iter().filter(|(posted, _)| are_same(posted, name)) {
                match value
                    .as_deref()
                    .map(str::trim)
                    .filter(|text| !text.is_empty())
                {
                    None | Some(NO_DATE) => empty = true,
                    Some(text) => match read(text) {
                        Some(value) => return Field::Value(value),
                        None => unreadable = true,
                    },
                }
            }
        }
        if empty && !unreadable {
            Field::Empty
        } else {
            Field::Absent
        }
    }
}

/// How real data of BambooHR's says that there is no date.
const NO_DATE: &str = "0000-00-00";

fn status(text: &str) -> Status {
    match text.to_lowercase().as_str() {
        "active" => Status::Active,
        "inactive" => Status::Inactive,
        _ => unknown_status(text),
    }
}

fn employment_status(text: &str) -> EmploymentStatus {
    if text.eq_ignore_ascii_case("terminated") {
        EmploymentStatus::Terminated
    } else {
        EmploymentStatus::Other
    }
}
