//! BambooHR's bodies as they are: two structures, event-based (names only) and field-based (posted values),
//! each as JSON or form. What the names mean is for `bamboohr_facts`.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use super::{
    EntryError, Ignored, InvalidEntry, ParseError, bamboohr_form, dates, employee_id, json,
};
use crate::domain::{ChangeKind, EmployeeId};

/// The events of one body.
#[derive(Default)]
pub(super) struct Reading {
    pub(super) events: Vec<Event>,
    pub(super) bad_entries: Vec<InvalidEntry>,
}

/// One employee's entry.
pub(super) struct Event {
    pub(super) employee_id: EmployeeId,
    pub(super) kind: ChangeKind,
    pub(super) structure: Structure,
    /// As received, order kept.
    pub(super) changed_fields: Vec<String>,
    /// Posted names and values; a null is `None`, a value that is no text is left out.
    pub(super) fields: Vec<(String, Option<String>)>,
    pub(super) at: Option<DateTime<Utc>>,
}

/// BambooHR's two kinds of webhook.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Structure {
    EventBased,
    FieldBased,
}

/// Reads a body that is not blank.
pub(super) fn read(
    content_type: Option<&str>,
    body: &[u8],
) -> Result<Result<Reading, Ignored>, ParseError> {
    if is_form(content_type, body) {
        return bamboohr_form::read(body);
    }
    let object = json::object(body)?;
    match (object.get("employees"), object.get("type")) {
        (Some(Value::Array(list)), _) => {
            Ok(collect(list.iter().map(|entry| field_based(entry, None))))
        }
        (Some(Value::Object(map)), _) => Ok(collect(
            map.iter().map(|(key, entry)| field_based(entry, Some(key))),
        )),
        (Some(Value::Null), _) => Ok(Err(Ignored::Empty)),
        (_, Some(event)) => Ok(kind_of_event(event.as_str().unwrap_or_default())
            .and_then(|kind| collect([event_based(kind, &object)]))),
        (_, None) => Err(ParseError::NoEmployees),
    }
}

/// The content type decides. Without one that says either, the body's first character does.
fn is_form(content_type: Option<&str>, body: &[u8]) -> bool {
    let essence = content_type
        .and_then(|text| text.split(';').next())
        .map_or("", str::trim);
    if essence.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        true
    } else if essence.eq_ignore_ascii_case("application/json") {
        false
    } else {
        !matches!(body.trim_ascii_start().first(), Some(b'{' | b'['))
    }
}

/// Sorts readable entries from bad ones. No entry at all is an empty delivery.
pub(super) fn collect(
    entries: impl IntoIterator<Item = Result<Event, EntryError>>,
) -> Result<Reading, Ignored> {
    let mut reading = Reading::default();
    for (position, entry) in entries.into_iter().enumerate() {
        match entry {
            Ok(event) => reading.events.push(event),
            Err(cause) => reading.bad_entries.push(InvalidEntry { position, cause }),
        }
    }
    if reading.events.is_empty() && reading.bad_entries.is_empty() {
        return Err(Ignored::Empty);
    }
    Ok(reading)
}

/// The kind an event type stands for. New types are announced, so an unknown one is no error.
pub(super) fn kind_of_event(text: &str) -> Result<ChangeKind, Ignored> {
    match text.trim().to_ascii_lowercase().as_str() {
        "employee.created" => Ok(ChangeKind::Created),
        // BambooHR's guide writes `employee.update` in running text; its OpenAPI file `employee.updated`.
        "employee.updated" | "employee.update" => Ok(ChangeKind::Updated),
        "employee.deleted" => Ok(ChangeKind::Deleted),
        other if other.starts_with("company.") || other.starts_with("company-integrations.") => {
            Err(Ignored::Company)
        }
        _ => Err(Ignored::UnknownEvent),
    }
}

/// The kind an entry's action stands for. Bodies from before 2025 have none, and mean an update.
pub(super) fn kind_of_action(text: &str) -> ChangeKind {
    match text.trim().to_ascii_lowercase().as_str() {
        "created" => ChangeKind::Created,
        "deleted" => ChangeKind::Deleted,
        _ => ChangeKind::Updated,
    }
}

fn event_based(kind: ChangeKind, object: &Map<String, Value>) -> Result<Event, EntryError> {
    let data = object.get("data").and_then(Value::as_object);
    let data = data.ok_or(EntryError::NotAnObject)?;
    Ok(Event {
        employee_id: id(data.get("employeeId"), None)?,
        kind,
        structure: Structure::EventBased,
        changed_fields: names(data.get("changedFields")),
        fields: Vec::new(),
        at: time(object.get("timestamp")),
    })
}

/// An entry of `employees`. The `key` names the employee when they come as an object and not as a list.
fn field_based(entry: &Value, key: Option<&str>) -> Result<Event, EntryError> {
    let entry = entry.as_object().ok_or(EntryError::NotAnObject)?;
    let action = entry.get("action").and_then(Value::as_str);
    // The server is PHP, so empty `fields` may well be `[]`.
    let fields = entry.get("fields").and_then(Value::as_object);
    Ok(Event {
        employee_id: id(entry.get("id"), key)?,
        kind: kind_of_action(action.unwrap_or_default()),
        structure: Structure::FieldBased,
        changed_fields: names(entry.get("changedFields")),
        fields: fields.map(values).unwrap_or_default(),
        at: time(entry.get("timestamp")),
    })
}

pub(super) fn id(member: Option<&Value>, key: Option<&str>) -> Result<EmployeeId, EntryError> {
    match member {
        Some(Value::String(text)) => employee_id(text),
        Some(Value::Number(number)) => employee_id(&number.to_string()),
        _ => employee_id(key.unwrap_or_default()),
    }
}

pub(super) fn time(member: Option<&Value>) -> Option<DateTime<Utc>> {
    member.and_then(Value::as_str).and_then(dates::instant)
}

/// A list of names; PHP writes a list with gaps as an object.
fn names(member: Option<&Value>) -> Vec<String> {
    match member {
        Some(Value::Array(list)) => list.iter().filter_map(json::scalar_text).collect(),
        Some(Value::Object(map)) => map.values().filter_map(json::scalar_text).collect(),
        _ => Vec::new(),
    }
}

/// Values come plain, as BambooHR's guide says, or as `{"value": ...}`, as every detailed client says.
pub(super) fn values(fields: &Map<String, Value>) -> Vec<(String, Option<String>)> {
    let value_of = |value| match value {
        &Value::Null => Some(None),
        value => json::scalar_text(value).map(Some),
    };
    fields
        .iter()
        .filter_map(|(name, value)| {
            let value = match value {
                Value::Object(wrapper) => wrapper.get("value")?,
                plain => plain,
            };
            value_of(value).map(|value| (name.clone(), value))
        })
        .collect()
}
