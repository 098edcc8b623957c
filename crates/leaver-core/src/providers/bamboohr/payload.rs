//! The structure of BambooHR's webhook bodies.
//!
//! Event-based bodies name one employee and the changed fields. Field-based bodies list employees with posted values.
//! Both come as JSON or as a form. Source: <https://documentation.bamboohr.com/docs/webhooks>, page of 26 May 2026.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use super::super::values::employee_id;
use super::super::{EntryError, Ignored, ParseError, dates, json};
use super::form;
use crate::domain::{ChangeKind, EmployeeId};

/// The content of a body.
pub(in crate::providers) enum Payload {
    Events(Events),
    Ignored(Ignored),
}

/// The entries of one body, in its order.
pub(in crate::providers) type Events = Vec<Result<Event, EntryError>>;

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

/// Parses a body that does not begin with white space or a byte order mark.
pub(in crate::providers) fn parse(body: &[u8]) -> Result<Payload, ParseError> {
    // No key of a form begins like JSON.
    if !matches!(body.first(), Some(b'{' | b'[')) {
        return form::parse(body);
    }
    let object = json::object(body)?;
    match (
        json::member(&object, "employees")?,
        json::member(&object, "type")?,
    ) {
        (Some(Value::Array(list)), _) => {
            Ok(collect(list.iter().map(|entry| field_based(entry, None))))
        }
        (Some(Value::Object(map)), _) => Ok(collect(
            map.iter().map(|(key, entry)| field_based(entry, Some(key))),
        )),
        (Some(Value::Null), _) => Ok(Payload::Ignored(Ignored::Empty)),
        (_, Some(event)) => Ok(match kind_of_event(event.as_str().unwrap_or_default()) {
            Ok(kind) => collect([event_based(kind, &object)]),
            Err(ignored) => Payload::Ignored(ignored),
        }),
        (_, None) => Err(ParseError::NoEmployees),
    }
}

/// Collects the entries of a body. A body without entries is ignored.
pub(super) fn collect(entries: impl IntoIterator<Item = Result<Event, EntryError>>) -> Payload {
    let entries: Events = entries.into_iter().collect();
    if entries.is_empty() {
        return Payload::Ignored(Ignored::Empty);
    }
    Payload::Events(entries)
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
        .filter_map(|(name, value)| {
            let value = match value {
                Value::Object(wrapper) => wrapper.get("value").unwrap_or(value),
                plain => plain,
            };
            // PHP encodes an empty object as `[]`.
            let is_nothing = match value {
                Value::Array(list) => list.is_empty(),
                Value::Object(map) => map.is_empty(),
                _ => false,
            };
            (!is_nothing).then(|| (name.clone(), value_of(value)))
        })
        .collect()
}
