//! Merge's webhook bodies: an envelope with a whole Employee record.
//!
//! Relations can be ids, objects or null, and members vary. Only the members that are used are parsed; one of an
//! unexpected type is absent. Source: <https://help.merge.dev/en/articles/5389453-creating-webhooks-in-merge> and
//! tests/openapi/merge-hris.yaml, GET /hris/v1/employees.

use chrono::NaiveDate;
use chrono_tz::Tz;
use serde_json::{Map, Value};

use super::super::json_keep::Keep;
use super::super::values::{drop_empty, employee_id, unknown_status, work_email};
use super::super::{
    Changes, EntryError, Ignored, InvalidEntry, ParseError, Parsed, PositionFacts, ProviderConfig,
    dates, json,
};
use super::position;
use crate::domain::{ChangeKind, EmployeeChange, Facts, Field, Status, Tenant};

/// A parsed envelope.
pub(in crate::providers) struct Event {
    /// `linked_account.id`: the customer's connection.
    pub(in crate::providers) linked_account: Option<String>,
    /// True if it is one of Merge's test accounts.
    is_test: bool,
    /// The record, or why the body is ignored.
    pub(in crate::providers) subject: Result<Employee, Ignored>,
}

/// A record and the kind of its event.
pub(in crate::providers) struct Employee {
    kind: ChangeKind,
    data: Value,
}

impl Event {
    /// Returns whether the record has a time of its own, or there is none.
    pub(in crate::providers) fn has_event_time(&self) -> bool {
        let Ok(employee) = &self.subject else {
            return true;
        };
        let record = employee.data.as_object();
        record.is_some_and(|record| {
            let modified_at = member(record, "modified_at", dates::instant);
            modified_at.value().is_some()
        })
    }
}

/// Parses a body that is not blank.
pub(in crate::providers) fn parse(
    body: &[u8],
    position: &PositionFacts,
) -> Result<Event, ParseError> {
    let needed = match position.parsed().next() {
        Some(_) => &POSITIONED_ENVELOPE,
        None => &ENVELOPE,
    };
    let mut envelope = json::object(body, needed)?;
    let subject = match json::member(&envelope, "hook")? {
        // The dashboard's test sends an object without `hook`.
        None | Some(Value::Null) => Err(Ignored::Ping),
        Some(hook) => {
            let event = match hook {
                Value::Object(hook) => json::member(hook, "event")?.and_then(Value::as_str),
                _ => None,
            };
            kind_of_event(event.unwrap_or_default())
        }
    };
    let (mut linked_account, mut account_type) = (None, None);
    if let Some(Value::Object(account)) = json::member(&envelope, "linked_account")? {
        let text = |name| json::member(account, name).map(|member| member.and_then(Value::as_str));
        linked_account = text("id")?.map(str::to_owned);
        account_type = text("account_type")?.map(str::to_owned);
    }
    json::member(&envelope, "data")?;
    let data = envelope.remove("data").unwrap_or_default();
    Ok(Event {
        linked_account,
        is_test: account_type.is_some_and(|word| word.eq_ignore_ascii_case("TEST")),
        subject: subject.map(|kind| Employee { kind, data }),
    })
}

/// Returns the kind of an event name, or why the event is ignored.
///
/// Names match as a whole, since `Employment.changed` and `Employee.synced` are not about an employee.
fn kind_of_event(text: &str) -> Result<ChangeKind, Ignored> {
    let text = text.trim().to_ascii_lowercase();
    let (model, verb) = text.split_once('.').unwrap_or((&text, ""));
    match (model, verb) {
        // Merge's help centre documents `added`, `changed` and `removed`; other pages of Merge use the synonyms.
        ("employee", "added" | "created") => Ok(ChangeKind::Created),
        ("employee", "changed" | "updated") => Ok(ChangeKind::Updated),
        ("employee", "removed" | "deleted") => Ok(ChangeKind::Deleted),
        ("employee", "synced")
        | (
            "linkedaccount",
            "sync_completed" | "synced" | "fully_synced_initial" | "synced_initial",
        ) => Err(Ignored::SyncReport),
        ("linkedaccount", "linked") => Err(Ignored::AccountLinked),
        ("linkedaccount", "deleted") => Err(Ignored::AccountDeleted),
        ("issue", _) => Err(Ignored::AccountIssue),
        ("employee" | "linkedaccount" | "", _) => Err(Ignored::UnknownEvent),
        (_, "added" | "created" | "changed" | "updated" | "removed" | "deleted" | "synced") => {
            Err(Ignored::OtherModel)
        }
        _ => Err(Ignored::UnknownEvent),
    }
}

/// Converts an event. Its linked account determines the tenant.
pub(in crate::providers) fn changes(event: &Event, config: &ProviderConfig) -> Parsed {
    let employee = match &event.subject {
        Ok(employee) => employee,
        Err(ignored) => return Parsed::Ignored(*ignored),
    };
    let account = event.linked_account.as_deref();
    if account.is_some_and(|id| config.ignored_accounts.contains(id)) {
        return Parsed::Ignored(Ignored::OtherApplication);
    }
    let tenant = match config.tenancy.tenant_of(account, event.is_test) {
        Ok(tenant) => tenant,
        Err(ignored) => return Parsed::Ignored(ignored),
    };
    let mut changes = Changes::default();
    match change(employee, &config.position, tenant, config.timezone) {
        Ok(mut change) => {
            change.linked_account.clone_from(&event.linked_account);
            changes.changes.push(change);
        }
        Err(cause) => changes
            .bad_entries
            .push(InvalidEntry { position: 0, cause }),
    }
    Parsed::Changes(changes)
}

/// Converts the record of an event.
pub(in crate::providers) fn change(
    employee: &Employee,
    position: &PositionFacts,
    tenant: &Tenant,
    timezone: Tz,
) -> Result<EmployeeChange, EntryError> {
    record_change(&employee.data, employee.kind, position, tenant, timezone)
}

/// The members of a record that are used.
const NEEDED: [&str; 8] = [
    "id",
    "remote_was_deleted",
    "modified_at",
    "employment_status",
    "start_date",
    "hire_date",
    "termination_date",
    "work_email",
];

/// The same for a parser. Merge can send much more of a person than that.
pub(in crate::providers) const RECORD: Keep = Keep::Members(&[
    (NEEDED[0], Keep::Scalar),
    (NEEDED[1], Keep::Scalar),
    (NEEDED[2], Keep::Scalar),
    (NEEDED[3], Keep::Scalar),
    (NEEDED[4], Keep::Scalar),
    (NEEDED[5], Keep::Scalar),
    (NEEDED[6], Keep::Scalar),
    (NEEDED[7], Keep::Scalar),
]);

/// The same with the position, where its facts are observed.
pub(in crate::providers) const POSITIONED_RECORD: Keep = Keep::Members(&[
    (NEEDED[0], Keep::Scalar),
    (NEEDED[1], Keep::Scalar),
    (NEEDED[2], Keep::Scalar),
    (NEEDED[3], Keep::Scalar),
    (NEEDED[4], Keep::Scalar),
    (NEEDED[5], Keep::Scalar),
    (NEEDED[6], Keep::Scalar),
    (NEEDED[7], Keep::Scalar),
    ("manager", position::RELATION),
    ("employments", position::EMPLOYMENTS),
    ("groups", position::GROUPS),
]);

/// The members of an envelope that are used.
const HOOK: (&str, Keep) = ("hook", Keep::Members(&[("event", Keep::Scalar)]));
const LINKED_ACCOUNT: (&str, Keep) = (
    "linked_account",
    Keep::Members(&[("id", Keep::Scalar), ("account_type", Keep::Scalar)]),
);
static ENVELOPE: Keep = Keep::Members(&[HOOK, LINKED_ACCOUNT, ("data", RECORD)]);
static POSITIONED_ENVELOPE: Keep =
    Keep::Members(&[HOOK, LINKED_ACCOUNT, ("data", POSITIONED_RECORD)]);

/// Converts a record of a webhook or of an API page. Both have the same shape.
pub(in crate::providers) fn record_change(
    record: &Value,
    kind: ChangeKind,
    position: &PositionFacts,
    tenant: &Tenant,
    timezone: Tz,
) -> Result<EmployeeChange, EntryError> {
    let record = record.as_object().ok_or(EntryError::NotAnObject)?;
    for name in NEEDED {
        json::member(record, name)?;
    }
    let id = record.get("id").and_then(Value::as_str);
    let employee_id = employee_id(id.unwrap_or_default())?;
    let was_deleted = record.get("remote_was_deleted") == Some(&Value::Bool(true));
    Ok(EmployeeChange {
        tenant: tenant.clone(),
        kind: if was_deleted {
            ChangeKind::Deleted
        } else {
            kind
        },
        as_of: member(record, "modified_at", dates::instant)
            .value()
            .copied(),
        facts: {
            let posted = position::posted(record, position, tenant, &employee_id);
            let facts = Facts {
                position: posted,
                ..facts(record, timezone)
            };
            without_gaps_of_shell(facts)
        },
        notification_only: false,
        linked_account: None,
        employee_id,
    })
}

/// Parses the facts of a record. Those of a deleted record are kept, since they are the last known ones.
fn facts(record: &Map<String, Value>, timezone: Tz) -> Facts {
    let status = member(record, "employment_status", |text| Some(status(text)));
    // Merge sends whole records, so a null or missing member is an empty fact.
    Facts {
        status,
        hire_date: hire_date(record, timezone),
        termination_date: member(record, "termination_date", |text| {
            dates::date_or_instant(text, timezone)
        }),
        // `personal_email` is never used: it does not identify an account.
        work_email: member(record, "work_email", work_email),
        ..Facts::default()
    }
}

/// Drops what a shell leaves empty: a record without a status has members that are null although the employee has values.
// https://docs-new.merge.dev/merge-unified/hris/data-management/ignore-model/ignore-create
fn without_gaps_of_shell(mut facts: Facts) -> Facts {
    if facts.status.value().is_none() {
        if facts.status == Field::Empty {
            facts.status = Field::Absent;
        }
        drop_empty(&mut facts);
    }
    facts
}

/// Parses a text member. It is empty if missing, null or blank.
fn member<T>(
    record: &Map<String, Value>,
    name: &str,
    parse: impl Fn(&str) -> Option<T>,
) -> Field<T> {
    match record.get(name) {
        None | Some(Value::Null) => Field::Empty,
        Some(Value::String(text)) if text.trim().is_empty() => Field::Empty,
        Some(Value::String(text)) => parse(text).map_or(Field::Unreadable, Field::Value),
        Some(_) => Field::Unreadable,
    }
}

fn status(text: &str) -> Status {
    let text = text.trim();
    match text.to_ascii_uppercase().as_str() {
        "ACTIVE" => Status::Active,
        "PENDING" => Status::Pending,
        "INACTIVE" => Status::Inactive,
        // Merge passes on the HR system's own word if it cannot map it: https://docs.merge.dev/use-cases/offboard
        _ => unknown_status(text),
    }
}

/// Parses the first day of the current employment: the later of `start_date` and `hire_date`.
fn hire_date(record: &Map<String, Value>, timezone: Tz) -> Field<NaiveDate> {
    // Both are documented as the most recent date after a rehire (GET /hris/v1/employees).
    let dates = ["start_date", "hire_date"]
        .map(|name| member(record, name, |text| dates::day_of(text, timezone)));
    match dates.iter().filter_map(Field::value).max() {
        Some(day) => Field::Value(*day),
        None if dates.contains(&Field::Unreadable) => Field::Unreadable,
        None => Field::Empty,
    }
}
