//! Converts BambooHR's events into changes.

use chrono_tz::Tz;

use super::super::position::is_id;
use super::super::values::{unknown_status, work_email};
use super::super::{EntryError, PositionFacts, dates, json};
use super::field_names::{FieldNames, is_among, is_other_field, list_names, same_name};
use super::payload::{Event, NOT_A_SCALAR, Structure};
use crate::domain::{
    ChangeKind, EmployeeChange, EmploymentStatus, Facts, Field, Position, PositionFact, PostedText,
    Status, Tenant,
};

/// Converts one event.
pub(super) fn change(
    event: Event,
    names: &FieldNames,
    position: &PositionFacts,
    tenant: &Tenant,
    timezone: Tz,
) -> Result<EmployeeChange, EntryError> {
    if event.kind != ChangeKind::Deleted {
        for (name, value) in &event.fields {
            if value.as_deref().is_some_and(json::is_unreadable)
                && let Some(fact) = names.fact(name)
            {
                return Err(EntryError::UnreadableMember(fact));
            }
        }
    }
    let notification_only = is_notification_only(&event, names, position);
    if !notification_only && is_unmapped(&event, names, position) {
        let posted = event.fields.iter().map(|(name, _)| name.as_str());
        return Err(EntryError::FieldsNotMapped(list_names(posted)));
    }
    Ok(EmployeeChange {
        tenant: tenant.clone(),
        kind: event.kind,
        as_of: event.at,
        facts: Facts {
            position: posted_position(&event, names, position, tenant),
            ..facts(&event, names, timezone)
        },
        notification_only,
        linked_account: None,
        employee_id: event.employee_id,
    })
}

/// Returns whether the employee has to be read over the API.
///
/// This is so if the event has no value that the rules need, and one of these holds: the employee is new, the rules
/// need a changed field, or the event does not identify the changed fields.
fn is_notification_only(event: &Event, names: &FieldNames, position: &PositionFacts) -> bool {
    let is_value = |value: &Option<String>| value.as_deref() != Some(NOT_A_SCALAR);
    let mut posted = event.fields.iter();
    let has_value = posted.any(|(name, value)| names.contains(name) && is_value(value));
    let mut changed = event.changed_fields.iter();
    match event.kind {
        // A deleted employee cannot be read.
        ChangeKind::Deleted => false,
        ChangeKind::Created => !has_value,
        ChangeKind::Updated if has_unposted_position(event, names, position) => true,
        ChangeKind::Updated if has_value => false,
        ChangeKind::Updated => {
            let unspecified = event.structure == Structure::EventBased && changed.len() == 0;
            unspecified || changed.any(|name| names.contains(name) || can_be_any_field(name))
        }
    }
}

/// Returns whether a fact about the position changed, its value is not posted, and it can be read.
fn has_unposted_position(event: &Event, names: &FieldNames, position: &PositionFacts) -> bool {
    let changed = event.changed_fields.iter();
    let mut changed = changed.filter_map(|name| names.position_fact(name));
    changed.any(|fact| {
        position.reads(fact)
            && matches!(
                position_text(event, names, fact),
                Field::Absent | Field::Unreadable
            )
    })
}

/// Parses the posted text of a fact about the position.
fn position_text(event: &Event, names: &FieldNames, fact: PositionFact) -> Field<String> {
    PostedFields(&event.fields).parse(names.position(fact), |text| {
        // A supervisor can be posted as a name, which is no id.
        let is_value = !json::is_unreadable(text) && (fact != PositionFact::Manager || is_id(text));
        is_value.then(|| text.to_owned())
    })
}

fn posted_position(
    event: &Event,
    names: &FieldNames,
    position: &PositionFacts,
    tenant: &Tenant,
) -> Option<Box<Position<PostedText>>> {
    if event.kind == ChangeKind::Deleted {
        return None;
    }
    let mut posted = None;
    for fact in position.parsed() {
        let text = position_text(event, names, fact);
        let value = position.hashed(fact, tenant, &event.employee_id, text);
        let all: &mut Box<Position<PostedText>> = posted.get_or_insert_default();
        all.get_mut(fact).value = value;
    }
    posted
}

/// Returns whether the entry posts none of the needed names, and one that can stand for a needed field. Its changes
/// would then be lost without a sign.
fn is_unmapped(event: &Event, names: &FieldNames, position: &PositionFacts) -> bool {
    let is_position = |name: &str| {
        let fact = names.position_fact(name);
        fact.is_some_and(|fact| position.parses(fact))
    };
    event.structure == Structure::FieldBased
        && event.kind != ChangeKind::Deleted
        && event.fields.iter().all(|(name, _)| !names.contains(name))
        && event
            .fields
            .iter()
            .any(|(name, _)| !is_other_field(name) && !is_position(name))
}

/// Returns whether the name of a changed field can stand for any field: it is an id, or cannot be read.
fn can_be_any_field(name: &str) -> bool {
    name.trim().parse::<i64>().is_ok() || json::is_unreadable(name)
}

fn facts(event: &Event, names: &FieldNames, timezone: Tz) -> Facts {
    if event.kind == ChangeKind::Deleted {
        return Facts::default();
    }
    let posted = PostedFields(&event.fields);
    let mut changed = event.changed_fields.iter();
    Facts {
        status: match posted.parse(&names.status, |text| Some(status(text))) {
            // Every employee has a status, so an empty one is not a value.
            Field::Empty => Field::Absent,
            status => status,
        },
        status_changed: changed.any(|name| is_among(name, &names.status)),
        employment_status: posted.parse(&names.employment_status, |text| {
            Some(employment_status(text))
        }),
        hire_date: posted.parse(&names.hire_date, |text| dates::day_of(text, timezone)),
        termination_date: posted.parse(&names.termination_date, |text| {
            dates::date_or_instant(text, timezone)
        }),
        work_email: posted.parse(&names.work_email, work_email),
        position: None,
    }
}

/// The posted names and values.
struct PostedFields<'e>(&'e [(String, Option<String>)]);

impl PostedFields<'_> {
    /// Returns the first valid value in the order of `names`.
    ///
    /// Without one, an invalid value outweighs an empty one. An unknown date format then never means "no date".
    fn parse<T>(&self, names: &[String], parse: impl Fn(&str) -> Option<T>) -> Field<T> {
        let (mut empty, mut invalid) = (false, false);
        for name in names {
            for (_, value) in self.0.iter().filter(|(posted, _)| same_name(posted, name)) {
                match value
                    .as_deref()
                    .map(str::trim)
                    .filter(|text| !text.is_empty())
                {
                    None | Some(NO_DATE) => empty = true,
                    Some(NOT_A_SCALAR) => invalid = true,
                    Some(text) => match parse(text) {
                        Some(value) => return Field::Value(value),
                        None => invalid = true,
                    },
                }
            }
        }
        match (invalid, empty) {
            (true, _) => Field::Unreadable,
            (false, true) => Field::Empty,
            (false, false) => Field::Absent,
        }
    }
}

/// The text of a missing date, as published clients receive it.
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
