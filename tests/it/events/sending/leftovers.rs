//! What is deleted, and personal values.

use chrono::TimeDelta;
use leaver::config::{Environment, Settings};

use super::{app_with, flip, send_due, sender};
use crate::support::event_receiver::{Receiver, webhook};
use crate::support::process::wait_until;
use crate::support::{BAMBOOHR_KEY, TestApp, parts};

const WITH_DETAILS: &str = "SELECT count(*) FROM leaver.outbox WHERE details IS NOT NULL";
const EVENTS: &str = "SELECT count(*) FROM leaver.outbox";

/// Gives the recorded events personal values, as those about facts have them.
async fn add_details(app: &mut TestApp) {
    app.sql(r#"UPDATE leaver.outbox SET details = '{"work_email": "dana.1@example.com", "name": "Dana Scully"}'"#)
        .await;
}

fn full(name: &str, url: &str) -> String {
    webhook(name, url, "account.*") + "payload = \"full\"\n"
}

#[tokio::test]
async fn personal_values_go_when_their_last_receiver_has_them() {
    let (bus, ops) = (Receiver::start().await, Receiver::start().await);
    let mut app = app_with(&(full("bus", &bus.url) + &full("ops", &ops.url)), 1).await;
    let (to_bus, to_ops) = (sender(&app, "bus"), sender(&app, "ops"));
    flip(&mut app, [1], true).await;
    add_details(&mut app).await;
    send_due(&to_bus).await;
    assert_eq!(app.count(WITH_DETAILS).await, 1, "the other one needs them");
    send_due(&to_ops).await;
    assert_eq!(app.count(WITH_DETAILS).await, 0);
    for receiver in [&bus, &ops] {
        let sent = &receiver.requests()[0].body;
        assert_eq!(sent["details"]["name"], "Dana Scully");
    }
}

#[tokio::test]
async fn a_thin_destination_gets_and_keeps_no_personal_values() {
    let (bus, ops) = (Receiver::start().await, Receiver::start().await);
    let both = full("bus", &bus.url) + &webhook("ops", &ops.url, "account.*");
    let mut app = app_with(&both, 1).await;
    flip(&mut app, [1], true).await;
    add_details(&mut app).await;
    ops.answers(500);
    send_due(&sender(&app, "ops")).await;
    assert!(ops.requests()[0].body.get("details").is_none());
    send_due(&sender(&app, "bus")).await;
    assert_eq!(app.count(WITH_DETAILS).await, 0);
}

#[tokio::test]
async fn events_are_deleted_after_the_retention_and_not_before() {
    let bus = Receiver::start().await;
    let mut app = app_with(&webhook("bus", &bus.url, "account.*"), 2).await;
    let sender = sender(&app, "bus");
    flip(&mut app, [1], true).await;
    send_due(&sender).await;
    bus.answers(500);
    flip(&mut app, [2], true).await;
    send_due(&sender).await;
    app.advance(TimeDelta::days(29));
    app.parts.housekeeping.run_once().await.unwrap();
    assert_eq!(app.count(EVENTS).await, 2);
    app.advance(TimeDelta::days(2));
    app.parts.housekeeping.run_once().await.unwrap();
    assert_eq!(app.count(EVENTS).await, 1, "the other one still waits");
    bus.answers(204);
    send_due(&sender).await;
    app.advance(TimeDelta::days(29));
    app.parts.housekeeping.run_once().await.unwrap();
    assert_eq!(app.count(EVENTS).await, 1, "it was sent recently");
    app.advance(TimeDelta::days(2));
    app.parts.housekeeping.run_once().await.unwrap();
    assert_eq!(app.count(EVENTS).await, 0);
    assert_eq!(
        app.count("SELECT count(*) FROM leaver.outbox_attempts")
            .await,
        0
    );
}

#[tokio::test]
async fn events_of_a_removed_destination_do_not_pile_up() {
    let bus = Receiver::start().await;
    let mut app = app_with(&full("bus", &bus.url), 1).await;
    flip(&mut app, [1], true).await;
    add_details(&mut app).await;
    let secret = [("BAMBOOHR_WEBHOOK_SECRET", BAMBOOHR_KEY)];
    let settings = Settings::load(None, &Environment::of(secret)).unwrap();
    let without = parts(&settings, app.options.clone(), &app.clock);
    without.housekeeping.run_once().await.unwrap();
    assert_eq!(app.count(WITH_DETAILS).await, 0, "nobody receives them");
    assert_eq!(app.count(EVENTS).await, 1, "it may be configured again");
    app.advance(TimeDelta::days(31));
    without.housekeeping.run_once().await.unwrap();
    assert_eq!(app.count(EVENTS).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_logs_metrics_and_health_name_nobody() {
    let bus = Receiver::start().await;
    let mut app = app_with(&full("bus", &bus.url), 8).await;
    flip(&mut app, 1..=8, true).await;
    add_details(&mut app).await;
    bus.answers(500);
    let service = app.serve(&[("LEAVER_LOG", "debug")]);
    wait_until("a pause", || bus.requests().len() >= 5);
    app.wait_for_count(
        1,
        "SELECT count(*) FROM leaver.destinations WHERE paused_at IS NOT NULL",
    )
    .await;
    let mut shown = vec![
        app.run(&["events"]).succeeded().out,
        app.run(&["events", "--json"]).succeeded().out,
        service.get("/metrics").await.2,
        service.get("/health").await.2,
    ];
    shown.push(service.stop().err);
    for text in shown {
        assert!(text.contains("bus"), "{text}");
        for word in ["Scully", "dana", "example.com"] {
            assert!(!text.contains(word), "{word} in {text}");
        }
    }
}
