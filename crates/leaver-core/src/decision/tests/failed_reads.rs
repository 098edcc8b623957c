use super::*;
use crate::domain::ReadFailure;

const CHANGED: &str = "2026-03-10T11:00:00Z";
const HELD: &str = "hold: deactivate 7";

/// A person whose change cannot be read over a configured API.
fn failing(person: Person) -> Person {
    let mut person = person.values_pending(CHANGED);
    person.policy.can_read = true;
    person.employee.read_failed = Some(ReadFailure {
        since: at("2026-03-10T11:01:00Z"),
        cause: "the API does not allow this read (403)".to_owned(),
    });
    person
}

#[test]
fn a_failed_read_is_held_with_its_cause() {
    for status in [None, Some(Status::Active), Some(Status::Inactive)] {
        let person = failing(bamboohr().status(status));
        check_reason(
            &person,
            NOW,
            HELD,
            "cannot be read since 2026-03-10T11:01:00Z",
        );
        check_reason(&person, NOW, HELD, "(403)");
    }
}

#[test]
fn a_failed_read_is_held_without_an_account() {
    let person = failing(bamboohr()).found(AccountMatch::None);
    let decision = decided(&person);
    assert!(matches!(decision.action, Action::Hold(request) if request.account.is_none()));
}

#[test]
fn a_failed_read_undoes_neither_departure_nor_schedule() {
    let gone = bamboohr()
        .status(Status::Inactive)
        .employment(EmploymentStatus::Terminated);
    check(&failing(gone), NOW, "deactivate 7");
    let leaving = bamboohr()
        .status(Status::Active)
        .terminated(on("2026-03-10"));
    check(
        &failing(leaving),
        NOW,
        "keep: Scheduled until 2026-03-11T00:00:00Z",
    );
}

#[test]
fn a_later_change_asks_again_after_a_rejection() {
    let fingerprint = |person: &Person| match decided(person).action {
        Action::Hold(request) => request.facts_fingerprint,
        other => panic!("{other:?}"),
    };
    let first = failing(bamboohr().status(Status::Active));
    let later = failing(bamboohr().status(Status::Active)).values_pending(NOW);
    assert_ne!(fingerprint(&first), fingerprint(&later));
}

fn decided(person: &Person) -> Decision {
    decide(
        &person.policy,
        &person.employee,
        &person.found,
        &[],
        at(NOW),
    )
}
