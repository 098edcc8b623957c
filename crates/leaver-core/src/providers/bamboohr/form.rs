//! BambooHR's form bodies, with PHP's bracketed keys: `employees[40217][First+name]=Dana`.
//!
//! Only the first two bracket groups are split, since posted names can contain brackets.
//! Source: <https://documentation.bamboohr.com/docs/field-based-webhooks>, read on 22 November 2026.

use std::collections::HashMap;

use super::super::json::{self, UNREADABLE};
use super::super::values::employee_id;
use super::super::{EntryError, ParseError, dates};
use super::payload::{Event, Payload, Structure, collect, kind_of_action, kind_of_event};
use crate::domain::ChangeKind;

/// Parses a body that is not blank. Bytes that are not UTF-8 become [`UNREADABLE`], and so does a repeated value.
pub(super) fn parse(body: &[u8]) -> Result<Payload, ParseError> {
    let mut form = Form::default();
    for (key, value) in form_urlencoded::parse(body) {
        // A byte order mark can be encoded like any character of the first key.
        let key = key.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == '\u{FEFF}');
        form.add(&Key::split(key), &value);
    }
    if form.has_employees {
        return Ok(collect(form.entries.into_iter().map(Entry::field_based)));
    }
    let event = form.event;
    if event.is_empty() {
        return Err(ParseError::NoEmployees);
    }
    if json::is_unreadable(&event) {
        return Err(ParseError::UnreadableMember("type"));
    }
    let entry = form.event_entry;
    Ok(match kind_of_event(&event) {
        Ok(kind) => collect([entry.event(|_| kind, Structure::EventBased)]),
        Err(ignored) => Payload::Ignored(ignored),
    })
}

#[derive(Default)]
struct Form {
    event: String,
    event_entry: Entry,
    has_employees: bool,
    /// In the order of first appearance. The keys of several employees can be interleaved.
    entries: Vec<Entry>,
    by_id: HashMap<String, usize>,
}

#[derive(Default)]
struct Entry {
    id: String,
    action: String,
    timestamp: String,
    changed_fields: Vec<String>,
    fields: Vec<(String, Option<String>)>,
}

impl Form {
    fn add(&mut self, key: &Key<'_>, value: &str) {
        match (key.head, key.first, key.second) {
            ("type", None, _) => set(&mut self.event, value),
            ("timestamp", None, _) => set(&mut self.event_entry.timestamp, value),
            ("data", Some("employeeId"), None) => set(&mut self.event_entry.id, value),
            ("data", Some("changedFields"), _) => self.event_entry.add_changed(value),
            ("employees", None, _) => self.has_employees = true,
            ("employees", Some(id), None) => {
                self.entry(id);
            }
            ("employees", Some(id), Some(name)) => self.entry(id).add(name, key.rest, value),
            _ => {}
        }
    }

    fn entry(&mut self, id: &str) -> &mut Entry {
        self.has_employees = true;
        let position = *self.by_id.entry(id.to_owned()).or_insert_with(|| {
            self.entries.push(Entry {
                id: id.to_owned(),
                ..Entry::default()
            });
            self.entries.len() - 1
        });
        &mut self.entries[position]
    }
}

impl Entry {
    /// Adds a value. There is no level `fields`, so `action` and `timestamp` stand beside the posted values.
    fn add(&mut self, name: &str, rest: &str, value: &str) {
        match (name, rest) {
            ("changedFields", _) => self.add_changed(value),
            ("action", "") => set(&mut self.action, value),
            ("timestamp", "") => set(&mut self.timestamp, value),
            (name, "" | "[value]") => {
                self.fields.push((name.to_owned(), Some(value.to_owned())));
            }
            _ => {}
        }
    }

    fn add_changed(&mut self, name: &str) {
        if !name.is_empty() {
            self.changed_fields.push(name.to_owned());
        }
    }

    fn field_based(self) -> Result<Event, EntryError> {
        self.event(kind_of_action, Structure::FieldBased)
    }

    fn event(
        mut self,
        kind: impl FnOnce(&str) -> ChangeKind,
        structure: Structure,
    ) -> Result<Event, EntryError> {
        let readable = [("action", &self.action), ("timestamp", &self.timestamp)];
        if let Some((name, _)) = readable.iter().find(|(_, text)| json::is_unreadable(text)) {
            return Err(EntryError::UnreadableMember(name));
        }
        mark_repeated(&mut self.fields);
        Ok(Event {
            employee_id: employee_id(&self.id)?,
            kind: kind(&self.action),
            structure,
            changed_fields: self.changed_fields,
            fields: self.fields,
            at: dates::instant(&self.timestamp),
        })
    }
}

/// Sets a value. The values of a repeated key differ in which one counts, so neither does.
fn set(text: &mut String, value: &str) {
    if text.is_empty() {
        value.clone_into(text);
    } else {
        *text = UNREADABLE.to_string();
    }
}

/// Does the same for the posted values of one employee.
fn mark_repeated(fields: &mut [(String, Option<String>)]) {
    let mut first = HashMap::with_capacity(fields.len());
    for position in 0..fields.len() {
        if let Some(first) = first.insert(fields[position].0.clone(), position) {
            fields[first].1 = Some(UNREADABLE.to_string());
            fields[position].1 = Some(UNREADABLE.to_string());
        }
    }
}

/// A decoded key of the form `head[first][second]rest`.
struct Key<'k> {
    head: &'k str,
    first: Option<&'k str>,
    second: Option<&'k str>,
    rest: &'k str,
}

impl<'k> Key<'k> {
    fn split(key: &'k str) -> Self {
        let plain = Self {
            head: key,
            first: None,
            second: None,
            rest: "",
        };
        let Some((head, groups)) = key.split_once('[') else {
            return plain;
        };
        let Some((first, tail)) = groups.split_once(']') else {
            return plain;
        };
        let second = tail.strip_prefix('[').and_then(split_group);
        Self {
            head,
            first: Some(first),
            second: second.map(|(second, _)| second),
            rest: second.map_or("", |(_, rest)| rest),
        }
    }
}

/// Splits after a group: at the first `]` that ends the key or precedes another group.
fn split_group(text: &str) -> Option<(&str, &str)> {
    text.match_indices(']')
        .map(|(end, _)| (&text[..end], &text[end + 1..]))
        .find(|(_, rest)| rest.is_empty() || rest.starts_with('['))
}
