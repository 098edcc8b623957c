//! Webhooks that post fields under names that are not configured.

use super::*;

const OWN_NAMES: &str = r#"{"employees": [{"id": "1", "action": "Updated", "changedFields": ["employee_status"],
    "fields": {"employee_status": "Inactive", "work_email": "eva@acme.example"}}]}"#;

/// The only bad entry of a body without other entries, as text.
fn unmapped(body: &str) -> String {
    let read = changes(body);
    assert_eq!((read.changes.len(), read.bad_entries.len()), (0, 1));
    assert!(matches!(
        read.bad_entries[0].cause,
        EntryError::FieldsNotMapped(_)
    ));
    read.bad_entries[0].cause.to_string()
}

#[test]
fn unknown_posted_names_are_an_error_that_lists_them() {
    let form = "employees[1][changedFields][]=employee_status&employees[1][employee_status]=Inactive\
                &employees[1][work_email]=eva%40acme.example";
    for body in [OWN_NAMES, form] {
        let text = unmapped(body);
        assert!(text.starts_with(FIELDS_NOT_MAPPED), "{text}");
        assert!(text.contains("employee_status, work_email"), "{text}");
        assert!(text.contains("`sources.fields`"), "{text}");
        assert!(
            !text.contains("eva") && !text.contains("Inactive"),
            "{text}"
        );
    }
}

#[test]
fn one_known_name_is_enough() {
    let body = OWN_NAMES.replace("work_email", "workEmail");
    assert!(matches!(only(&body).facts.work_email, Field::Value(_)));
}

#[test]
fn standard_fields_that_are_not_needed_are_no_error() {
    for fields in [
        r#""First name": "Eva""#,
        r#""jobTitle": "x", "location": "y""#,
    ] {
        let body = format!(r#"{{"employees": [{{"id": "1", "fields": {{{fields}}}}}]}}"#);
        assert_eq!(only(&body).facts, Facts::default());
    }
    // Beside them, another name can be that of a needed field.
    let body = OWN_NAMES.replace(r#""fields": {"#, r#""fields": {"firstName": "Eva","#);
    unmapped(&body);
}

#[test]
fn a_change_that_is_read_anyway_needs_no_known_name() {
    // A known name among the changed fields, or a new employee: the API has the values.
    for body in [
        OWN_NAMES.replace(r#"["employee_status"]"#, r#"["status"]"#),
        OWN_NAMES.replace("Updated", "Created"),
    ] {
        assert!(only(&body).notification_only);
    }
    let deleted = only(&OWN_NAMES.replace("Updated", "Deleted"));
    assert_eq!(deleted.kind, ChangeKind::Deleted);
}

#[test]
fn many_long_names_are_cut_and_counted() {
    let fields: serde_json::Map<_, _> = (10..30)
        .map(|n| (format!("{n}{}\u{7}", "x".repeat(200)), json!("value")))
        .collect();
    let body = json!({"employees": [{"id": "1", "fields": fields}]});
    let text = unmapped(&body.to_string());
    assert!(text.contains("and 10 more"), "{text}");
    assert!(text.len() < 800 && !text.contains('\u{7}'), "{text}");
}

#[test]
fn facts_that_are_not_posted_are_named() {
    let names = FieldNames::default();
    let posted = ["Status", "hireDate", "eyeColor"].map(str::to_owned);
    assert_eq!(
        names.missing_among(&posted),
        ["employment_status", "termination_date", "work_email"]
    );
}
