//! Events about employment follow the facts, each exactly once.

use chrono::TimeDelta;
use serde_json::json;

use super::{BUS, CONFIG, VARIABLES, app_with, restart_with, taken, told};
use crate::support::driving::{event, leaving, merge_record, terminated, working};
use crate::support::{TestApp, employee};

const DANA: &str = "dana@example.com";

#[tokio::test]
async fn a_whole_employment_is_reported_step_by_step() {
    let mut app = app_with("").await;
    app.add_users(&[DANA]).await;
    app.bamboohr(&[working("7", DANA, "2026-11-22T08:00:00Z")])
        .await;
    assert_eq!(taken(&mut app).await, ["employee.created 7"]);

    app.bamboohr(&[leaving("7", DANA, "2026-11-22T09:00:00Z", "2026-11-25")])
        .await;
    let events = told(&mut app).await;
    assert_eq!(events[0].0, "employee.updated 7");
    assert_eq!(events[0].1, json!({"changed": ["termination_date"]}));
    assert_eq!(events[1].0, "employee.termination_scheduled 7");
    assert_eq!(events[1].1, json!({"ends_at": "2026-11-26T00:00:00Z"}));
    assert_eq!(events.len(), 2);
    taken(&mut app).await;

    app.bamboohr(&[leaving("7", DANA, "2026-11-22T10:00:00Z", "2026-11-24")])
        .await;
    assert_eq!(
        taken(&mut app).await,
        ["employee.updated 7", "employee.termination_scheduled 7"]
    );
    app.bamboohr(&[working("7", DANA, "2026-11-22T11:00:00Z")])
        .await;
    assert_eq!(
        taken(&mut app).await,
        ["employee.updated 7", "employee.termination_cancelled 7"]
    );
    app.bamboohr(&[leaving("7", DANA, "2026-11-22T11:30:00Z", "2026-11-24")])
        .await;
    taken(&mut app).await;
    app.set_clock("2026-11-25T00:00:01Z");
    app.run_due().await;
    app.run_due().await;
    let events = told(&mut app).await;
    assert_eq!(events.len(), 1, "{events:?}");
    assert_eq!(events[0].0, "employee.terminated 7");
    assert_eq!(events[0].1["ended_at"], json!("2026-11-25T00:00:00Z"));
    let announced = |date: &str| format!("access ended as announced: termination date {date}");
    assert_eq!(events[0].1["reason"], announced("… (UTC)"));
    let reason = announced("2026-11-24 (UTC)");
    assert_eq!(events[0].2, json!({"reason": reason, "work_email": DANA}));
    taken(&mut app).await;

    // The HR system confirms what was carried out.
    app.bamboohr(&[terminated("7", DANA, "2026-11-25T00:00:00Z")])
        .await;
    assert_eq!(taken(&mut app).await, ["employee.updated 7"]);
    app.advance(TimeDelta::days(10));
    let fields = json!({"status": "Active", "employmentHistoryStatus": "Full-Time", "hireDate": "2026-12-01",
                        "terminationDate": "0000-00-00", "workEmail": DANA});
    app.bamboohr(&[employee("7", "2026-12-04T00:00:00Z", &["status"], &fields)])
        .await;
    assert_eq!(
        taken(&mut app).await,
        ["employee.updated 7", "employee.rehired 7"]
    );
}

#[tokio::test]
async fn a_repeat_by_any_way_reports_nothing() {
    let mut app = app_with("[drift]\nmode = \"fix\"\n").await;
    app.add_users(&[DANA]).await;
    let left = terminated("7", DANA, "2026-11-22T09:00:00Z");
    app.bamboohr(&[left.clone(), left.clone()]).await;
    app.bamboohr(std::slice::from_ref(&left)).await;
    assert_eq!(
        taken(&mut app).await,
        ["employee.created 7", "employee.terminated 7"]
    );
    app.advance(TimeDelta::hours(1));
    app.bamboohr(&[left]).await;
    app.sql("UPDATE users SET is_active = true").await;
    app.run_due().await;
    app.run(&["drift"]).succeeded();
    assert!(!app.is_active(DANA).await);
    let none: Vec<String> = vec![];
    assert_eq!(taken(&mut app).await, none);
}

#[tokio::test]
async fn what_was_known_before_the_destination_is_no_news() {
    let mut app = TestApp::builder()
        .config_file(CONFIG, &VARIABLES)
        .build()
        .await;
    app.add_users(&[DANA]).await;
    app.bamboohr(&[
        terminated("7", DANA, "2026-11-22T08:00:00Z"),
        terminated("8", "gone@example.com", "2026-11-22T08:00:00Z"),
        working("9", "works@example.com", "2026-11-22T08:00:00Z"),
        leaving(
            "10",
            "leaves@example.com",
            "2026-11-22T08:00:00Z",
            "2026-11-25",
        ),
    ])
    .await;
    assert_eq!(app.count("SELECT count(*) FROM leaver.outbox").await, 0);

    restart_with(&mut app, &format!("{CONFIG}\n{BUS}"), &VARIABLES).await;
    let moved = |id: &str, email: &str| {
        employee(
            id,
            "2026-11-22T09:00:00Z",
            &["workEmail"],
            &json!({"workEmail": email}),
        )
    };
    app.bamboohr(&[
        moved("7", "dana2@example.com"),
        moved("8", "gone2@example.com"),
        moved("9", "works2@example.com"),
        moved("10", "leaves2@example.com"),
    ])
    .await;
    let mut seen = taken(&mut app).await;
    seen.sort();
    assert_eq!(
        seen,
        [
            "employee.updated 10",
            "employee.updated 7",
            "employee.updated 8",
            "employee.updated 9"
        ]
    );
    app.set_clock("2026-11-26T00:00:01Z");
    app.run_due().await;
    assert_eq!(taken(&mut app).await, ["employee.terminated 10"]);
}

#[tokio::test]
async fn uncertain_facts_report_nothing_until_a_person_approves() {
    let mut app = app_with("").await;
    app.add_users(&["robin@example.com"]).await;
    app.deliver(
        "merge",
        &merge_record(
            "m1",
            "robin@example.com",
            "2026-11-22T08:00:00Z",
            "ACTIVE",
            None,
        ),
    )
    .await;
    let inactive = |at: &str| merge_record("m1", "robin@example.com", at, "INACTIVE", None);
    app.deliver("merge", &inactive("2026-11-22T09:00:00Z"))
        .await;
    assert_eq!(
        taken(&mut app).await,
        ["employee.created m1", "employee.updated m1"]
    );
    let hold = app.open_hold().await;
    app.approve(hold, None).await.unwrap();
    assert_eq!(taken(&mut app).await, ["employee.terminated m1"]);
    app.deliver("merge", &inactive("2026-11-22T10:00:00Z"))
        .await;
    let none: Vec<String> = vec![];
    assert_eq!(taken(&mut app).await, none);
    app.deliver(
        "merge",
        &merge_record(
            "m1",
            "robin@example.com",
            "2026-11-22T11:00:00Z",
            "ACTIVE",
            None,
        ),
    )
    .await;
    assert_eq!(
        taken(&mut app).await,
        ["employee.updated m1", "employee.rehired m1"]
    );
}

#[tokio::test]
async fn a_trip_holds_back_terminations_until_its_release() {
    let text = format!("{CONFIG}\n{BUS}");
    let variables: Vec<(&str, &str)> = VARIABLES
        .into_iter()
        .chain([
            ("LEAVER__SAFEGUARD__HOUR__FLOOR", "1"),
            ("LEAVER__SAFEGUARD__DAY__FLOOR", "1"),
        ])
        .collect();
    let built = TestApp::builder().config_file(&text, &variables);
    let mut app = built.build().await;
    let emails = ["a@example.com", "b@example.com", "c@example.com"];
    app.add_users(&emails).await;
    let all = |at: &str| {
        let each = (1..).zip(emails);
        each.map(|(n, email)| terminated(&n.to_string(), email, at))
            .collect::<Vec<_>>()
    };
    app.bamboohr(&all("2026-11-22T08:00:00Z")).await;
    let created = [
        "employee.created 1",
        "employee.created 2",
        "employee.created 3",
    ];
    assert_eq!(taken(&mut app).await, created);
    app.bamboohr(&all("2026-11-22T09:00:00Z")).await;
    let none: Vec<String> = vec![];
    assert_eq!(taken(&mut app).await, none);
    let listed = app.run(&["safeguard", "release", "1", "--json"]);
    let listed = listed.succeeded().json();
    let digest = listed["digest"].as_str().unwrap();
    let release = [
        "safeguard",
        "release",
        "1",
        "--confirm",
        digest,
        "--as",
        "Kim",
    ];
    app.run(&release).succeeded();
    assert_eq!(
        taken(&mut app).await,
        [
            "employee.terminated 1",
            "employee.terminated 2",
            "employee.terminated 3"
        ]
    );
}

#[tokio::test]
async fn a_change_without_values_is_created_once_they_are_known() {
    let mut app = app_with("").await;
    app.deliver(
        "bamboohr",
        &event("employee.updated", "7", "2026-11-22T08:00:00Z"),
    )
    .await;
    let none: Vec<String> = vec![];
    assert_eq!(taken(&mut app).await, none);
    app.bamboohr(&[working("7", DANA, "2026-11-22T09:00:00Z")])
        .await;
    assert_eq!(taken(&mut app).await, ["employee.created 7"]);
    // A creation without values is a statement by itself.
    let created = json!({"id": "8", "action": "Created", "timestamp": "2026-11-22T08:00:00Z", "changedFields": [], "fields": []});
    app.bamboohr(&[created]).await;
    assert_eq!(taken(&mut app).await, ["employee.created 8"]);
    app.bamboohr(&[working("8", "new@example.com", "2026-11-22T09:00:00Z")])
        .await;
    assert_eq!(taken(&mut app).await, none);
}

#[tokio::test]
async fn a_deletion_is_reported_once() {
    let mut app = app_with("").await;
    app.add_users(&[DANA]).await;
    app.bamboohr(&[working("7", DANA, "2026-11-22T08:00:00Z")])
        .await;
    taken(&mut app).await;
    for at in ["2026-11-22T09:00:00Z", "2026-11-22T10:00:00Z"] {
        let deleted = json!({"id": "7", "action": "Deleted", "timestamp": at, "changedFields": [], "fields": []});
        app.bamboohr(&[deleted]).await;
    }
    assert_eq!(
        taken(&mut app).await,
        ["employee.terminated 7", "employee.deleted 7"]
    );
}
