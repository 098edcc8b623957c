//! The rules for Merge.

use super::*;

#[test]
fn inactive_with_begun_termination_date_is_deactivated() {
    for date in ["2025-12-31", "2026-03-10"] {
        check_reason(
            &merge().status(Status::Inactive).terminated(on(date)),
            NOW,
            DEACTIVATED,
            date,
        );
    }
    let at_noon = DateOrInstant::Instant(at("2026-03-10T11:59:59Z"));
    check(
        &merge().status(Status::Inactive).terminated(at_noon),
        NOW,
        DEACTIVATED,
    );
}

#[test]
fn begun_termination_date_outweighs_future_hire_date() {
    let between = merge()
        .status(Status::Inactive)
        .terminated(on("2026-03-01"))
        .hired("2026-06-01");
    check(&between, NOW, DEACTIVATED);
}

#[test]
fn inactive_without_date_follows_the_policy() {
    for date in [merge(), merge().terminated(None)] {
        for (response, expected) in [
            (OnUncertain::Hold, HELD),
            (OnUncertain::Deactivate, DEACTIVATED),
            (OnUncertain::Ignore, KEPT),
        ] {
            let person = date
                .clone()
                .status(Status::Inactive)
                .policy(|p| p.inactive_without_date = response);
            check_reason(&person, NOW, expected, "without a termination date");
            // Only BambooHR reports these two facts.
            check(&person.clone().changed(), NOW, expected);
            check(
                &person.employment(EmploymentStatus::Terminated),
                NOW,
                expected,
            );
        }
    }
}

#[test]
fn inactive_without_date_before_hire_date_is_a_pre_hire() {
    let starter = merge().status(Status::Inactive).hired("2026-03-11");
    check_reason(&starter, NOW, KEPT, "pre-hire");
    check(&starter, "2026-03-11T00:00:00Z", HELD);
    let strict = starter.policy(|p| p.inactive_without_date = OnUncertain::Deactivate);
    check_reason(
        &strict,
        "2026-03-11T00:00:00Z",
        HELD,
        "before the hire date",
    );
    let confirmed = strict
        .observed("2026-03-11T09:00:00Z")
        .status(Status::Inactive);
    check(&confirmed, "2026-03-11T10:00:00Z", DEACTIVATED);
}

#[test]
fn future_termination_date_is_scheduled_for_any_status() {
    for status in [
        None,
        Some(Status::Active),
        Some(Status::Pending),
        Some(Status::Inactive),
        Some(word("LEAVE")),
    ] {
        let leaving = merge().status(status).terminated(on("2026-03-31"));
        check(&leaving, NOW, "keep: Scheduled until 2026-04-01T00:00:00Z");
        check(
            &leaving,
            "2026-03-31T23:59:59Z",
            "keep: Scheduled until 2026-04-01T00:00:00Z",
        );
        check(&leaving, "2026-04-01T00:00:00Z", DEACTIVATED);
    }
}

#[test]
fn newer_record_withdraws_or_moves_the_schedule() {
    let leaving = merge().status(Status::Active).terminated(on("2026-03-31"));
    let newer = leaving
        .observed("2026-03-10T11:00:00Z")
        .status(Status::Active);
    check(&newer.clone().terminated(None), NOW, KEPT);
    let moved = newer.terminated(on("2026-04-15"));
    check(&moved, NOW, "keep: Scheduled until 2026-04-16T00:00:00Z");
}

#[test]
fn active_with_date_before_hire_date_is_kept() {
    for date in ["2019-06-30", "2026-03-08"] {
        let rehired = merge()
            .status(Status::Active)
            .terminated(on(date))
            .hired("2026-03-09");
        check_reason(&rehired, NOW, KEPT, "an earlier employment");
    }
}

#[test]
fn pending_missing_and_unknown_statuses_are_kept() {
    for (status, words) in [
        (Some(Status::Pending), "pending"),
        (None, "no status was received"),
    ] {
        let person = merge().status(status);
        check_reason(&person, NOW, KEPT, words);
        let earlier = person.terminated(on("2026-03-01")).hired("2026-03-02");
        check_reason(&earlier, NOW, KEPT, words);
    }
}

#[test]
fn unknown_status_with_a_past_date_is_held() {
    let person = merge().status(word("Terminated"));
    check_reason(&person, NOW, KEPT, "never count as inactive");
    let ended = person.terminated(on("2026-03-01"));
    check_reason(
        &ended,
        NOW,
        HELD,
        "`Terminated` is unknown, but the termination date 2026-03-01 (UTC) has passed",
    );
    let rehired = ended.hired("2026-03-05");
    check_reason(&rehired, NOW, KEPT, "never count as inactive");
}

#[test]
fn deletion_follows_the_policy() {
    let deleted = merge().status(Status::Active).deleted(true);
    check_reason(&deleted, NOW, HELD, "cleaned up");
    removed_follows_the_policy(&deleted);
}

#[test]
fn active_with_seamless_next_employment_is_kept() {
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
        "keep: Scheduled until 2026-04-01T00:00:00Z",
    );
    check(&renewed("2026-04-01"), ends, KEPT);
    check(&renewed("2026-04-02"), ends, DEACTIVATED);
    check(&renewed("2026-03-31"), ends, DEACTIVATED);
}
