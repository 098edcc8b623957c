//! A destination that asks for a wait, is flaky, or refuses one kind of event.

use chrono::TimeDelta;
use leaver::base::clock::Clock;
use leaver::config::{Environment, Settings};

use super::{app_with, flip, send_due, sender};
use crate::support::event_receiver::{Receiver, webhook};

const PAUSED: &str = "SELECT count(*) FROM leaver.destinations WHERE paused_at IS NOT NULL";
const MOST: &str = "SELECT max(attempts)::bigint FROM leaver.outbox_attempts";

#[tokio::test]
async fn a_wait_that_is_asked_for_ends_the_batch_and_pauses_nobody() {
    let bus = Receiver::start().await;
    let mut app = app_with(&webhook("bus", &bus.url, "account.*"), 40).await;
    let sender = sender(&app, "bus");
    bus.answers_by(|_| (429, Some(60)));
    flip(&mut app, 1..=40, true).await;
    send_due(&sender).await;
    assert!(bus.requests().len() <= 8, "{}", bus.requests().len());
    assert_eq!(app.count(PAUSED).await, 0);
    bus.answers(204);
    app.advance(TimeDelta::seconds(30));
    assert_eq!(send_due(&sender).await, 0);
    app.advance(TimeDelta::seconds(60));
    assert_eq!(send_due(&sender).await, 40);
}

#[tokio::test]
async fn requests_that_fail_together_are_one_failure() {
    let bus = Receiver::start().await;
    let mut app = app_with(&webhook("bus", &bus.url, "account.*"), 8).await;
    let sender = sender(&app, "bus");
    let clock = app.clock.clone();
    // Each answer comes later than the one before, as with a clock that runs.
    bus.answers_by(move |_| {
        clock.set(clock.now() + TimeDelta::milliseconds(1));
        (502, None)
    });
    flip(&mut app, 1..=8, true).await;
    let stop = tokio_util::sync::CancellationToken::new();
    sender.round(&stop).await.unwrap();
    let failures = "SELECT failures::bigint FROM leaver.destinations";
    assert!(app.count(failures).await < 5, "a restart of the receiver");
    assert_eq!(app.count(PAUSED).await, 0);
}

#[tokio::test]
async fn an_attempt_that_a_resumption_brings_forward_does_not_count() {
    let bus = Receiver::start().await;
    let mut app = app_with(&webhook("bus", &bus.url, "*"), 6).await;
    let sender = sender(&app, "bus");
    // Whatever is about accounts fails, and a probe about an employee resumes the destination again and again.
    bus.answers_by(|body| match body["type"].as_str() {
        Some(kind) if kind.starts_with("account.") => (500, None),
        _ => (204, None),
    });
    for round in 0..12 {
        flip(&mut app, 1..=6, round % 2 == 0).await;
        send_due(&sender).await;
        app.advance(TimeDelta::minutes(6));
        send_due(&sender).await;
    }
    assert!(app.count(MOST).await < 11);
    let dead = "SELECT count(*) FROM leaver.outbox_attempts WHERE state = 'dead'";
    assert_eq!(app.count(dead).await, 0);
    bus.answers(204);
    app.advance(TimeDelta::hours(3));
    send_due(&sender).await;
    app.advance(TimeDelta::hours(3));
    send_due(&sender).await;
    let open = "SELECT count(*) FROM leaver.outbox_attempts WHERE state <> 'done'";
    assert_eq!(app.count(open).await, 0);
}

#[tokio::test]
async fn a_reload_with_another_kind_changes_nothing() {
    let bus = Receiver::start().await;
    let mut app = app_with(&webhook("bus", &bus.url, "account.*"), 1).await;
    let sender = sender(&app, "bus");
    let text = "[[destinations]]\nname = \"bus\"\nkind = \"slack\"\nurl = \"env:HOOK\"\nevents = [\"account.*\"]\n";
    let file = app.file("other.toml", text);
    let env = Environment::of([
        ("BAMBOOHR_WEBHOOK_SECRET", crate::support::BAMBOOHR_KEY),
        ("HOOK", "https://hooks.slack.com/services/T00/B00/hush"),
    ]);
    let newer = Settings::load(Some(&file), &env).unwrap();
    let refused = sender.replace(&newer.destinations[0]).unwrap_err();
    assert!(refused.to_string().contains("restart"), "{refused}");
    flip(&mut app, [1], true).await;
    assert_eq!(send_due(&sender).await, 1);
    assert_eq!(bus.accepted().len(), 1);
}
