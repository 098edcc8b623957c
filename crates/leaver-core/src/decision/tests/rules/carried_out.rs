//! Ends that were carried out, and what counts as a rehire afterwards.

use super::super::super::departure;
use super::*;

const DATE: &str = "2026-01-31";
const ENDED: &str = "2026-02-01T00:00:00Z";
const OFF: &str = "keep: AlreadyInactive";

/// An active person whose end was carried out at the cut-off, for every provider and every policy.
fn ended() -> Vec<Person> {
    let mut people = vec![];
    for source in [bamboohr(), merge()] {
        for rehire in [Rehire::Hold, Rehire::Reactivate] {
            let mut person = source
                .clone()
                .policy(|p| p.rehire = rehire)
                .terminated(on(DATE))
                .carried_out(ENDED, Some(on(DATE)))
                .status(Status::Active);
            person.employee.departure.as_mut().unwrap().while_employed = true;
            people.push(person);
        }
    }
    people
}

#[test]
fn active_with_the_same_date_is_no_rehire() {
    for person in ended() {
        check_reason(&person, NOW, OFF, "no later employment");
        check(&person.clone().hired("2020-01-01"), NOW, OFF);
        for status in [Some(Status::Pending), Some(word("Leave")), None] {
            check(&person.clone().status(status), NOW, OFF);
        }
        let confirmed = person
            .observed("2026-03-10T11:00:00Z")
            .status(Status::Active)
            .terminated(on(DATE));
        check(&confirmed, NOW, OFF);
    }
}

#[test]
fn later_hire_date_or_other_date_is_a_rehire() {
    for person in ended() {
        let returns = if person.policy.rehire == Rehire::Hold {
            "hold: reactivate 7"
        } else {
            "reactivate 7"
        };
        for hired in ["2026-02-01", "2026-03-02"] {
            check(&person.clone().hired(hired), NOW, returns);
        }
        check(&person.clone().terminated(None), NOW, returns);
        let ahead = person.clone().terminated(on("2026-03-31"));
        let scheduled = format!("{returns} until 2026-04-01T00:00:00Z");
        check(&ahead, NOW, &scheduled);
        // Another date in the past is a correction.
        check(&person.terminated(on("2026-01-15")), NOW, OFF);
    }
}

#[test]
fn end_without_a_date_is_followed_by_a_newer_status() {
    let back = bamboohr().status(Status::Active).carried_out(ENDED, None);
    check(&back, NOW, "hold: reactivate 7");
}

/// An active person whose access a person's decision ended, for every provider and both policies.
fn ended_by_hand(date: Option<DateOrInstant>) -> Vec<Person> {
    ended_with(date, |person| person)
}

/// The same, with a hire date that was known before.
fn ended_by_hand_at_hire_date(date: Option<DateOrInstant>, hired: &str) -> Vec<Person> {
    ended_with(date, |person| person.hired(hired))
}

fn ended_with(date: Option<DateOrInstant>, known: impl Fn(Person) -> Person) -> Vec<Person> {
    let mut people = vec![];
    for source in [bamboohr(), merge()] {
        for rehire in [Rehire::Hold, Rehire::Reactivate] {
            let mut person = source
                .clone()
                .policy(|p| p.rehire = rehire)
                .observed("2026-01-15T00:00:00Z")
                .status(Status::Active)
                .terminated(date);
            person = known(person);
            departure::carried_out(&mut person.employee, at(ENDED));
            people.push(
                person
                    .deactivated_by_us(ENDED)
                    .observed("2026-03-10T09:00:00Z"),
            );
        }
    }
    people
}

#[test]
fn repeated_active_status_does_not_undo_a_decision() {
    for person in ended_by_hand(None) {
        let again = person.status(Status::Active);
        check(&again, NOW, KEPT);
        check(&again.clone().hired("2026-01-20"), NOW, KEPT);
        let announced = again.clone().terminated(on("2026-03-31"));
        check(
            &announced,
            NOW,
            "keep: Scheduled until 2026-04-01T00:00:00Z",
        );
        let rehired = again.clone().hired("2026-03-02").decided(NOW).action;
        assert!(!matches!(rehired, Action::Keep(_)), "{rehired:?}");
        // After an inactive status, an active one is news.
        let mut inactive = again.status(Status::Inactive);
        departure::confirm(&mut inactive.employee);
        let back = inactive.status(Status::Active).decided(NOW).action;
        assert!(!matches!(back, Action::Keep(_)), "{back:?}");
    }
    for person in ended_by_hand(Some(on("2026-03-31"))) {
        let again = person.status(Status::Active);
        check(&again, NOW, "keep: Scheduled until 2026-04-01T00:00:00Z");
        let moved = again.terminated(on("2026-04-30")).decided(NOW).action;
        assert!(!matches!(moved, Action::Keep(_)), "{moved:?}");
    }
}

#[test]
fn return_announced_for_a_later_day_opens_a_hold() {
    let by_hand = ended_by_hand(None).into_iter();
    let by_hand = by_hand.map(|person| person.status(Status::Active));
    for person in ended().into_iter().chain(by_hand) {
        let announced = person.hired("2026-04-01");
        check(&announced, NOW, "hold: reactivate 7");
        let ignored = announced.clone().policy(|p| p.rehire = Rehire::Ignore);
        assert!(matches!(ignored.decided(NOW).action, Action::Keep(_)));
        let begun = "2026-04-01T00:00:00Z";
        match announced.policy.rehire {
            Rehire::Reactivate => check(&announced, begun, "reactivate 7"),
            _ => check(&announced, begun, "hold: reactivate 7"),
        };
        let inactive = announced.status(Status::Inactive);
        assert!(!matches!(
            inactive.decided(NOW).action,
            Action::Hold(_) | Action::Reactivate(_)
        ));
    }
}

#[test]
fn hire_date_known_before_a_decision_gives_nothing_back() {
    for hired in ["2026-02-15", "2026-04-01"] {
        for person in ended_by_hand_at_hire_date(None, hired) {
            for now in [NOW, "2026-04-02T12:00:00Z"] {
                check(&person, now, KEPT);
            }
            // Another later hire date is a newer fact.
            let moved = person.hired("2026-03-02").decided(NOW).action;
            assert!(!matches!(moved, Action::Keep(_)), "{moved:?}");
        }
    }
}

#[test]
fn hire_date_known_before_an_announced_end_is_a_question() {
    for mut person in ended() {
        person = person.hired("2026-03-02");
        person.employee.departure.as_mut().unwrap().hire_date = Some(day("2026-03-02"));
        check(&person, NOW, "hold: reactivate 7");
        // The status of active is news after an inactive one.
        person.employee.departure.as_mut().unwrap().while_employed = false;
        let returns = match person.policy.rehire {
            Rehire::Hold => "hold: reactivate 7",
            _ => "reactivate 7",
        };
        check(&person, NOW, returns);
        person.employee.departure.as_mut().unwrap().by_person = true;
        check(&person, NOW, "hold: reactivate 7");
    }
}

#[test]
fn end_is_settled_until_another_one_is_known() {
    let is_settled =
        |person: &Person| departure::is_settled(&person.policy, &person.employee, at(NOW));
    for mut person in ended() {
        assert!(is_settled(&person));
        assert!(is_settled(&person.clone().hired("2020-01-01")));
        assert!(is_settled(&person.clone().hired("2026-04-01")));
        assert!(is_settled(&person.clone().terminated(on("2026-01-15"))));
        assert!(!is_settled(&person.clone().terminated(on("2026-03-01"))));
        assert!(!is_settled(&person.clone().hired("2026-03-02")));
        person.employee.departure.as_mut().unwrap().returned_at = Some(at(NOW));
        assert!(!is_settled(&person));
    }
    assert!(!is_settled(&bamboohr().terminated(on(DATE))));
}

#[test]
fn decision_about_uncertain_facts_ends_with_newer_ones() {
    let pending = |person: Person| person.values_pending("2026-01-20T00:00:00Z");
    let deleted = |person: Person| person.deleted(true);
    let terminated = |person: Person| person.employment(EmploymentStatus::Terminated);
    for sign in [pending, deleted, terminated] {
        let mut person = sign(bamboohr().status(Status::Active));
        departure::carried_out(&mut person.employee, at(ENDED));
        person.employee.values_pending_since = None;
        let back = person
            .deactivated_by_us(ENDED)
            .observed("2026-03-10T11:00:00Z")
            .deleted(false)
            .employment(EmploymentStatus::Other)
            .status(Status::Active);
        check(&back, NOW, "hold: reactivate 7");
    }
}

#[test]
fn date_is_ignored_after_access_was_given_back() {
    for mut person in ended() {
        person.employee.departure.as_mut().unwrap().returned_at = Some(at("2026-02-10T00:00:00Z"));
        person.employee.deactivated_at = None;
        person.found = AccountMatch::Linked(account(true));
        check_reason(&person, NOW, KEPT, "an earlier employment");
        check(&person.terminated(on("2026-03-01")), NOW, HELD);
    }
}

#[test]
fn date_of_a_departure_before_the_return_proves_no_other() {
    for source in [bamboohr(), merge()] {
        let mut person = source
            .status(Status::Active)
            .carried_out(ENDED, Some(on(DATE)))
            .status(Status::Inactive)
            .changed()
            .terminated(on(DATE));
        check(&person, NOW, OFF);
        person.employee.departure.as_mut().unwrap().returned_at = Some(at("2026-02-10T00:00:00Z"));
        person.employee.deactivated_at = None;
        person.found = AccountMatch::Linked(account(true));
        check(&person, NOW, HELD);
        check(&person.terminated(on("2026-03-01")), NOW, DEACTIVATED);
    }
}

#[test]
fn date_still_ends_access_if_the_return_came_before_it() {
    let mut person = bamboohr()
        .observed("2026-03-10T09:00:00Z")
        .terminated(on("2026-03-10"))
        .carried_out("2026-03-10T09:00:00Z", Some(on("2026-03-10")))
        .observed("2026-03-10T10:00:00Z")
        .status(Status::Active);
    person.employee.departure.as_mut().unwrap().returned_at = Some(at("2026-03-10T10:00:00Z"));
    person.employee.deactivated_at = None;
    person.found = AccountMatch::Linked(account(true));
    check(&person, NOW, "keep: Scheduled until 2026-03-11T00:00:00Z");
    check(&person, "2026-03-11T00:00:00Z", DEACTIVATED);
}

#[test]
fn account_activated_by_others_is_deactivated_again() {
    for mut person in ended() {
        person.employee.deactivated_at = None;
        person.found = AccountMatch::Linked(account(true));
        check(&person, NOW, DEACTIVATED);
    }
}

#[test]
fn inactive_account_of_a_leaver_loses_its_sessions_once() {
    for source in [bamboohr(), merge()] {
        let mut gone = source
            .status(Status::Inactive)
            .terminated(on(DATE))
            .found(AccountMatch::Found(account(false)));
        check(&gone, NOW, "end sessions 7");
        gone.employee.departure = Some(Departure {
            carried_out_at: at(ENDED),
            termination_date: Some(on(DATE)),
            hire_date: None,
            returned_at: None,
            by_person: false,
            while_employed: false,
        });
        check(&gone, NOW, OFF);
        gone.employee.departure.as_mut().unwrap().returned_at = Some(at(ENDED));
        check(&gone.terminated(on("2026-03-01")), NOW, "end sessions 7");
    }
}
