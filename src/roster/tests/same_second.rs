//! Whole seconds compared with the microseconds of a read.

use super::*;

/// A change without values in whole seconds, received some milliseconds later.
fn notified(received_ms: i64) -> Observation {
    let mut observation = notification_only(5);
    observation.observed_at = at(5) + TimeDelta::milliseconds(received_ms);
    observation
}

/// An active status from a read that began in the same second.
fn read_at(ms: i64) -> Observation {
    let mut observation = status(5, Status::Active);
    observation.as_of = at(5) + TimeDelta::milliseconds(ms);
    observation.observed_at = observation.as_of;
    observation
}

fn is_due(observations: &[Observation]) -> bool {
    known(observations).values_pending_since.is_some()
}

#[test]
fn a_second_event_of_the_same_second_needs_another_read() {
    assert!(!is_due(&[notified(100), read_at(300)]));
    assert!(is_due(&[notified(100), read_at(300), notified(700)]));
    assert!(!is_due(&[
        notified(100),
        read_at(300),
        notified(700),
        read_at(800)
    ]));
}

#[test]
fn a_late_event_of_the_second_of_a_read_needs_another_read() {
    assert!(is_due(&[read_at(300), notified(60_000)]));
    assert!(!is_due(&[read_at(1_000), notified(60_000)]));
}

#[test]
fn only_a_newer_status_ends_the_need_for_a_read() {
    for (minute, due) in [
        (4, Some(end_of_second(5))),
        (5, Some(end_of_second(5))),
        (6, None),
    ] {
        for order in [
            [notification_only(5), status(minute, Status::Active)],
            [status(minute, Status::Active), notification_only(5)],
        ] {
            assert_eq!(known(&order).values_pending_since, due, "{minute}");
        }
    }
    let other_fact = with(observed(6), |facts| facts.hire_date = Field::Empty);
    assert_eq!(
        known(&[notification_only(5), other_fact]).values_pending_since,
        Some(end_of_second(5))
    );
}
