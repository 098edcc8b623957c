//! Which account a decision concerns, and when a hold is needed for it.

use super::*;

fn gone() -> Person {
    bamboohr()
        .observed("2026-03-10T09:00:00Z")
        .status(Status::Inactive)
        .employment(EmploymentStatus::Terminated)
}

fn doubted() -> Person {
    merge().status(Status::Inactive)
}

fn shared(other_is_employed: bool) -> AccountMatch {
    AccountMatch::Shared {
        account: account(true),
        other_is_employed,
    }
}

fn linked_to(decision: &Decision) -> Option<&str> {
    decision.link.as_ref().map(AccountId::as_str)
}

#[test]
fn linked_or_found_account_is_deactivated_and_linked() {
    for found in [
        AccountMatch::Linked(account(true)),
        AccountMatch::Found(account(true)),
    ] {
        let decision = check(&gone().found(found), NOW, "deactivate 7");
        assert_eq!(linked_to(&decision), Some("7"));
    }
}

#[test]
fn account_found_for_an_employed_person_is_linked() {
    let here = merge()
        .status(Status::Active)
        .found(AccountMatch::Found(account(true)));
    assert_eq!(linked_to(&check(&here, NOW, "keep: Employed")), Some("7"));
}

#[test]
fn protected_account_is_held() {
    let protect = |policy: &mut Policy| policy.protected.extend(WorkEmail::parse(EMAIL));
    for found in [
        AccountMatch::Linked(account(true)),
        AccountMatch::Found(account(true)),
        shared(false),
    ] {
        check_reason(
            &gone().found(found).policy(protect),
            NOW,
            "hold: deactivate 7",
            "protected",
        );
    }
    let off = AccountMatch::Linked(account(false));
    check(&gone().found(off).policy(protect), NOW, "end sessions 7");
}

#[test]
fn an_account_marked_as_protected_is_held() {
    let marked = Account {
        is_protected: true,
        has_other_inactive_status: false,
        ..account(true)
    };
    check(
        &gone().found(AccountMatch::Found(marked)),
        NOW,
        "hold: deactivate 7",
    );
}

#[test]
fn protection_applies_to_the_listed_account_only() {
    let other = |policy: &mut Policy| {
        policy
            .protected
            .extend(WorkEmail::parse("root@widgets.example"));
    };
    check(&gone().policy(other), NOW, "deactivate 7");
    let nameless = Account {
        email: None,
        ..account(true)
    };
    check(
        &gone().found(AccountMatch::Linked(nameless)).policy(other),
        NOW,
        "deactivate 7",
    );
}

#[test]
fn ambiguous_email_is_held_without_an_account() {
    let twice = gone().found(AccountMatch::Ambiguous(2));
    check_reason(&twice, NOW, "hold: deactivate -", "matches 2 accounts");
    assert_eq!(twice.decided(NOW).link, None);
    check(
        &doubted().found(AccountMatch::Ambiguous(2)),
        NOW,
        "hold: deactivate -",
    );
    let here = merge()
        .status(Status::Active)
        .found(AccountMatch::Ambiguous(2));
    check(&here, NOW, "keep: Employed");
}

#[test]
fn link_to_a_deleted_account_is_a_question() {
    let after = gone().found(AccountMatch::LinkGone(1));
    check_reason(&after, NOW, "hold: deactivate -", "linked account is gone");
    assert_eq!(after.decided(NOW).link, None);
    let unsure = doubted().found(AccountMatch::LinkGone(1));
    check_reason(&unsure, NOW, "hold: deactivate -", "linked account is gone");
}

#[test]
fn deleted_account_whose_address_nobody_has_is_no_account() {
    let after = gone().found(AccountMatch::LinkGone(0));
    check_reason(&after, NOW, "keep: NoAccount", "linked account is gone");
}

#[test]
fn account_deleted_after_its_end_leaves_the_end() {
    let ended = |person: Person| {
        let person = person.carried_out("2026-03-10T10:00:00Z", None);
        person.found(AccountMatch::LinkGone(0))
    };
    let reason = "the account is gone since";
    let unread = bamboohr().status(Status::Active).values_pending(NOW);
    for person in [gone(), doubted(), unread] {
        check_reason(&ended(person), NOW, "keep: AlreadyInactive", reason);
    }
    let another = ended(gone()).found(AccountMatch::LinkGone(1));
    check_reason(
        &another,
        NOW,
        "hold: deactivate -",
        "linked account is gone",
    );
}

#[test]
fn change_without_values_of_a_deleted_account_names_no_other() {
    let unread = merge()
        .status(Status::Active)
        .values_pending(NOW)
        .found(AccountMatch::LinkGone(0));
    let decision = check(&unread, NOW, "hold: deactivate -");
    assert!(!decision.reason.contains("somebody else"));
}

#[test]
fn employed_person_takes_over_no_account_after_a_deleted_one() {
    let here = merge()
        .status(Status::Active)
        .found(AccountMatch::LinkGone(1));
    let decision = check(&here, NOW, "keep: Employed");
    assert_eq!(linked_to(&decision), None);
}

#[test]
fn account_linked_to_another_employed_person_is_held() {
    let person = gone().found(shared(true));
    check_reason(
        &person,
        NOW,
        "hold: deactivate 7",
        "another employee who is still employed",
    );
    assert_eq!(person.decided(NOW).link, None, "it is not taken over");
    let doubted = doubted().found(shared(true));
    check_reason(
        &doubted,
        NOW,
        "hold: deactivate 7",
        "another employee who is still employed",
    );
}

#[test]
fn account_linked_to_another_leaver_is_deactivated() {
    let decision = check(&gone().found(shared(false)), NOW, "deactivate 7");
    assert_eq!(linked_to(&decision), Some("7"));
}

#[test]
fn new_employee_shares_the_account_of_their_contractor_record() {
    let here = merge().status(Status::Active).found(shared(true));
    assert_eq!(linked_to(&check(&here, NOW, "keep: Employed")), Some("7"));
}

#[test]
fn contractor_who_became_an_employee_keeps_the_account() {
    let stays = merge().status(Status::Active).hired("2023-05-01");
    let leaves_later = stays.clone().terminated(on("2026-03-31"));
    let unread = stays.clone().values_pending("2026-03-10T11:00:00Z");
    for employee in [&stays, &leaves_later, &unread] {
        let contractor = gone().hired("2020-03-02");
        let contractor = contractor.shares_account_with(&[&gone(), employee], NOW);
        check_reason(
            &contractor,
            NOW,
            "keep: Employed",
            "another employee with the same account",
        );
    }
}

#[test]
fn last_leaver_of_a_shared_account_deactivates_it() {
    for other in [
        gone(),
        merge(),
        merge().status(Status::Pending),
        merge().status(Status::Inactive),
        merge()
            .status(Status::Inactive)
            .terminated(on("2026-03-31")),
    ] {
        check(
            &gone().shares_account_with(&[&other], NOW),
            NOW,
            "deactivate 7",
        );
    }
}

#[test]
fn uncertainty_opens_no_hold_while_a_sharer_is_employed() {
    let stays = merge().status(Status::Active).hired("2023-05-01");
    let deleted = merge().status(Status::Active).deleted(true);
    for person in [doubted(), deleted].map(|person| person.hired("2020-03-02")) {
        let person = person.shares_account_with(&[&stays], NOW);
        check_reason(
            &person,
            NOW,
            "keep: Employed",
            "another employee with the same account",
        );
        check(
            &person.shares_account_with(&[&gone()], NOW),
            NOW,
            "hold: deactivate 7",
        );
    }
}

#[test]
fn inactive_account_needs_no_action() {
    let off = || account(false);
    for found in [
        AccountMatch::Linked(off()),
        AccountMatch::Found(off()),
        AccountMatch::Shared {
            account: off(),
            other_is_employed: true,
        },
    ] {
        let gone = gone().carried_out("2026-03-10T10:00:00Z", None);
        check(&gone.found(found.clone()), NOW, "keep: AlreadyInactive");
        check(
            &doubted().found(found.clone()),
            NOW,
            "keep: AlreadyInactive",
        );
        let unread = merge().values_pending("2026-03-10T11:00:00Z");
        check(&unread.found(found), NOW, "keep: AlreadyInactive");
    }
}

#[test]
fn missing_account_is_held_only_if_a_read_could_find_one() {
    let none = AccountMatch::None;
    check_reason(
        &gone().found(none.clone()),
        NOW,
        "keep: NoAccount",
        "the work e-mail matches none",
    );
    check(&doubted().found(none.clone()), NOW, "keep: NoAccount");
    check(
        &merge().status(Status::Active).found(none.clone()),
        NOW,
        "keep: Employed",
    );
    let unread = bamboohr().values_pending("2026-03-10T11:00:00Z");
    check(&unread.found(none.clone()), NOW, "hold: deactivate -");
    let leaving = merge().terminated(on("2026-03-31")).found(none);
    check(&leaving, NOW, "keep: Scheduled until 2026-04-01T00:00:00Z");
}

#[test]
fn only_accounts_deactivated_by_leaver_are_reactivated() {
    let off_by_somebody = AccountMatch::Linked(account(false));
    for rehire in [Rehire::Hold, Rehire::Reactivate, Rehire::Ignore] {
        let here = merge().status(Status::Active).policy(|p| p.rehire = rehire);
        check(
            &here.clone().found(off_by_somebody.clone()),
            NOW,
            "keep: Employed",
        );
        let on_again = here.deactivated_by_us("2026-02-01T00:00:00Z");
        check(
            &on_again.found(AccountMatch::Linked(account(true))),
            NOW,
            "keep: Employed",
        );
    }
}

#[test]
fn only_employed_people_are_reactivated() {
    for status in [None, Some(Status::Pending), Some(word("LEAVE"))] {
        let unclear = merge()
            .status(status)
            .deactivated_by_us("2026-02-01T00:00:00Z")
            .policy(|p| p.rehire = Rehire::Reactivate);
        check(&unclear, NOW, "keep: Employed");
    }
}

#[test]
fn rehired_person_with_future_end_keeps_the_schedule() {
    for (rehire, expected) in [
        (
            Rehire::Hold,
            "hold: reactivate 7 until 2026-04-01T00:00:00Z",
        ),
        (
            Rehire::Reactivate,
            "reactivate 7 until 2026-04-01T00:00:00Z",
        ),
        (Rehire::Ignore, "keep: Scheduled until 2026-04-01T00:00:00Z"),
    ] {
        let back = merge()
            .status(Status::Active)
            .terminated(on("2026-03-31"))
            .deactivated_by_us("2026-02-01T00:00:00Z")
            .policy(|p| p.rehire = rehire);
        check(&back, NOW, expected);
        let not_back = back.status(Status::Inactive);
        check(&not_back, NOW, "keep: Scheduled until 2026-04-01T00:00:00Z");
    }
}

#[test]
fn rehire_hold_stays_open_while_values_are_pending() {
    let back = bamboohr()
        .status(Status::Active)
        .deactivated_by_us("2026-02-01T00:00:00Z");
    let unread = back.clone().values_pending("2026-03-10T11:00:00Z");
    check(&unread, NOW, "hold: reactivate 7");
    assert_eq!(unread.request(NOW), back.request(NOW));
    // Without a hold, no account is reactivated while values are pending.
    check(
        &unread.policy(|p| p.rehire = Rehire::Reactivate),
        NOW,
        "keep: AlreadyInactive",
    );
}

#[test]
fn end_approved_while_values_are_pending_is_no_rehire() {
    // The active status was known before the approval.
    let back = bamboohr()
        .observed("2026-03-01T00:00:00Z")
        .status(Status::Active)
        .carried_out("2026-03-10T11:30:00Z", None)
        .values_pending("2026-03-10T11:00:00Z");
    check(&back, NOW, "keep: AlreadyInactive");
    let confirmed = back.observed("2026-03-10T11:45:00Z").status(Status::Active);
    check(&confirmed, NOW, "hold: reactivate 7");
}

#[test]
fn deleted_or_unclear_person_is_not_reactivated() {
    let off = merge().deactivated_by_us("2026-02-01T00:00:00Z");
    let deleted = off.clone().status(Status::Active).deleted(true);
    let unread = off
        .status(Status::Pending)
        .values_pending("2026-03-10T11:00:00Z");
    for person in [deleted, unread] {
        check(&person, NOW, "keep: AlreadyInactive");
    }
}
