//! What BambooHR's API answers: who changed since a time, and one employee's fields. Shapes are those of
//! BambooHR's OpenAPI file, with PHP's `[]` where an empty object is meant.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::bamboohr::{Event, Structure, id, time, values};
use super::field_names::are_same;
use super::merge_api::is_empty;
use super::{EntryError, FieldNames, InvalidEntry, InvalidResponse, bamboohr_facts, responses};
use crate::domain::{ChangeKind, EmployeeChange, EmployeeId, Facts, Field, Tenant};

/// The fields that we ask for, by BambooHR's aliases.
pub const BAMBOOHR_FIELDS: [&str; 5] = [
    "status",
    "employmentHistoryStatus",
    "terminationDate",
    "hireDate",
    "workEmail",
];

/// The answer of `GET employees/changed`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChangedSince {
    /// The time of the latest change in it; `None` when nothing changed.
    pub latest: Option<DateTime<Utc>>,
    /// Who changed, in the answer's order.
    pub employees: Vec<ChangedEmployee>,
    /// Entries without a usable id.
    pub bad_entries: Vec<InvalidEntry>,
}

/// One entry of it. It has no values; they must be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangedEmployee {
    /// Who.
    pub employee_id: EmployeeId,
    /// What happened.
    pub action: ChangedAction,
    /// When, by BambooHR's account.
    pub last_changed: Option<DateTime<Utc>>,
}

/// What happened to an employee's record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangedAction {
    /// It is new.
    Inserted,
    /// Something about it is different; also what a word means that we do not know, since a read will tell.
    Updated,
    /// It is gone for good.
    Deleted,
}

/// What the API says of one employee.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmployeeRead {
    /// It as a change: as of the moment the read began, never thin.
    pub change: EmployeeChange,
    /// Those of [`BAMBOOHR_FIELDS`] that the key's user may not see. BambooHR leaves them out silently, so
    /// they are absent from the change; a `status` among them means that nobody's end will be noticed.
    pub withheld: Vec<&'static str>,
}

/// Reads who changed. Entry by entry, so that 100,000 of them cost a few megabytes.
///
/// # Errors
/// [`InvalidResponse`] when the answer is not of that shape; a bad entry never sinks the others.
pub fn bamboohr_changed(body: &[u8]) -> Result<ChangedSince, InvalidResponse> {
    #[derive(Deserialize)]
    struct Answer {
        latest: Option<Value>,
        employees: Option<Entries>,
    }
    let answer: Answer =
        serde_json::from_slice(body).map_err(|error| responses::bad_json(&error))?;
    let Entries(mut changed) = answer
        .employees
        .ok_or(InvalidResponse::WrongShape("it has no `employees`"))?;
    changed.latest = time(answer.latest.as_ref());
    Ok(changed)
}

/// Reads the answer of `GET employees/{id}`.
///
/// # Errors
/// [`InvalidResponse`] when it is no object or is about somebody else; the inner error is
/// [`EntryError::NullRecord`], see [`bamboohr_record`].
pub fn bamboohr_employee(
    body: &[u8],
    employee_id: &EmployeeId,
    as_of: DateTime<Utc>,
    tenant: &Tenant,
) -> Result<Result<EmployeeRead, EntryError>, InvalidResponse> {
    let record = responses::object(body)?;
    if record.contains_key("id") && id(record.get("id"), None).as_ref() != Ok(employee_id) {
        return Err(InvalidResponse::WrongShape("it is about another employee"));
    }
    Ok(bamboohr_record(employee_id, &record, as_of, tenant))
}

/// What one record says. A field that is not there says nothing; a null says that there is no such value,
/// unless `_restrictedFields` names the field, or not even a status can be seen.
///
/// # Errors
/// [`EntryError::NullRecord`] when no field that we need has a value.
pub fn bamboohr_record(
    employee_id: &EmployeeId,
    record: &Map<String, Value>,
    as_of: DateTime<Utc>,
    tenant: &Tenant,
) -> Result<EmployeeRead, EntryError> {
    let restricted: Vec<&str> = match record.get("_restrictedFields") {
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
        _ => vec![],
    };
    // Facts are read under names of any case, so what is withheld is too.
    let withheld: Vec<&'static str> = BAMBOOHR_FIELDS
        .into_iter()
        .filter(|name| {
            let is_it = |other: &str| are_same(other, name);
            let is_there = record.keys().any(|key| is_it(key));
            !is_there || restricted.iter().any(|other| is_it(other))
        })
        .collect();
    let mut fields = values(record);
    fields.retain(|(name, _)| {
        let is_it = |asked: &&str| are_same(asked, name);
        BAMBOOHR_FIELDS.iter().any(is_it) && !withheld.iter().any(is_it)
    });
    let event = Event {
        employee_id: employee_id.clone(),
        kind: ChangeKind::Updated,
        structure: Structure::FieldBased,
        changed_fields: vec![],
        fields,
        at: Some(as_of),
    };
    // We asked by alias, so the names under which the customer's webhook posts do not matter here.
    let mut change = bamboohr_facts::change(event, &FieldNames::default(), tenant);
    if is_empty(&change.facts) {
        return Err(EntryError::NullRecord);
    }
    if change.facts.status.value().is_none() {
        forget_empty(&mut change.facts);
    }
    Ok(EmployeeRead { change, withheld })
}

/// What a `Deleted` of [`bamboohr_changed`] says, or the 404 that agrees with it: the record is gone.
#[must_use]
pub fn bamboohr_removal(
    employee_id: &EmployeeId,
    as_of: DateTime<Utc>,
    tenant: &Tenant,
) -> EmployeeChange {
    EmployeeChange {
        tenant: tenant.clone(),
        employee_id: employee_id.clone(),
        kind: ChangeKind::Deleted,
        as_of: Some(as_of),
        facts: Facts::default(),
        notification_only: false,
    }
}

/// Whoever may not see the status may not see the rest either, so "there is none" is not to be trusted.
fn forget_empty(facts: &mut Facts) {
    fn forget<T>(posted: &mut Field<T>) {
        if matches!(posted, Field::Empty) {
            *posted = Field::Absent;
        }
    }
    forget(&mut facts.employment_status);
    forget(&mut facts.hire_date);
    forget(&mut facts.termination_date);
    forget(&mut facts.work_email);
}

/// The map of entries, or PHP's empty list of them.
struct Entries(ChangedSince);

impl ChangedSince {
    fn take(&mut self, position: usize, key: Option<&str>, entry: &Value) {
        let action = entry.get("action").and_then(Value::as_str);
        match id(entry.get("id"), key) {
            Ok(employee_id) => self.employees.push(ChangedEmployee {
                employee_id,
                action: match action.unwrap_or_default().to_ascii_lowercase().as_str() {
                    "inserted" => ChangedAction::Inserted,
                    "deleted" => ChangedAction::Deleted,
                    _ => ChangedAction::Updated,
                },
                last_changed: time(entry.get("lastChanged")),
            }),
            Err(cause) => self.bad_entries.push(InvalidEntry { position, cause }),
        }
    }
}

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(EntriesVisitor).map(Self)
    }
}

struct EntriesVisitor;

impl<'de> Visitor<'de> for EntriesVisitor {
    type Value = ChangedSince;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map of employees")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ChangedSince, A::Error> {
        let (mut changed, mut position) = (ChangedSince::default(), 0);
        while let Some((key, entry)) = map.next_entry::<String, Value>()? {
            changed.take(position, Some(&key), &entry);
            position += 1;
        }
        Ok(changed)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<ChangedSince, A::Error> {
        let (mut changed, mut position) = (ChangedSince::default(), 0);
        while let Some(entry) = list.next_element::<Value>()? {
            changed.take(position, None, &entry);
            position += 1;
        }
        Ok(changed)
    }
}
