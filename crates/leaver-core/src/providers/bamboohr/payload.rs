//! The structure of BambooHR's webhook bodies.
//!
//! Event-based bodies name one employee and the changed fields. Field-based bodies list employees with posted values.
//! Both come as JSON or as a form. Source: <https://documentation.bamboohr.com/docs/webhooks>, page of 26 May 2026.

use std::ops::Range;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use super::super::json_keep::Keep;
use super::super::values::employee_id;
use super::super::{EntryError, Ignored, ParseError, dates, json, json_keep};
use super::employees::{self, Listed};
use crate::domain::{ChangeKind, EmployeeId};

/// The entry of one employee.
pub(in crate::providers) struct Event {
    pub(in crate::providers) employee_id: EmployeeId,
    pub(in crate::providers) kind: ChangeKind,
    pub(in crate::providers) structure: Structure,
    /// The names as received, in order.
    pub(in crate::providers) changed_fields: Vec<String>,
    /// Posted names and values. Null is `None`; a value that is not a scalar is [`NOT_A_SCALAR`].
    pub(in crate::providers) fields: Vec<(String, Option<String>)>,
    pub(in crate::providers) at: Option<DateTime<Utc>>,
}

/// Stands for a list or an object in place of a value.
pub(super) const NOT_A_SCALAR: &str = "\0";

/// The two structures of a body.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::providers) enum Structure {
    EventBased,
    FieldBased,
}

/// The needed members of an event-based body.
static ENVELOPE: Keep = Keep::Members(&[
    ("type", Keep::Scalar),
    ("timestamp", Keep::Scalar),
    (
        "data",
        Keep::Members(&[
            ("employeeId", Keep::Scalar),
            ("changedFields", Keep::All(&Keep::Scalar)),
        ]),
    ),
]);

/// The needed members of an entry of `employees`. A posted value is a scalar or an object `{"value": ...}`.
static ENTRY: Keep = Keep::Members(&[
    ("id", Keep::Scalar),
    ("action", Keep::Scalar),
    ("timestamp", Keep::Scalar),
    ("changedFields", Keep::All(&Keep::Scalar)),
    (
        "fields",
        Keep::All(&Keep::Members(&[("value", Keep::Scalar)])),
    ),
]);

/// Parses a JSON body that was checked by [`json::readable`]. Passes each entry on with the place of its text in the body.
/// Returns why the body is ignored, if it is.
pub(super) fn read(
    body: &[u8],
    mut add: impl FnMut(Range<usize>, Result<Event, EntryError>),
) -> Result<Option<Ignored>, ParseError> {
    let body_object = json::object(body, &ENVELOPE)?;
    let listed = employees::find(body)?;
    let event = json::member(&body_object, "type")?;
    let count = match listed {
        Some(Listed::Null) => return Ok(Some(Ignored::Empty)),
        Some(Listed::Entries(list)) => list.read(body, |place, key, entry| {
            let event = json_keep::kept(entry.as_bytes(), &ENTRY)
                .map_err(|_| EntryError::NotAnObject)
                .and_then(|entry| field_based(&entry, key));
            add(place, event);
        }),
        Some(Listed::Other) | None => match event {
            None => return Err(ParseError::NoEmployees),
            Some(event) => match kind_of_event(event.as_str().unwrap_or_default()) {
                Ok(kind) => {
                    add(0..body.len(), event_based(kind, &body_object));
                    1
                }
                Err(ignored) => return Ok(Some(ignored)),
            },
        },
    };
    Ok((count == 0).then_some(Ignored::Empty))
}

/// Parses the text of an entry that [`read`] passed on, of the employee with this id.
pub(super) fn entry(text: &[u8], id: &str) -> Result<Event, EntryError> {
    let entry = json_keep::kept(text, &ENTRY).map_err(|_| EntryError::NotAnObject)?;
    field_based(&entry, Some(id))
}

/// Returns the kind of an event type, or why the event is ignored.
pub(super) fn kind_of_event(text: &str) -> Result<ChangeKind, Ignored> {
    match text.trim().to_ascii_lowercase().as_str() {
        "employee.created" => Ok(ChangeKind::Created),
        // The guide (docs/event-based-webhooks, 26 May 2026) also writes `employee.update`. The enum of
        // tests/openapi/bamboohr.yaml, operation create-webhook, has `employee.updated` only.
        "employee.updated" | "employee.update" => Ok(ChangeKind::Updated),
        "employee.deleted" => Ok(ChangeKind::Deleted),
        other if other.starts_with("company.") || other.starts_with("company-integrations.") => {
            Err(Ignored::Company)
        }
        // BambooHR announces further types, so an unknown one is not an error.
        _ => Err(Ignored::UnknownEvent),
    }
}

/// Returns the kind of an entry's action. Bodies from before 2025 have no action and mean an update.
pub(super) fn kind_of_action(text: &str) -> ChangeKind {
    match text.trim().to_ascii_lowercase().as_str() {
        "created" => ChangeKind::Created,
        "deleted" => ChangeKind::Deleted,
        _ => ChangeKind::Updated,
    }
}

fn event_based(kind: ChangeKind, object: &Map<String, Value>) -> Result<Event, EntryError> {
    let data = json::member(object, "data")?.and_then(Value::as_object);
    let data = data.ok_or(EntryError::NotAnObject)?;
    Ok(Event {
        employee_id: id(json::member(data, "employeeId")?, None)?,
        kind,
        structure: Structure::EventBased,
        changed_fields: names(json::member(data, "changedFields")?),
        fields: Vec::new(),
        at: time(json::member(object, "timestamp")?),
    })
}

/// Parses an entry of `employees`. If they come as an object, `key` is the employee id.
fn field_based(entry: &Value, key: Option<&str>) -> Result<Event, EntryError> {
    let entry = entry.as_object().ok_or(EntryError::NotAnObject)?;
    let action = json::member(entry, "action")?.and_then(Value::as_str);
    // PHP encodes an empty object as `[]`.
    let fields = json::member(entry, "fields")?.and_then(Value::as_object);
    Ok(Event {
        employee_id: id(json::member(entry, "id")?, key)?,
        kind: kind_of_action(action.unwrap_or_default()),
        structure: Structure::FieldBased,
        changed_fields: names(json::member(entry, "changedFields")?),
        fields: fields.map(values).unwrap_or_default(),
        at: time(json::member(entry, "timestamp")?),
    })
}

/// Parses an employee id from a member, or from `key` if the member is neither a string nor a number.
pub(super) fn id(member: Option<&Value>, key: Option<&str>) -> Result<EmployeeId, EntryError> {
    match member {
        Some(Value::String(text)) => employee_id(text),
        // An id beyond 64 bits would be rounded to that of somebody else.
        Some(Value::Number(number)) if number.is_f64() => Err(EntryError::UnusableId),
        Some(Value::Number(number)) => employee_id(&number.to_string()),
        _ => employee_id(key.unwrap_or_default()),
    }
}

/// Parses an instant from a string member.
pub(super) fn time(member: Option<&Value>) -> Option<DateTime<Utc>> {
    member.and_then(Value::as_str).and_then(dates::instant)
}

fn names(member: Option<&Value>) -> Vec<String> {
    match member {
        Some(Value::Array(list)) => list.iter().filter_map(json::scalar_text).collect(),
        // PHP encodes a list with gaps as an object.
        Some(Value::Object(map)) => map.values().filter_map(json::scalar_text).collect(),
        _ => Vec::new(),
    }
}

/// Returns names and values of a record. A value is a scalar or an object `{"value": ...}`; anything else is
/// [`NOT_A_SCALAR`].
pub(super) fn values(fields: &Map<String, Value>) -> Vec<(String, Option<String>)> {
    // The guide shows plain values. Published clients receive wrapped ones.
    let value_of = |value| match value {
        &Value::Null => None,
        value => Some(json::scalar_text(value).unwrap_or_else(|| NOT_A_SCALAR.to_owned())),
    };
    fields
        .iter()
        .map(|(name, value)| {
            let value = match value {
                Value::Object(wrapper) => wrapper.get("value").unwrap_or(value),
                plain => plain,
            };
            (name.clone(), value_of(value))
        })
        .collect()
}
