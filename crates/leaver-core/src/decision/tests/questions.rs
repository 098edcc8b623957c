//! What a question rests on: asked again when that changes, and not before.

use super::*;

const LATER: &str = "2026-05-01T00:00:00Z";

fn protected() -> Someone {
    bamboohr()
        .status(Status::Inactive)
        .employment(EmploymentStatus::Terminated)
        .policy(|policy| policy.protected.extend(WorkEmail::parse(EMAIL)))
}

/// One of each kind.
fn askers() -> Vec<Someone> {
    vec![
        protected(),
        protected().found(AccountMatch::Ambiguous(2)),
        protected().found(AccountMatch::Shared {
            account: account(true),
            other_is_employed: true,
        }),
        bamboohr().status(Status::Inactive),
        merge().status(Status::Inactive),
        merge().status(Status::Active).removed(true),
        bamboohr()
            .status(Status::Active)
            .changed_unread("2026-03-10T11:00:00Z"),
        merge()
            .status(Status::Active)
            .deactivated_by_us("2026-02-01T00:00:00Z"),
    ]
}

#[test]
fn the_same_facts_are_the_same_question() {
    for asker in askers() {
        assert_eq!(asker.asked(NOW), asker.asked(LATER), "time alone");
        let mut repeated = asker.clone();
        if let Some(status) = &mut repeated.employee.status {
            status.as_of = at("2026-03-10T11:30:00Z");
            status.observed_at = at("2026-03-10T11:30:01Z");
        }
        assert_eq!(asker.asked(NOW), repeated.asked(NOW), "the same said again");
    }
}

#[test]
fn each_kind_of_question_is_another() {
    let bases: std::collections::BTreeSet<_> = askers()
        .iter()
        .map(|asker| asker.asked(NOW).facts_fingerprint)
        .collect();
    assert_eq!(bases.len(), askers().len(), "{bases:#?}");
}

#[test]
fn other_facts_are_another_question() {
    let asker = protected();
    let others = [
        asker.clone().terminated(on("2026-03-01")),
        asker.clone().terminated(on("2026-03-02")),
        asker
            .clone()
            .terminated(DateOrInstant::Instant(at("2026-03-02T09:00:00Z"))),
        asker.clone().hired("2025-01-01"),
        asker.clone().hired("2025-01-02"),
        asker.clone().removed(true),
        asker.clone().changed().employment(None),
        asker.clone().found(AccountMatch::Ambiguous(2)),
        asker.clone().found(AccountMatch::Ambiguous(3)),
        asker.clone().found(AccountMatch::Linked(Account {
            id: AccountId::new("8"),
            ..account(true)
        })),
    ];
    let mut bases: std::collections::BTreeSet<_> = others
        .iter()
        .map(|other| other.asked(NOW).facts_fingerprint)
        .collect();
    bases.insert(asker.asked(NOW).facts_fingerprint);
    assert_eq!(bases.len(), others.len() + 1, "{bases:#?}");
}

#[test]
fn another_status_under_the_same_doubt_is_another_question() {
    let removed = merge().removed(true);
    let active = removed.clone().status(Status::Active).asked(NOW);
    assert_ne!(active, removed.status(word("LEAVE")).asked(NOW));
}

#[test]
fn every_unread_change_is_a_question_of_its_own() {
    let unread = |when| {
        bamboohr()
            .status(Status::Active)
            .changed_unread(when)
            .asked(NOW)
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
fn every_return_is_a_question_of_its_own() {
    let back = |when| {
        merge()
            .status(Status::Active)
            .deactivated_by_us(when)
            .asked(NOW)
    };
    assert_ne!(back("2026-02-01T00:00:00Z"), back("2026-03-01T00:00:00Z"));
    assert_eq!(
        back("2026-02-01T00:00:00Z").requested_action,
        RequestedAction::Reactivate
    );
}
