use super::*;

const HELD: &str = "hold: deactivate 7";
const KEPT: &str = "keep: Employed";
const DEACTIVATED: &str = "deactivate 7";

/// Marks facts as unreadable, as of a minute before `NOW`.
fn unreadable(
    mut person: Person,
    mark: impl FnOnce(&mut UnreadableFacts, DateTime<Utc>),
) -> Person {
    mark(&mut person.employee.unreadable, at("2026-03-10T11:59:00Z"));
    person
}

fn without_status(person: Person) -> Person {
    unreadable(person, |facts, since| facts.status = Some(since))
}

fn without_hire_date(person: Person) -> Person {
    unreadable(person, |facts, since| facts.hire_date = Some(since))
}

fn without_date(person: Person) -> Person {
    unreadable(person, |facts, since| facts.termination_date = Some(since))
}

fn without_employment(person: Person) -> Person {
    unreadable(person, |facts, since| facts.employment_status = Some(since))
}

#[test]
fn unreadable_status_is_held() {
    for person in [bamboohr(), merge()] {
        for status in [None, Some(Status::Active), Some(Status::Inactive)] {
            let person = without_status(person.clone().status(status));
            check_reason(&person, NOW, HELD, "sent a status that cannot be read");
        }
    }
}

#[test]
fn unreadable_termination_date_is_held() {
    let words = "sent a termination date that cannot be read";
    for person in [bamboohr(), merge()] {
        for status in [None, Some(Status::Active), Some(Status::Inactive)] {
            let person = without_date(person.clone().status(status));
            check_reason(&person, NOW, HELD, words);
        }
        let announced = person.status(Status::Active).terminated(on("2026-03-20"));
        let expected = "hold: deactivate 7 until 2026-03-21T00:00:00Z";
        check_reason(&without_date(announced.clone()), NOW, expected, words);
        // The date that was read before can have been moved.
        check_reason(
            &without_date(announced),
            "2026-03-21T00:00:00Z",
            HELD,
            words,
        );
    }
    let changed = bamboohr().status(Status::Inactive).changed();
    check(&changed, NOW, DEACTIVATED);
    check_reason(&without_date(changed), NOW, HELD, words);
    let policy = merge()
        .status(Status::Inactive)
        .policy(|policy| policy.inactive_without_date = OnUncertain::Deactivate);
    check(&policy, NOW, DEACTIVATED);
    check_reason(&without_date(policy), NOW, HELD, words);
}

#[test]
fn unreadable_hire_date_of_a_leaver_is_held() {
    let words = "sent a hire date that cannot be read";
    let changed = bamboohr().status(Status::Inactive).changed();
    check_reason(&without_hire_date(changed), NOW, HELD, words);
    let ended = bamboohr()
        .status(Status::Inactive)
        .terminated(on("2026-03-01"));
    check_reason(&without_hire_date(ended), NOW, HELD, words);
    let announced = merge().status(Status::Active).terminated(on("2026-03-11"));
    check_reason(
        &without_hire_date(announced),
        "2026-03-12T00:00:00Z",
        HELD,
        words,
    );

    // The date could belong to an earlier employment.
    let ended = merge()
        .status(Status::Inactive)
        .terminated(on("2026-03-01"));
    check_reason(&without_hire_date(ended), NOW, HELD, words);
    check(
        &without_hire_date(merge().status(Status::Active)),
        NOW,
        KEPT,
    );
}

#[test]
fn unreadable_employment_status_is_held_for_a_leaver() {
    let changed = bamboohr().status(Status::Inactive).changed();
    let words = "sent an employment status that cannot be read";
    check_reason(&without_employment(changed), NOW, HELD, words);
    check(
        &without_employment(bamboohr().status(Status::Active)),
        NOW,
        KEPT,
    );
}

#[test]
fn terminated_leaver_needs_no_date() {
    let terminated = bamboohr()
        .status(Status::Inactive)
        .employment(EmploymentStatus::Terminated);
    check(
        &without_date(without_hire_date(terminated)),
        NOW,
        DEACTIVATED,
    );
}

#[test]
fn unreadable_fact_keeps_a_schedule_during_a_read() {
    let person = merge().status(Status::Active).terminated(on("2026-03-20"));
    let reading = without_date(person).values_pending("2026-03-10T11:00:00Z");
    let decision = reading.decided(NOW);
    assert_eq!(decision.access_ends_at, Some(at("2026-03-21T00:00:00Z")));
}

#[test]
fn answer_before_the_end_does_not_answer_at_the_end() {
    let announced = without_date(merge().status(Status::Active).terminated(on("2026-03-20")));
    let (before, after) = (NOW, "2026-03-21T00:00:00Z");
    let question = |now| announced.request(now).facts_fingerprint;
    assert_ne!(question(before), question(after));
    assert_eq!(question(after), question("2026-03-22T00:00:00Z"));
}
