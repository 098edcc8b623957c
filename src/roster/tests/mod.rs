//! Merging, fact by fact. `observed` and its variants build observations, `merged` merges several.

use chrono::{NaiveDate, TimeDelta};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use leaver_core::domain::{
    DateOrInstant, EmployeeId, EmploymentStatus, HashedText, Position, PostedText, Tenant,
    WorkEmail,
};

mod same_second;
mod unreadable;

const DAY: &str = "2026-03-10T12:00:00Z";

fn at(minute: i64) -> DateTime<Utc> {
    DAY.parse::<DateTime<Utc>>().unwrap() + TimeDelta::minutes(minute)
}

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn email(text: &str) -> WorkEmail {
    WorkEmail::parse(text).unwrap()
}

/// An update as of a minute, observed a minute later, without facts.
fn observed(minute: i64) -> Observation {
    let change = EmployeeChange {
        tenant: Tenant::new("acme"),
        employee_id: EmployeeId::new("4711"),
        kind: ChangeKind::Updated,
        as_of: Some(at(minute)),
        facts: Facts::default(),
        notification_only: false,
        linked_account: None,
    };
    let source = SourceName::parse("hr").unwrap();
    Observation::new(source, change, None, at(minute + 1), None)
}

fn end_of_second(minute: i64) -> DateTime<Utc> {
    at(minute) + TimeDelta::microseconds(999_999)
}

fn status(minute: i64, status: Status) -> Observation {
    with(observed(minute), |facts| {
        facts.status = Field::Value(status);
    })
}

fn flagged(minute: i64, status: Status) -> Observation {
    with(observed(minute), |facts| {
        facts.status = Field::Value(status);
        facts.status_changed = true;
    })
}

fn with(mut observation: Observation, set: impl FnOnce(&mut Facts)) -> Observation {
    set(&mut observation.change.facts);
    observation
}

fn notification_only(minute: i64) -> Observation {
    let mut observation = observed(minute);
    observation.change.notification_only = true;
    observation
}

fn deleted(minute: i64) -> Observation {
    let mut observation = observed(minute);
    observation.change.kind = ChangeKind::Deleted;
    observation
}

fn merged(observations: &[Observation]) -> (Employee, Vec<Effect>) {
    let mut employee = Employee::new(observed(0).key());
    let effects = observations
        .iter()
        .map(|observation| merge(&mut employee, observation))
        .collect();
    (employee, effects)
}

/// Merges in both orders and checks that the result is the same.
fn known(observations: &[Observation]) -> Employee {
    let (employee, _) = merged(observations);
    let backwards: Vec<Observation> = observations.iter().rev().cloned().collect();
    assert_eq!(merged(&backwards).0, employee, "{observations:#?}");
    employee
}

#[test]
fn newer_facts_win_one_by_one() {
    let first = with(status(1, Status::Active), |facts| {
        facts.hire_date = Field::Value(day("2020-01-01"));
        facts.work_email = Field::Value(email("old@example.com"));
    });
    let second = with(observed(2), |facts| {
        facts.work_email = Field::Value(email("new@example.com"));
    });

    let employee = known(&[first, second]);

    assert_eq!(employee.status(), Some(&Status::Active));
    assert_eq!(employee.status.as_ref().unwrap().as_of, at(1));
    assert_eq!(employee.hire_date.unwrap().value, Some(day("2020-01-01")));
    assert_eq!(
        employee.work_email.unwrap(),
        Fact {
            value: Some(email("new@example.com")),
            as_of: at(2),
            observed_at: at(3)
        }
    );
}

#[test]
fn an_older_fact_is_stale() {
    let (before, _) = merged(&[flagged(2, Status::Inactive)]);
    let (after, effects) = merged(&[flagged(2, Status::Inactive), status(1, Status::Active)]);
    assert_eq!(effects, [Effect::Changed, Effect::Stale]);
    assert_eq!(after, before);
}

#[test]
fn an_older_observation_can_bring_an_unknown_fact() {
    let late = with(observed(1), |facts| {
        facts.termination_date = Field::Value(DateOrInstant::Day(day("2026-03-31")));
    });
    let (employee, effects) = merged(&[status(2, Status::Active), late]);
    assert_eq!(effects, [Effect::Changed, Effect::Changed]);
    assert_eq!(employee.termination_date.unwrap().as_of, at(1));
}

#[test]
fn a_repeated_observation_is_unchanged() {
    for observation in [
        status(1, Status::Active),
        flagged(1, Status::Inactive),
        notification_only(1),
        deleted(1),
        observed(1),
    ] {
        let (once, _) = merged(std::slice::from_ref(&observation));
        let (twice, effects) = merged(&[observation.clone(), observation.clone()]);
        assert_eq!(
            effects,
            [Effect::Changed, Effect::Unchanged],
            "{observation:#?}"
        );
        assert_eq!(twice, once);
    }
}

#[test]
fn the_same_value_at_a_later_time_is_a_change() {
    let (employee, effects) = merged(&[status(1, Status::Active), status(2, Status::Active)]);
    assert_eq!(effects, [Effect::Changed, Effect::Changed]);
    assert_eq!(employee.status.unwrap().as_of, at(2));
}

#[test]
fn the_greater_of_two_simultaneous_facts_wins() {
    let cases = [
        (Status::Active, Status::Pending),
        (Status::Pending, Status::Unknown("LEAVE".to_owned())),
        (Status::Unknown("LEAVE".to_owned()), Status::Inactive),
        (Status::Active, Status::Inactive),
    ];
    for (lesser, greater) in cases {
        let employee = known(&[status(1, lesser), status(1, greater.clone())]);
        assert_eq!(employee.status(), Some(&greater));
    }
    let dated =
        |date: Field<DateOrInstant>| with(observed(1), |facts| facts.termination_date = date);
    let date = DateOrInstant::Day(day("2026-03-31"));
    let employee = known(&[dated(Field::Empty), dated(Field::Value(date))]);
    assert_eq!(employee.termination_date.unwrap().value, Some(date));
}

#[test]
fn an_empty_fact_replaces_an_older_value() {
    let dated = with(observed(1), |facts| {
        facts.termination_date = Field::Value(DateOrInstant::Day(day("2026-03-31")));
    });
    let undated = with(observed(2), |facts| facts.termination_date = Field::Empty);
    let termination = known(&[dated, undated]).termination_date.unwrap();
    assert_eq!((termination.value, termination.as_of), (None, at(2)));
}

#[test]
fn a_missing_field_changes_nothing() {
    let employee = known(&[flagged(1, Status::Inactive), observed(2)]);
    assert_eq!(employee.status(), Some(&Status::Inactive));
    assert_eq!(employee.status.unwrap().as_of, at(1));
    assert_eq!(employee.termination_date, None);
}

#[test]
fn a_future_time_counts_as_the_arrival() {
    let change = EmployeeChange {
        as_of: Some(at(500)),
        ..status(0, Status::Inactive).change
    };
    let source = SourceName::parse("hr").unwrap();
    let ahead = Observation::new(source, change, None, at(10), None);
    assert_eq!(ahead.as_of, at(10));
    let employee = known(&[ahead, status(11, Status::Active)]);
    assert_eq!(employee.status(), Some(&Status::Active));
}

#[test]
fn as_of_falls_back_to_the_signed_or_arrival_time() {
    let source = SourceName::parse("hr").unwrap();
    let untimed = EmployeeChange {
        as_of: None,
        ..observed(0).change
    };
    let of =
        |fallback| Observation::new(source.clone(), untimed.clone(), fallback, at(10), None).as_of;
    assert_eq!(of(Some(at(7))), at(7));
    assert_eq!(of(Some(at(70))), at(10));
    assert_eq!(of(None), at(10));
}

#[test]
fn a_repeated_fact_keeps_its_first_observation() {
    let early = status(1, Status::Inactive);
    let late = Observation {
        observed_at: at(50),
        ..early.clone()
    };
    assert_eq!(known(&[early, late]).status.unwrap().observed_at, at(2));
}

#[test]
fn a_change_without_values_needs_a_read() {
    assert_eq!(
        known(&[notification_only(5)]).values_pending_since,
        Some(end_of_second(5))
    );
    assert_eq!(
        known(&[notification_only(5), notification_only(3)]).values_pending_since,
        Some(end_of_second(5))
    );
    assert_eq!(
        known(&[status(1, Status::Active), notification_only(5)]).values_pending_since,
        Some(end_of_second(5))
    );
}

#[test]
fn a_creation_without_values_needs_no_read() {
    let mut created = notification_only(5);
    created.change.kind = ChangeKind::Created;
    assert_eq!(known(&[created]).values_pending_since, None);
}

#[test]
fn a_deletion_holds_until_a_newer_observation() {
    let removed = |observations: &[Observation]| known(observations).deleted.unwrap().value;
    assert_eq!(removed(&[observed(1), deleted(2)]), Some(true));
    assert_eq!(removed(&[deleted(2), observed(2)]), Some(true));
    assert_eq!(removed(&[deleted(2), observed(3)]), Some(false));
}

#[test]
fn a_status_change_is_reported_or_seen() {
    let changed = |observations: &[Observation]| known(observations).status_changed;
    let (active, inactive) = (Status::Active, Status::Inactive);

    assert!(!changed(&[status(1, inactive.clone())]));
    assert!(!changed(&[
        status(1, inactive.clone()),
        status(2, inactive.clone())
    ]));
    assert!(!changed(&[status(1, inactive.clone()), observed(2)]));
    assert!(changed(&[flagged(1, inactive.clone())]));
    assert!(changed(&[
        flagged(1, inactive.clone()),
        status(2, inactive.clone())
    ]));
    assert!(changed(&[status(1, active), status(2, inactive)]));
}

#[test]
fn a_changed_status_without_value_is_no_change() {
    let named = with(observed(1), |facts| facts.status_changed = true);
    assert!(!known(&[named, status(2, Status::Inactive)]).status_changed);
}

#[test]
fn an_older_status_that_arrives_late_shows_a_change() {
    let (employee, effects) = merged(&[status(2, Status::Inactive), status(1, Status::Active)]);
    assert_eq!(effects, [Effect::Changed, Effect::Changed]);
    assert_eq!(employee.status(), Some(&Status::Inactive));
    assert!(employee.status_changed);
}

#[test]
fn the_delivery_of_the_last_change_is_kept() {
    let from = |observation: Observation, id: u128| Observation {
        delivery: Some(DeliveryId(uuid::Uuid::from_u128(id))),
        ..observation
    };
    let (employee, _) = merged(&[
        from(flagged(2, Status::Inactive), 1),
        from(status(1, Status::Inactive), 2),
        observed(3),
    ]);
    assert_eq!(
        employee.last_delivery_id,
        Some(DeliveryId(uuid::Uuid::from_u128(1)))
    );
}

fn posted<T: Clone + std::fmt::Debug + 'static>(values: Vec<T>) -> impl Strategy<Value = Field<T>> {
    prop_oneof![
        2 => Just(Field::Absent),
        1 => Just(Field::Unreadable),
        1 => Just(Field::Empty),
        4 => select(values).prop_map(Field::Value),
    ]
}

prop_compose! {
    /// Few minutes and few values, so that ties, repetitions and contradictions are frequent.
    fn observations()(
        minute in 0_i64..4,
        heard in 0_i64..3,
        kind in select(vec![ChangeKind::Created, ChangeKind::Updated, ChangeKind::Updated, ChangeKind::Deleted]),
        notification_only in any::<bool>(),
        status in posted(vec![Status::Active, Status::Pending, Status::Unknown("LEAVE".to_owned()), Status::Inactive]),
        status_changed in any::<bool>(),
        employment_status in posted(vec![EmploymentStatus::Other, EmploymentStatus::Terminated]),
        hire_date in posted(vec![day("2020-01-01"), day("2026-04-01")]),
        termination_date in posted(vec![DateOrInstant::Day(day("2026-03-31")), DateOrInstant::Instant(at(90))]),
        work_email in posted(vec![email("a@example.com"), email("b@example.com")]),
        job_title in posted(vec![title(1), title(2)]),
    ) -> Observation {
        let job_title = PostedText { value: job_title, as_of: None };
        let position = Some(Box::new(Position { job_title, ..Position::default() }));
        let facts = Facts { status, status_changed, employment_status, hire_date, termination_date, work_email, position };
        let change = EmployeeChange {
            kind,
            notification_only,
            linked_account: None,
            facts: if notification_only { Facts::default() } else { facts },
            ..observed(minute).change
        };
        Observation::new(observed(0).source, change, None, at(minute + heard), None)
    }
}

/// A hashed title.
fn title(n: u8) -> HashedText {
    HashedText::from_stored(&format!("00000000:{n:032x}")).unwrap()
}

fn permutations(of: &[Observation]) -> Vec<Vec<Observation>> {
    if of.len() < 2 {
        return vec![of.to_vec()];
    }
    let mut all = vec![];
    for position in 0..of.len() {
        let mut rest = of.to_vec();
        let first = rest.remove(position);
        for mut tail in permutations(&rest) {
            tail.insert(0, first.clone());
            all.push(tail);
        }
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_order_gives_the_same_facts(mut reported in vec(observations(), 1..6), again in any::<prop::sample::Index>()) {
        let repeated = reported[again.index(reported.len())].clone();
        reported.push(repeated);
        let (expected, _) = merged(&reported);
        for order in permutations(&reported) {
            let (employee, _) = merged(&order);
            prop_assert_eq!(&employee, &expected, "{:#?}", order);
        }
        let twice: Vec<Observation> = reported.iter().chain(&reported).cloned().collect();
        let (again, effects) = merged(&twice);
        prop_assert_eq!(again, expected);
        prop_assert!(effects[reported.len()..].iter().all(|effect| *effect != Effect::Changed));
    }
}
