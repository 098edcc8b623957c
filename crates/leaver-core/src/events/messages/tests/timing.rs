//! When digests are sent, and how messages are recognised.

use proptest::prelude::*;

use super::*;

fn after_digest(minutes: i64) -> Rules {
    Rules {
        last_digest_at: Some(now() - TimeDelta::minutes(minutes)),
        ..rules()
    }
}

#[test]
fn the_first_digest_is_sent_at_once() {
    assert_eq!(plan(&[hold(1, None)], &rules()).messages.len(), 1);
}

#[test]
fn the_next_digest_waits_ten_minutes() {
    let waiting = plan(&[hold(1, None)], &after_digest(1));
    assert!(waiting.messages.is_empty());
    assert_eq!(waiting.wait, [Uuid::from_u128(1)]);
    assert_eq!(waiting.wait_until, Some(now() + TimeDelta::minutes(9)));
    let due = plan(&[hold(1, None)], &after_digest(10));
    assert_eq!((due.messages.len(), due.wait_until), (1, None));
}

#[test]
fn a_clock_set_back_delays_no_digest() {
    assert_eq!(plan(&[hold(1, None)], &after_digest(-60)).messages.len(), 1);
}

#[test]
fn what_needs_somebody_does_not_wait() {
    for kind in [
        "safeguard.tripped",
        "safeguard.released",
        "drift.found",
        "source.silent",
        "source.unhealthy",
        "destination.paused",
    ] {
        let plan = plan(
            &[event(1, kind, json!({})), hold(2, None)],
            &after_digest(1),
        );
        assert_eq!((plan.messages.len(), plan.wait.len()), (1, 1), "{kind}");
        assert!(!plan.messages[0].delays_digest, "{kind}");
    }
}

#[test]
fn a_key_stays_the_same_over_attempts() {
    let events = [hold(1, None), hold(2, None)];
    let mut reversed = events.clone();
    reversed.reverse();
    let key = |events: &[Event]| plan(events, &rules()).messages[0].key();
    assert_eq!(key(&events), key(&reversed));
    assert_ne!(key(&events), key(&events[..1]));
    assert_eq!(key(&events[..1]), Uuid::from_u128(1).to_string());
}

#[test]
fn no_events_are_no_message() {
    assert_eq!(plan(&[], &rules()), Plan::default());
}

proptest! {
    /// Each event is in exactly one message, or waits; no text has a name.
    #[test]
    fn no_event_is_lost_or_named(kinds in prop::collection::vec((0..EventType::ALL.len(), 0..3_u32, any::<bool>()), 0..60), minutes in 0..20_i64) {
        let of = |(n, (kind, trip, shadow)): (usize, (usize, u32, bool))| Event {
            shadow,
            ..of_person(u32::try_from(n).unwrap(), EventType::ALL[kind].as_str(), json!({ "trip_id": trip, "hold_id": n % 7 }))
        };
        let events: Vec<Event> = kinds.into_iter().enumerate().map(of).collect();
        let plan = plan(&events, &after_digest(minutes));
        let mut ids: Vec<Uuid> = plan.messages.iter().flat_map(|message| message.events.clone()).chain(plan.wait.clone()).collect();
        ids.sort_unstable();
        let mut all: Vec<Uuid> = events.iter().map(|event| event.id).collect();
        all.sort_unstable();
        prop_assert_eq!(ids, all);
        prop_assert!(plan.messages.iter().all(|message| !message.text.contains('@') && !message.subject.is_empty()));
        prop_assert!(plan.messages.len() <= 12);
        prop_assert_eq!(plan.wait.is_empty(), plan.wait_until.is_none());
    }
}
