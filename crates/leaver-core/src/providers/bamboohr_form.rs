//! BambooHR's form bodies: PHP's bracketed keys, `employees[40217][First+name]=Dana`. Only the first two
//! bracket groups mean something, since posted names may hold brackets themselves.

use std::collections::HashMap;

use super::bamboohr::{Event, Reading, Structure, collect, kind_of_action, kind_of_event};
use super::{EntryError, Ignored, ParseError, dates, employee_id};
use crate::domain::ChangeKind;

/// Reads a body that is not blank. Bytes that are not UTF-8 become replacement characters.
pub(super) fn read(body: &[u8]) -> Result<Result<Reading, Ignored>, ParseError> {
    let mut form = Form::default();
    for (key, value) in form_urlencoded::parse(body) {
        form.take(&Key::split(&key), &value);
    }
    if form.names_employees {
        return Ok(collect(form.entries.into_iter().map(Entry::field_based)));
    }
    let Some(event) = form.event else {
        return Err(ParseError::NoEmployees);
    };
    let entry = form.event_entry;
    Ok(kind_of_event(&event)
        .and_then(|kind| collect([entry.event(|_| kind, Structure::EventBased)])))
}

#[derive(Default)]
struct Form {
    event: Option<String>,
    event_entry: Entry,
    names_employees: bool,
    /// In the order of first appearance; keys of several employees may be interleaved.
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
    fn take(&mut self, key: &Key<'_>, value: &str) {
        match (key.head, key.first, key.second) {
            ("type", None, _) => self.event = Some(value.to_owned()),
            ("timestamp", None, _) => value.clone_into(&mut self.event_entry.timestamp),
            ("data", Some("employeeId"), None) => value.clone_into(&mut self.event_entry.id),
            ("data", Some("changedFields"), _) => self.event_entry.changed(value),
            ("employees", None, _) => self.names_employees = true,
            ("employees", Some(id), None) => {
                self.entry(id);
            }
            ("employees", Some(id), Some(name)) => self.entry(id).take(name, key.rest, value),
            _ => {}
        }
    }

    fn entry(&mut self, id: &str) -> &mut Entry {
        self.names_employees = true;
        let place = *self.by_id.entry(id.to_owned()).or_insert_with(|| {
            self.entries.push(Entry {
                id: id.to_owned(),
                ..Entry::default()
            });
            self.entries.len() - 1
        });
        &mut self.entries[place]
    }
}

impl Entry {
    /// A value beside the others. `action` and `timestamp` can only sit there too, and are not fields.
    fn take(&mut self, name: &str, rest: &str, value: &str) {
        match (name, rest) {
            ("changedFields", _) => self.changed(value),
            ("action", "") => value.clone_into(&mut self.action),
            ("timestamp", "") => value.clone_into(&mut self.timestamp),
            (name, "" | "[value]") => self.fields.push((name.to_owned(), Some(value.to_owned()))),
            _ => {}
        }
    }

    fn changed(&mut self, name: &str) {
        if !name.is_empty() {
            self.changed_fields.push(name.to_owned());
        }
    }

    fn field_based(self) -> Result<Event, EntryError> {
        self.event(kind_of_action, Structure::FieldBased)
    }

    fn event(
        self,
        kind: impl FnOnce(&str) -> ChangeKind,
        structure: Structure,
    ) -> Result<Event, EntryError> {
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

/// A decoded key, `head[first][second]rest`.
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
        let second = tail.strip_prefix('[').and_then(close);
        Self {
            head,
            first: Some(first),
            second: second.map(|(second, _)| second),
            rest: second.map_or("", |(_, rest)| rest),
        }
    }
}

/// Splits after a group: at the first `]` that ends the key or that another group follows.
fn close(text: &str) -> Option<(&str, &str)> {
    text.match_indices(']')
        .map(|(end, _)| (&text[..end], &text[end + 1..]))
        .find(|(_, rest)| rest.is_empty() || rest.starts_with('['))
}
