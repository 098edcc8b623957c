//! Processes that end between a claim and the stored result.

use chrono::TimeDelta;
use sqlx::Row;

use super::{app_with, flip, send_due, sender};
use crate::support::event_receiver::{Receiver, webhook};
use crate::support::process::{RunningService, wait_until};

#[tokio::test(flavor = "multi_thread")]
async fn an_event_of_a_dead_process_is_sent_again_under_its_id() {
    for point in ["events_claimed", "events_sent"] {
        let bus = Receiver::start().await;
        let mut app = app_with(&webhook("bus", &bus.url, "account.*"), 1).await;
        flip(&mut app, [1], true).await;
        let failpoints = format!("{point}=abort");
        let mut service = RunningService::start(&app.env(&[("FAILPOINTS", &failpoints)]));
        wait_until("the process to die", || !service.process.is_running());
        let sent = bus.requests();
        assert_eq!(sent.len(), usize::from(point == "events_sent"));
        let row = sqlx::query("SELECT state, leased_until FROM leaver.outbox_attempts");
        let row = row.fetch_one(&mut app.conn).await.unwrap();
        assert_eq!(row.get::<String, _>("state"), "leased");

        // Another replica sends it when the lease has run out, and not before.
        let until: chrono::DateTime<chrono::Utc> = row.get("leased_until");
        let sender = sender(&app, "bus");
        app.clock.set(until - TimeDelta::seconds(1));
        assert_eq!(send_due(&sender).await, 0);
        app.clock.set(until);
        assert_eq!(send_due(&sender).await, 1);
        let id = app
            .text("SELECT id::text FROM leaver.outbox")
            .await
            .unwrap();
        assert!(bus.requests().iter().all(|request| request.id == id));
        assert_eq!(bus.requests().len(), sent.len() + 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_sends_an_event_at_once() {
    let bus = Receiver::start().await;
    let mut app = app_with(&webhook("bus", &bus.url, "account.*"), 1).await;
    let service = app.serve(&[]);
    let entry = crate::support::driving::terminated("1", &super::email(1), "2026-11-22T11:00:00Z");
    let file = app.file(
        "leaver.json",
        &crate::support::employees(&[entry]).to_string(),
    );
    service.send(&app, "bamboohr", &file).succeeded();
    wait_until("an event", || !bus.requests().is_empty());
    app.wait_for_count(
        1,
        "SELECT count(*) FROM leaver.outbox_attempts WHERE state = 'done'",
    )
    .await;
    assert_eq!(bus.requests()[0].kind(), "account.deactivated");
}
