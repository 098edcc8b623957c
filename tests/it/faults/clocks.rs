//! Clocks that step back, and replicas whose clocks differ.

use std::sync::Arc;

use chrono::TimeDelta;
use leaver::base::clock::{Clock, FixedClock};
use leaver::jobs::deliveries::Round;

use crate::support::TestApp;
use crate::support::driving::terminated;
use crate::support::employees;

const DANA: &str = "dana@example.com";

#[tokio::test]
async fn a_clock_that_steps_back_delays_no_delivery() {
    let mut app = TestApp::new().await;
    app.add_users(&[DANA, "tom@example.com"]).await;
    let left = |id: &str, email: &str| employees(&[terminated(id, email, "2026-11-22T09:00:00Z")]);
    app.store("bamboohr", &left("1", DANA)).await;
    app.advance(TimeDelta::hours(-1));
    // What comes now is done now.
    app.deliver("bamboohr", &left("2", "tom@example.com")).await;
    assert!(!app.is_active("tom@example.com").await);
    assert!(app.is_active(DANA).await);
    app.parts.housekeeping.run_once().await.unwrap();
    app.work().await;
    assert!(!app.is_active(DANA).await);
}

#[tokio::test]
async fn a_fast_clock_delays_no_other_replica() {
    let mut app = TestApp::new().await;
    app.add_users(&[DANA]).await;
    let fast = FixedClock::at(app.clock.now() + TimeDelta::hours(1));
    let mut other = app
        .replica(
            &["bamboohr"],
            &[],
            Arc::new(fast.clone()),
            app.options.clone(),
        )
        .await;
    other.clock = fast;
    let left = employees(&[terminated("1", DANA, "2026-11-22T09:00:00Z")]);
    other.store("bamboohr", &left).await;
    drop(other);
    assert_eq!(app.round().await, Round::Idle);
    app.parts.housekeeping.run_once().await.unwrap();
    app.work().await;
    assert!(!app.is_active(DANA).await);
    // Nothing is left that waits for later, and what has just failed still waits its turn.
    app.parts.housekeeping.run_once().await.unwrap();
    assert_eq!(app.round().await, Round::Idle);
}

#[tokio::test]
async fn who_waits_for_another_attempt_is_not_called_before_its_time() {
    let mut app = TestApp::new().await;
    app.add_users(&[DANA]).await;
    app.refuse_to_save(&[1]).await;
    let left = employees(&[terminated("1", DANA, "2026-11-22T09:00:00Z")]);
    for _ in 0..9 {
        app.deliver("bamboohr", &left).await;
        app.parts.housekeeping.run_once().await.unwrap();
        assert_eq!(app.round().await, Round::Idle);
        app.advance(TimeDelta::minutes(7));
    }
    let attempts = "SELECT attempts::bigint FROM leaver.deliveries WHERE state = 'pending'";
    assert_eq!(app.count(attempts).await, 9);
}
