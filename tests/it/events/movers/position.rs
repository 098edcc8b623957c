//! Changes of job title, department and manager, from webhooks.

use serde_json::{Value, json};

use super::{BUS, CONFIG, FACTS, VARIABLES, app_with, restart_with, taken, told};
use crate::support::{FORM, TestApp, employee, merge_changed};

const NONE: [&str; 0] = [];

/// A BambooHR entry that posts only these fields.
fn posted(as_of: &str, fields: &Value) -> Value {
    let names: Vec<&str> = fields
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    employee("7", as_of, &names, fields)
}

fn position(title: &str, department: &str, manager: &str) -> Value {
    json!({"status": "Active", "workEmail": "dana@example.com", "jobTitle": title, "department": department,
           "supervisorId": manager})
}

/// An app that knows the position of employee 7.
async fn known() -> TestApp {
    let mut app = app_with(FACTS).await;
    app.bamboohr(&[posted(
        "2026-11-22T08:00:00Z",
        &position("Engineer", "Platform", "918"),
    )])
    .await;
    let events = told(&mut app).await;
    assert_eq!(events[0].0, "employee.created 7");
    assert_eq!(events[0].2["job_title"], "Engineer");
    assert_eq!(taken(&mut app).await.len(), 1);
    app
}

#[tokio::test]
async fn each_fact_of_the_position_has_its_event() {
    let mut app = known().await;
    let moved = [
        (
            "09",
            json!({"jobTitle": "Lead"}),
            "employee.position_changed 7",
            json!({"job_title": "Lead"}),
        ),
        (
            "10",
            json!({"Department": {"value": "Data"}}),
            "employee.department_changed 7",
            json!({"department": "Data"}),
        ),
        (
            "11",
            json!({"supervisorId": 77}),
            "employee.manager_changed 7",
            json!({"manager": "77"}),
        ),
    ];
    for (hour, fields, event, mut details) in moved {
        let entry = posted(&format!("2026-11-22T{hour}:00:00Z"), &fields);
        app.bamboohr(std::slice::from_ref(&entry)).await;
        details["work_email"] = "dana@example.com".into();
        let events = told(&mut app).await;
        assert_eq!(events, [(event.to_owned(), json!({}), details)]);
        taken(&mut app).await;
        // The same again, and an older value that arrives late.
        let mut late = posted("2026-11-22T07:30:00Z", &fields);
        late["fields"] = json!({"jobTitle": "Late", "department": "Late", "supervisorId": "1"});
        app.bamboohr(&[entry, late]).await;
        assert_eq!(taken(&mut app).await, NONE);
    }
}

#[tokio::test]
async fn a_form_reports_a_mover_like_json() {
    let mut app = known().await;
    let body = "employees[7][action]=Updated&employees[7][timestamp]=2026-11-22T09%3A00%3A00%2B0000\
                &employees[7][changedFields][]=Job+Title&employees[7][Job+Title]=Lead+%26+more\
                &employees[7][Supervisor]=Lind%2C+Omar";
    app.send("bamboohr", FORM, body).await;
    app.work().await;
    // The name of a supervisor is no id, so it says nothing.
    let events = told(&mut app).await;
    assert_eq!(events[0].0, "employee.position_changed 7");
    assert_eq!(events[0].2["job_title"], "Lead & more");
    assert_eq!(events.len(), 1);
}

#[tokio::test]
async fn an_emptied_value_is_a_change_and_an_absent_one_is_none() {
    let mut app = known().await;
    app.bamboohr(&[posted(
        "2026-11-22T09:00:00Z",
        &json!({"status": "Active", "department": null}),
    )])
    .await;
    let events = told(&mut app).await;
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].0, "employee.department_changed 7");
    assert_eq!(events[0].2["department"], Value::Null);
}

#[tokio::test]
async fn a_leaver_who_moves_at_once_has_both_events() {
    let mut app = known().await;
    app.add_users(&["dana@example.com"]).await;
    let fields = json!({"status": "Inactive", "employmentHistoryStatus": "Terminated", "jobTitle": "Former engineer"});
    app.bamboohr(&[posted("2026-11-22T09:00:00Z", &fields)])
        .await;
    assert_eq!(
        taken(&mut app).await,
        [
            "employee.updated 7",
            "employee.position_changed 7",
            "employee.terminated 7"
        ]
    );
}

#[tokio::test]
async fn facts_that_become_known_are_no_change() {
    let mut app = app_with("").await;
    let report = |hour: &str, title: &str| {
        posted(
            &format!("2026-11-22T{hour}:00:00Z"),
            &position(title, "Platform", "918"),
        )
    };
    app.bamboohr(&[report("01", "Engineer")]).await;
    taken(&mut app).await;
    let stored = "SELECT count(*) FROM leaver.employees WHERE facts ? 'job_title'";
    assert_eq!(
        app.count(stored).await,
        0,
        "nothing is kept without `facts`"
    );

    let with_facts = format!("{FACTS}{CONFIG}{BUS}");
    restart_with(&mut app, &with_facts, &VARIABLES).await;
    app.bamboohr(&[report("02", "Lead")]).await;
    assert_eq!(taken(&mut app).await, NONE, "turned on");
    app.bamboohr(&[report("03", "Chief")]).await;
    assert_eq!(taken(&mut app).await, ["employee.position_changed 7"]);

    let mut other_key = VARIABLES;
    other_key[3].1 = "another-key-of-the-facts-0a1b2c3d4e";
    restart_with(&mut app, &with_facts, &other_key).await;
    app.bamboohr(&[report("04", "Chief")]).await;
    assert_eq!(taken(&mut app).await, NONE, "another key");
    app.bamboohr(&[report("05", "Lead")]).await;
    assert_eq!(taken(&mut app).await, ["employee.position_changed 7"]);

    restart_with(&mut app, &format!("{CONFIG}{BUS}"), &VARIABLES).await;
    app.bamboohr(&[report("06", "Engineer")]).await;
    assert_eq!(taken(&mut app).await, NONE, "turned off");
    let moved = posted(
        "2026-11-22T07:00:00Z",
        &json!({"status": "Active", "workEmail": "d@example.com"}),
    );
    app.bamboohr(&[moved]).await;
    taken(&mut app).await;
    assert_eq!(app.count(stored).await, 0, "the hashes are gone");
}

#[tokio::test]
async fn merge_posts_the_manager_as_id_or_object() {
    let mut app = app_with(FACTS).await;
    let record = |hour: &str, manager: Value| {
        merge_changed(
            &json!({"id": "m1", "modified_at": format!("2026-11-22T{hour}:00:00Z"), "employment_status": "ACTIVE",
            "work_email": "dana@example.com", "start_date": "2020-01-06T00:00:00Z", "termination_date": null, "manager": manager,
            "employments": ["7d1e2f30-4a5b-4c6d-8e7f-901a2b3c4d5e"], "groups": []}),
        )
    };
    let steps = [
        ("01", json!("boss-1"), vec!["employee.created m1"]),
        ("02", json!({"id": "boss-1", "first_name": "Omar"}), vec![]),
        (
            "03",
            json!({"id": "boss-2"}),
            vec!["employee.manager_changed m1"],
        ),
        ("04", Value::Null, vec!["employee.manager_changed m1"]),
        ("05", Value::Null, vec![]),
    ];
    for (hour, manager, expected) in steps {
        for _ in 0..2 {
            app.deliver("merge", &record(hour, manager.clone())).await;
        }
        assert_eq!(taken(&mut app).await, expected, "{hour}");
    }
}

#[tokio::test]
async fn without_an_api_a_changed_title_opens_no_hold() {
    let mut app = known().await;
    app.add_users(&["dana@example.com"]).await;
    app.bamboohr(&[employee(
        "7",
        "2026-11-22T09:00:00Z",
        &["jobTitle"],
        &json!({}),
    )])
    .await;
    assert_eq!(app.holds().await, NONE);
}
