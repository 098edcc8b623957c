//! Faults of a receiver of events.

use super::server::Prometheus;
use super::{ago, send};
use crate::support::driving::terminated;
use crate::support::event_receiver::{RECEIVER_KEYS, Receiver, webhook};
use crate::support::process::wait_until;
use crate::support::{BAMBOOHR_KEY, TestApp, employees};

#[tokio::test(flavor = "multi_thread")]
async fn faults_of_a_destination_fire_their_alerts() {
    let bus = Receiver::start().await;
    let secrets = [("BAMBOOHR_WEBHOOK_SECRET", BAMBOOHR_KEY), RECEIVER_KEYS[0]];
    let mut app = TestApp::builder()
        .config_file(&webhook("bus", &bus.url, "account.*"), &secrets)
        .build()
        .await;
    app.add_users(&["ana@example.com", "ben@example.com"]).await;
    let service = app.serve(&[]);
    let prometheus = Prometheus::start(&[&service.admin_url]);
    prometheus.wait_for("leaver_events_pending").await;
    prometheus.assert_quiet(1).await;

    // One event is refused.
    bus.answers(400);
    let leaver = |id: &str, email: &str| employees(&[terminated(id, email, &ago(60))]);
    send(&app, &service, "bamboohr", &leaver("1", "ana@example.com"));
    wait_until("an attempt", || !bus.requests().is_empty());
    prometheus.wait_for_alerts(&["LeaverEventsWaiting"]).await;
    app.sql("UPDATE leaver.outbox_attempts SET attempts = 10, next_at = now() WHERE state = 'due'")
        .await;
    prometheus.wait_for_alerts(&["LeaverEventsDead"]).await;

    bus.answers(410);
    send(&app, &service, "bamboohr", &leaver("2", "ben@example.com"));
    prometheus
        .wait_for_alerts(&["LeaverDestinationPaused"])
        .await;
    service.stop();
}
