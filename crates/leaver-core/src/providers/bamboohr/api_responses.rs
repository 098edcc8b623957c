//! Responses of BambooHR's API: who changed since a time, and the fields of one employee.
//!
//! The shapes are those of tests/openapi/bamboohr.yaml, operations get-changed-employee-ids and get-employee.

use std::fmt;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::super::json;
use super::super::json_keep::{Keep, Kept, Name};
use super::super::values::{drop_empty, is_empty};
use super::super::{EntryError, InvalidEntry, InvalidResponse, PositionFacts, responses};
use super::facts;
use super::field_names::{FieldNames, same_name};
use super::payload::{Event, Structure, id, time, values};
use crate::domain::{ChangeKind, EmployeeChange, EmployeeId, Facts, PositionFact, Tenant};

/// The fields that are requested, by BambooHR's aliases.
pub const BAMBOOHR_FIELDS: [&str; 5] = [
    "status",
    "employmentHistoryStatus",
    "terminationDate",
    "hireDate",
    "workEmail",
];

/// Returns BambooHR's alias of a fact about the position.
// Published clients request these aliases of employees and reports (read on 27 November 2026).
pub(super) fn position_alias(fact: PositionFact) -> &'static str {
    match fact {
        PositionFact::JobTitle => "jobTitle",
        PositionFact::Department => "department",
        PositionFact::Manager => "supervisorId",
    }
}

/// Returns the fields to request, by BambooHR's aliases: those that the rules need, and the observed facts about the position.
#[must_use]
pub fn bamboohr_requested_fields(position: &PositionFacts) -> Vec<&'static str> {
    let needed = BAMBOOHR_FIELDS.into_iter();
    needed
        .chain(position.parsed().map(position_alias))
        .collect()
}

/// The member that lists what the user of the API key cannot see.
const RESTRICTED: &str = "_restrictedFields";

/// The response of `GET employees/changed`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChangedSince {
    /// The time of the latest change in the response, or `None` if nothing changed.
    pub latest: Option<DateTime<Utc>>,
    /// The changed employees, in the response's order.
    pub employees: Vec<ChangedEmployee>,
    /// The entries without a usable id.
    pub bad_entries: Vec<InvalidEntry>,
}

/// An entry of [`ChangedSince`]. It has no values, so the employee has to be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangedEmployee {
    /// The employee's id.
    pub employee_id: EmployeeId,
    /// The change of the record.
    pub action: ChangedAction,
    /// When the record last changed.
    pub last_changed: Option<DateTime<Utc>>,
}

/// A change of an employee's record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangedAction {
    /// The record is new.
    Inserted,
    /// The record changed. Unknown actions count as this one, since a read returns the current values.
    Updated,
    /// The record was deleted for good.
    Deleted,
}

/// The record of one employee.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmployeeRead {
    /// The facts, as of the time at which the read began.
    pub change: EmployeeChange,
    /// Those of [`BAMBOOHR_FIELDS`] that the user of the API key cannot see. They are absent from the change.
    ///
    /// If `status` is among them, no departure can be detected.
    pub restricted_fields: Vec<&'static str>,
    /// Observed facts about the position that the user of the API key cannot see. No decision depends on them.
    pub restricted_position: Vec<&'static str>,
}

/// The members of an entry of the list that are used.
static LISTED: Keep = Keep::Members(&[
    ("id", Keep::Scalar),
    ("action", Keep::Scalar),
    ("lastChanged", Keep::Scalar),
]);

/// Most employees that a list may name.
const MAX_LISTED: usize = 400_000;

/// Parses who changed. Entries are parsed one at a time, so 100,000 of them need a few megabytes of memory.
///
/// # Errors
/// Returns [`InvalidResponse`] if the response has another shape. Invalid entries are in `bad_entries` instead.
pub fn bamboohr_changed(body: &[u8]) -> Result<ChangedSince, InvalidResponse> {
    #[derive(Deserialize)]
    struct Response {
        latest: Option<Value>,
        employees: Option<Entries>,
    }
    let response: Response = json::parse(body).map_err(|error| responses::bad_json(&error))?;
    let Entries(mut changed) = response
        .employees
        .ok_or(InvalidResponse::WrongShape("it has no `employees`"))?;
    changed.latest = time(response.latest.as_ref());
    Ok(changed)
}

/// Parses the response of `GET employees/{id}`.
///
/// # Errors
/// Returns [`InvalidResponse`] if it is not an object or is about another employee. The inner error is that
/// of [`bamboohr_record`].
pub fn bamboohr_employee(
    body: &[u8],
    employee_id: &EmployeeId,
    as_of: DateTime<Utc>,
    position: &PositionFacts,
    tenant: &Tenant,
    timezone: Tz,
) -> Result<Result<EmployeeRead, EntryError>, InvalidResponse> {
    let record = responses::small_object(body)?;
    let own_id = json::member(&record, "id")?;
    if own_id.is_some() && id(own_id, None).as_ref() != Ok(employee_id) {
        return Err(InvalidResponse::WrongShape("it is about another employee"));
    }
    Ok(bamboohr_record(
        employee_id,
        &record,
        as_of,
        position,
        tenant,
        timezone,
    ))
}

/// Parses one record. `timezone` is that of its calendar days. A missing field is absent. A null field is empty.
///
/// It is absent instead if it is listed in `_restrictedFields`, or if the status is hidden too.
///
/// # Errors
/// Returns [`EntryError::NullRecord`] if no requested field has a value, and [`EntryError::UnreadableMember`] if one
/// cannot be read.
pub fn bamboohr_record(
    employee_id: &EmployeeId,
    record: &Map<String, Value>,
    as_of: DateTime<Utc>,
    position: &PositionFacts,
    tenant: &Tenant,
    timezone: Tz,
) -> Result<EmployeeRead, EntryError> {
    let restricted: Vec<&str> = match json::member(record, RESTRICTED)? {
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
        _ => vec![],
    };
    if restricted.iter().any(|name| json::is_unreadable(name)) {
        return Err(EntryError::UnreadableMember(RESTRICTED));
    }
    // BambooHR silently leaves out what the user cannot see. Names are compared as in `facts`.
    let is_restricted = |name: &&'static str| {
        let matches = |other: &str| same_name(other, name);
        let is_present = record.keys().any(|key| matches(key));
        !is_present || restricted.iter().any(|other| matches(other))
    };
    let restricted_fields: Vec<&'static str> =
        BAMBOOHR_FIELDS.into_iter().filter(is_restricted).collect();
    let restricted_position: Vec<&'static str> = position
        .parsed()
        .map(position_alias)
        .filter(is_restricted)
        .collect();
    let requested = bamboohr_requested_fields(position);
    let mut fields = values(record);
    fields.retain(|(name, _)| {
        let matches = |requested: &&str| same_name(requested, name);
        let mut restricted = restricted_fields.iter().chain(&restricted_position);
        requested.iter().any(matches) && !restricted.any(matches)
    });
    let event = Event {
        employee_id: employee_id.clone(),
        kind: ChangeKind::Updated,
        structure: Structure::FieldBased,
        changed_fields: vec![],
        fields,
        at: Some(as_of),
    };
    // Fields are requested by alias, so the names configured for webhooks do not apply.
    let names = FieldNames::default();
    let mut change = facts::change(event, &names, position, tenant, timezone)?;
    if is_empty(&change.facts) {
        return Err(EntryError::NullRecord);
    }
    if change.facts.status.value().is_none() {
        drop_empty(&mut change.facts);
    }
    Ok(EmployeeRead {
        change,
        restricted_fields,
        restricted_position,
    })
}

/// Returns the change for a deleted record: one listed as deleted by [`bamboohr_changed`].
#[must_use]
pub fn bamboohr_deletion(
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
        linked_account: None,
    }
}

/// The entries as a map, or as a list: PHP encodes an empty map as `[]`.
struct Entries(ChangedSince);

impl ChangedSince {
    fn add<E: de::Error>(
        &mut self,
        position: usize,
        key: Option<&str>,
        entry: &Value,
    ) -> Result<(), E> {
        match changed_employee(key, entry) {
            Ok(employee) if self.employees.len() < MAX_LISTED => self.employees.push(employee),
            Ok(_) => return Err(E::custom("too many employees")),
            // A hundred are enough for a warning.
            Err(cause) if self.bad_entries.len() < 100 => {
                self.bad_entries.push(InvalidEntry { position, cause });
            }
            Err(_) => {}
        }
        Ok(())
    }
}

fn changed_employee(key: Option<&str>, entry: &Value) -> Result<ChangedEmployee, EntryError> {
    let nothing = Map::new();
    let entry = entry.as_object().unwrap_or(&nothing);
    let action = json::member(entry, "action")?.and_then(Value::as_str);
    Ok(ChangedEmployee {
        employee_id: id(json::member(entry, "id")?, key)?,
        action: match action.unwrap_or_default().to_ascii_lowercase().as_str() {
            "inserted" => ChangedAction::Inserted,
            "deleted" => ChangedAction::Deleted,
            _ => ChangedAction::Updated,
        },
        last_changed: time(json::member(entry, "lastChanged")?),
    })
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
        while let Some(key) = map.next_key_seed(Name)? {
            let entry = map.next_value_seed(Kept(&LISTED))?;
            changed.add(position, Some(&key), &entry)?;
            position += 1;
        }
        Ok(changed)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<ChangedSince, A::Error> {
        let (mut changed, mut position) = (ChangedSince::default(), 0);
        while let Some(entry) = list.next_element_seed(Kept(&LISTED))? {
            changed.add(position, None, &entry)?;
            position += 1;
        }
        Ok(changed)
    }
}
