//! The position of an employee in Merge's records: `manager`, `employments` and `groups`.
//!
//! Relations are ids, or objects where a request expands them. An id of an employment or a group has no title or name, so it
//! counts as absent. Source: tests/openapi/merge-hris.yaml, GET /hris/v1/employees.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use super::super::json_keep::Keep;
use super::super::position::is_id;
use super::super::{PositionFacts, dates, json};
use crate::domain::{EmployeeId, Field, Position, PositionFact, PostedText, Tenant};

/// The used members of an expanded manager.
pub(super) const RELATION: Keep = Keep::Members(&[("id", Keep::Scalar)]);

/// The used members of expanded employments.
pub(super) const EMPLOYMENTS: Keep = Keep::All(&Keep::Members(&[
    ("job_title", Keep::Scalar),
    ("effective_date", Keep::Scalar),
    ("modified_at", Keep::Scalar),
]));

/// The used members of expanded groups.
pub(super) const GROUPS: Keep = Keep::All(&Keep::Members(&[
    ("name", Keep::Scalar),
    ("type", Keep::Scalar),
    ("modified_at", Keep::Scalar),
]));

/// Returns the relations that a read expands, separated by commas; `None` if it expands none.
#[must_use]
pub fn merge_expanded(position: &PositionFacts) -> Option<&'static str> {
    let facts = [PositionFact::JobTitle, PositionFact::Department];
    match facts.map(|fact| position.parses(fact)) {
        [true, true] => Some("employments,groups"),
        [true, false] => Some("employments"),
        [false, true] => Some("groups"),
        [false, false] => None,
    }
}

/// Parses the observed facts of a record.
pub(super) fn posted(
    record: &Map<String, Value>,
    position: &PositionFacts,
    tenant: &Tenant,
    employee_id: &EmployeeId,
) -> Option<Box<Position<PostedText>>> {
    let mut posted = None;
    for fact in position.parsed() {
        let (text, as_of) = match fact {
            PositionFact::JobTitle => job_title(record),
            PositionFact::Department => department(record),
            PositionFact::Manager => (manager(record), None),
        };
        let all: &mut Box<Position<PostedText>> = posted.get_or_insert_default();
        *all.get_mut(fact) = PostedText {
            value: position.hashed(fact, tenant, employee_id, text),
            as_of,
        };
    }
    posted
}

/// Returns a text without surrounding space; empty if it is null or blank.
fn text(value: Option<&Value>) -> Field<String> {
    match value {
        None => Field::Absent,
        Some(Value::Null) => Field::Empty,
        Some(Value::String(text)) if json::is_unreadable(text) => Field::Unreadable,
        Some(Value::String(text)) => match text.trim() {
            "" => Field::Empty,
            text => Field::Value(text.to_owned()),
        },
        Some(_) => Field::Unreadable,
    }
}

fn manager(record: &Map<String, Value>) -> Field<String> {
    let id = match record.get("manager") {
        Some(Value::Object(manager)) => text(manager.get("id")),
        other => text(other),
    };
    match id {
        Field::Value(id) if !is_id(&id) => Field::Unreadable,
        id => id,
    }
}

fn instant(object: &Map<String, Value>, name: &str) -> Option<DateTime<Utc>> {
    object
        .get(name)
        .and_then(Value::as_str)
        .and_then(dates::instant)
}

fn objects<'r>(
    record: &'r Map<String, Value>,
    name: &str,
) -> impl Iterator<Item = &'r Map<String, Value>> {
    let list = record.get(name).and_then(Value::as_array);
    list.into_iter().flatten().filter_map(Value::as_object)
}

/// Returns the title of the employment that took effect last, by the time of the record.
fn job_title(record: &Map<String, Value>) -> (Field<String>, Option<DateTime<Utc>>) {
    let now = instant(record, "modified_at");
    let begins = |employment: &&Map<String, Value>| instant(employment, "effective_date");
    let begun = |employment: &&Map<String, Value>| match (begins(employment), now) {
        (Some(begins), Some(now)) => begins <= now,
        _ => true,
    };
    let present = objects(record, "employments")
        .filter(begun)
        .max_by_key(begins);
    let present = present.or_else(|| objects(record, "employments").min_by_key(begins));
    match present {
        Some(employment) => (
            text(employment.get("job_title")),
            instant(employment, "modified_at"),
        ),
        None => (Field::Absent, None),
    }
}

/// Returns the name of the group that is a department; of several the first by name.
fn department(record: &Map<String, Value>) -> (Field<String>, Option<DateTime<Utc>>) {
    let is_department = |group: &&Map<String, Value>| {
        let kind = group.get("type").and_then(Value::as_str);
        kind.is_some_and(|kind| kind.trim().eq_ignore_ascii_case("DEPARTMENT"))
    };
    let mut departments: Vec<_> = objects(record, "groups").filter(is_department).collect();
    departments.sort_by_key(|group| group.get("name").and_then(Value::as_str));
    match departments.first() {
        Some(group) => (text(group.get("name")), instant(group, "modified_at")),
        None => (Field::Absent, None),
    }
}
