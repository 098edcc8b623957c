//! Merge's bodies: an envelope, and in it an Employee record as a whole. Relations may be ids, objects or
//! null and members come and go, so only what is used is looked at, and a member of another type than
//! expected says nothing.

use chrono::NaiveDate;
use serde_json::{Map, Value};

use super::{
    Changes, EntryError, Ignored, InvalidEntry, ParseError, Tenancy, dates, employee_id, json,
    unknown_status, work_email,
};
use crate::domain::{ChangeKind, EmployeeChange, Facts, Field, Status, Tenant};

/// An envelope, opened.
pub(super) struct Event {
    /// `linked_account.id`, the customer's connection.
    pub(super) linked_account: Option<String>,
    is_test: bool,
    pub(super) subject: Result<Employee, Ignored>,
}

/// A record, and what the envelope says became of it.
pub(super) struct Employee {
    kind: ChangeKind,
    data: Value,
}

/// Reads a body that is not blank. A body without `hook` is the dashboard's test.
pub(super) fn read(body: &[u8]) -> Result<Event, ParseError> {
    let mut envelope = json::object(body)?;
    let subject = match envelope.get("hook") {
        None | Some(Value::Null) => Err(Ignored::Ping),
        Some(hook) => {
            let event = hook.get("event").and_then(Value::as_str);
            kind_of_event(event.unwrap_or_default())
        }
    };
    let data = envelope.remove("data").unwrap_or_default();
    let account = envelope.get("linked_account");
    let of_account = |name| account?.get(name)?.as_str();
    Ok(Event {
        linked_account: of_account("id").map(str::to_owned),
        is_test: of_account("account_type").is_some_and(|word| word.eq_ignore_ascii_case("TEST")),
        subject: subject.map(|kind| Employee { kind, data }),
    })
}

/// Names match as a whole: `Employment` is not an employee, and neither is `Employee.synced`. Merge's help
/// centre has `added`, `changed` and `removed`; other sentences of Merge's say it otherwise.
fn kind_of_event(text: &str) -> Result<ChangeKind, Ignored> {
    let text = text.trim().to_ascii_lowercase();
    let (model, verb) = text.split_once('.').unwrap_or((&text, ""));
    match (model, verb) {
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

pub(super) fn changes(event: &Event, tenancy: &Tenancy) -> Result<Changes, Ignored> {
    let employee = event.subject.as_ref().map_err(|not_ours| *not_ours)?;
    let tenant = tenancy.tenant_of(event.linked_account.as_deref(), event.is_test)?;
    let mut changes = Changes::default();
    match change(employee, tenant) {
        Ok(change) => changes.changes.push(change),
        Err(cause) => changes
            .bad_entries
            .push(InvalidEntry { position: 0, cause }),
    }
    Ok(changes)
}

pub(super) fn change(employee: &Employee, tenant: &Tenant) -> Result<EmployeeChange, EntryError> {
    record_change(&employee.data, employee.kind, tenant)
}

/// What a record says, in a delivery or on a page of the API: the two have the same shape.
pub(super) fn record_change(
    record: &Value,
    kind: ChangeKind,
    tenant: &Tenant,
) -> Result<EmployeeChange, EntryError> {
    let record = record.as_object().ok_or(EntryError::NotAnObject)?;
    let id = record.get("id").and_then(Value::as_str);
    let was_deleted = record.get("remote_was_deleted") == Some(&Value::Bool(true));
    Ok(EmployeeChange {
        tenant: tenant.clone(),
        employee_id: employee_id(id.unwrap_or_default())?,
        kind: if was_deleted {
            ChangeKind::Deleted
        } else {
            kind
        },
        as_of: member(record, "modified_at", dates::instant)
            .value()
            .copied(),
        facts: facts(record),
        notification_only: false,
    })
}

/// A deleted record's facts are kept: they are the last ones known.
fn facts(record: &Map<String, Value>) -> Facts {
    let status = member(record, "employment_status", |text| Some(status(text)));
    // Merge sends whole records, so what is null or missing has no value. A record without even a
    // status is a shell, though, and says nothing.
    let is_shell = status.value().is_none();
    let mut facts = Facts {
        status,
        hire_date: hire(record),
        termination_date: member(record, "termination_date", dates::moment),
        // A personal address never stands in for it.
        work_email: member(record, "work_email", work_email),
        ..Facts::default()
    };
    if is_shell {
        facts.status = Field::Absent;
        forget_empty(&mut facts.hire_date);
        forget_empty(&mut facts.termination_date);
        forget_empty(&mut facts.work_email);
    }
    facts
}

fn forget_empty<T>(posted: &mut Field<T>) {
    if matches!(posted, Field::Empty) {
        *posted = Field::Absent;
    }
}

/// A text member: empty when it is missing, null or blank, absent when it cannot be read.
fn member<T>(
    record: &Map<String, Value>,
    name: &str,
    read: impl Fn(&str) -> Option<T>,
) -> Field<T> {
    match record.get(name) {
        None | Some(Value::Null) => Field::Empty,
        Some(Value::String(text)) if text.trim().is_empty() => Field::Empty,
        Some(Value::String(text)) => read(text).map_or(Field::Absent, Field::Value),
        Some(_) => Field::Absent,
    }
}

fn status(text: &str) -> Status {
    let text = text.trim();
    match text.to_ascii_uppercase().as_str() {
        "ACTIVE" => Status::Active,
        "PENDING" => Status::Pending,
        "INACTIVE" => Status::Inactive,
        // Merge passes on the HR system's own word when it cannot map it.
        _ => unknown_status(text),
    }
}

/// Merge says of both dates that they are the most recent ones after a rehire; the later one is meant.
fn hire(record: &Map<String, Value>) -> Field<NaiveDate> {
    let dates = ["start_date", "hire_date"].map(|name| member(record, name, dates::day_in_utc));
    match dates.iter().filter_map(Field::value).max() {
        Some(day) => Field::Value(*day),
        None if dates.contains(&Field::Absent) => Field::Absent,
        None => Field::Empty,
    }
}
