use serde_json::{Value, json};

use crate::domain::EmployeeId;
use crate::providers::*;

fn bytes(value: &Value) -> Vec<u8> {
    value.to_string().into_bytes()
}

fn log_of(entry: &Value) -> Result<Vec<LogEntry>, InvalidResponse> {
    bamboohr_webhook_log(&bytes(&json!([entry])))
}

#[test]
fn webhook_list_is_parsed() {
    let list = json!({"webhooks": [
        {"id": "4", "name": "Leaver", "created": "2026-11-01 08:00:00", "lastSent": null, "url": "https://h/webhooks/b"},
        {"id": 5, "name": "Old", "created": "2026-11-01 08:00:00", "lastSent": "2026-11-22 11:58:03", "url": "https://h/x"},
    ]});
    let hooks = bamboohr_webhooks(&bytes(&list)).unwrap();
    assert_eq!((hooks[0].id.as_str(), hooks[0].last_sent), ("4", None));
    assert_eq!(
        (hooks[1].id.as_str(), hooks[1].last_sent),
        ("5", Some("2026-11-22T11:58:03Z".parse().unwrap()))
    );
    assert_eq!(bamboohr_webhooks(br#"{"webhooks":[]}"#), Ok(vec![]));
    for bad in [
        r"[]",
        r"{}",
        r#"{"webhooks":[7]}"#,
        r#"{"webhooks":[{"id":"../7"}]}"#,
        r#"{"webhooks":[{"name":"no id"}]}"#,
        r#"{"webhooks":["#,
    ] {
        assert!(bamboohr_webhooks(bad.as_bytes()).is_err(), "{bad}");
    }
}

#[test]
fn webhook_config_lists_denied_fields() {
    let shown = json!({"id": "4", "name": "Leaver", "created": "2026-11-01 08:00:00", "lastSent": null,
        "url": "https://h/webhooks/b", "format": "json", "includeCompanyDomain": true,
        "events": ["employee.updated"], "monitorFields": ["status"], "postFields": {"hireDate": "hireDate"},
        "errors": [{"error": "Permission denied to the following fields", "postFields": [{"id": 2, "name": "lastName"}],
                    "monitorFields": [{"id": "4047", "name": "status"}]}]});
    let config = bamboohr_webhook(&bytes(&shown)).unwrap();
    assert_eq!(config.monitor_fields, ["status"]);
    assert_eq!(
        config.post_fields,
        [("hireDate".to_owned(), "hireDate".to_owned())]
    );
    assert!(config.include_company_domain);
    assert_eq!(
        config.denied.description(),
        "monitored: status; posted: lastName"
    );
    // A webhook for created employees only, without denied fields.
    let plain =
        json!({"id": "4", "monitorFields": null, "postFields": [], "events": ["employee.created"]});
    let config = bamboohr_webhook(&bytes(&plain)).unwrap();
    assert!(config.monitor_fields.is_empty() && config.denied.is_empty());
}

#[test]
fn debug_hides_the_key_of_a_new_webhook() {
    let made =
        json!({"id": "4", "name": "Leaver", "url": "https://h/", "privateKey": "key-sentinel"});
    let made = bamboohr_new_webhook(&bytes(&made)).unwrap();
    assert!(!format!("{made:?}").contains("key-sentinel"));
    for keyless in [json!({"id": "4"}), json!({"id": "4", "privateKey": ""})] {
        assert!(bamboohr_new_webhook(&bytes(&keyless)).is_err());
    }
}

#[test]
fn log_time_can_be_a_text() {
    let entry = json!({"webhookId": "4", "url": "https://h/", "lastAttempted": "2026-11-22 11:58:03",
        "lastSuccess": "Webhook Not Found", "statusCode": "503", "format": "json", "employeeIds": ["135", 7]});
    let log = log_of(&entry).unwrap();
    assert_eq!(
        log[0],
        LogEntry {
            last_attempted: LogTime::At("2026-11-22T11:58:03Z".parse().unwrap()),
            last_success: LogTime::Text("Webhook Not Found".to_owned()),
            status: "503".to_owned(),
            employee_ids: vec![EmployeeId::new("135"), EmployeeId::new("7")],
        }
    );
    assert_eq!(bamboohr_webhook_log(b"[]"), Ok(vec![]));
}

#[test]
fn log_employee_ids_can_be_an_object_or_null() {
    for (ids, wanted) in [
        (json!({"0": "135", "2": 7}), &["135", "7"][..]),
        (json!(null), &[]),
        (json!([]), &[]),
    ] {
        let log = log_of(&json!({"employeeIds": ids})).unwrap();
        let found: Vec<&str> = log[0].employee_ids.iter().map(EmployeeId::as_str).collect();
        assert_eq!(found, wanted);
    }
}

#[test]
fn accepted_needs_2xx_or_a_success_after_the_last_attempt() {
    let (early, late) = ("2026-11-22 11:00:00", "2026-11-22 12:00:00");
    let word = "Webhook Not Found";
    for (status, attempted, success, taken) in [
        ("200", late, late, true),
        ("204", word, word, true),
        ("200 OK", late, late, true),
        ("503", late, early, false),
        ("401", late, late, false),
        ("302", late, late, false),
        ("2000", late, late, false),
        (word, late, late, false),
        ("", late, late, true),
        ("", word, late, true),
        ("", late, early, false),
        ("", late, word, false),
        ("", word, word, false),
    ] {
        let entry = json!({"lastAttempted": attempted, "lastSuccess": success, "statusCode": status, "employeeIds": []});
        let log = log_of(&entry).unwrap();
        assert_eq!(log[0].was_accepted(), taken, "{entry}");
    }
}

#[test]
fn log_of_another_shape_is_rejected() {
    for bad in [
        json!({"error": {"message": "try later"}}),
        json!({}),
        json!(["Webhook Not Found"]),
        json!([{"statusCode": "200"}]),
        json!([{"employeeIds": [null]}]),
    ] {
        assert!(bamboohr_webhook_log(&bytes(&bad)).is_err(), "{bad}");
    }
}

#[test]
fn refusal_yields_field_names_of_every_shape_only() {
    let refused = |body: Value| bamboohr_refused_fields(&bytes(&body)).description();
    let list = json!({"errors": [{"error": "Dana may not", "monitorFields": [{"id": 7, "name": "status"}, {"id": 8}],
        "unknownFields": [{"id": null, "name": "shoeSize"}], "duplicatePostString": ["x"]}]});
    assert_eq!(refused(list), "monitored: status, 8; unknown: shoeSize");
    let object = json!({"errors": {"error": "Dana may not", "postFields": ["workEmail"]}});
    assert_eq!(refused(object), "posted: workEmail");
    for silent in [
        json!({"errors": {"error": "You do not have access to webhook ID: 5"}}),
        json!({"errors": [{"error": "Invalid request body", "issues": ["problem one"]}]}),
        json!({"errors": "no"}),
        json!([]),
    ] {
        assert_eq!(refused(silent), "");
    }
    assert_eq!(bamboohr_refused_fields(b"<html>"), RefusedFields::default());
    let long = json!({"errors": [{"monitorFields": [{"name": format!("\u{1b}[31m{}", "x".repeat(500))}]}]});
    let shown = refused(long);
    assert!(shown.len() < 80 && !shown.contains('\u{1b}'), "{shown}");
}

#[test]
fn monitor_field_can_lack_an_alias() {
    let fields = json!({"fields": [{"id": "4175", "name": "Accrual", "alias": null},
                                   {"id": "4047", "name": "Status", "alias": "status"}]});
    let fields = bamboohr_monitor_fields(&bytes(&fields)).unwrap();
    assert_eq!(fields[0].alias, None);
    assert_eq!(fields[1].alias.as_deref(), Some("status"));
    assert!(bamboohr_monitor_fields(b"{}").is_err());
}
