//! A source that has sent nothing for too long.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use leaver::base::clock::Clock;
use leaver::jobs::source_silence::{SilenceMonitor, SilenceThreshold};
use leaver_core::domain::SourceName;

use crate::support::driving::working;
use crate::support::logs::Captured;
use crate::support::{TestApp, USERS};

const ALARM: (&str, &str) = ("LEAVER__POLICY__MAX_SILENCE", "3d");
const THEN: &str = "2026-11-22T11:00:00Z";

fn watch(app: &TestApp) -> SilenceMonitor {
    let clock: Arc<dyn Clock> = Arc::new(app.clock.clone());
    let silence_thresholds = ["bamboohr", "merge"].map(|name| SilenceThreshold {
        source: SourceName::parse(name).unwrap(),
        after: Some(Duration::from_hours(72)),
    });
    SilenceMonitor::new(
        app.parts.engine.pool.clone(),
        clock,
        silence_thresholds.to_vec(),
    )
}

#[tokio::test]
async fn a_silent_source_degrades_health_and_is_warned_of_once() {
    let (captured, _guard) = Captured::start("warn");
    let mut app = TestApp::with(&[ALARM], USERS).await;
    let (watch, mut told) = (watch(&app), HashSet::new());
    watch.look(&mut told).await.unwrap();
    app.advance(TimeDelta::hours(71));
    // One is heard of, the other never was.
    app.bamboohr(&[working("1", "ana@example.com", THEN)]).await;
    watch.look(&mut told).await.unwrap();
    assert_eq!(app.get("/health").await.body["status"], "ok");

    app.advance(TimeDelta::hours(2));
    watch.look(&mut told).await.unwrap();
    watch.look(&mut told).await.unwrap();
    let health = app.get("/health").await.body;
    assert_eq!(health["status"], "degraded");
    assert_eq!(
        health["sources"]["merge"]["silent_since"],
        "2026-11-22T12:00:00Z"
    );
    assert!(health["sources"]["bamboohr"]["silent_since"].is_null());
    let warned = captured.text().matches("max_silence").count();
    assert_eq!(warned, 1, "{}", captured.text());

    app.advance(TimeDelta::hours(72));
    watch.look(&mut told).await.unwrap();
    assert_eq!(told.len(), 2);
    app.bamboohr(&[working("1", "ben@example.com", "2026-11-28T11:00:00Z")])
        .await;
    watch.look(&mut told).await.unwrap();
    assert_eq!(
        told.len(),
        1,
        "whoever is heard of again may be warned of again"
    );
}

#[tokio::test]
async fn silence_is_not_counted_anew_by_a_restart() {
    let app = TestApp::with(&[ALARM], USERS).await;
    watch(&app).look(&mut HashSet::new()).await.unwrap();
    app.advance(TimeDelta::hours(73));
    let mut told = HashSet::new();
    watch(&app).look(&mut told).await.unwrap();
    assert_eq!(told.len(), 2);
}

#[tokio::test]
async fn without_an_alarm_no_silence_is_too_long() {
    let app = TestApp::with(&[], USERS).await;
    watch(&app).look(&mut HashSet::new()).await.unwrap();
    app.advance(TimeDelta::days(400));
    assert_eq!(app.get("/health").await.body["status"], "ok");
}
