//! While a trip is open: nothing is lost, and nobody else is disturbed.

use std::time::{Duration, Instant};

use chrono::TimeDelta;
use serde_json::json;

use super::{app_with_limits, email, employ, held, inactive, limits, report, reported, trips};
use crate::support::driving::merge_record;
use crate::support::{JSON, TestApp};

const TWO_TENANTS: &str = r#"
[accounts]
single_company = true

[[sources]]
name = "bamboohr"
provider = "bamboohr"
tenant = "acme"
webhook_secrets = ["env:BAMBOOHR"]

[[sources]]
name = "merge"
provider = "merge"
tenant = "widgets"
webhook_secrets = ["env:MERGE"]
"#;

#[tokio::test]
async fn another_tenant_is_not_disturbed() {
    let limits = limits((3, 1), (10, 1));
    let mut variables: Vec<(&str, &str)> = limits.iter().map(|(n, v)| (*n, v.as_str())).collect();
    variables.extend([
        ("BAMBOOHR", crate::support::BAMBOOHR_KEY),
        ("MERGE", crate::support::MERGE_KEY),
        crate::support::END_SESSIONS,
    ]);
    let mut app = TestApp::builder()
        .config_file(TWO_TENANTS, &variables)
        .build()
        .await;
    employ(&mut app, 6).await;
    report(&mut app, 0..6, false).await;
    assert_eq!(held(&mut app).await, 6);
    app.add_users(&["wendy@widgets.example"]).await;
    let began = Instant::now();
    let left = merge_record(
        "w1",
        "wendy@widgets.example",
        "2026-11-22T11:00:00Z",
        "INACTIVE",
        Some("2026-11-20T00:00:00Z"),
    );
    app.deliver("merge", &left).await;
    assert!(!app.is_active("wendy@widgets.example").await);
    assert!(
        began.elapsed() < Duration::from_secs(1),
        "{:?}",
        began.elapsed()
    );
    assert_eq!(inactive(&mut app).await, 1);
}

#[tokio::test]
async fn deliveries_are_taken_and_health_says_so() {
    let mut app = app_with_limits((3, 1), (10, 1)).await;
    employ(&mut app, 8).await;
    report(&mut app, 0..4, false).await;
    let health = app.get("/health").await.body;
    assert_eq!(health["status"], "degraded");
    let trip = json!([{"tenant": "default", "direction": "deactivated", "trip": 1, "held": 4}]);
    assert_eq!(health["safeguard"]["tripped"], trip);
    assert_eq!(health["reasons"][0]["code"], "safeguard_tripped");
    let metrics = app.get("/metrics").await.body;
    let metrics = metrics.as_str().unwrap();
    assert!(
        metrics.contains("\nleaver_safeguard_tripped 1\n"),
        "{metrics}"
    );

    app.advance(TimeDelta::minutes(1));
    let body = reported(&app, 4..8, false).to_string();
    let answer = app.send("bamboohr", JSON, body).await;
    assert_eq!(answer.status, 200);
    app.work().await;
    assert_eq!(held(&mut app).await, 8);
    assert_eq!(trips(&mut app).await.len(), 1);
}

#[tokio::test]
async fn newer_facts_withdraw_a_held_change() {
    let mut app = app_with_limits((3, 1), (10, 1)).await;
    employ(&mut app, 8).await;
    report(&mut app, 0..4, false).await;
    app.advance(TimeDelta::minutes(1));
    report(&mut app, 1..3, true).await;
    assert_eq!(held(&mut app).await, 2);
    // Nobody closes the trip but a person.
    report(&mut app, 0..1, true).await;
    app.advance(TimeDelta::minutes(1));
    report(&mut app, 3..4, true).await;
    assert_eq!(held(&mut app).await, 0);
    assert_eq!(trips(&mut app).await, ["open deactivated hour 4 3 8"]);
    let employed = app.run(&["explain", &email(0)]);
    assert!(employed.out.contains("employed"), "{employed:?}");
}

#[tokio::test]
async fn explain_and_drift_show_a_held_change() {
    let mut app = app_with_limits((3, 1), (10, 1)).await;
    employ(&mut app, 8).await;
    report(&mut app, 0..4, false).await;
    let explained = app.run(&["explain", &email(0), "--json"]).json();
    assert_eq!(explained[0]["state"], "held", "{explained}");
    let reason = explained[0]["reason"].as_str().unwrap();
    assert!(reason.contains("the safeguard has tripped"), "{reason}");
    let fixed = app.run(&["drift", "--fix"]);
    assert_eq!(fixed.code, Some(1), "{fixed:?}");
    assert_eq!(inactive(&mut app).await, 0);
    assert_eq!(held(&mut app).await, 4);
}

#[tokio::test]
async fn a_trip_of_ends_holds_no_return() {
    let settings = limits((3, 1), (10, 1));
    let mut settings: Vec<(&str, &str)> = settings.iter().map(|(n, v)| (*n, v.as_str())).collect();
    settings.push(crate::support::driving::REACTIVATE);
    let mut app = TestApp::builder().settings(&settings).build().await;
    employ(&mut app, 8).await;
    report(&mut app, 7..8, false).await;
    assert_eq!(inactive(&mut app).await, 1);
    // Somebody gave the access back, and the next report of the departure joins the trip.
    app.sql("UPDATE users SET is_active = true").await;
    report(&mut app, 0..4, false).await;
    assert_eq!(held(&mut app).await, 4);
    app.sql(
        "UPDATE leaver.employees SET deactivated_at = now() WHERE employee_id = '0';
         UPDATE users SET is_active = false WHERE email = 'person0@example.com'",
    )
    .await;
    app.advance(TimeDelta::minutes(1));
    report(&mut app, 0..1, true).await;
    assert!(app.is_active(&email(0)).await);
    assert_eq!(held(&mut app).await, 3);
}
