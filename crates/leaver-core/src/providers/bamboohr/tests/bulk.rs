use chrono::{DateTime, Utc};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::domain::{DateOrInstant, Field, Status, Tenant};
use crate::providers::tests::day;
use crate::providers::*;

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn split(text: &[u8], size: usize) -> Result<Vec<ListPart>, InvalidResponse> {
    let mut list = JsonList::new("employees");
    let mut parts = vec![];
    for piece in text.chunks(size.max(1)) {
        parts.extend(list.push(piece)?);
    }
    list.finish()?;
    Ok(parts)
}

fn item(text: &str) -> ListPart {
    ListPart::Item(text.as_bytes().to_vec())
}

fn member(name: &str, text: &str) -> ListPart {
    ListPart::Member(name.to_owned(), text.as_bytes().to_vec())
}

#[test]
fn a_list_is_split_wherever_its_text_is_cut() {
    let text = "\u{feff} {\"title\": \"a ] } \\\" \\\\\" , \"n\":12,\"fields\":[{\"id\":\"x\"}],\n\"employees\":[{\"id\":\"1\",\"x\":\"]}\\\"\"},7 ,\"s\" ,null,[1,[2]]],\"last\":true}\n";
    let expected = vec![
        member("title", "\"a ] } \\\" \\\\\""),
        member("n", "12"),
        member("fields", "[{\"id\":\"x\"}]"),
        item("{\"id\":\"1\",\"x\":\"]}\\\"\"}"),
        item("7"),
        item("\"s\""),
        item("null"),
        item("[1,[2]]"),
        member("last", "true"),
    ];
    for size in 1..text.len() {
        assert_eq!(
            split(text.as_bytes(), size).as_ref(),
            Ok(&expected),
            "{size}"
        );
    }
}

#[test]
fn a_list_can_be_empty_or_a_map() {
    for (text, items) in [
        (r#"{"employees":[]}"#, vec![]),
        (r#"{"employees":{}}"#, vec![]),
        (
            r#"{"employees":{"7":{"id":7},"8":3}}"#,
            vec![item(r#"{"id":7}"#), item("3")],
        ),
        (r#"{"\u0065mployees":[1]}"#, vec![item("1")]),
    ] {
        assert_eq!(split(text.as_bytes(), 3), Ok(items), "{text}");
    }
}

#[test]
fn a_cut_text_is_truncated_at_every_byte() {
    let text = r#"{"a":[1,{"b":"c"}],"employees":[{"id":"1"},{"id":"2"}]}"#;
    for end in 0..text.len() {
        let cut = split(&text.as_bytes()[..end], 5);
        assert_eq!(cut, Err(InvalidResponse::Truncated), "{end}");
    }
}

#[test]
fn another_text_is_no_list() {
    let shape = |text: &str| {
        matches!(
            split(text.as_bytes(), 4),
            Err(InvalidResponse::WrongShape(_))
        )
    };
    assert!(shape("{}"));
    assert!(shape(r#"{"employees":null}"#));
    assert!(shape(r#"{"employees":[1],"employees":[2]}"#));
    for text in [
        "[]",
        "<html></html>",
        "7",
        r#"{"employees":[1]}{}"#,
        r#"{"employees":[1 2]}"#,
        r#"{"employees":[,1]}"#,
        r#"{"employees":[1,]}"#,
        r#"{"employees":[1],}"#,
        r#"{"employees" [1]}"#,
        r"{employees:[1]}",
    ] {
        assert_eq!(
            split(text.as_bytes(), 4),
            Err(InvalidResponse::NotJson),
            "{text}"
        );
    }
}

#[test]
fn a_long_item_is_skipped_without_being_stored() {
    let long = "x".repeat(100_000);
    let text = format!(
        r#"{{"employees":[{{"id":"1"}},{{"id":"2","x":"{long}"}},{{"id":"3"}}],"title":"{long}"}}"#
    );
    let parts = split(text.as_bytes(), 1_000).unwrap();
    assert_eq!(
        parts,
        [
            item(r#"{"id":"1"}"#),
            ListPart::LongItem,
            item(r#"{"id":"3"}"#)
        ]
    );
}

proptest! {
    #[test]
    fn any_json_is_split_as_it_is_parsed(values in prop::collection::vec(any_value(), 0..6), size in 1_usize..40) {
        let text = json!({"a": values, "employees": values, "z": values}).to_string();
        let parts = split(text.as_bytes(), size).unwrap();
        let items: Vec<Value> = parts
            .iter()
            .filter_map(|part| match part {
                ListPart::Item(text) => Some(serde_json::from_slice(text).unwrap()),
                _ => None,
            })
            .collect();
        prop_assert_eq!(items, values);
    }

    #[test]
    fn any_bytes_are_split_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), size in 1_usize..20) {
        let _split = split(&bytes, size);
    }
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::hash_map(".{0,4}", inner, 0..3)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

static NOTHING: PositionFacts = PositionFacts::NONE;

fn context(tenant: &Tenant) -> RowContext<'_> {
    RowContext {
        as_of: at("2026-11-22T12:00:00Z"),
        tenant,
        timezone: chrono_tz::Tz::UTC,
        position: &NOTHING,
    }
}

#[test]
fn a_field_is_listed_by_its_alias_or_its_label() {
    let withheld = |fields: Value| {
        bamboohr_report_withheld(fields.to_string().as_bytes(), &PositionFacts::NONE)
    };
    let all = json!([{"id": "status", "name": "x"}, {"id": "EmploymentHistoryStatus"}, {"id": "terminationDate"},
        {"id": 12, "name": "Hire Date"}, {"id": "workEmail", "type": "email", "name": "Work Email"}]);
    assert_eq!(withheld(all), Ok(vec![]));
    let few = json!([{"id": "status"}, {"id": "hireDate"}]);
    let missing = vec!["employmentHistoryStatus", "terminationDate", "workEmail"];
    assert_eq!(withheld(few), Ok(missing));
    assert_eq!(withheld(json!([])).unwrap().len(), 5);
    assert!(withheld(json!({"status": 1})).is_err());
}

#[test]
fn a_withheld_field_of_a_row_is_absent_whatever_it_has() {
    let tenant = Tenant::new("widgets");
    let row = json!({"id": 7, "status": "Active", "employmentHistoryStatus": "Full-Time", "terminationDate": null,
        "hireDate": "2020-01-05", "workEmail": "dana@widgets.example"});
    let row = row.to_string();
    let read = bamboohr_report_row(row.as_bytes(), &[], &context(&tenant)).unwrap();
    assert_eq!(read.change.employee_id.as_str(), "7");
    assert_eq!(read.change.facts.termination_date, Field::Empty);
    assert!(read.restricted_fields.is_empty());
    let withheld = ["terminationDate"];
    let read = bamboohr_report_row(row.as_bytes(), &withheld, &context(&tenant)).unwrap();
    assert_eq!(read.change.facts.termination_date, Field::Absent);
    assert_eq!(read.restricted_fields, withheld);
}

#[test]
fn a_dataset_has_other_names_and_no_future() {
    let fields = [
        ("id", "Id"),
        ("eeid", "EEID"),
        ("status", "Status"),
        ("employmentStatus", "Job"),
        ("terminationDate", "Termination Date"),
        ("hireDate", "Started on"),
        ("homeEmail", "Home Email"),
        ("email", "Work Email"),
        ("jobStatus", "Status"),
    ];
    let fields: Vec<(String, String)> = fields
        .map(|(name, label)| (name.to_owned(), label.to_owned()))
        .into();
    let found = DatasetFields::among(&fields, &PositionFacts::NONE).unwrap();
    let names: Vec<&str> = found.names.iter().map(|(_, name)| name.as_str()).collect();
    assert_eq!(found.id, "eeid");
    assert_eq!(
        names,
        [
            "status",
            "employmentStatus",
            "terminationDate",
            "hireDate",
            "email"
        ]
    );
    assert_eq!(
        DatasetFields::among(&fields[..2], &PositionFacts::NONE),
        Err("status")
    );
    assert_eq!(
        DatasetFields::among(&fields[2..], &PositionFacts::NONE),
        Err("the employee id")
    );
    let tenant = Tenant::new("widgets");
    let row = |date: Value| {
        let row = json!({"fields": {"eeid": "9", "id": "4711", "status": "Active", "employmentStatus": "Full-Time",
            "terminationDate": date, "hireDate": "2020-01-05", "email": "dana@widgets.example"}});
        found
            .row(row.to_string().as_bytes(), &context(&tenant))
            .unwrap()
            .change
    };
    for nothing in [json!(null), json!(""), json!("0000-00-00")] {
        let change = row(nothing);
        assert_eq!(change.employee_id.as_str(), "9");
        assert_eq!(change.facts.status, Field::Value(Status::Active));
        assert_eq!(change.facts.termination_date, Field::Absent);
    }
    let date = DateOrInstant::Day(day("2026-11-30"));
    assert_eq!(
        row(json!("2026-11-30")).facts.termination_date,
        Field::Value(date)
    );
}

#[test]
fn the_id_of_a_dataset_has_one_name_or_one_label() {
    let id_of = |fields: &[(&str, &str)]| {
        let needed = BAMBOOHR_FIELDS.map(|alias| (alias, ""));
        let fields = fields.iter().copied().chain(needed);
        let fields: Vec<(String, String)> = fields
            .map(|(name, label)| (name.to_owned(), label.to_owned()))
            .collect();
        DatasetFields::among(&fields, &PositionFacts::NONE).map(|found| found.id)
    };
    assert_eq!(id_of(&[("id", "EEID"), ("eeid", "")]).unwrap(), "eeid");
    assert_eq!(id_of(&[("employeeId", " eeid ")]).unwrap(), "employeeId");
    for other in [
        ("id", "Id"),
        ("employeeId", "Employee ID"),
        ("employeeNumber", "EEID"),
    ] {
        assert!(id_of(&[other]).is_err(), "{other:?}");
    }
}

#[test]
fn a_page_of_a_dataset_shows_whether_another_follows() {
    let followed = |meta: Value, links: Value, rows: usize| {
        let mut place = DatasetPlace::default();
        place.take("meta", meta.to_string().as_bytes()).unwrap();
        place.take("links", links.to_string().as_bytes()).unwrap();
        place.is_followed(1, rows)
    };
    let (none, next) = (json!({"next": null}), json!({"next": "https://x"}));
    assert_eq!(followed(json!({}), json!(null), 5), None);
    assert_eq!(followed(json!({"totalItems": 6}), json!([]), 5), Some(true));
    assert_eq!(
        followed(json!({"totalItems": 5}), json!([]), 5),
        Some(false)
    );
    assert_eq!(
        followed(json!({"totalPages": 2}), none.clone(), 5),
        Some(true)
    );
    assert_eq!(
        followed(json!({"totalPages": 1}), next.clone(), 5),
        Some(true)
    );
    assert_eq!(followed(json!({}), next, 5), Some(true));
    assert_eq!(followed(json!({}), json!({"prev": "x"}), 5), Some(false));
    assert_eq!(
        followed(json!({"totalPages": 1, "totalItems": 9}), none, 5),
        Some(false)
    );
    assert!(DatasetPlace::default().take("meta", b"[]").is_err());
}
