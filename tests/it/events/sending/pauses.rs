//! Failures in a row, and destinations that do not want events.

use std::collections::BTreeMap;

use chrono::TimeDelta;

use super::{app_with, flip, send_due, sender};
use crate::support::event_receiver::{Receiver, webhook};

const PAUSED: &str = "SELECT count(*) FROM leaver.destinations WHERE paused_at IS NOT NULL";

#[tokio::test]
async fn an_outage_of_an_hour_loses_nothing_and_keeps_order() {
    const PEOPLE: usize = 12;
    let bus = Receiver::start().await;
    let mut app = app_with(&webhook("bus", &bus.url, "account.*"), PEOPLE).await;
    let sender = sender(&app, "bus");
    bus.answers(503);
    for minute in 0..60 {
        if minute % 10 == 0 {
            flip(&mut app, 1..=PEOPLE, (minute / 10) % 2 == 0).await;
        }
        send_due(&sender).await;
        app.advance(TimeDelta::minutes(1));
    }
    assert_eq!(app.count(PAUSED).await, 1);
    let failed = bus.requests().len();
    assert!((5 + 10..=8 + 12).contains(&failed), "{failed} requests");
    let most = "SELECT max(attempts)::bigint FROM leaver.outbox_attempts";
    assert_eq!(app.count(most).await, 1, "a pause uses up no attempt");

    bus.answers(204);
    app.advance(TimeDelta::minutes(5));
    send_due(&sender).await;
    assert_eq!(app.count(PAUSED).await, 0);
    let accepted = bus.accepted();
    assert_eq!(accepted.len(), 6 * PEOPLE, "each event once");
    let mut last: BTreeMap<&str, i64> = BTreeMap::new();
    for request in &accepted {
        let last = last.entry(request.person()).or_default();
        assert_eq!(request.sequence(), *last + 1, "of {}", request.person());
        *last = request.sequence();
    }
    let open = "SELECT count(*) FROM leaver.outbox_attempts WHERE state <> 'done'";
    assert_eq!(app.count(open).await, 0);
}

#[tokio::test]
async fn a_probe_begins_with_the_oldest_event() {
    let bus = Receiver::start().await;
    let mut app = app_with(&webhook("bus", &bus.url, "account.*"), 3).await;
    let sender = sender(&app, "bus");
    bus.answers(410);
    for person in 1..=3 {
        flip(&mut app, [person], true).await;
    }
    // A destination that does not want events any more.
    let stop = tokio_util::sync::CancellationToken::new();
    sender.round(&stop).await.unwrap();
    let before = bus.requests().len();
    let mut tried = vec![];
    for _ in 0..4 {
        assert_eq!(send_due(&sender).await, 0, "paused");
        app.advance(TimeDelta::minutes(5));
        assert_eq!(send_due(&sender).await, 1, "one probe");
        tried.push(bus.requests().last().unwrap().person().to_owned());
    }
    assert_eq!(bus.requests().len(), before + 4);
    // One event that is always refused does not keep the others.
    assert_eq!(tried, ["1", "2", "3", "1"]);
}

#[tokio::test]
async fn a_410_pauses_at_once_and_uses_up_no_attempt() {
    let bus = Receiver::start().await;
    let mut app = app_with(&webhook("bus", &bus.url, "account.*"), 1).await;
    let sender = sender(&app, "bus");
    bus.answers(410);
    flip(&mut app, [1], true).await;
    send_due(&sender).await;
    assert_eq!(bus.requests().len(), 1);
    assert_eq!(app.count(PAUSED).await, 1);
    let state = "SELECT state || ' ' || attempts || ' ' || last_status FROM leaver.outbox_attempts";
    assert_eq!(app.text(state).await.unwrap(), "due 0 410");

    bus.answers(200);
    app.advance(TimeDelta::minutes(5));
    assert_eq!(send_due(&sender).await, 1);
    assert_eq!(app.count(PAUSED).await, 0);
    assert_eq!(bus.accepted().len(), 1);
}

#[tokio::test]
async fn a_pause_is_reported_once_to_the_other_destinations() {
    let (bus, ops) = (Receiver::start().await, Receiver::start().await);
    let destinations = [
        webhook("bus", &bus.url, "*"),
        webhook("ops", &ops.url, "destination.paused"),
    ];
    let mut app = app_with(&destinations.concat(), 6).await;
    let (to_bus, to_ops) = (sender(&app, "bus"), sender(&app, "ops"));
    bus.answers(500);
    flip(&mut app, 1..=6, true).await;
    for _ in 0..8 {
        send_due(&to_bus).await;
        send_due(&to_ops).await;
        app.advance(TimeDelta::minutes(5));
    }
    let reported = ops.requests();
    assert_eq!(reported.len(), 1, "{reported:?}");
    assert_eq!(reported[0].kind(), "destination.paused");
    let data = &reported[0].body["data"];
    assert_eq!(data["destination"], "bus");
    assert_eq!(data["status"], 500);
    assert!(data["reason"].as_str().unwrap().contains("status 500"));
    let own =
        "SELECT count(*) FROM leaver.outbox_attempts a JOIN leaver.outbox e ON e.id = a.event_id
               WHERE e.type = 'destination.paused' AND a.destination = 'bus'";
    assert_eq!(app.count(own).await, 0);
}
