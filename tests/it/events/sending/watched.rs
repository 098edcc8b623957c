//! Destinations in `/health` and `/metrics`.

use chrono::TimeDelta;

use super::{app_with, flip, send_due, sender};
use crate::support::TestApp;
use crate::support::event_receiver::{Receiver, webhook};

async fn codes(app: &TestApp) -> Vec<String> {
    let health = app.get("/health").await.body;
    let reasons = health["reasons"].as_array().unwrap().clone();
    let codes = reasons
        .iter()
        .map(|one| one["code"].as_str().unwrap().to_owned());
    codes
        .filter(|code| code.contains("event") || code.contains("destination"))
        .collect()
}

async fn metrics(app: &TestApp) -> Vec<String> {
    let text = app.get("/metrics").await.body;
    let lines = text.as_str().unwrap().lines();
    let lines = lines.filter(|line| line.contains("destination=\"bus\""));
    lines.map(str::to_owned).collect()
}

#[tokio::test]
async fn a_410_degrades_health_until_the_destination_is_back() {
    let bus = Receiver::start().await;
    let mut app = app_with(&webhook("bus", &bus.url, "account.*"), 1).await;
    let sender = sender(&app, "bus");
    assert_eq!(codes(&app).await, [""; 0]);
    bus.answers(410);
    flip(&mut app, [1], true).await;
    send_due(&sender).await;
    let health = app.get("/health").await.body;
    assert_eq!(health["status"], "degraded");
    assert_eq!(codes(&app).await, ["destination_paused"]);
    assert_eq!(health["destinations"]["bus"]["pending"], 1);
    assert!(
        health["destinations"]["bus"]["paused_because"]
            .as_str()
            .unwrap()
            .contains("410")
    );
    assert!(
        metrics(&app)
            .await
            .contains(&"leaver_destination_paused{destination=\"bus\"} 1".to_owned())
    );
    bus.answers(204);
    app.advance(TimeDelta::minutes(5));
    send_due(&sender).await;
    assert_eq!(codes(&app).await, [""; 0]);
}

#[tokio::test]
async fn late_and_dead_events_degrade_health() {
    let bus = Receiver::start().await;
    let mut app = app_with(&webhook("bus", &bus.url, "account.*"), 1).await;
    let sender = sender(&app, "bus");
    bus.answers(400);
    flip(&mut app, [1], true).await;
    send_due(&sender).await;
    app.advance(TimeDelta::minutes(10));
    assert_eq!(codes(&app).await, [""; 0]);
    app.advance(TimeDelta::seconds(1));
    assert_eq!(codes(&app).await, ["events_waiting"]);
    app.sql("UPDATE leaver.outbox_attempts SET attempts = 10")
        .await;
    send_due(&sender).await;
    assert_eq!(codes(&app).await, ["events_dead"]);
    let text = app.get("/health").await.body["reasons"].to_string();
    assert!(text.contains("status 400"), "{text}");
}

#[tokio::test]
async fn series_of_destinations_are_there_at_zero() {
    let bus = Receiver::start().await;
    let mut app = app_with(&webhook("bus", &bus.url, "account.*"), 3).await;
    let zero = [
        "leaver_events_total{destination=\"bus\",outcome=\"dead\"} 0",
        "leaver_events_total{destination=\"bus\",outcome=\"failed\"} 0",
        "leaver_events_total{destination=\"bus\",outcome=\"sent\"} 0",
        "leaver_events_pending{destination=\"bus\"} 0",
        "leaver_events_dead{destination=\"bus\"} 0",
        "leaver_events_oldest_age_seconds{destination=\"bus\"} 0",
        "leaver_destination_paused{destination=\"bus\"} 0",
    ];
    let found = metrics(&app).await;
    for line in zero {
        assert!(
            found.iter().any(|one| one == line),
            "no {line} in {found:?}"
        );
    }
    flip(&mut app, 1..=3, true).await;
    app.advance(TimeDelta::seconds(7));
    let found = metrics(&app).await;
    assert!(found.contains(&"leaver_events_pending{destination=\"bus\"} 3".to_owned()));
    assert!(found.contains(&"leaver_events_oldest_age_seconds{destination=\"bus\"} 7".to_owned()));
    send_due(&sender(&app, "bus")).await;
    let found = metrics(&app).await;
    assert!(
        found.contains(&"leaver_events_total{destination=\"bus\",outcome=\"sent\"} 3".to_owned())
    );
    let all = app.get("/metrics").await.body;
    let all = all.as_str().unwrap();
    assert!(all.contains("leaver_event_delay_seconds_count 3"), "{all}");
    assert!(
        all.contains("leaver_event_delay_seconds_bucket{le=\"5.0\"} 0"),
        "{all}"
    );
}

#[tokio::test]
async fn events_are_counted_up_to_10000() {
    let bus = Receiver::start().await;
    let mut app = app_with(&webhook("bus", &bus.url, "account.*"), 1).await;
    let now = app.parts.engine.clock.now().to_rfc3339();
    app.sql(&format!(
        "WITH new AS (INSERT INTO leaver.outbox (id, type, occurred_at, data)
             SELECT gen_random_uuid(), 'account.deactivated', '{now}', '{{}}' FROM generate_series(1, 10100) RETURNING id)
         INSERT INTO leaver.outbox_attempts (event_id, destination, attempts, next_at, since)
         SELECT id, 'bus', 1, '{now}', '{now}'::timestamptz - (1000 + row_number() OVER ()) * interval '1 second' FROM new"
    ))
    .await;
    let found = metrics(&app).await;
    for line in [
        "leaver_events_pending{destination=\"bus\"} 10001",
        "leaver_events_oldest_age_seconds{destination=\"bus\"} 11100",
    ] {
        assert!(found.iter().any(|one| one == line), "{found:?}");
    }
    let text = app.get("/health").await.body["reasons"].to_string();
    assert!(
        text.contains("more than 10000 events wait for destination bus"),
        "{text}"
    );
    app.sql("UPDATE leaver.outbox_attempts SET state = 'dead', finished_at = next_at")
        .await;
    let health = app.get("/health").await.body;
    assert_eq!(health["destinations"]["bus"]["dead"], 10_001);
}
