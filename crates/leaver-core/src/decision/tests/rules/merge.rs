//! The rows of Merge.

use super::*;

#[test]
fn merge_inactive_with_a_termination_date_that_has_begun_is_deactivated_now() {
    for date in ["2025-12-31", "2026-03-10"] {
        check_because(
            &merge().status(Status::Inactive).terminated(on(date)),
            NOW,
            LEFT,
            date,
        );
    }
    let at_noon = DateOrInstant::Instant(at("2026-03-10T11:59:59Z"));
    check(
        &merge().status(Status::Inactive).terminated(at_noon),
        NOW,
        LEFT,
    );
}

#[test]
fn merge_inactive_with_a_begun_date_is_deactivated_although_a_hire_date_lies_ahead() {
    let between = merge()
        .status(Status::Inactive)
        .terminated(on("2026-03-01"))
        .hired("2026-06-01");
    check(&between, NOW, LEFT);
}

#[test]
fn merge_inactive_without_a_date_follows_the_policy() {
    for date in [merge(), merge().terminated(None)] {
        for (response, expected) in [
            (OnUncertain::Hold, ASKED),
            (OnUncertain::Deactivate, LEFT),
            (OnUncertain::Ignore, HERE),
        ] {
            let someone = date
                .clone()
                .status(Status::Inactive)
                .policy(|p| p.inactive_without_date = response);
            check_because(&someone, NOW, expected, "without a termination date");
            // These two mean something at BambooHR only.
            check(&someone.clone().changed(), NOW, expected);
            check(
                &someone.employment(EmploymentStatus::Terminated),
                NOW,
                expected,
            );
        }
    }
}

#[test]
fn merge_inactive_without_a_date_before_a_hire_date_is_a_pre_hire() {
    let starter = merge().status(Status::Inactive).hired("2026-03-11");
    check_because(&starter, NOW, HERE, "pre-hire");
    check(&starter, "2026-03-11T00:00:00Z", ASKED);
}

#[test]
fn merge_a_termination_date_ahead_is_scheduled_whatever_the_status() {
    for status in [
        None,
        Some(Status::Active),
        Some(Status::Pending),
        Some(Status::Inactive),
        Some(word("LEAVE")),
    ] {
        let leaving = merge().status(status).terminated(on("2026-03-31"));
        check(&leaving, NOW, "keep: Waiting until 2026-04-01T00:00:00Z");
        check(
            &leaving,
            "2026-03-31T23:59:59Z",
            "keep: Waiting until 2026-04-01T00:00:00Z",
        );
        check(&leaving, "2026-04-01T00:00:00Z", LEFT);
    }
}

#[test]
fn merge_a_schedule_is_withdrawn_or_moved_by_a_newer_record() {
    let leaving = merge().status(Status::Active).terminated(on("2026-03-31"));
    let newer = leaving.said("2026-03-10T11:00:00Z").status(Status::Active);
    check(&newer.clone().terminated(None), NOW, HERE);
    let moved = newer.terminated(on("2026-04-15"));
    check(&moved, NOW, "keep: Waiting until 2026-04-16T00:00:00Z");
}

#[test]
fn merge_active_with_an_old_date_is_kept() {
    for date in ["2019-06-30", "2026-03-09"] {
        let rehired = merge().status(Status::Active).terminated(on(date));
        check_because(&rehired, NOW, HERE, "an old one");
    }
}

#[test]
fn merge_pending_null_and_unknown_words_are_kept_and_said() {
    for (status, words) in [
        (Some(Status::Pending), "pending"),
        (None, "no status is known"),
        (Some(word("Terminated")), "`Terminated`"),
        (Some(word("inactive-ish")), "never means inactive"),
    ] {
        let someone = merge().status(status);
        check_because(&someone, NOW, HERE, words);
        // An old date does not make them leavers either.
        check_because(&someone.terminated(on("2026-03-01")), NOW, HERE, words);
    }
}

#[test]
fn merge_removed_follows_the_policy() {
    let removed = merge().status(Status::Active).removed(true);
    check_because(&removed, NOW, ASKED, "tidy-up");
    removed_follows_the_policy(&removed);
}

#[test]
fn merge_active_into_a_next_contract_without_a_gap_is_kept() {
    let renewed = |hired| {
        merge()
            .status(Status::Active)
            .terminated(on("2026-03-31"))
            .hired(hired)
    };
    let ends = "2026-04-01T00:00:00Z";
    check(
        &renewed("2026-04-01"),
        NOW,
        "keep: Waiting until 2026-04-01T00:00:00Z",
    );
    check(&renewed("2026-04-01"), ends, HERE);
    check(&renewed("2026-04-02"), ends, LEFT);
    check(&renewed("2026-03-31"), ends, LEFT);
}
