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

/// A status as of some milliseconds after the whole second, received a minute later.
fn status_at(ms: i64, value: Status) -> Observation {
    let mut observation = status(5, value);
    observation.as_of = at(5) + TimeDelta::milliseconds(ms);
    observation.observed_at = at(6);
    observation
}

#[test]
fn the_stronger_fact_of_a_whole_second_wins() {
    for ms in [1, 300, 999] {
        let in_second = |value| status_at(ms, value);
        for pair in [
            [status(5, Status::Inactive), in_second(Status::Active)],
            [status(5, Status::Active), in_second(Status::Inactive)],
        ] {
            assert_eq!(known(&pair).status(), Some(&Status::Inactive), "{ms}");
        }
    }
    let in_next_second = [
        status(5, Status::Inactive),
        status_at(1_000, Status::Active),
    ];
    assert_eq!(known(&in_next_second).status(), Some(&Status::Active));
}

#[test]
fn times_of_one_resolution_are_compared_exactly() {
    let pair = [
        status_at(200, Status::Inactive),
        status_at(700, Status::Active),
    ];
    assert_eq!(known(&pair).status(), Some(&Status::Active));
}

#[test]
fn milliseconds_and_microseconds_can_be_one_moment() {
    let mut exact = status_at(200, Status::Active);
    exact.as_of += TimeDelta::microseconds(456);
    let pair = [status_at(200, Status::Inactive), exact.clone()];
    assert_eq!(known(&pair).status(), Some(&Status::Inactive));
    let pair = [status_at(199, Status::Inactive), exact];
    assert_eq!(known(&pair).status(), Some(&Status::Active));
}

#[test]
fn a_date_of_the_second_of_a_read_is_kept() {
    let date = DateOrInstant::Day(day("2026-03-31"));
    let dated = with(observed(5), |facts| {
        facts.termination_date = Field::Value(date)
    });
    let mut undated = with(observed(5), |facts| facts.termination_date = Field::Empty);
    undated.as_of = at(5) + TimeDelta::milliseconds(300);
    let termination = known(&[dated, undated]).termination_date.unwrap();
    assert_eq!(termination.value, Some(date));
}

#[test]
fn a_deletion_in_the_second_of_a_read_is_kept() {
    let employee = known(&[deleted(5), read_at(300)]);
    assert!(employee.is_deleted());
    assert!(!known(&[deleted(5), read_at(1_000)]).is_deleted());
}

#[test]
fn a_newer_status_clears_the_failed_read() {
    let failed = |observations: &[Observation]| {
        let (mut employee, _) = merged(&[notification_only(5)]);
        employee.read_failed = Some(leaver_core::domain::ReadFailure {
            since: at(5),
            cause: "403".to_owned(),
        });
        for observation in observations {
            merge(&mut employee, observation);
        }
        employee.read_failed.is_some()
    };
    assert!(failed(&[status(4, Status::Active)]));
    assert!(failed(&[notification_only(6)]));
    assert!(!failed(&[status(6, Status::Active)]));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_order_gives_the_same_facts_within_seconds(
        mut reported in vec(observations(), 1..5),
        reads in vec(any::<bool>(), 5),
    ) {
        for (observation, is_read) in reported.iter_mut().zip(reads) {
            if is_read {
                observation.as_of += TimeDelta::milliseconds(300);
                observation.observed_at = observation.observed_at.max(observation.as_of);
            }
        }
        let (expected, _) = merged(&reported);
        for order in permutations(&reported) {
            let (employee, _) = merged(&order);
            prop_assert_eq!(&employee, &expected, "{:#?}", order);
        }
    }
}
