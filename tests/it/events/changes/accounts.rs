//! `account.*` events.

use serde_json::{Value, json};

use super::{CHANGES, assert_like_example};
use crate::safeguard::undo::undo_last;
use crate::support::driving::{REACTIVATE, terminated, working};
use crate::support::{TestApp, employee, employees};

const DANA: &str = "dana@example.com";

async fn app(settings: &[(&str, &str)]) -> (TestApp, i64) {
    let app = TestApp::builder().settings(settings).wanting(CHANGES);
    let mut app = app.build().await;
    let ids = app.add_users(&[DANA]).await;
    (app, ids[0])
}

#[tokio::test]
async fn a_deactivation_is_recorded_with_its_times() {
    let (mut app, id) = app(&[]).await;
    let left = json!({"status": "Inactive", "employmentStatus": "Terminated", "workEmail": DANA,
                      "terminationDate": "2026-11-21"});
    let entry = employee("40217", "2026-11-22T11:59:58Z", &["status"], &left);
    app.deliver("bamboohr", &employees(&[entry])).await;
    let events = app.events().await;
    assert_eq!(events.len(), 1);
    let event = &events[0];
    assert_like_example(event);
    let batch = app.text("SELECT id::text FROM leaver.deliveries").await;
    assert_eq!(
        event["data"],
        json!({"account_id": id.to_string(), "batch_id": batch, "cause": "webhook", "effective_at": "2026-11-22T00:00:00Z",
               "provider_at": "2026-11-22T11:59:58Z", "received_at": "2026-11-22T12:00:00Z"})
    );
    let about = ["type", "source", "employee_id", "sequence", "timestamp"];
    let about = about.map(|field| event[field].clone());
    assert_eq!(
        json!(about),
        json!([
            "account.deactivated",
            "bamboohr",
            "40217",
            1,
            "2026-11-22T12:00:00Z"
        ])
    );
    assert_eq!(event["details"], json!({ "work_email": DANA }));
}

#[tokio::test]
async fn a_repeated_delivery_records_no_second_event() {
    let (mut app, _) = app(&[]).await;
    for _ in 0..2 {
        app.bamboohr(&[terminated("1", DANA, "2026-11-22T09:00:00Z")])
            .await;
    }
    app.bamboohr(&[terminated("1", DANA, "2026-11-22T09:30:00Z")])
        .await;
    app.run_due().await;
    assert_eq!(app.event_types().await, ["account.deactivated"]);
}

#[tokio::test]
async fn a_return_and_an_undo_are_told_apart() {
    let (mut app, _) = app(&[REACTIVATE]).await;
    app.bamboohr(&[terminated("1", DANA, "2026-11-22T09:00:00Z")])
        .await;
    app.bamboohr(&[working("1", DANA, "2026-11-22T10:00:00Z")])
        .await;
    app.bamboohr(&[terminated("1", DANA, "2026-11-22T11:00:00Z")])
        .await;
    undo_last(&mut app).await;
    app.changes_have_events().await;
    let events = app.events().await;
    let shown =
        |event: &Value| format!("{} {}", event["type"].as_str().unwrap(), event["sequence"]);
    assert_eq!(
        events.iter().map(shown).collect::<Vec<_>>(),
        [
            "account.deactivated 1",
            "account.reactivated 2",
            "account.deactivated 3",
            "account.restored 4"
        ]
    );
    for event in &events {
        assert_like_example(event);
    }
    assert_eq!(events[3]["data"]["cause"], "undo");
}

#[tokio::test]
async fn an_undo_of_a_return_is_a_deactivation() {
    let (mut app, _) = app(&[REACTIVATE]).await;
    app.bamboohr(&[terminated("1", DANA, "2026-11-22T09:00:00Z")])
        .await;
    app.bamboohr(&[working("1", DANA, "2026-11-22T10:00:00Z")])
        .await;
    undo_last(&mut app).await;
    app.changes_have_events().await;
    let last = app.events().await.pop().unwrap();
    assert_eq!(last["type"], "account.deactivated");
    assert_eq!(last["data"]["cause"], "undo");
}

#[tokio::test]
async fn a_blocked_change_is_recorded_once_per_reason() {
    let (mut app, id) = app(&[]).await;
    app.refuse_to_change(&[id], "P0001").await;
    app.bamboohr(&[terminated("1", DANA, "2026-11-22T09:00:00Z")])
        .await;
    for _ in 0..3 {
        app.advance(chrono::TimeDelta::hours(2));
        app.run_due().await;
    }
    assert_eq!(app.event_types().await, ["account.blocked"]);
    let event = app.events().await.remove(0);
    assert_like_example(&event);
    assert_eq!(event["data"]["requested_action"], "deactivate");
    let data = event["data"].to_string();
    assert!(!data.contains("dana"), "{data}");
    app.sql("DROP TRIGGER refuse ON users").await;
    app.advance(chrono::TimeDelta::hours(2));
    app.run_due().await;
    app.changes_have_events().await;
    assert_eq!(
        app.event_types().await,
        ["account.blocked", "account.deactivated"]
    );
}

#[tokio::test]
async fn one_account_of_two_employees_makes_one_event() {
    let (mut app, _) = app(&[]).await;
    let both = [
        terminated("1", DANA, "2026-11-22T09:00:00Z"),
        terminated("2", DANA, "2026-11-22T09:00:00Z"),
    ];
    app.bamboohr(&both).await;
    app.changes_have_events().await;
    assert_eq!(app.events_of("account.deactivated").await.len(), 1);
}

#[tokio::test]
async fn personal_values_stay_out_without_a_destination_for_them() {
    let thin = "[[destinations]]\nname = \"bus\"\nkind = \"webhook\"\nurl = \"http://127.0.0.1:9/\"\n\
                secrets = [\"env:BUS_WHSEC\"]\nevents = [\"*\"]\n";
    let app = TestApp::builder().with_config_file(thin);
    let mut app = app
        .settings(&[crate::support::events::BUS_KEY])
        .build()
        .await;
    app.add_users(&[DANA]).await;
    app.bamboohr(&[terminated("1", DANA, "2026-11-22T09:00:00Z")])
        .await;
    let sql = "SELECT string_agg(o::text, '') FROM leaver.outbox o";
    let text = app.text(sql).await.unwrap();
    assert!(
        text.contains("account.deactivated") && !text.contains("dana"),
        "{text}"
    );
}

#[tokio::test]
async fn several_parts_of_a_large_delivery_record_each_change_once() {
    let settings = [("LEAVER__WORKER__BATCH_SIZE", "1")];
    let app = TestApp::builder().settings(&settings).wanting(CHANGES);
    let mut app = app.build().await;
    app.sql("INSERT INTO users (email) SELECT 'u' || n || '@example.com' FROM generate_series(0, 299) n")
        .await;
    let leaver = |n: usize| {
        terminated(
            &n.to_string(),
            &format!("u{n}@example.com"),
            "2026-11-22T09:00:00Z",
        )
    };
    let entries: Vec<Value> = (0..300).map(leaver).collect();
    app.deliver("bamboohr", &employees(&entries)).await;
    app.changes_have_events().await;
    assert_eq!(app.count("SELECT count(*) FROM leaver.outbox").await, 300);
}
