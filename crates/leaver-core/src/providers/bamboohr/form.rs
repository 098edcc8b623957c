//! BambooHR's form bodies, with PHP's bracketed keys: `employees[40217][First+name]=Dana`.
//!
//! Only the first two bracket groups are split, since posted names can contain brackets.
//! Source: <https://documentation.bamboohr.com/docs/field-based-webhooks>, read on 22 November 2026.

use std::collections::HashMap;
use std::ops::Range;

use bytes::Bytes;

use super::super::entries::{Collector, Entries, Index, Opened};
use super::super::json::{self, UNREADABLE};
use super::super::json_keep::{MAX_MEMBERS, MAX_TEXT_BYTES, cut};
use super::super::values::employee_id;
use super::super::{EntryError, Ignored, InvalidEntry, ParseError, ProviderConfig, dates};
use super::facts;
use super::payload::{Event, Structure, kind_of_action, kind_of_event};
use crate::domain::{ChangeKind, EmployeeChange, Tenant};

/// Parses a body that is not blank. Bytes that are not UTF-8 become [`UNREADABLE`], and so does a repeated value. With more than
/// `max` changes, it returns their places.
pub(super) fn open(
    config: &ProviderConfig,
    tenant: Result<&Tenant, Ignored>,
    body: &Bytes,
    max: usize,
) -> Result<Opened, ParseError> {
    let (mut form, mut index) = (Form::default(), Index::default());
    for place in pairs(body) {
        let (key, value) = decoded(&body[place.clone()]);
        let key = Key::split(&key);
        match (key.head, key.first) {
            ("employees", Some(id)) => index.add(id.trim(), &place),
            _ => form.add(&key, &value, place.start),
        }
    }
    let mut found = Collector::new(max);
    if index.is_empty() && !form.has_employees {
        let event = form.event()?;
        let ignored = event.as_ref().err().copied().or(tenant.err());
        if let (Ok(event), Ok(tenant)) = (event, tenant) {
            match event.and_then(|e| {
                facts::change(e, &config.fields, &config.position, tenant, config.timezone)
            }) {
                Ok(change) => found.add(&(0..body.len()), change),
                Err(cause) => found.add_bad(InvalidEntry { position: 0, cause }),
            }
        }
        return Ok(found.finish(config, body, ignored, entries_at));
    }
    let ignored = index.is_empty().then_some(Ignored::Empty).or(tenant.err());
    if let Ok(tenant) = tenant {
        collect(config, tenant, body, index, &mut found);
    }
    Ok(found.finish(config, body, ignored, entries_at))
}

/// Parses the entries of an index, one employee after the other.
fn collect(
    config: &ProviderConfig,
    tenant: &Tenant,
    body: &[u8],
    mut index: Index,
    found: &mut Collector,
) {
    index.sort();
    let (mut starts, mut changes, mut bad) = (vec![], vec![], vec![]);
    let mut is_kept = vec![];
    let mut next = 0;
    while next < index.len() {
        let positions = next..index.end_of_employee(next);
        next = positions.end;
        let mut has_change = false;
        for entry in entries(body, &index, positions.clone()) {
            let start = entry.start;
            starts.push(start);
            let event = entry.field_based();
            match event.and_then(|e| {
                facts::change(e, &config.fields, &config.position, tenant, config.timezone)
            }) {
                Ok(change) => {
                    has_change = true;
                    found.add_indexed(change.as_of.is_some());
                    if found.is_within_limit() {
                        changes.push((start, change));
                    } else {
                        changes = vec![];
                    }
                }
                Err(cause) => bad.push((start, cause)),
            }
        }
        is_kept.resize(positions.end, has_change);
    }
    index.retain(|position| is_kept.get(position).copied().unwrap_or_default());
    found.index = index;
    found.is_divisible = false;
    // Employees are in the order of their first keys.
    starts.sort_unstable();
    changes.sort_by_key(|(start, _)| *start);
    bad.sort_by_key(|(start, _)| *start);
    found.changes.changes = changes.into_iter().map(|(_, change)| change).collect();
    for (start, cause) in bad {
        let position = starts.partition_point(|other| *other < start);
        found.add_bad(InvalidEntry { position, cause });
    }
}

/// Parses entries again.
fn entries_at(entries: &Entries, positions: Range<usize>) -> Vec<EmployeeChange> {
    let config = entries.config();
    let Ok(tenant) = config.tenancy.tenant_of(None, false) else {
        return vec![];
    };
    let (index, mut changes, mut next) = (entries.index(), vec![], positions.start);
    while next < positions.end {
        let employee = next..index.end_of_employee(next);
        next = employee.end;
        for entry in self::entries(entries.body(), index, employee) {
            let event = entry.field_based();
            let change = event.and_then(|e| {
                facts::change(e, &config.fields, &config.position, tenant, config.timezone)
            });
            changes.extend(change);
        }
    }
    changes
}

/// Returns the entries of one employee: one, unless white space around the id differs.
fn entries(body: &[u8], index: &Index, positions: Range<usize>) -> Vec<Entry> {
    let mut form = Form::default();
    for position in positions {
        let place = index.place(position);
        let (key, value) = decoded(body.get(place.clone()).unwrap_or_default());
        form.add(&Key::split(&key), &value, place.start);
    }
    form.entries
}

/// Returns the events of a body.
#[cfg(test)]
pub(super) fn events(body: &[u8]) -> Vec<Result<Event, EntryError>> {
    let mut form = Form::default();
    for place in pairs(body) {
        let (key, value) = decoded(&body[place.clone()]);
        form.add(&Key::split(&key), &value, place.start);
    }
    if form.has_employees {
        return form.entries.into_iter().map(Entry::field_based).collect();
    }
    form.event().into_iter().flatten().collect()
}

/// Returns the places of the pairs of key and value.
fn pairs(body: &[u8]) -> impl Iterator<Item = Range<usize>> {
    let mut next = 0;
    std::iter::from_fn(move || {
        let rest = body.get(next..).filter(|rest| !rest.is_empty())?;
        let length = rest.iter().position(|byte| *byte == b'&');
        let place = next..next + length.unwrap_or(rest.len());
        next = place.end + 1;
        Some(place)
    })
    .filter(|place| !place.is_empty())
}

/// Returns the decoded key and value of a pair. Both are cut to [`MAX_TEXT_BYTES`].
fn decoded(pair: &[u8]) -> (String, String) {
    let (key, value) = match pair.iter().position(|byte| *byte == b'=') {
        Some(end) => (&pair[..end], &pair[end + 1..]),
        None => (pair, &[][..]),
    };
    let text = |encoded: &[u8]| {
        // A byte has at most three characters. The sign would otherwise end a key.
        let encoded = &encoded[..encoded.len().min(3 * MAX_TEXT_BYTES + 3)];
        let pair = [b"=", encoded].concat();
        let decoded = form_urlencoded::parse(&pair).next();
        decoded.map_or_else(String::new, |(_, text)| cut(&text).into_owned())
    };
    // A byte order mark can be encoded like any character of the first key.
    let key = text(key);
    let key = key.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == '\u{FEFF}');
    (key.to_owned(), text(value))
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
    /// Where its first key stands in the body.
    start: usize,
    id: String,
    action: String,
    timestamp: String,
    changed_fields: Vec<String>,
    fields: Vec<(String, Option<String>)>,
}

impl Form {
    fn add(&mut self, key: &Key<'_>, value: &str, start: usize) {
        match (key.head, key.first, key.second) {
            ("type", None, _) => set(&mut self.event, value),
            ("timestamp", None, _) => set(&mut self.event_entry.timestamp, value),
            ("data", Some("employeeId"), None) => set(&mut self.event_entry.id, value),
            ("data", Some("changedFields"), _) => self.event_entry.add_changed(value),
            ("employees", None, _) => self.has_employees = true,
            ("employees", Some(id), None) => {
                self.entry(id, start);
            }
            ("employees", Some(id), Some(name)) => {
                self.entry(id, start).add(name, key.rest, value);
            }
            _ => {}
        }
    }

    /// Returns the event of an event-based body, or why the body is ignored.
    fn event(self) -> Result<Result<Result<Event, EntryError>, Ignored>, ParseError> {
        let event = self.event;
        if event.is_empty() {
            return Err(ParseError::NoEmployees);
        }
        if json::is_unreadable(&event) {
            return Err(ParseError::UnreadableMember("type"));
        }
        let entry = self.event_entry;
        Ok(kind_of_event(&event).map(|kind| entry.event(|_| kind, Structure::EventBased)))
    }

    fn entry(&mut self, id: &str, start: usize) -> &mut Entry {
        self.has_employees = true;
        let position = *self.by_id.entry(id.to_owned()).or_insert_with(|| {
            self.entries.push(Entry {
                start,
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
            (name, "" | "[value]") if self.fields.len() <= MAX_MEMBERS => {
                self.fields.push((name.to_owned(), Some(value.to_owned())));
            }
            _ => {}
        }
    }

    fn add_changed(&mut self, name: &str) {
        if !name.is_empty() && self.changed_fields.len() <= MAX_MEMBERS {
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
        if self.fields.len() > MAX_MEMBERS {
            return Err(EntryError::UnreadableMember("fields"));
        }
        if self.changed_fields.len() > MAX_MEMBERS {
            return Err(EntryError::UnreadableMember("changedFields"));
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
