//! Sources that are silent for too long.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use leaver::jobs::source_silence::{SilenceMonitor, SilenceThreshold};
use leaver_core::domain::SourceName;

use crate::support::TestApp;
use crate::support::driving::working;
use crate::support::logs::Captured;

const THRESHOLD: (&str, &str) = ("LEAVER__POLICY__MAX_SILENCE", "3d");
const THEN: &str = "2026-11-22T11:00:00Z";

fn monitor(app: &TestApp) -> SilenceMonitor {
    let silence_thresholds = ["bamboohr", "merge"].map(|name| SilenceThreshold {
        source: SourceName::parse(name).unwrap(),
        after: Some(Duration::from_hours(72)),
    });
    SilenceMonitor::new(Arc::clone(&app.parts.engine), silence_thresholds.to_vec())
}

#[tokio::test]
async fn a_silent_source_degrades_health_and_warns_once() {
    let (captured, _guard) = Captured::start("warn");
    let mut app = TestApp::builder().settings(&[THRESHOLD]).build().await;
    let (monitor, mut warned) = (monitor(&app), HashSet::new());
    monitor.check(&mut warned).await.unwrap();
    app.advance(TimeDelta::hours(71));
    // One source sends something, the other never did.
    app.bamboohr(&[working("1", "ana@example.com", THEN)]).await;
    monitor.check(&mut warned).await.unwrap();
    assert_eq!(app.get("/health").await.body["status"], "ok");

    app.advance(TimeDelta::hours(2));
    monitor.check(&mut warned).await.unwrap();
    monitor.check(&mut warned).await.unwrap();
    let health = app.get("/health").await.body;
    assert_eq!(health["status"], "degraded");
    assert_eq!(
        health["sources"]["merge"]["silent_since"],
        "2026-11-22T12:00:00Z"
    );
    assert!(health["sources"]["bamboohr"]["silent_since"].is_null());
    let warnings = captured.text().matches("max_silence").count();
    assert_eq!(warnings, 1, "{}", captured.text());

    app.advance(TimeDelta::hours(72));
    monitor.check(&mut warned).await.unwrap();
    assert_eq!(warned.len(), 2);
    app.bamboohr(&[working("1", "ben@example.com", "2026-11-28T11:00:00Z")])
        .await;
    monitor.check(&mut warned).await.unwrap();
    assert_eq!(
        warned.len(),
        1,
        "a source that sends again can be warned about again"
    );
}

#[tokio::test]
async fn a_restart_does_not_reset_the_silence() {
    let app = TestApp::builder().settings(&[THRESHOLD]).build().await;
    monitor(&app).check(&mut HashSet::new()).await.unwrap();
    app.advance(TimeDelta::hours(73));
    let mut warned = HashSet::new();
    monitor(&app).check(&mut warned).await.unwrap();
    assert_eq!(warned.len(), 2);
}

#[tokio::test]
async fn without_a_threshold_no_silence_is_reported() {
    let app = TestApp::new().await;
    monitor(&app).check(&mut HashSet::new()).await.unwrap();
    app.advance(TimeDelta::days(400));
    assert_eq!(app.get("/health").await.body["status"], "ok");
}
