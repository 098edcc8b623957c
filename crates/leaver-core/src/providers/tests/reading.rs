//! Checks that an unreadable part spoils whatever needs it, and nothing else.

use serde_json::json;

use super::*;
use crate::domain::{Facts, Field, Status};

const MARK: &[u8] = b"\xEF\xBB\xBF";

/// Texts that are JSON but for themselves, as the value of a member.
const UNREADABLE: [&[u8]; 12] = [
    br#""Ana \ud83d""#,
    br#""\udc00na""#,
    br#""\ud83d\ud83d""#,
    br#""An\x61""#,
    br#""An\u6""#,
    b"\"An\xE9\"",
    b"\"An\xF0\x9F\x98\"",
    b"NaN",
    b"-Infinity",
    b"1e999",
    b"007",
    b"+1",
];

fn replaced(body: &str, with: &[u8]) -> Vec<u8> {
    let (before, after) = body.split_once('?').unwrap();
    [before.as_bytes(), with, after.as_bytes()].concat()
}

fn read(provider: Provider, body: &[u8]) -> Changes {
    match normalize(&provider_config(provider), body) {
        Ok(Parsed::Changes(changes)) => changes,
        other => panic!("{}: {other:?}", String::from_utf8_lossy(body)),
    }
}

fn facts(provider: Provider, body: &[u8]) -> Facts {
    let mut read = read(provider, body);
    assert_eq!((read.changes.len(), read.bad_entries.len()), (1, 0));
    read.changes.remove(0).facts
}

fn bad_entry(provider: Provider, body: &[u8]) -> EntryError {
    let read = read(provider, body);
    assert_eq!(read.changes, []);
    read.bad_entries[0].cause.clone()
}

#[test]
fn byte_order_mark_is_skipped() {
    for (provider, body) in [
        (
            Provider::BambooHr,
            r#"{"employees": [{"id": "1", "fields": {"status": "Inactive"}}]}"#,
        ),
        (Provider::BambooHr, "employees[1][status]=Inactive"),
        (Provider::BambooHr, "%EF%BB%BFemployees[1][status]=Inactive"),
        (
            Provider::Merge,
            r#"{"hook": {"event": "Employee.changed"}, "data": {"id": "1", "employment_status": "INACTIVE"}}"#,
        ),
    ] {
        for mark in [MARK, b" \xEF\xBB\xBF\xEF\xBB\xBF\r\n", b""] {
            let marked = [mark, body.as_bytes()].concat();
            assert_eq!(
                facts(provider, &marked).status,
                Field::Value(Status::Inactive)
            );
        }
        assert_eq!(
            normalize(&provider_config(provider), MARK),
            Ok(Parsed::Ignored(Ignored::Empty))
        );
    }
}

#[test]
fn byte_order_mark_of_an_api_response_is_skipped() {
    let marked = |body: &str| [MARK, body.as_bytes()].concat();
    let tenant = Tenant::new("acme");
    let id = crate::domain::EmployeeId::new("7");
    let as_of = chrono::DateTime::UNIX_EPOCH;

    let changed = bamboohr_changed(&marked(r#"{"employees": {"7": {"id": "7"}}}"#)).unwrap();
    assert_eq!(changed.employees.len(), 1);
    let body = marked(r#"{"id": "7", "status": "Inactive"}"#);
    assert!(
        bamboohr_employee(
            &body,
            &id,
            as_of,
            &PositionFacts::NONE,
            &tenant,
            chrono_tz::Tz::UTC
        )
        .unwrap()
        .is_ok()
    );
    assert_eq!(bamboohr_webhook_log(&marked("[]")), Ok(vec![]));
    let page = r#"{"results": [{"id": "7", "employment_status": "INACTIVE"}]}"#;
    assert_eq!(
        merge_page(
            &marked(page),
            &PositionFacts::NONE,
            &tenant,
            chrono_tz::Tz::UTC
        )
        .unwrap()
        .changes
        .len(),
        1
    );
    let connection = merge_connection(&marked(r#"{"status": "COMPLETE"}"#)).unwrap();
    assert_eq!(connection.status, ConnectionStatus::Complete);
    let error = marked(r#"{"error": {"code": 429}}"#);
    assert_eq!(error_in_success(&error), Some(429));
}

#[test]
fn unreadable_member_that_is_not_needed_is_ignored() {
    for unreadable in UNREADABLE {
        for (provider, body) in [
            (
                Provider::BambooHr,
                r#"{"note": ?, "employees": [{"id": "1", "fields": {"status": "Inactive"}}]}"#,
            ),
            (
                Provider::BambooHr,
                r#"{"employees": [{"id": "1", "fields": {"firstName": ?, "status": {"value": "Inactive"}}}]}"#,
            ),
            (
                Provider::Merge,
                r#"{"hook": {"event": "Employee.changed"}, "linked_account": {"integration": ?},
                    "data": {"id": "1", "employment_status": "INACTIVE"}}"#,
            ),
            (
                Provider::Merge,
                r#"{"hook": {"event": "Employee.changed"},
                    "data": {"id": "1", "groups": [[?]], "employment_status": "INACTIVE"}}"#,
            ),
        ] {
            let body = replaced(body, unreadable);
            assert_eq!(
                facts(provider, &body).status,
                Field::Value(Status::Inactive)
            );
        }
    }
}

#[test]
fn unreadable_needed_member_spoils_its_entry_only() {
    for unreadable in UNREADABLE {
        for (entry, cause) in [
            (r#"{"id": ?}"#, EntryError::UnreadableMember("id")),
            (
                r#"{"id": "1", "action": ?}"#,
                EntryError::UnreadableMember("action"),
            ),
            (
                r#"{"id": "1", "timestamp": ?}"#,
                EntryError::UnreadableMember("timestamp"),
            ),
            (
                r#"{"id": "1", "fields": {"Status": ?}}"#,
                EntryError::UnreadableMember("status"),
            ),
            (
                r#"{"id": "1", "fields": {"terminationDate": {"value": ?}}}"#,
                EntryError::UnreadableMember("termination_date"),
            ),
            (
                r#"{"id": "1", "fields": {"workEmail": ?}}"#,
                EntryError::UnreadableMember("work_email"),
            ),
        ] {
            let body = format!(r#"{{"employees": [{{"id": "7"}}, {entry}, {{"id": "9"}}]}}"#);
            let read = read(Provider::BambooHr, &replaced(&body, unreadable));
            let ids: Vec<_> = read
                .changes
                .iter()
                .map(|one| one.employee_id.as_str())
                .collect();
            assert_eq!(ids, ["7", "9"]);
            assert_eq!(read.bad_entries, [InvalidEntry { position: 1, cause }]);
        }
        for name in [
            "id",
            "employment_status",
            "termination_date",
            "hire_date",
            "work_email",
            "modified_at",
        ] {
            let record = format!(r#"{{"other": "1", "{name}": ?}}"#);
            let body = format!(r#"{{"hook": {{"event": "Employee.changed"}}, "data": {record}}}"#);
            let cause = bad_entry(Provider::Merge, &replaced(&body, unreadable));
            assert_eq!(cause, EntryError::UnreadableMember(name));
            let page = format!(
                r#"{{"results": [{record}, {{"id": "9", "employment_status": "ACTIVE"}}]}}"#
            );
            let page = merge_page(
                &replaced(&page, unreadable),
                &PositionFacts::NONE,
                &Tenant::new("acme"),
                chrono_tz::Tz::UTC,
            )
            .unwrap();
            assert_eq!((page.changes.len(), page.bad_entries.len()), (1, 1));
        }
    }
}

#[test]
fn repeated_needed_member_is_refused() {
    for (entry, name) in [
        (r#"{"id": "1", "id": "2"}"#, "id"),
        (
            r#"{"id": "1", "fields": {}, "fields": {"status": "Active"}}"#,
            "fields",
        ),
        (
            r#"{"id": "1", "fields": {"status": "Active", "status": "Inactive"}}"#,
            "status",
        ),
    ] {
        let body = format!(r#"{{"employees": [{entry}, {{"id": "9"}}]}}"#);
        let read = read(Provider::BambooHr, body.as_bytes());
        assert_eq!(read.changes.len(), 1);
        assert_eq!(
            read.bad_entries[0].cause,
            EntryError::UnreadableMember(name)
        );
    }
    let form =
        "employees[1][status]=Active&employees[2][status]=Active&employees[1][status]=Inactive";
    let forms = read(Provider::BambooHr, form.as_bytes());
    assert_eq!(forms.changes[0].employee_id.as_str(), "2");
    assert_eq!(
        forms.bad_entries[0].cause,
        EntryError::UnreadableMember("status")
    );

    let refused = |provider, body: &str| normalize(&provider_config(provider), body.as_bytes());
    for (provider, body, name) in [
        (
            Provider::BambooHr,
            r#"{"employees": [], "employees": []}"#,
            "employees",
        ),
        (
            Provider::BambooHr,
            "type=employee.created&type=employee.deleted",
            "type",
        ),
        (
            Provider::Merge,
            r#"{"hook": {"event": "a", "event": "b"}}"#,
            "event",
        ),
        (
            Provider::Merge,
            r#"{"hook": {}, "data": {}, "data": {}}"#,
            "data",
        ),
        (
            Provider::Merge,
            r#"{"hook": {}, "linked_account": {"id": "a", "id": "b"}}"#,
            "id",
        ),
    ] {
        assert_eq!(
            refused(provider, body),
            Err(ParseError::UnreadableMember(name)),
            "{body}"
        );
    }
    let other =
        r#"{"employees": [{"id": "1", "fields": {"note": 1, "note": 2, "status": "Active"}}]}"#;
    let status = facts(Provider::BambooHr, other.as_bytes()).status;
    assert_eq!(status, Field::Value(Status::Active));
}

#[test]
fn unreadable_part_of_a_form_spoils_its_entry_only() {
    let body = b"employees[1][status]=In\xFFactive&employees[2][firstName]=%FF&employees[2][status]=Inactive\
        &employees[3%FF][status]=Inactive";
    let read = read(Provider::BambooHr, body);
    assert_eq!(read.changes.len(), 1);
    assert_eq!(read.changes[0].employee_id.as_str(), "2");
    assert_eq!(read.changes[0].facts.status, Field::Value(Status::Inactive));
    let causes: Vec<_> = read
        .bad_entries
        .iter()
        .map(|bad| bad.cause.clone())
        .collect();
    assert_eq!(
        causes,
        [
            EntryError::UnreadableMember("status"),
            EntryError::UnusableId
        ]
    );
}

#[test]
fn unreadable_field_of_an_api_record_spoils_it() {
    let (id, tenant) = (crate::domain::EmployeeId::new("7"), Tenant::new("acme"));
    let as_of = chrono::DateTime::UNIX_EPOCH;
    let employee = |body: &[u8]| {
        bamboohr_employee(
            body,
            &id,
            as_of,
            &PositionFacts::NONE,
            &tenant,
            chrono_tz::Tz::UTC,
        )
    };
    for unreadable in UNREADABLE {
        let body = replaced(
            r#"{"id": "7", "status": ?, "workEmail": "a@acme.example"}"#,
            unreadable,
        );
        assert_eq!(
            employee(&body),
            Ok(Err(EntryError::UnreadableMember("status")))
        );
        let body = replaced(
            r#"{"id": "7", "status": "Inactive", "firstName": ?}"#,
            unreadable,
        );
        assert!(employee(&body).unwrap().is_ok());
        let body = replaced(
            r#"{"employees": {"7": {"id": ?}, "8": {"id": "8"}}, "latest": ""}"#,
            unreadable,
        );
        let changed = bamboohr_changed(&body).unwrap();
        assert_eq!((changed.employees.len(), changed.bad_entries.len()), (1, 1));
        let body = replaced(r#"{"results": [], "next": ?}"#, unreadable);
        assert!(merge_page(&body, &PositionFacts::NONE, &tenant, chrono_tz::Tz::UTC).is_err());
    }
}

#[test]
fn id_that_is_no_whole_number_of_64_bits_is_refused() {
    for id in ["1e2", "7.5", "99999999999999999999", "-1e400"] {
        let body = format!(r#"{{"employees": [{{"id": {id}}}]}}"#);
        bad_entry(Provider::BambooHr, body.as_bytes());
    }
    let largest = json!({"employees": [{"id": u64::MAX}]}).to_string();
    let read = read(Provider::BambooHr, largest.as_bytes());
    assert_eq!(read.changes[0].employee_id.as_str(), u64::MAX.to_string());
}

#[test]
fn structure_is_not_repaired() {
    for broken in [
        r#"{"employees": [{"id": "1", "note": "\ud83d"}]"#,
        r#"{"employees": [{"id": "1", "note": NaN"#,
        r#"{"employees": [{"id": "1", "note": nothing}]}"#,
        r#"{"employees": [{"id": "1", NaN: 1}]}"#,
        r#"{"employees": [{"id": "1"},]}"#,
        r#"{"employees": [NaN NaN]}"#,
        r#"{"employees": [{"id": "1"}]} NaN"#,
        r#"{"employees": [{"id": "1\"#,
    ] {
        let parsed = normalize(&provider_config(Provider::BambooHr), broken.as_bytes());
        assert!(
            matches!(parsed, Err(ParseError::NotJson { .. })),
            "{broken}: {parsed:?}"
        );
    }
    let deep = format!(r#"{{"employees": [{}NaN"#, "[".repeat(10_000));
    let parsed = normalize(&provider_config(Provider::Merge), deep.as_bytes());
    assert!(matches!(parsed, Err(ParseError::NotJson { .. })));
}
