//! Which other records of the same source keep the access of a leaver.

use chrono::Days;

use super::*;

const LEFT_ON: &str = "2026-03-09";

/// A contractor since 2020 whose record ended yesterday.
fn contractor() -> Person {
    let mut contractor = merge()
        .status(Status::Inactive)
        .hired("2020-03-02")
        .terminated(on(LEFT_ON));
    contractor.employee.first_observed_at = Some(at("2026-01-01T00:00:00Z"));
    contractor
}

fn employee() -> Person {
    merge().status(Status::Active).hired("2023-05-01")
}

#[track_caller]
fn check_with(other: &OtherRecord, expected: &str, words: &str) {
    for found in [
        AccountMatch::Linked(account(true)),
        AccountMatch::Shared {
            account: account(true),
            other_is_employed: false,
        },
    ] {
        let mut person = contractor().found(found);
        person.others = vec![other.clone()];
        check_reason(&person, NOW, expected, words);
    }
}

#[test]
fn later_employment_keeps_access() {
    check_with(
        &employee().record(NOW),
        "keep: Employed",
        "another employee with the same account",
    );
}

#[test]
fn earlier_hire_date_is_no_proof_of_a_later_employment() {
    let earlier = employee().hired("2019-01-01").record(NOW);
    check_with(&earlier, "hold: deactivate 7", "earlier hire date");
}

#[test]
fn unknown_hire_date_is_no_proof_of_a_later_employment() {
    let other = OtherRecord {
        hire_date: None,
        ..employee().record(NOW)
    };
    check_with(&other, "hold: deactivate 7", "hire date of that record");
    let mut person = contractor();
    person.employee.hire_date = None;
    person.others = vec![employee().record(NOW)];
    check_reason(&person, NOW, "hold: deactivate 7", "the record that ends");
    // It begins after the end, so it is later.
    person.others = vec![employee().hired("2026-03-10").record(NOW)];
    check(&person, NOW, "keep: Employed");
}

#[test]
fn record_needs_a_report_since_the_leaver_is_known() {
    // The same hire date, a later one, and one after the end.
    for hired in ["2020-03-02", "2023-05-01", "2026-03-10"] {
        let other = employee().hired(hired).record(NOW);
        check_with(&other, "keep: Employed", "another employee");
        for confirmed_at in [None, Some(at("2025-12-31T00:00:00Z"))] {
            let old = OtherRecord {
                confirmed_at,
                ..other.clone()
            };
            check_with(&old, "hold: deactivate 7", "has not been confirmed");
        }
    }
}

#[test]
fn two_records_of_one_delivery_are_known_since_then() {
    let mut person = contractor();
    person.others = vec![employee().record(NOW)];
    // The row is inserted after the delivery has arrived.
    person.employee.first_observed_at = Some(person.observed_at + TimeDelta::milliseconds(3));
    check(&person, NOW, "keep: Employed");
}

#[test]
fn record_missing_from_complete_reads_keeps_no_access() {
    let missing = OtherRecord {
        presence: Presence::Missing,
        ..employee().record(NOW)
    };
    check_with(&missing, "hold: deactivate 7", "did not have that record");
}

#[test]
fn record_of_a_deleted_linked_account_counts_for_nothing() {
    let gone = OtherRecord {
        presence: Presence::Disconnected,
        ..employee().record(NOW)
    };
    check_with(&gone, "deactivate 7", "has begun");
}

#[test]
fn uncertain_record_asks_and_unread_record_keeps() {
    let deleted = employee().deleted(true).record(NOW);
    check_with(&deleted, "hold: deactivate 7", "uncertain");
    let unread = employee().values_pending("2026-03-10T11:00:00Z");
    check_with(&unread.record(NOW), "keep: Employed", "another employee");
}

#[test]
fn employment_that_begins_the_day_after_is_continuous() {
    for other in [
        merge().status(Status::Pending).hired("2026-03-10"),
        bamboohr().status(Status::Inactive).hired("2026-03-10"),
    ] {
        let mut person = contractor();
        let midnight = "2026-03-10T00:00:00Z";
        person.others = vec![other.record(midnight)];
        let expected = "keep: Scheduled until 2026-03-11T00:00:00Z";
        check_reason(&person, midnight, expected, "without a day between");
    }
    let mut person = contractor();
    let begun = merge().status(Status::Active).hired("2026-03-10");
    person.others = vec![begun.record("2026-03-11T00:00:00Z")];
    check(&person, "2026-03-11T00:00:00Z", "keep: Employed");
}

#[test]
fn employment_that_did_not_begin_on_its_day_is_a_question() {
    let mut person = contractor();
    let late = "2026-03-11T00:00:00Z";
    let pending = merge().status(Status::Pending).hired("2026-03-10");
    person.others = vec![pending.record(late)];
    check_reason(
        &person,
        late,
        "hold: deactivate 7",
        "not reported as active",
    );
}

#[test]
fn employment_after_a_gap_does_not_keep_access() {
    let later = merge().status(Status::Pending).hired("2026-03-20");
    check_with(&later.record(NOW), "deactivate 7", "has begun");
}

#[test]
fn record_that_has_not_begun_is_linked_to_the_shared_account() {
    let shared = AccountMatch::Shared {
        account: account(true),
        other_is_employed: true,
    };
    let pending = merge().status(Status::Pending).hired("2026-04-01");
    let decision = check(&pending.found(shared.clone()), NOW, "keep: Employed");
    assert_eq!(decision.link, Some(AccountId::new(ACCOUNT)));
    let decision = check(&contractor().found(shared), NOW, "hold: deactivate 7");
    assert_eq!(decision.link, None);
}

#[test]
fn record_of_another_tenant_keeps_no_access_by_itself() {
    let elsewhere = OtherRecord {
        is_of_other_tenant: true,
        ..employee().record(NOW)
    };
    check_with(&elsewhere, "hold: deactivate 7", "another tenant");
    // One that begins tomorrow does not even ask.
    let next = OtherRecord {
        is_of_other_tenant: true,
        employment: Employment::Unclear {
            reason: "pending".to_owned(),
        },
        hire_date: Some(at(NOW).date_naive() + Days::new(1)),
        ..employee().record(NOW)
    };
    check_with(&next, "deactivate 7", "has begun");
}
