//! Attempts that fail one by one.

use chrono::{DateTime, TimeDelta, Utc};

use super::{app_with, flip, send_due, sender};
use crate::support::event_receiver::{Receiver, webhook};

#[tokio::test]
async fn an_event_dies_after_eleven_attempts_and_holds_up_nobody() {
    let bus = Receiver::start().await;
    let mut app = app_with(&webhook("bus", &bus.url, "account.*"), 2).await;
    let sender = sender(&app, "bus");
    bus.answers_by(|body| {
        if body["employee_id"] == "1" && body["sequence"] == 1 {
            (400, None)
        } else {
            (204, None)
        }
    });
    let began = app.parts.engine.clock.now();
    flip(&mut app, [1], true).await;
    flip(&mut app, [1], false).await;
    let mut is_leaving = true;
    let mut failed_at: Vec<DateTime<Utc>> = vec![];
    // Other events arrive between the attempts, so that the destination is not paused.
    while app
        .count("SELECT count(*) FROM leaver.outbox_attempts WHERE state = 'dead'")
        .await
        == 0
    {
        let before = bus.requests().len();
        send_due(&sender).await;
        let new = bus.requests().split_off(before);
        if new.iter().any(|request| request.status == 400) {
            failed_at.push(app.parts.engine.clock.now());
        }
        flip(&mut app, [2], is_leaving).await;
        send_due(&sender).await;
        is_leaving = !is_leaving;
        let next = "SELECT COALESCE(extract(epoch FROM min(next_at)), 0)::bigint FROM leaver.outbox_attempts WHERE state = 'due' AND attempts > 0";
        let next = DateTime::from_timestamp(app.count(next).await + 1, 0).unwrap();
        if next > app.parts.engine.clock.now() {
            app.clock.set(next);
        }
    }
    assert_eq!(failed_at.len(), 11);
    let took = *failed_at.last().unwrap() - began;
    assert!(
        took >= TimeDelta::hours(75) && took <= TimeDelta::hours(92),
        "{took}"
    );
    // The later event of the same person follows.
    send_due(&sender).await;
    let mut accepted = bus.accepted();
    accepted.retain(|request| request.person() == "1");
    assert_eq!(accepted.len(), 1);
    assert_eq!(accepted[0].sequence(), 2);
    let paused = "SELECT count(*) FROM leaver.destinations WHERE paused_at IS NOT NULL";
    assert_eq!(app.count(paused).await, 0);
}

#[tokio::test]
async fn a_later_event_of_a_person_waits_for_the_earlier_one() {
    let bus = Receiver::start().await;
    let mut app = app_with(&webhook("bus", &bus.url, "account.*"), 2).await;
    let sender = sender(&app, "bus");
    flip(&mut app, [1, 2], true).await;
    flip(&mut app, [1, 2], false).await;
    bus.answers_by(|body| {
        if body["employee_id"] == "1" {
            (500, None)
        } else {
            (204, None)
        }
    });
    send_due(&sender).await;
    let sequences = |person: &str| {
        let mut requests = bus.requests();
        requests.retain(|request| request.person() == person);
        requests
            .iter()
            .map(crate::support::event_receiver::Received::sequence)
            .collect::<Vec<_>>()
    };
    assert_eq!(sequences("1"), [1]);
    assert_eq!(sequences("2"), [1, 2]);
    bus.answers(204);
    app.advance(TimeDelta::seconds(6));
    send_due(&sender).await;
    assert_eq!(sequences("1"), [1, 1, 2]);
    let ids: Vec<String> = bus
        .requests()
        .into_iter()
        .filter(|one| one.sequence() == 1 && one.person() == "1")
        .map(|one| one.id)
        .collect();
    assert_eq!(ids[0], ids[1], "the id stays the same over all attempts");
}

#[tokio::test]
async fn a_wait_that_a_destination_asks_for_is_kept() {
    for status in [429, 503] {
        let bus = Receiver::start().await;
        let mut app = app_with(&webhook("bus", &bus.url, "account.*"), 2).await;
        let sender = sender(&app, "bus");
        bus.answers_by(move |_| (status, Some(1_800)));
        flip(&mut app, [1], true).await;
        send_due(&sender).await;
        assert_eq!(bus.requests().len(), 1);
        bus.answers(204);
        // The destination is not asked with other events either.
        flip(&mut app, [2], true).await;
        app.advance(TimeDelta::minutes(29));
        assert_eq!(send_due(&sender).await, 0);
        app.advance(TimeDelta::minutes(2));
        assert_eq!(send_due(&sender).await, 2);
        assert_eq!(bus.accepted().len(), 2);
    }
}

#[tokio::test]
async fn a_wait_of_more_than_a_day_is_shortened() {
    let bus = Receiver::start().await;
    let mut app = app_with(&webhook("bus", &bus.url, "account.*"), 1).await;
    let sender = sender(&app, "bus");
    bus.answers_by(|_| (429, Some(31_536_000)));
    flip(&mut app, [1], true).await;
    send_due(&sender).await;
    bus.answers(204);
    app.advance(TimeDelta::hours(24));
    assert_eq!(send_due(&sender).await, 1);
}

#[tokio::test]
async fn two_replicas_send_each_event_once() {
    const PEOPLE: usize = 150;
    let bus = Receiver::start().await;
    let mut app = app_with(&webhook("bus", &bus.url, "account.*"), PEOPLE).await;
    flip(&mut app, 1..=PEOPLE, true).await;
    flip(&mut app, 1..=PEOPLE, false).await;
    let (one, other) = (sender(&app, "bus"), sender(&app, "bus"));
    let (first, second) = tokio::join!(send_due(&one), send_due(&other));
    assert_eq!(first + second, 2 * PEOPLE);
    assert!(first > 0 && second > 0, "{first} and {second}");
    let mut ids: Vec<String> = bus.requests().into_iter().map(|one| one.id).collect();
    assert_eq!(ids.len(), 2 * PEOPLE);
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 2 * PEOPLE);
}
