//! The fingerprint of a hold request changes with the facts only.

use super::*;

const LATER: &str = "2026-05-01T00:00:00Z";

fn protected() -> Person {
    bamboohr()
        .status(Status::Inactive)
        .employment(EmploymentStatus::Terminated)
        .policy(|policy| policy.protected.extend(WorkEmail::parse(EMAIL)))
}

/// One person per cause of a hold.
fn held_people() -> Vec<Person> {
    vec![
        protected(),
        protected().found(AccountMatch::Ambiguous(2)),
        protected().found(AccountMatch::Shared {
            account: account(true),
            other_is_employed: true,
        }),
        bamboohr().status(Status::Inactive),
        merge().status(Status::Inactive),
        merge().status(Status::Active).deleted(true),
        bamboohr()
            .status(Status::Active)
            .values_pending("2026-03-10T11:00:00Z"),
        merge()
            .status(Status::Active)
            .deactivated_by_us("2026-02-01T00:00:00Z"),
    ]
}

#[test]
fn same_facts_make_the_same_request() {
    for person in held_people() {
        assert_eq!(person.request(NOW), person.request(LATER), "time alone");
        let mut repeated = person.clone();
        if let Some(status) = &mut repeated.employee.status {
            status.as_of = at("2026-03-10T11:30:00Z");
            status.observed_at = at("2026-03-10T11:30:01Z");
        }
        assert_eq!(
            person.request(NOW),
            repeated.request(NOW),
            "the same facts again"
        );
    }
}

#[test]
fn each_cause_makes_its_own_request() {
    let fingerprints: std::collections::BTreeSet<_> = held_people()
        .iter()
        .map(|person| person.request(NOW).facts_fingerprint)
        .collect();
    assert_eq!(fingerprints.len(), held_people().len(), "{fingerprints:#?}");
}

#[test]
fn other_facts_make_another_request() {
    let person = protected();
    let others = [
        person.clone().terminated(on("2026-03-01")),
        person.clone().terminated(on("2026-03-02")),
        person
            .clone()
            .terminated(DateOrInstant::Instant(at("2026-03-02T09:00:00Z"))),
        person.clone().hired("2025-01-01"),
        person.clone().hired("2025-01-02"),
        person.clone().deleted(true),
        person.clone().changed().employment(None),
        person.clone().found(AccountMatch::Ambiguous(2)),
        person.clone().found(AccountMatch::Ambiguous(3)),
        person.clone().found(AccountMatch::Linked(Account {
            id: AccountId::new("8"),
            ..account(true)
        })),
    ];
    let mut fingerprints: std::collections::BTreeSet<_> = others
        .iter()
        .map(|other| other.request(NOW).facts_fingerprint)
        .collect();
    fingerprints.insert(person.request(NOW).facts_fingerprint);
    assert_eq!(fingerprints.len(), others.len() + 1, "{fingerprints:#?}");
}

#[test]
fn another_status_changes_the_request() {
    let deleted = merge().deleted(true);
    let active = deleted.clone().status(Status::Active).request(NOW);
    assert_ne!(active, deleted.status(word("LEAVE")).request(NOW));
}

#[test]
fn each_pending_change_is_its_own_request() {
    let unread = |when| {
        bamboohr()
            .status(Status::Active)
            .values_pending(when)
            .request(NOW)
    };
    assert_eq!(
        unread("2026-03-10T11:00:00Z"),
        unread("2026-03-10T11:00:00Z")
    );
    assert_ne!(
        unread("2026-03-10T11:00:00Z"),
        unread("2026-03-10T11:00:01Z")
    );
}

#[test]
fn each_rehire_is_its_own_request() {
    let back = |when| {
        merge()
            .status(Status::Active)
            .deactivated_by_us(when)
            .request(NOW)
    };
    assert_ne!(back("2026-02-01T00:00:00Z"), back("2026-03-01T00:00:00Z"));
    assert_eq!(
        back("2026-02-01T00:00:00Z").requested_action,
        RequestedAction::Reactivate
    );
}

#[test]
fn fingerprints_are_compared_by_their_facts() {
    let person = protected();
    let fingerprint = |person: &Person| person.request(NOW).facts_fingerprint;
    let change = request_change(
        &person.employee,
        RequestedAction::Deactivate,
        &AccountId::new("9"),
    )
    .facts_fingerprint;
    assert_ne!(fingerprint(&person), change);
    assert!(!differ_in_facts(&fingerprint(&person), &change));
    let moved = person.clone().terminated(on("2026-03-01"));
    assert!(differ_in_facts(&fingerprint(&moved), &change));
    for without_facts in ["", "uncertain-elsewhere: it is unknown;account=8"] {
        assert!(!differ_in_facts(without_facts, &change));
    }
}
