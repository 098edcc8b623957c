//! The rules for BambooHR.

use super::*;

// Changes with values.

#[test]
fn inactive_and_terminated_is_deactivated() {
    let gone = bamboohr()
        .status(Status::Inactive)
        .employment(EmploymentStatus::Terminated);
    check_reason(&gone, NOW, DEACTIVATED, "Terminated");
    check(&gone.clone().hired("2020-01-01"), NOW, DEACTIVATED);
    check(&gone.terminated(on("2026-03-01")), NOW, DEACTIVATED);
}

#[test]
fn inactive_with_begun_termination_date_is_deactivated() {
    for date in ["1999-12-31", "2026-03-09", "2026-03-10"] {
        let gone = bamboohr().status(Status::Inactive).terminated(on(date));
        check_reason(&gone, NOW, DEACTIVATED, date);
    }
}

#[test]
fn termination_date_begins_in_the_time_zone_of_the_source() {
    let tomorrow = bamboohr()
        .status(Status::Inactive)
        .terminated(on("2026-03-11"));
    check(
        &tomorrow.clone().zone("Asia/Kolkata"),
        NOW,
        "keep: Scheduled until 2026-03-11T18:30:00Z",
    );
    let begun_in_auckland = tomorrow
        .observed("2026-03-10T11:30:00Z")
        .status(Status::Inactive);
    check_reason(
        &begun_in_auckland.zone("Pacific/Auckland"),
        NOW,
        DEACTIVATED,
        "Pacific/Auckland",
    );

    let today = bamboohr()
        .zone("America/Los_Angeles")
        .observed("2026-03-10T06:30:00Z")
        .status(Status::Inactive)
        .terminated(on("2026-03-10"));
    check(
        &today,
        "2026-03-10T06:59:00Z",
        "keep: Scheduled until 2026-03-11T07:00:00Z",
    );
}

#[test]
fn inactive_with_status_changed_is_deactivated() {
    let gone = bamboohr().status(Status::Inactive).changed();
    check_reason(&gone, NOW, DEACTIVATED, "changed to Inactive");
    check(&gone.clone().hired("2026-03-10"), NOW, DEACTIVATED);
    check(
        &gone.clone().terminated(None).employment(None),
        NOW,
        DEACTIVATED,
    );
}

#[test]
fn inactive_contradicted_by_employment_status_is_held() {
    let odd = bamboohr()
        .status(Status::Inactive)
        .changed()
        .employment(EmploymentStatus::Other);
    check_reason(&odd, NOW, HELD, "not Terminated");
}

#[test]
fn older_employment_status_does_not_contradict_inactive() {
    let gone = bamboohr()
        .observed("2026-01-01T00:00:00Z")
        .employment(EmploymentStatus::Other)
        .observed("2026-03-10T09:00:00Z")
        .status(Status::Inactive)
        .changed();
    check(&gone, NOW, DEACTIVATED);
}

#[test]
fn inactive_not_reported_as_changed_is_held() {
    check_reason(
        &bamboohr().status(Status::Inactive),
        NOW,
        HELD,
        "not reported as changed",
    );
}

#[test]
fn inactive_before_hire_date_is_kept_as_pre_hire() {
    let pre_hire = bamboohr()
        .status(Status::Inactive)
        .changed()
        .hired("2026-03-11");
    check_reason(&pre_hire, NOW, KEPT, "pre-hire");
    let returning = pre_hire
        .employment(EmploymentStatus::Terminated)
        .terminated(on("2024-06-30"));
    check(&returning, NOW, DEACTIVATED);
    check_reason(
        &returning.terminated(on("2026-03-10")),
        NOW,
        "keep: Scheduled until 2026-03-11T00:00:00Z",
        "without a day between",
    );
}

#[test]
fn hire_date_begins_in_the_time_zone_of_the_source() {
    let starter = bamboohr()
        .status(Status::Inactive)
        .changed()
        .hired("2026-03-11");
    check(&starter.clone().zone("Pacific/Auckland"), NOW, HELD);
    check(
        &starter.zone("America/Los_Angeles"),
        "2026-03-11T06:59:59Z",
        KEPT,
    );
}

#[test]
fn pre_hire_with_termination_date_is_scheduled() {
    let season = bamboohr()
        .status(Status::Inactive)
        .hired("2026-07-01")
        .terminated(on("2026-09-30"));
    check(&season, NOW, "keep: Scheduled until 2026-10-01T00:00:00Z");
    check(&season, "2026-10-01T00:00:00Z", DEACTIVATED);
}

#[test]
fn future_termination_date_is_scheduled() {
    let leaving = bamboohr().terminated(on("2026-03-31"));
    for status in [
        None,
        Some(Status::Active),
        Some(Status::Inactive),
        Some(word("Furlough")),
    ] {
        let leaving = leaving.clone().status(status);
        check(&leaving, NOW, "keep: Scheduled until 2026-04-01T00:00:00Z");
    }
    let at_half_past_five = leaving
        .status(Status::Active)
        .policy(|p| p.cutoff = cutoff_at("17:30:00"));
    check_reason(
        &at_half_past_five,
        NOW,
        "keep: Scheduled until 2026-03-31T17:30:00Z",
        "17:30",
    );
}

#[test]
fn active_is_kept() {
    check_reason(
        &bamboohr().status(Status::Active),
        NOW,
        KEPT,
        "status is active",
    );
}

#[test]
fn terminated_that_no_newer_status_contradicts_is_held() {
    for status in [
        Some(Status::Active),
        Some(Status::Pending),
        Some(word("On leave")),
        None,
    ] {
        let odd = bamboohr()
            .status(status)
            .employment(EmploymentStatus::Terminated);
        check_reason(&odd, NOW, HELD, "employment status is Terminated");
        let later_word = odd
            .observed("2026-03-10T11:00:00Z")
            .employment(EmploymentStatus::Terminated);
        check(&later_word, NOW, HELD);
        // A later employment status or a later status ends the contradiction.
        let later = later_word.observed("2026-03-10T11:30:00Z");
        check(
            &later.clone().employment(EmploymentStatus::Other),
            NOW,
            KEPT,
        );
        check(&later.status(Status::Active), NOW, KEPT);
    }
}

#[test]
fn status_of_a_pre_hire_is_no_departure_on_the_first_day() {
    let starter = bamboohr()
        .observed("2026-03-01T09:00:00Z")
        .status(Status::Inactive)
        .changed()
        .hired("2026-03-10");
    check(&starter, "2026-03-09T23:59:59Z", KEPT);
    check_reason(&starter, NOW, HELD, "before the hire date 2026-03-10");
    let confirmed = starter
        .clone()
        .observed("2026-03-10T09:00:00Z")
        .status(Status::Inactive);
    check(&confirmed, NOW, DEACTIVATED);
    check(&starter.status(Status::Active), NOW, KEPT);
}

#[test]
fn status_of_a_pre_hire_that_arrives_late_is_no_departure() {
    let starter = bamboohr()
        .observed("2026-03-09T23:00:00Z")
        .status(Status::Inactive)
        .changed()
        .hired("2026-03-10");
    let mut late = starter;
    late.employee.status.as_mut().unwrap().observed_at = at("2026-03-10T01:30:00Z");
    check_reason(&late, NOW, HELD, "before the hire date 2026-03-10");
    let terminated = late.employment(EmploymentStatus::Terminated);
    check_reason(&terminated, NOW, HELD, "before the hire date 2026-03-10");
}

#[test]
fn terminated_without_status_is_held() {
    let odd = bamboohr().employment(EmploymentStatus::Terminated);
    check_reason(&odd, NOW, HELD, "no status was received");
}

// Changes without values.

#[test]
fn change_without_values_needs_a_read() {
    for status in [None, Some(Status::Active), Some(Status::Inactive)] {
        let unread = bamboohr()
            .status(status)
            .values_pending("2026-03-10T11:00:00Z");
        check_reason(&unread, NOW, HELD, "needs a read");
        assert!(matches!(
            unread.assessed(NOW),
            Employment::Uncertain {
                needs_read: true,
                ..
            }
        ));
    }
}

#[test]
fn change_without_values_waits_for_the_api_read() {
    for status in [None, Some(Status::Active), Some(Status::Inactive)] {
        let mut unread = bamboohr()
            .status(status)
            .values_pending("2026-03-10T11:00:00Z");
        unread.policy.can_read = true;
        check_reason(&unread, NOW, "keep: AwaitingRead", "waits for an API read");
    }
}

#[test]
fn pending_values_undo_neither_departure_nor_schedule() {
    let unread = bamboohr().values_pending("2026-03-10T11:00:00Z");
    let gone = unread
        .clone()
        .status(Status::Inactive)
        .employment(EmploymentStatus::Terminated);
    check(&gone, NOW, DEACTIVATED);
    let leaving = unread.status(Status::Active).terminated(on("2026-03-10"));
    check(&leaving, NOW, "keep: Scheduled until 2026-03-11T00:00:00Z");
    check(&leaving, "2026-03-11T00:00:00Z", DEACTIVATED);
}

#[test]
fn deletion_follows_the_policy() {
    let gone = bamboohr().status(Status::Active).deleted(true);
    check_reason(&gone, NOW, DEACTIVATED, "deleted the record");
    removed_follows_the_policy(&gone);
}
