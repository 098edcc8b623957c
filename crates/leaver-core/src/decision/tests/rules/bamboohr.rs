//! The rows of BambooHR.

use super::*;

// BambooHR with values.

#[test]
fn bamboohr_inactive_and_terminated_is_deactivated_now() {
    let gone = bamboohr()
        .status(Status::Inactive)
        .employment(EmploymentStatus::Terminated);
    check_because(&gone, NOW, LEFT, "Terminated");
    check(&gone.clone().hired("2020-01-01"), NOW, LEFT);
    check(&gone.terminated(on("2026-03-01")), NOW, LEFT);
}

#[test]
fn bamboohr_inactive_with_a_termination_date_that_has_begun_is_deactivated_now() {
    for date in ["1999-12-31", "2026-03-09", "2026-03-10"] {
        let gone = bamboohr().status(Status::Inactive).terminated(on(date));
        check_because(&gone, NOW, LEFT, date);
    }
}

#[test]
fn bamboohr_a_termination_date_begins_in_the_time_zone_of_the_source() {
    let tomorrow = bamboohr()
        .status(Status::Inactive)
        .terminated(on("2026-03-11"));
    check(
        &tomorrow.clone().zone("Asia/Kolkata"),
        NOW,
        "keep: Waiting until 2026-03-11T18:30:00Z",
    );
    let begun_in_auckland = tomorrow
        .said("2026-03-10T11:30:00Z")
        .status(Status::Inactive);
    check_because(
        &begun_in_auckland.zone("Pacific/Auckland"),
        NOW,
        LEFT,
        "Pacific/Auckland",
    );

    let today = bamboohr()
        .zone("America/Los_Angeles")
        .said("2026-03-10T06:30:00Z")
        .status(Status::Inactive)
        .terminated(on("2026-03-10"));
    check(
        &today,
        "2026-03-10T06:59:00Z",
        "keep: Waiting until 2026-03-11T07:00:00Z",
    );
}

#[test]
fn bamboohr_inactive_with_status_among_the_changed_fields_is_deactivated_now() {
    let gone = bamboohr().status(Status::Inactive).changed();
    check_because(&gone, NOW, LEFT, "changed to Inactive");
    check(&gone.clone().hired("2026-03-10"), NOW, LEFT);
    check(&gone.clone().terminated(None).employment(None), NOW, LEFT);
}

#[test]
fn bamboohr_inactive_that_an_employment_status_contradicts_is_held() {
    let odd = bamboohr()
        .status(Status::Inactive)
        .changed()
        .employment(EmploymentStatus::Other);
    check_because(&odd, NOW, ASKED, "not Terminated");
}

#[test]
fn bamboohr_inactive_is_not_contradicted_by_what_was_said_before() {
    let gone = bamboohr()
        .said("2026-01-01T00:00:00Z")
        .employment(EmploymentStatus::Other)
        .said("2026-03-10T09:00:00Z")
        .status(Status::Inactive)
        .changed();
    check(&gone, NOW, LEFT);
}

#[test]
fn bamboohr_inactive_that_nothing_says_has_changed_is_held() {
    check_because(
        &bamboohr().status(Status::Inactive),
        NOW,
        ASKED,
        "nothing says that it changed",
    );
}

#[test]
fn bamboohr_inactive_before_a_known_hire_date_is_kept_as_a_pre_hire() {
    let pre_hire = bamboohr()
        .status(Status::Inactive)
        .changed()
        .hired("2026-03-11");
    check_because(&pre_hire, NOW, HERE, "pre-hire");
    let returning = pre_hire
        .employment(EmploymentStatus::Terminated)
        .terminated(on("2024-06-30"));
    check_because(&returning, NOW, HERE, "pre-hire");
    check_because(
        &returning.terminated(on("2026-03-10")),
        NOW,
        HERE,
        "pre-hire",
    );
}

#[test]
fn bamboohr_a_hire_date_begins_in_the_time_zone_of_the_source() {
    let starter = bamboohr()
        .status(Status::Inactive)
        .changed()
        .hired("2026-03-11");
    check(&starter.clone().zone("Pacific/Auckland"), NOW, LEFT);
    check(
        &starter.zone("America/Los_Angeles"),
        "2026-03-11T06:59:59Z",
        HERE,
    );
}

#[test]
fn bamboohr_a_pre_hire_with_an_end_is_kept_and_scheduled() {
    let season = bamboohr()
        .status(Status::Inactive)
        .hired("2026-07-01")
        .terminated(on("2026-09-30"));
    check(&season, NOW, "keep: Waiting until 2026-10-01T00:00:00Z");
    check(&season, "2026-10-01T00:00:00Z", LEFT);
}

#[test]
fn bamboohr_a_termination_date_ahead_is_scheduled_at_its_access_end() {
    let leaving = bamboohr().terminated(on("2026-03-31"));
    for status in [
        None,
        Some(Status::Active),
        Some(Status::Inactive),
        Some(word("Furlough")),
    ] {
        let leaving = leaving.clone().status(status);
        check(&leaving, NOW, "keep: Waiting until 2026-04-01T00:00:00Z");
    }
    let at_half_past_five = leaving
        .status(Status::Active)
        .policy(|p| p.cutoff = cutoff_at("17:30:00"));
    check_because(
        &at_half_past_five,
        NOW,
        "keep: Waiting until 2026-03-31T17:30:00Z",
        "17:30",
    );
}

#[test]
fn bamboohr_active_is_kept() {
    check_because(
        &bamboohr().status(Status::Active),
        NOW,
        HERE,
        "status is active",
    );
    let odd = bamboohr()
        .status(Status::Active)
        .employment(EmploymentStatus::Terminated);
    check(&odd, NOW, HERE);
}

#[test]
fn bamboohr_terminated_without_any_status_is_held() {
    let odd = bamboohr().employment(EmploymentStatus::Terminated);
    check_because(&odd, NOW, ASKED, "never posted");
}

// BambooHR thin.

#[test]
fn bamboohr_thin_update_without_values_needs_a_read() {
    for status in [None, Some(Status::Active), Some(Status::Inactive)] {
        let unread = bamboohr()
            .status(status)
            .changed_unread("2026-03-10T11:00:00Z");
        check_because(&unread, NOW, ASKED, "needs a read");
        assert!(matches!(
            unread.judged(NOW),
            Employment::Uncertain {
                needs_read: true,
                ..
            }
        ));
    }
}

#[test]
fn bamboohr_thin_update_is_read_where_it_can_be() {
    for status in [None, Some(Status::Active), Some(Status::Inactive)] {
        let mut unread = bamboohr()
            .status(status)
            .changed_unread("2026-03-10T11:00:00Z");
        unread.policy.can_read = true;
        check_because(&unread, NOW, "keep: Reading", "a read is due");
    }
}

#[test]
fn bamboohr_thin_update_takes_back_neither_a_departure_nor_a_schedule() {
    let unread = bamboohr().changed_unread("2026-03-10T11:00:00Z");
    let gone = unread
        .clone()
        .status(Status::Inactive)
        .employment(EmploymentStatus::Terminated);
    check(&gone, NOW, LEFT);
    let leaving = unread.status(Status::Active).terminated(on("2026-03-10"));
    check(&leaving, NOW, "keep: Waiting until 2026-03-11T00:00:00Z");
    check(&leaving, "2026-03-11T00:00:00Z", LEFT);
}

#[test]
fn bamboohr_deleted_follows_the_policy() {
    let gone = bamboohr().status(Status::Active).removed(true);
    check_because(&gone, NOW, LEFT, "removed the record");
    removed_follows_the_policy(&gone);
}
