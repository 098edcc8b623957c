//! Properties of any facts at any time in any time zone.

use chrono_tz::TZ_VARIANTS;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use super::super::access_end::{access_end, day_start, start_of};
use super::*;

/// Any day of the calendar, mostly near the present or near the first and last day.
fn days() -> impl Strategy<Value = NaiveDate> {
    let ends = (
        NaiveDate::MIN.to_epoch_days(),
        NaiveDate::MAX.to_epoch_days(),
    );
    let near = day("2026-03-10").to_epoch_days();
    prop_oneof![
        4 => near - 30..near + 30,
        2 => near - 60_000..near + 30_000,
        1 => ends.0..=ends.1,
        1 => ends.0..=ends.0 + 2,
        1 => ends.1 - 2..=ends.1,
    ]
    .prop_map(|days| NaiveDate::from_epoch_days(days).unwrap())
}

fn instants() -> impl Strategy<Value = DateTime<Utc>> {
    let near = at(NOW).timestamp();
    let ends = (
        DateTime::<Utc>::MIN_UTC.timestamp(),
        DateTime::<Utc>::MAX_UTC.timestamp(),
    );
    prop_oneof![
        6 => near - 3_000_000..near + 3_000_000,
        1 => ends.0..=ends.1,
        1 => select(vec![ends.0, ends.1]),
    ]
    .prop_map(|seconds| DateTime::from_timestamp(seconds, 0).unwrap())
}

fn moments() -> impl Strategy<Value = DateOrInstant> {
    prop_oneof![
        3 => days().prop_map(DateOrInstant::Day),
        1 => instants().prop_map(DateOrInstant::Instant),
    ]
}

fn facts<T: Clone + std::fmt::Debug>(
    values: impl Strategy<Value = T>,
) -> impl Strategy<Value = Option<Fact<T>>> {
    option::of(
        (option::weighted(0.9, values), instants(), instants()).prop_map(
            |(value, as_of, observed_at)| Fact {
                value,
                as_of,
                observed_at,
            },
        ),
    )
}

fn cutoffs() -> impl Strategy<Value = Cutoff> {
    prop_oneof![
        Just(Cutoff::StartOfDay),
        Just(Cutoff::EndOfDay),
        (0..24 * 60_u32).prop_map(|minute| cutoff_at(&format!(
            "{:02}:{:02}:00",
            minute / 60,
            minute % 60
        ))),
    ]
}

prop_compose! {
    fn policies()(
        provider in select(Provider::all().collect::<Vec<_>>()),
        timezone in select(TZ_VARIANTS.to_vec()),
        cutoff in cutoffs(),
        responses in prop::array::uniform2(select(vec![
            OnUncertain::Hold, OnUncertain::Deactivate, OnUncertain::Ignore,
        ])),
        rehire in select(vec![Rehire::Hold, Rehire::Reactivate, Rehire::Ignore]),
        protects in any::<bool>(),
        can_read in any::<bool>(),
    ) -> Policy {
        Policy {
            provider,
            timezone,
            cutoff,
            inactive_without_date: responses[0],
            deleted: responses[1],
            rehire,
            sources_disagree: SourcesDisagree::Hold,
            sync_interval: None,
            can_read,
            protected: WorkEmail::parse(EMAIL).into_iter().filter(|_| protects).collect(),
        }
    }
}

prop_compose! {
    fn people()(
        policy in policies(),
        status in facts(select(vec![
            Status::Active, Status::Pending, Status::Inactive, word("LEAVE"),
        ])),
        status_changed in any::<bool>(),
        employment_status in facts(select(vec![EmploymentStatus::Other, EmploymentStatus::Terminated])),
        hire_date in facts(days()),
        termination_date in facts(moments()),
        deleted in facts(any::<bool>()),
        values_pending_since in option::weighted(0.2, instants()),
        deactivated_at in option::of(instants()),
        found in select(vec![
            AccountMatch::Linked(account(true)),
            AccountMatch::Linked(account(false)),
            AccountMatch::Found(account(true)),
            AccountMatch::Shared { account: account(true), other_is_employed: true },
            AccountMatch::Shared { account: account(false), other_is_employed: false },
            AccountMatch::Ambiguous(2),
            AccountMatch::LinkGone(0),
            AccountMatch::LinkGone(1),
            AccountMatch::None,
        ]),
    ) -> Person {
        let mut person = bamboohr().found(found).policy(|known| *known = policy);
        person.employee = Employee {
            status,
            status_changed,
            employment_status,
            hire_date,
            termination_date,
            deleted,
            values_pending_since,
            deactivated_at,
            ..person.employee
        };
        person
    }
}

fn assessed(person: &Person, now: DateTime<Utc>) -> Employment {
    assess(&person.policy, &person.employee, now)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn access_ends_within_the_day(
        date in days(),
        timezone in select(TZ_VARIANTS.to_vec()),
        cutoff in cutoffs(),
    ) {
        let begins = day_start(date, timezone);
        let ends = access_end(DateOrInstant::Day(date), timezone, cutoff);
        assert!(begins <= ends);
        if let Some(next) = date.succ_opt() {
            assert!(ends <= day_start(next, timezone));
        }
    }

    #[test]
    fn person_who_left_has_left_at_any_later_time(person in people(), one in instants(), other in instants()) {
        let (earlier, later) = (one.min(other), one.max(other));
        // A hire date that begins in between begins another employment.
        let begins = person.employee.hire_date().map(|day| day_start(day, person.policy.timezone));
        prop_assume!(!begins.is_some_and(|begins| earlier < begins && begins <= later));
        if matches!(assessed(&person, earlier), Employment::Left { .. }) {
            assert!(matches!(assessed(&person, later), Employment::Left { .. }));
        }
    }

    #[test]
    fn scheduled_end_is_future_and_final(person in people(), now in instants()) {
        if let Employment::Leaving { at, .. } | Employment::Uncertain { ends_at: Some(at), .. } = assessed(&person, now) {
            assert!(at > now);
            assert!(!matches!(assessed(&person, at), Employment::Leaving { .. }));
        }
    }

    #[test]
    fn order_of_date_and_status_does_not_matter(person in people(), now in instants(), earlier in instants()) {
        let policy = &person.policy;
        let status_since = person.employee.status.as_ref().map(|fact| fact.observed_at);
        let mut reordered = person.clone();
        let Some(date) = reordered.employee.termination_date.as_mut() else { return Ok(()) };
        let Some(value) = date.value else { return Ok(()) };
        let passed = access_end(value, policy.timezone, policy.cutoff);
        // A status that was confirmed after the date passed is the same evidence, whenever the date was learned.
        if person.employee.status() != Some(&Status::Inactive) && status_since >= Some(passed) {
            date.observed_at = earlier;
            assert_eq!(assessed(&person, now), assessed(&reordered, now));
        }
    }

    #[test]
    fn only_evidence_of_a_return_gives_access_back(person in people(), now in instants(), while_employed in any::<bool>()) {
        let mut person = person;
        let Some((date, _)) = person.employee.termination_date() else { return Ok(()) };
        let zone = person.policy.timezone;
        let hired_since = person.employee.hire_date()
            .is_some_and(|day| day_start(day, zone) > start_of(date, zone));
        person.employee.departure = Some(Departure {
            carried_out_at: now,
            termination_date: Some(date),
            hire_date: None,
            returned_at: None,
            by_person: false,
            while_employed,
        });
        person.found = AccountMatch::Linked(account(false));
        if !hired_since && access_end(date, zone, person.policy.cutoff) <= now {
            match decide(&person.policy, &person.employee, &person.found, &[], now).action {
                Action::Reactivate(_) => panic!("reactivated"),
                Action::Hold(request) => {
                    assert_ne!(request.requested_action, RequestedAction::Reactivate);
                }
                _ => {}
            }
        }
    }

    #[test]
    fn decision_has_no_email_and_spares_employed_people(person in people(), now in instants()) {
        let decision = decide(&person.policy, &person.employee, &person.found, &[], now);
        assert!(!decision.reason.is_empty());
        assert!(!format!("{decision:?}").contains(EMAIL));
        match decision.action {
            Action::Deactivate(_) => {
                assert!(matches!(assessed(&person, now), Employment::Left { .. }));
                assert!(person.policy.protected.is_empty());
            }
            Action::Reactivate(_) => {
                assert!(assessed(&person, now).is_employed());
                assert!(person.employee.deactivated_at.is_some());
            }
            Action::EndSessions(_) => {
                assert!(matches!(assessed(&person, now), Employment::Left { .. }));
            }
            Action::Hold(_) | Action::Keep(_) => {}
        }
    }
}
