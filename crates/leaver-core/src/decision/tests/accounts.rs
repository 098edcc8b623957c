//! What becomes of the account, whoever it belongs to.

use super::*;

fn gone() -> Someone {
    bamboohr()
        .said("2026-03-10T09:00:00Z")
        .status(Status::Inactive)
        .employment(EmploymentStatus::Terminated)
}

fn doubted() -> Someone {
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
fn a_linked_or_found_account_is_deactivated_and_remembered() {
    for found in [
        AccountMatch::Linked(account(true)),
        AccountMatch::Found(account(true)),
    ] {
        let decision = check(&gone().found(found), NOW, "deactivate 7");
        assert_eq!(linked_to(&decision), Some("7"));
    }
}

#[test]
fn an_account_found_for_somebody_who_stays_is_remembered() {
    let here = merge()
        .status(Status::Active)
        .found(AccountMatch::Found(account(true)));
    assert_eq!(linked_to(&check(&here, NOW, "keep: StillHere")), Some("7"));
}

#[test]
fn a_protected_account_is_asked_about() {
    let protect = |policy: &mut Policy| policy.protected.extend(WorkEmail::parse(EMAIL));
    for found in [
        AccountMatch::Linked(account(true)),
        AccountMatch::Found(account(true)),
        shared(false),
    ] {
        check_because(
            &gone().found(found).policy(protect),
            NOW,
            "hold: deactivate 7",
            "protected",
        );
    }
    let off = AccountMatch::Linked(account(false));
    check(
        &gone().found(off).policy(protect),
        NOW,
        "keep: AlreadyInactive",
    );
}

#[test]
fn protection_is_of_the_account_and_not_of_others() {
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
fn an_ambiguous_address_is_asked_about_without_naming_an_account() {
    let twice = gone().found(AccountMatch::Ambiguous(2));
    check_because(&twice, NOW, "hold: deactivate -", "fits 2 accounts");
    assert_eq!(twice.decided(NOW).link, None);
    check(
        &doubted().found(AccountMatch::Ambiguous(2)),
        NOW,
        "hold: deactivate -",
    );
    let here = merge()
        .status(Status::Active)
        .found(AccountMatch::Ambiguous(2));
    check(&here, NOW, "keep: StillHere");
}

#[test]
fn an_account_linked_to_another_who_still_works_there_is_asked_about() {
    let someone = gone().found(shared(true));
    check_because(
        &someone,
        NOW,
        "hold: deactivate 7",
        "another employee who still works there",
    );
    assert_eq!(someone.decided(NOW).link, None, "it is not taken over");
    let doubted = doubted().found(shared(true));
    check_because(
        &doubted,
        NOW,
        "hold: deactivate 7",
        "another employee who still works there",
    );
}

#[test]
fn an_account_linked_to_another_who_left_is_deactivated() {
    let decision = check(&gone().found(shared(false)), NOW, "deactivate 7");
    assert_eq!(linked_to(&decision), Some("7"));
}

#[test]
fn an_employee_takes_a_share_in_the_account_of_the_contractor_they_were() {
    let here = merge().status(Status::Active).found(shared(true));
    assert_eq!(linked_to(&check(&here, NOW, "keep: StillHere")), Some("7"));
}

#[test]
fn a_contractor_who_became_an_employee_keeps_the_account() {
    let stays = merge().status(Status::Active);
    let leaves_later = stays.clone().terminated(on("2026-03-31"));
    let unread = stays.clone().changed_unread("2026-03-10T11:00:00Z");
    let removed = stays.clone().removed(true);
    for employee in [&stays, &leaves_later, &unread, &removed] {
        let contractor = gone().shares_account_with(&[&gone(), employee], NOW);
        check_because(
            &contractor,
            NOW,
            "keep: StillHere",
            "another employee with the same account",
        );
    }
}

#[test]
fn the_last_of_those_who_share_an_account_takes_it_along() {
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
fn a_doubt_about_one_is_no_question_while_another_with_the_account_works_there() {
    let stays = merge().status(Status::Active);
    for someone in [doubted(), merge().status(Status::Active).removed(true)] {
        let someone = someone.shares_account_with(&[&stays], NOW);
        check_because(
            &someone,
            NOW,
            "keep: StillHere",
            "another employee with the same account",
        );
        check(
            &someone.shares_account_with(&[&gone()], NOW),
            NOW,
            "hold: deactivate 7",
        );
    }
}

#[test]
fn an_account_that_is_off_already_is_a_quiet_success() {
    let off = || account(false);
    for found in [
        AccountMatch::Linked(off()),
        AccountMatch::Found(off()),
        AccountMatch::Shared {
            account: off(),
            other_is_employed: true,
        },
    ] {
        check(&gone().found(found.clone()), NOW, "keep: AlreadyInactive");
        check(
            &doubted().found(found.clone()),
            NOW,
            "keep: AlreadyInactive",
        );
        let unread = merge().changed_unread("2026-03-10T11:00:00Z");
        check(&unread.found(found), NOW, "keep: AlreadyInactive");
    }
}

#[test]
fn no_account_is_recorded_and_asked_about_only_when_a_read_could_find_one() {
    let none = AccountMatch::None;
    check_because(
        &gone().found(none.clone()),
        NOW,
        "keep: NoAccount",
        "no work e-mail fits",
    );
    check(&doubted().found(none.clone()), NOW, "keep: NoAccount");
    check(
        &merge().status(Status::Active).found(none.clone()),
        NOW,
        "keep: StillHere",
    );
    let unread = bamboohr().changed_unread("2026-03-10T11:00:00Z");
    check(&unread.found(none.clone()), NOW, "hold: deactivate -");
    let leaving = merge().terminated(on("2026-03-31")).found(none);
    check(&leaving, NOW, "keep: Waiting until 2026-04-01T00:00:00Z");
}

#[test]
fn only_an_account_that_we_switched_off_is_ever_switched_on() {
    let off_by_somebody = AccountMatch::Linked(account(false));
    for rehire in [Rehire::Hold, Rehire::Reactivate, Rehire::Ignore] {
        let here = merge().status(Status::Active).policy(|p| p.rehire = rehire);
        check(
            &here.clone().found(off_by_somebody.clone()),
            NOW,
            "keep: StillHere",
        );
        let on_again = here.deactivated_by_us("2026-02-01T00:00:00Z");
        check(
            &on_again.found(AccountMatch::Linked(account(true))),
            NOW,
            "keep: StillHere",
        );
    }
}

#[test]
fn only_somebody_who_is_known_to_work_there_comes_back() {
    for status in [None, Some(Status::Pending), Some(word("LEAVE"))] {
        let unclear = merge()
            .status(status)
            .deactivated_by_us("2026-02-01T00:00:00Z")
            .policy(|p| p.rehire = Rehire::Reactivate);
        check(&unclear, NOW, "keep: StillHere");
    }
}

#[test]
fn a_leaver_by_date_who_is_back_until_then_is_welcomed_and_the_schedule_stays() {
    for (rehire, expected) in [
        (
            Rehire::Hold,
            "hold: reactivate 7 until 2026-04-01T00:00:00Z",
        ),
        (
            Rehire::Reactivate,
            "reactivate 7 until 2026-04-01T00:00:00Z",
        ),
        (Rehire::Ignore, "keep: Waiting until 2026-04-01T00:00:00Z"),
    ] {
        let back = merge()
            .status(Status::Active)
            .terminated(on("2026-03-31"))
            .deactivated_by_us("2026-02-01T00:00:00Z")
            .policy(|p| p.rehire = rehire);
        check(&back, NOW, expected);
        let not_back = back.status(Status::Inactive);
        check(&not_back, NOW, "keep: Waiting until 2026-04-01T00:00:00Z");
    }
}

#[test]
fn the_question_about_a_return_outlives_a_change_without_values() {
    let back = bamboohr()
        .status(Status::Active)
        .deactivated_by_us("2026-02-01T00:00:00Z");
    let unread = back.clone().changed_unread("2026-03-10T11:00:00Z");
    check(&unread, NOW, "hold: reactivate 7");
    assert_eq!(unread.asked(NOW), back.asked(NOW));
    // Without a person's word nothing is switched on while there is something unread.
    check(
        &unread.policy(|p| p.rehire = Rehire::Reactivate),
        NOW,
        "keep: AlreadyInactive",
    );
}

#[test]
fn nobody_is_welcomed_back_whose_record_is_gone_or_whose_status_is_unclear() {
    let off = merge().deactivated_by_us("2026-02-01T00:00:00Z");
    let removed = off.clone().status(Status::Active).removed(true);
    let unread = off
        .status(Status::Pending)
        .changed_unread("2026-03-10T11:00:00Z");
    for someone in [removed, unread] {
        check(&someone, NOW, "keep: AlreadyInactive");
    }
}
