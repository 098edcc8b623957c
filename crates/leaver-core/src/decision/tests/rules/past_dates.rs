//! Termination dates that have passed, and the employment that they belong to.

use super::*;

fn statuses() -> [Option<Status>; 4] {
    [
        None,
        Some(Status::Active),
        Some(Status::Pending),
        Some(word("Terminated")),
    ]
}

#[test]
fn past_date_after_the_hire_date_is_held_for_any_status() {
    for source in [bamboohr(), merge()] {
        for status in statuses() {
            let odd = source.clone().status(status).terminated(on("2026-03-09"));
            check_reason(&odd, NOW, HELD, "has passed");
            for hired in ["2020-01-01", "2026-03-08", "2026-03-09"] {
                check(&odd.clone().hired(hired), NOW, HELD);
            }
            let at_noon = DateOrInstant::Instant(at("2026-03-09T12:00:00Z"));
            check(&odd.terminated(at_noon), NOW, HELD);
        }
    }
}

#[test]
fn past_date_before_the_hire_date_is_kept() {
    for source in [bamboohr(), merge()] {
        for status in statuses() {
            let rehired = source
                .clone()
                .status(status)
                .terminated(on("2024-06-30"))
                .hired("2025-01-01");
            check(&rehired, NOW, KEPT);
        }
    }
}

#[test]
fn late_date_and_late_status_end_alike() {
    for source in [bamboohr(), merge()] {
        let late_date = source
            .clone()
            .observed("2026-03-01T00:00:00Z")
            .status(Status::Active)
            .observed("2026-03-10T09:00:00Z")
            .terminated(on("2026-03-08"));
        let late_status = source
            .observed("2026-03-01T00:00:00Z")
            .terminated(on("2026-03-08"))
            .observed("2026-03-10T09:00:00Z")
            .status(Status::Active);
        for person in [late_date, late_status] {
            check(&person, NOW, HELD);
        }
    }
}

#[test]
fn begun_termination_comes_before_the_pre_hire_exception() {
    for hired in ["2026-03-12", "2026-04-12", "2027-01-01"] {
        let by_date = |source: Person| {
            source
                .status(Status::Inactive)
                .changed()
                .hired(hired)
                .terminated(on("2026-03-10"))
        };
        check(&by_date(bamboohr()), NOW, DEACTIVATED);
        check(&by_date(merge()), NOW, DEACTIVATED);
        let by_status = bamboohr()
            .status(Status::Inactive)
            .hired(hired)
            .employment(EmploymentStatus::Terminated);
        check(&by_status, NOW, DEACTIVATED);
    }
}

#[test]
fn date_before_the_hire_date_does_not_prove_a_departure() {
    let leave = |source: Person| {
        source
            .status(Status::Inactive)
            .changed()
            .terminated(on("2023-06-30"))
            .hired("2024-02-01")
    };
    check_reason(&leave(bamboohr()), NOW, HELD, "an earlier employment");
    check_reason(
        &leave(bamboohr()).employment(EmploymentStatus::Other),
        NOW,
        HELD,
        "not Terminated",
    );
    check_reason(&leave(merge()), NOW, HELD, "without a termination date");
    check(
        &leave(bamboohr()).employment(EmploymentStatus::Terminated),
        NOW,
        DEACTIVATED,
    );
}

#[test]
fn other_employment_status_contradicts_an_old_date() {
    let leave = bamboohr()
        .status(Status::Inactive)
        .changed()
        .employment(EmploymentStatus::Other);
    check_reason(
        &leave.clone().terminated(on("2024-06-30")),
        NOW,
        HELD,
        "may belong to an earlier employment",
    );
    check(&leave.terminated(on("2026-03-09")), NOW, DEACTIVATED);
    let older_word = bamboohr()
        .observed("2026-01-01T00:00:00Z")
        .employment(EmploymentStatus::Other)
        .observed("2026-03-10T09:00:00Z")
        .status(Status::Inactive)
        .terminated(on("2026-02-10"));
    check(&older_word, NOW, DEACTIVATED);
}

#[test]
fn next_employment_without_a_day_between_continues() {
    for cutoff in [Cutoff::StartOfDay, cutoff_at("17:30"), Cutoff::EndOfDay] {
        for source in [bamboohr(), merge()] {
            let renewed = source
                .policy(|p| p.cutoff = cutoff)
                .status(Status::Active)
                .terminated(on("2026-03-09"))
                .hired("2026-03-10");
            for now in ["2026-03-09T23:00:00Z", "2026-03-10T00:00:00Z", NOW] {
                let decision = renewed.decided(now);
                assert!(
                    matches!(decision.action, Action::Keep(_)),
                    "at {now}: {decision:?}"
                );
            }
        }
    }
}

#[test]
fn terminated_before_the_hire_date_proves_no_departure() {
    let leave = bamboohr()
        .observed("2024-06-01T09:00:00Z")
        .employment(EmploymentStatus::Terminated)
        .observed("2026-03-10T09:00:00Z")
        .status(Status::Inactive)
        .hired("2025-01-06");
    check(&leave, NOW, HELD);
    check(
        &leave.employment(EmploymentStatus::Terminated),
        NOW,
        DEACTIVATED,
    );
}
