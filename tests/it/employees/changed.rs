//! What counts as a change of an employee.

use chrono::{DateTime, TimeDelta, Utc};
use leaver::base::clock::Clock;
use serde_json::{Value, json};
use sqlx::Row;

use super::DANA;
use crate::support::driving::{event, leaving, merge_record, working};
use crate::support::{TestApp, at, employee};

async fn modified_at(app: &mut TestApp, id: &str) -> DateTime<Utc> {
    sqlx::query("SELECT modified_at FROM leaver.employees WHERE employee_id = $1")
        .bind(id)
        .fetch_one(&mut app.conn)
        .await
        .unwrap()
        .get(0)
}

const AS_OF: &str =
    "SELECT facts #>> '{status,as_of}' FROM leaver.employees WHERE employee_id = '7'";

#[tokio::test]
async fn confirming_the_same_values_is_no_change() {
    let mut app = TestApp::new().await;
    let first = app.clock.now();
    app.bamboohr(&[working("7", DANA, "2026-11-22T11:00:00Z")])
        .await;
    assert_eq!(modified_at(&mut app, "7").await, first);
    let as_of = app.text(AS_OF).await;
    app.advance(TimeDelta::hours(1));
    app.bamboohr(&[working("7", DANA, "2026-11-22T12:30:00Z")])
        .await;
    assert_ne!(app.text(AS_OF).await, as_of, "it was read");
    assert_eq!(modified_at(&mut app, "7").await, first);
    // A notification carries no value.
    let hint = event("employee.updated", "7", "2026-11-22T12:40:00Z");
    app.deliver("bamboohr", &hint).await;
    assert_eq!(modified_at(&mut app, "7").await, first);
}

#[tokio::test]
async fn a_new_changed_or_cleared_value_is_a_change() {
    let mut app = TestApp::new().await;
    let says = |minute: u32, fields: Value| {
        employee("7", &format!("2026-11-22T11:{minute:02}:00Z"), &[], &fields)
    };
    for (minute, fields, changes) in [
        (0, json!({"status": "Active", "workEmail": DANA}), true),
        (
            1,
            json!({"status": "Active", "workEmail": "d@example.com"}),
            true,
        ),
        (2, json!({"hireDate": "2020-01-01"}), true),
        // The date was unknown and is now known to be empty.
        (3, json!({"terminationDate": "0000-00-00"}), false),
        (4, json!({"terminationDate": "2027-01-31"}), true),
        (5, json!({"terminationDate": "2027-01-31"}), false),
        (6, json!({"terminationDate": "0000-00-00"}), true),
        (7, json!({"status": "On the moon"}), true),
        (8, json!({"status": "On Mars"}), true),
        (9, json!({"status": "On Mars"}), false),
    ] {
        app.advance(TimeDelta::hours(1));
        let before = if minute == 0 {
            at("2020-01-01T00:00:00Z")
        } else {
            modified_at(&mut app, "7").await
        };
        app.bamboohr(&[says(minute, fields.clone())]).await;
        let expected = if changes { app.clock.now() } else { before };
        assert_eq!(modified_at(&mut app, "7").await, expected, "{fields}");
    }
}

#[tokio::test]
async fn scheduled_ends_and_holds_are_no_employee_change() {
    let mut app = TestApp::new().await;
    app.add_users(&[DANA, "lee@example.com"]).await;
    let first = app.clock.now();
    app.bamboohr(&[leaving("7", DANA, "2026-11-22T11:00:00Z", "2026-11-25")])
        .await;
    let lee = merge_record(
        "m1",
        "lee@example.com",
        "2026-11-22T11:00:00Z",
        "INACTIVE",
        None,
    );
    app.deliver("merge", &lee).await;
    app.set_clock("2026-11-26T00:00:00Z");
    app.run_due().await;
    let hold = app.open_hold().await;
    app.approve(hold, None).await.unwrap();
    assert!(!app.is_active(DANA).await && !app.is_active("lee@example.com").await);
    assert_eq!(modified_at(&mut app, "7").await, first);
    assert_eq!(modified_at(&mut app, "m1").await, first);
}
