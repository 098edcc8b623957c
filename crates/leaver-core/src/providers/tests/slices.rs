//! Bodies with many entries, and bodies that would take much memory if all of their values were kept.

use std::fmt::Write;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{provider_config, shapes};
use crate::domain::{EmployeeChange, Field, Provider};
use crate::providers::json_repair::repaired;
use crate::providers::*;

fn open_with(max: usize, body: &[u8]) -> Result<Opened, ParseError> {
    let body = Bytes::copy_from_slice(body);
    open(&provider_config(Provider::BambooHr), &body, max)
}

fn many(max: usize, body: &[u8]) -> Entries {
    match open_with(max, body).unwrap() {
        Opened::Many(entries) => *entries,
        Opened::Parsed(few) => panic!("{few:?}"),
    }
}

fn few(body: &[u8]) -> Changes {
    match normalize(&provider_config(Provider::BambooHr), body).unwrap() {
        Parsed::Changes(changes) => changes,
        Parsed::Ignored(ignored) => panic!("{ignored}"),
    }
}

/// Returns all changes, read in parts of at most `max` entries.
fn in_parts(entries: &Entries, max: usize) -> Vec<EmployeeChange> {
    let parts = entries
        .employees()
        .flat_map(|employee| entries.parts(employee, max));
    parts.flat_map(|part| entries.changes(part)).collect()
}

/// Checks that the entries of a body are the same whether they are read at once or in parts.
fn check_parts(body: &[u8], max: usize) {
    let whole = normalize(&provider_config(Provider::BambooHr), body);
    let opened = open_with(max, body);
    let entries = match opened {
        Ok(Opened::Many(entries)) => entries,
        Ok(Opened::Parsed(parsed)) => return assert_eq!(Ok(parsed), whole),
        Err(error) => return assert_eq!(Err(error), whole),
    };
    let Ok(Parsed::Changes(mut whole)) = whole else {
        panic!("{whole:?}");
    };
    assert!(whole.changes.len() > max);
    assert_eq!(entries.count(), whole.changes.len());
    assert_eq!(entries.has_event_times(), whole.has_event_times());
    let (bad, more) = entries.bad_entries();
    assert_eq!((bad, more), (&*whole.bad_entries, whole.more_bad_entries));
    // By employee; the entries of one employee keep their order.
    whole
        .changes
        .sort_by(|one, other| one.employee_id.cmp(&other.employee_id));
    assert_eq!(in_parts(&entries, max.max(1)), whole.changes);
    let mut ids: Vec<&str> = whole
        .changes
        .iter()
        .map(|c| c.employee_id.as_str())
        .collect();
    ids.dedup();
    assert_eq!(entries.ids().collect::<Vec<_>>(), ids);
    for id in ids {
        let first = entries.find(id).unwrap();
        let changes = entries.changes(entries.employee_at(first));
        assert!(
            changes
                .iter()
                .all(|change| change.employee_id.as_str() == id)
        );
    }
}

#[test]
fn many_entries_are_read_by_employee() {
    let entry = |id: &str, status: &str| json!({"id": id, "fields": {"status": status}});
    let list = [
        entry("b", "Active"),
        entry("a", "Active"),
        json!("none"),
        entry("b", "Inactive"),
    ];
    let body = json!({ "employees": list }).to_string();
    let entries = many(2, body.as_bytes());
    assert_eq!((entries.count(), entries.len()), (3, 3));
    assert_eq!(entries.ids().collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(entries.employees().collect::<Vec<_>>(), [0..1, 1..3]);
    assert_eq!(entries.bad_entries().0[0].position, 2);
    let of_b = entries.changes(1..3);
    let statuses: Vec<_> = of_b.iter().map(|change| &change.facts.status).collect();
    assert_eq!(
        statuses,
        [
            &Field::Value(crate::domain::Status::Active),
            &Field::Value(crate::domain::Status::Inactive)
        ]
    );
    assert!(entries.find("c").is_none());
    check_parts(body.as_bytes(), 2);
}

#[test]
fn keys_of_a_form_can_be_interleaved() {
    let mut body = String::new();
    for field in ["status", "workEmail", "jobTitle"] {
        for id in 0..30 {
            write!(body, "employees%5B{id}%5D%5B{field}%5D=v{id}%40x&").unwrap();
        }
    }
    body.push_str("employees[7 ][status]=Active&employees[][status]=Active");
    let entries = many(5, body.as_bytes());
    assert_eq!(entries.count(), 31);
    assert_eq!(entries.ids().count(), 30);
    check_parts(body.as_bytes(), 5);
}

#[test]
fn only_the_first_bad_entries_are_kept() {
    let body = format!(
        r#"{{"employees": [{}{{"id": "1"}}]}}"#,
        "1,".repeat(100_000)
    );
    let read = few(body.as_bytes());
    assert_eq!((read.changes.len(), read.bad_entries.len()), (1, 100));
    assert_eq!(read.more_bad_entries, 100_000 - 100);
}

#[test]
fn values_that_are_not_needed_are_skipped_at_any_depth() {
    let deep = format!("{}1{}", "[".repeat(50_000), "]".repeat(50_000));
    let wide = format!("[{}1]", "1,".repeat(100_000));
    for junk in [&deep, &wide] {
        let body = format!(
            r#"{{"junk": {junk}, "employees": [{{"junk": {junk}, "id": "1", "fields": {{"status": "Inactive", "note": {junk}}}}}]}}"#
        );
        let read = few(body.as_bytes());
        assert_eq!(read.changes.len(), 1);
        assert!(read.changes[0].facts.status.value().is_some());
        let body = format!(
            r#"{{"hook": {{"event": "Employee.changed"}}, "data": {{"id": "1", "junk": {junk}, "employment_status": "INACTIVE"}}}}"#
        );
        let merge = normalize(&provider_config(Provider::Merge), body.as_bytes());
        assert!(matches!(merge, Ok(Parsed::Changes(read)) if read.changes.len() == 1));
    }
}

#[test]
fn a_cut_text_is_not_taken_for_a_whole_one() {
    let padded = |text: &str| format!("{text}{}x", " ".repeat(10_000));
    let fields = json!({"status": padded("Inactive"), "terminationDate": padded("2026-11-20")});
    let body = json!({"employees": [{"id": "1", "fields": fields}]}).to_string();
    let change = few(body.as_bytes()).changes.remove(0);
    assert!(!matches!(
        change.facts.status,
        Field::Value(crate::domain::Status::Inactive)
    ));
    assert_eq!(change.facts.termination_date, Field::Unreadable);
    let id = padded("1");
    let body = json!({"employees": [{"id": id}]}).to_string();
    assert_eq!(
        few(body.as_bytes()).bad_entries[0].cause,
        EntryError::UnusableId
    );
    let form = format!(
        "employees[1][status]={}",
        padded("Inactive").replace(' ', "+")
    );
    let change = few(form.as_bytes()).changes.remove(0);
    assert!(!matches!(
        change.facts.status,
        Field::Value(crate::domain::Status::Inactive)
    ));
}

#[test]
fn an_entry_with_thousands_of_fields_is_refused_and_no_other() {
    let names = |count: usize| -> Value {
        let member = |n| (format!("f{n}"), json!("v"));
        Value::Object((0..count).map(member).collect())
    };
    let mut fields = names(500);
    fields["status"] = json!("Inactive");
    let body = json!({"employees": [{"id": "1", "fields": fields}, {"id": "2", "fields": names(3_000)},
        {"id": "3", "changedFields": vec!["a"; 3_000]}]});
    let read = few(body.to_string().as_bytes());
    assert_eq!(read.changes.len(), 1);
    let causes: Vec<_> = read.bad_entries.iter().map(|bad| &bad.cause).collect();
    assert_eq!(
        causes,
        [
            &EntryError::UnreadableMember("fields"),
            &EntryError::UnreadableMember("changedFields")
        ]
    );
    let mut form = String::from("employees[1][status]=Inactive");
    for n in 0..3_000 {
        write!(form, "&employees[2][f{n}]=v").unwrap();
    }
    let read = few(form.as_bytes());
    assert_eq!(read.changes.len(), 1);
    assert_eq!(
        read.bad_entries[0].cause,
        EntryError::UnreadableMember("fields")
    );
}

#[test]
fn a_page_with_thousands_of_records_is_refused() {
    let tenant = crate::domain::Tenant::new("acme");
    let page = |count: usize| {
        let record = json!({"id": "1", "employment_status": "ACTIVE"});
        let body = json!({"results": vec![record; count], "next": null}).to_string();
        merge_page(
            body.as_bytes(),
            &PositionFacts::NONE,
            &tenant,
            chrono_tz::Tz::UTC,
        )
    };
    assert_eq!(page(100).unwrap().changes.len(), 100);
    assert!(matches!(page(3_000), Err(InvalidResponse::WrongShape(_))));
}

#[test]
fn a_list_of_changes_has_a_longest_length() {
    let entry = r#"{"id":1},"#;
    let list = |count: usize| {
        format!(
            r#"{{"latest":"","employees":[{}{{"id":1}}]}}"#,
            entry.repeat(count)
        )
    };
    assert_eq!(
        bamboohr_changed(list(1_000).as_bytes())
            .unwrap()
            .employees
            .len(),
        1_001
    );
    assert!(bamboohr_changed(list(400_000).as_bytes()).is_err());
}

proptest! {
    #[test]
    fn parts_of_any_body_are_the_whole(body in shapes(), max in 0_usize..3) {
        check_parts(body.to_string().as_bytes(), max);
        let body = json!({"employees": [body.clone(), {"id": "2"}, {"id": 1, "fields": body}, {"id": "2"}]});
        check_parts(body.to_string().as_bytes(), max);
        let body = json!({"employees": {"7": {"fields": body}, "8": {"id": "8"}}});
        check_parts(body.to_string().as_bytes(), max);
    }

    #[test]
    fn parts_of_any_form_are_the_whole(
        form in "(&?employees\\[(1|2|2\\+|%33|%FF)\\](\\[(status|action|x|changedFields)\\])?(\\[\\])?=(a|Active|%FF)?){0,12}",
        max in 0_usize..3,
    ) {
        check_parts(form.as_bytes(), max);
    }

    #[test]
    fn a_repair_at_most_triples_a_text(bytes: Vec<u8>, text in r#"("|\\|\\u|d83d|[.,:]|[\x00-\x1f]|1e999|[a-z]){0,60}"#) {
        for text in [&bytes[..], text.as_bytes()] {
            let length = repaired(text).map_or(0, |repaired| repaired.len());
            prop_assert!(length <= 3 * text.len() + 5, "{length} of {}", text.len());
        }
    }
}
