//! Rejected trips: the accounts stay as they are, whatever repeats the same facts.

use chrono::TimeDelta;
use leaver::base::clock::Clock as _;
use leaver::engine::safeguard::trips::{self, Rejected, TripError};
use leaver::ingest::inbox::{self, Replay};
use leaver::jobs::drift::{DriftReport, compare};
use leaver::jobs::sync::{SyncMode, Syncer};
use leaver_core::decision::policy::DriftMode;
use serde_json::{Value, json};

use super::limits::{app_with_limits, email, employ, held, inactive, report};
use super::release::tripped;
use crate::support::apis::{StandIn, bamboohr_company, bamboohr_employee};
use crate::support::apis_setup::{source_with_api, terminated_bamboohr_employee};
use crate::support::driving::{leaving, terminated};
use crate::support::{BAMBOOHR_KEY, TestApp, ada, employees};

pub(crate) async fn reject(app: &mut TestApp, trip: i64) -> Result<Rejected, TripError> {
    let now = app.clock.now();
    let policies = app.parts.engine.policies.clone();
    trips::reject(&mut app.session.conn, &policies, trip, &ada(), now).await
}

async fn fix(app: &TestApp) -> DriftReport {
    compare(&app.parts.engine, DriftMode::Fix).await.unwrap()
}

/// Asserts that no account was changed, and that nothing is held.
async fn assert_untouched(app: &mut TestApp, after: &str) {
    assert_eq!(inactive(app).await, 0, "{after}");
    assert_eq!(held(app).await, 0, "{after}");
    let open = "SELECT count(*) FROM leaver.holds WHERE state = 'open'";
    assert_eq!(app.count(open).await, 0, "{after}");
    let open = "SELECT count(*) FROM leaver.trips WHERE state = 'open'";
    assert_eq!(app.count(open).await, 0, "{after}");
}

#[tokio::test]
async fn a_rejection_closes_the_trip_and_all_its_holds() {
    let mut app = tripped(10, 0..5).await;
    let rejected = reject(&mut app, 1).await.unwrap();
    assert_eq!((rejected.trip.id, rejected.holds.len()), (1, 5));
    assert_eq!(
        app.lines("SELECT concat_ws(' ', state, closed_by) FROM leaver.trips")
            .await,
        ["rejected cli:ada"]
    );
    assert_eq!(
        app.lines("SELECT DISTINCT concat_ws(' ', state, closed_by) FROM leaver.holds")
            .await,
        ["rejected cli:ada"]
    );
    let audit = app.audit_in_full().await;
    let by_ada: Vec<&String> = audit
        .iter()
        .filter(|line| line.starts_with("rejected ") && line.ends_with(" cli:ada"))
        .collect();
    assert_eq!(by_ada.len(), 5);
    assert_untouched(&mut app, "the rejection").await;
    let again = reject(&mut app, 1).await;
    assert!(matches!(again, Err(TripError::Closed { .. })), "{again:?}");
}

#[tokio::test]
async fn webhooks_drift_and_replay_do_not_repeat_a_rejected_change() {
    let mut app = app_with_limits((3, 1), (10, 1)).await;
    employ(&mut app, 10).await;
    app.advance(TimeDelta::minutes(1));
    let time = app.clock.now().to_rfc3339();
    let mut entries: Vec<Value> = (0..5)
        .map(|n| terminated(&n.to_string(), &email(n), &time))
        .collect();
    // It cannot be read, so the delivery keeps its body.
    entries.push(json!({"id": [], "fields": 7}));
    let delivery = app.store("bamboohr", &employees(&entries)).await;
    app.work().await;
    assert_eq!((inactive(&mut app).await, held(&mut app).await), (0, 5));
    app.advance(TimeDelta::minutes(1));
    reject(&mut app, 1).await.unwrap();

    app.advance(TimeDelta::minutes(1));
    report(&mut app, 0..5, false).await;
    assert_untouched(&mut app, "a webhook").await;
    let found = fix(&app).await;
    assert_eq!((found.fixed.len(), found.accepted.len()), (0, 5));
    assert!(found.is_clean());
    assert_untouched(&mut app, "drift").await;
    let now = app.clock.now();
    let replayed = inbox::store::replay(&mut app.conn, &[delivery], now).await;
    assert_eq!(replayed.unwrap(), [(delivery, Replay::Queued)]);
    app.work().await;
    assert_untouched(&mut app, "a replay").await;
}

#[tokio::test]
async fn a_sync_does_not_repeat_a_rejected_change() {
    let company = |terminated: usize| -> Vec<Value> {
        (1..=20)
            .map(|n| {
                if n <= terminated {
                    terminated_bamboohr_employee(n)
                } else {
                    bamboohr_employee(n)
                }
            })
            .collect()
    };
    let api = StandIn::start(bamboohr_company(company(8))).await;
    let secrets = [
        ("SECRET", BAMBOOHR_KEY),
        ("API_KEY", "api-key"),
        ("LEAVER__SAFEGUARD__HOUR__FLOOR", "5"),
        ("LEAVER__SAFEGUARD__DAY__FLOOR", "10"),
    ];
    let mut app = TestApp::builder()
        .config_file(&source_with_api("bamboohr", "bamboohr", &api), &secrets)
        .build()
        .await;
    app.add_employees_users(1..=20).await;
    let syncer = Syncer::new(app.parts.engine.clone());
    let source = app.sync_sources(1).remove(0);
    syncer
        .sync(&source, SyncMode::Full, &|_, _| {})
        .await
        .unwrap();
    assert_eq!((inactive(&mut app).await, held(&mut app).await), (0, 8));
    let causes = "SELECT DISTINCT cause FROM leaver.holds";
    assert_eq!(app.lines(causes).await, ["sync"]);
    app.advance(TimeDelta::minutes(1));
    reject(&mut app, 1).await.unwrap();
    for _ in 0..2 {
        app.advance(TimeDelta::hours(25));
        syncer
            .sync(&source, SyncMode::Full, &|_, _| {})
            .await
            .unwrap();
        assert_untouched(&mut app, "a sync").await;
        fix(&app).await;
        assert_untouched(&mut app, "drift").await;
    }
}

#[tokio::test]
async fn the_timer_does_not_repeat_a_rejected_change() {
    let mut app = app_with_limits((3, 1), (10, 1)).await;
    employ(&mut app, 10).await;
    let time = app.clock.now().to_rfc3339();
    let entries: Vec<Value> = (0..5)
        .map(|n| leaving(&n.to_string(), &email(n), &time, "2026-11-23"))
        .collect();
    app.bamboohr(&entries).await;
    app.set_clock("2026-11-24T00:00:00Z");
    app.run_due().await;
    assert_eq!((inactive(&mut app).await, held(&mut app).await), (0, 5));
    let causes = "SELECT DISTINCT cause FROM leaver.holds";
    assert_eq!(app.lines(causes).await, ["timer"]);
    app.advance(TimeDelta::minutes(1));
    reject(&mut app, 1).await.unwrap();
    for _ in 0..2 {
        app.advance(TimeDelta::hours(25));
        app.run_due().await;
        assert_untouched(&mut app, "the timer").await;
        fix(&app).await;
        assert_untouched(&mut app, "drift").await;
    }
}

#[tokio::test]
async fn a_rejected_change_is_due_again_when_facts_change() {
    let mut app = tripped(10, 0..5).await;
    reject(&mut app, 1).await.unwrap();
    for works in [true, false] {
        app.advance(TimeDelta::minutes(1));
        report(&mut app, 0..1, works).await;
    }
    assert_eq!((inactive(&mut app).await, held(&mut app).await), (1, 0));
    assert!(!app.is_active("person0@example.com").await);
}

#[tokio::test]
async fn after_a_rejection_the_next_leaver_passes() {
    let mut app = tripped(10, 0..3).await;
    assert_eq!(inactive(&mut app).await, 3);
    report(&mut app, 3..5, false).await;
    assert_eq!(held(&mut app).await, 2);
    app.advance(TimeDelta::minutes(1));
    reject(&mut app, 1).await.unwrap();
    app.advance(TimeDelta::minutes(1));
    report(&mut app, 5..6, false).await;
    assert_eq!((inactive(&mut app).await, held(&mut app).await), (4, 0));
}
