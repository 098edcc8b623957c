//! Days and instants in all places where providers send them. An input is the text of one.

use chrono::{DateTime, NaiveDate, Utc};
use leaver_core::domain::{DateOrInstant, EmployeeChange, EmployeeId, Field, Provider, Tenant};
use leaver_core::providers::{PositionFacts, bamboohr_changed, bamboohr_employee, merge_sync_page};
use leaver_core::signature::Rejection;
use serde_json::{Value, json};

use super::signature::Request;
use super::{bamboohr, merge, sound};

/// Checks that a text has the same value in every place, and that common date formats are accepted.
pub fn check(input: &[u8]) {
    header(input);
    if let Ok(text) = std::str::from_utf8(input) {
        payload(text);
    }
}

/// Checks `X-BambooHR-Timestamp`: unix seconds or ISO 8601.
fn header(text: &[u8]) {
    let Some(request) = Request::signed_at(text, sound::now()) else {
        return;
    };
    let seconds = std::str::from_utf8(text).ok().map(str::parse::<i64>);
    match (request.sent_at(), seconds) {
        (Ok(Some(at)), Some(Ok(seconds))) => assert_eq!(at.timestamp(), seconds),
        (Ok(Some(at)), Some(Err(_))) => {
            if let Some(same) = rfc3339(text) {
                assert_eq!(at, same);
            }
            assert!(text.contains(&b'T') || text.contains(&b't') || text.contains(&b' '));
        }
        (Err(Rejection::MalformedTimestamp), Some(Err(_)) | None) => {
            assert_eq!(rfc3339(text), None);
        }
        (Err(Rejection::StaleTimestamp | Rejection::FutureTimestamp), Some(Ok(seconds))) => {
            assert_eq!(DateTime::from_timestamp(seconds, 0), None);
        }
        (verdict, _) => panic!("{verdict:?}"),
    }
}

fn rfc3339(text: &[u8]) -> Option<DateTime<Utc>> {
    let text = std::str::from_utf8(text).ok()?;
    let at = DateTime::parse_from_rfc3339(text).ok()?;
    Some(at.to_utc())
}

fn payload(text: &str) {
    // It stands for a character that could not be read, so no date is parsed.
    if text.contains(char::REPLACEMENT_CHARACTER) {
        return;
    }
    let by_bamboohr = of_bamboohr(text);
    let by_merge = of_merge(text);
    sound::all(std::slice::from_ref(&by_bamboohr), Provider::BambooHr);
    sound::all(std::slice::from_ref(&by_merge), Provider::Merge);
    assert_eq!(by_bamboohr.as_of, by_merge.as_of);
    if let Some(at) = rfc3339(text.trim().as_bytes()) {
        assert_eq!(
            by_merge.as_of.map(|at| at.timestamp_micros()),
            Some(at.timestamp_micros()),
            "a valid time is rejected"
        );
        assert!(by_merge.facts.termination_date.value().is_some());
    }
    if let Some(day) = plain_day(text.trim()) {
        let termination = Field::Value(DateOrInstant::Day(day));
        assert_eq!(by_bamboohr.facts.termination_date, termination);
        assert_eq!(by_merge.facts.termination_date, termination);
        assert_eq!(by_bamboohr.facts.hire_date, Field::Value(day));
        assert_eq!(by_merge.facts.hire_date, Field::Value(day));
    }
    // An invalid date never counts as "no date".
    if !text.trim().is_empty() && text.trim() != "0000-00-00" {
        assert_ne!(by_bamboohr.facts.termination_date, Field::Empty);
        assert_ne!(by_merge.facts.termination_date, Field::Empty);
    }
    check_responses(text, &by_bamboohr);
}

/// Parses a day of the form `YYYY-MM-DD`.
fn plain_day(text: &str) -> Option<NaiveDate> {
    let day = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
    (text.len() == 10 && day.to_string() == text).then_some(day)
}

fn of_bamboohr(text: &str) -> EmployeeChange {
    let body = json!({"employees": [{"id": "7", "timestamp": text, "fields": {
        "status": "Active", "terminationDate": text, "hireDate": text}}]});
    only(bamboohr::changes(&body.to_string()))
}

fn of_merge(text: &str) -> EmployeeChange {
    let body = json!({"hook": {"event": "Employee.changed"}, "data": {"id": "7", "modified_at": text,
        "employment_status": "ACTIVE", "termination_date": text, "hire_date": text}});
    only(merge::changes(&body.to_string()))
}

fn only(mut changes: Vec<EmployeeChange>) -> EmployeeChange {
    assert_eq!(changes.len(), 1);
    changes.remove(0)
}

/// Checks that API responses and deliveries are parsed alike.
fn check_responses(text: &str, delivered: &EmployeeChange) {
    let changed = json!({"latest": text, "employees": {"7": {"id": "7", "lastChanged": text}}});
    let changed = bamboohr_changed(&bytes(&changed)).expect("a list of changed employees");
    assert_eq!(changed.latest, delivered.as_of);
    assert_eq!(changed.employees[0].last_changed, delivered.as_of);

    let record = json!({"id": "7", "status": "Active", "terminationDate": text, "hireDate": text});
    let read = bamboohr_employee(
        &bytes(&record),
        &EmployeeId::new("7"),
        sound::now(),
        &PositionFacts::NONE,
        &Tenant::new("acme"),
        chrono_tz::Tz::UTC,
    );
    let read = read.expect("a record").expect("a record with a status");
    assert_eq!(
        read.change.facts.termination_date,
        delivered.facts.termination_date
    );
    assert_eq!(read.change.facts.hire_date, delivered.facts.hire_date);

    let syncs = json!({"results": [{"model_id": "hris.Employee", "last_sync_finished": text}]});
    let syncs = merge_sync_page(&bytes(&syncs)).expect("a page of sync states");
    assert_eq!(syncs.models[0].last_finished, delivered.as_of);
}

fn bytes(value: &Value) -> Vec<u8> {
    value.to_string().into_bytes()
}
