//! Days as instants, and decisions about the same facts at different times.

use super::super::access_end::{access_end, day_start};
use super::*;

/// Expects the start, 17:30 and the end of a day of a time zone, in UTC.
#[track_caller]
fn check_day(zone: &str, date: &str, begins: &str, half_past_five: &str, ends: &str) {
    let timezone: Tz = zone.parse().unwrap();
    assert_eq!(
        day_start(day(date), timezone),
        at(begins),
        "begin in {zone}"
    );
    for (cutoff, expected) in [
        (Cutoff::StartOfDay, begins),
        (cutoff_at("17:30:00"), half_past_five),
        (Cutoff::EndOfDay, ends),
    ] {
        let found = access_end(on(date), timezone, cutoff);
        assert_eq!(found, at(expected), "{date} in {zone}, {cutoff:?}");
    }
}

#[track_caller]
fn check_cutoff(zone: &str, date: &str, cutoff: &str, expected: &str) {
    let found = access_end(on(date), zone.parse().unwrap(), cutoff_at(cutoff));
    assert_eq!(found, at(expected), "{date} {cutoff} in {zone}");
}

#[test]
fn day_bounds_depend_on_the_time_zone() {
    for (zone, begins, half_past_five, ends) in [
        (
            "UTC",
            "2026-03-10T00:00:00Z",
            "2026-03-10T17:30:00Z",
            "2026-03-11T00:00:00Z",
        ),
        (
            "Pacific/Auckland",
            "2026-03-09T11:00:00Z",
            "2026-03-10T04:30:00Z",
            "2026-03-10T11:00:00Z",
        ),
        (
            "Asia/Kolkata",
            "2026-03-09T18:30:00Z",
            "2026-03-10T12:00:00Z",
            "2026-03-10T18:30:00Z",
        ),
        (
            "America/Los_Angeles",
            "2026-03-10T07:00:00Z",
            "2026-03-11T00:30:00Z",
            "2026-03-11T07:00:00Z",
        ),
        (
            "Pacific/Kiritimati",
            "2026-03-09T10:00:00Z",
            "2026-03-10T03:30:00Z",
            "2026-03-10T10:00:00Z",
        ),
        (
            "Pacific/Pago_Pago",
            "2026-03-10T11:00:00Z",
            "2026-03-11T04:30:00Z",
            "2026-03-11T11:00:00Z",
        ),
    ] {
        check_day(zone, "2026-03-10", begins, half_past_five, ends);
    }
}

#[test]
fn day_of_23_or_25_hours_ends_at_its_midnight() {
    let zone = "America/Los_Angeles";
    check_day(
        zone,
        "2026-03-08",
        "2026-03-08T08:00:00Z",
        "2026-03-09T00:30:00Z",
        "2026-03-09T07:00:00Z",
    );
    check_day(
        zone,
        "2026-11-01",
        "2026-11-01T07:00:00Z",
        "2026-11-02T01:30:00Z",
        "2026-11-02T08:00:00Z",
    );
}

#[test]
fn cutoff_in_a_gap_is_the_end_of_the_gap() {
    for cutoff in ["02:00:00", "02:01:00", "02:37:00", "02:59:00", "03:00:00"] {
        check_cutoff(
            "America/Los_Angeles",
            "2026-03-08",
            cutoff,
            "2026-03-08T10:00:00Z",
        );
    }
    // A gap of 30 minutes.
    check_cutoff(
        "Australia/Lord_Howe",
        "2026-10-04",
        "02:07:00",
        "2026-10-03T15:30:00Z",
    );
}

#[test]
fn repeated_cutoff_is_the_first() {
    check_cutoff(
        "America/Los_Angeles",
        "2026-11-01",
        "01:30:00",
        "2026-11-01T08:30:00Z",
    );
    check_cutoff(
        "America/Los_Angeles",
        "2026-11-01",
        "02:00:00",
        "2026-11-01T10:00:00Z",
    );
    check_cutoff(
        "America/Santiago",
        "2026-04-04",
        "23:30:00",
        "2026-04-05T02:30:00Z",
    );
}

#[test]
fn day_without_midnight_begins_after_the_gap() {
    for (zone, eve, date, begins) in [
        (
            "America/Santiago",
            "2026-09-05",
            "2026-09-06",
            "2026-09-06T04:00:00Z",
        ),
        (
            "Asia/Beirut",
            "2026-03-28",
            "2026-03-29",
            "2026-03-28T22:00:00Z",
        ),
        (
            "Africa/Cairo",
            "2026-04-23",
            "2026-04-24",
            "2026-04-23T22:00:00Z",
        ),
    ] {
        let timezone: Tz = zone.parse().unwrap();
        assert_eq!(day_start(day(date), timezone), at(begins), "{zone}");
        let eve_ends = access_end(on(eve), timezone, Cutoff::EndOfDay);
        assert_eq!(eve_ends, at(begins), "the eve in {zone}");
        check_cutoff(zone, date, "00:30:00", begins);
    }
}

#[test]
fn day_with_repeated_last_hour_ends_after_the_second() {
    for (zone, date, ends) in [
        ("America/Santiago", "2026-04-04", "2026-04-05T04:00:00Z"),
        ("Asia/Beirut", "2026-10-24", "2026-10-24T22:00:00Z"),
        ("Africa/Cairo", "2026-10-29", "2026-10-29T22:00:00Z"),
    ] {
        let found = access_end(on(date), zone.parse().unwrap(), Cutoff::EndOfDay);
        assert_eq!(found, at(ends), "{zone}");
    }
}

#[test]
fn day_with_repeated_midnight_begins_with_the_first() {
    let havana = Tz::America__Havana;
    assert_eq!(
        day_start(day("2026-11-01"), havana),
        at("2026-11-01T04:00:00Z")
    );
    let eve_ends = access_end(on("2026-10-31"), havana, Cutoff::EndOfDay);
    assert_eq!(eve_ends, at("2026-11-01T04:00:00Z"));
}

#[test]
fn skipped_day_begins_at_the_next_instant() {
    let skipped = "2011-12-30T10:00:00Z";
    check_day("Pacific/Apia", "2011-12-30", skipped, skipped, skipped);
    check_day(
        "Pacific/Apia",
        "2011-12-29",
        "2011-12-29T10:00:00Z",
        "2011-12-30T03:30:00Z",
        skipped,
    );
    check_day(
        "Pacific/Apia",
        "2011-12-31",
        skipped,
        "2011-12-31T03:30:00Z",
        "2011-12-31T10:00:00Z",
    );
}

#[test]
fn leap_day_ends_with_february() {
    check_day(
        "UTC",
        "2028-02-29",
        "2028-02-29T00:00:00Z",
        "2028-02-29T17:30:00Z",
        "2028-03-01T00:00:00Z",
    );
    check_day(
        "UTC",
        "2027-02-28",
        "2027-02-28T00:00:00Z",
        "2027-02-28T17:30:00Z",
        "2027-03-01T00:00:00Z",
    );
    let leaving = merge().status(Status::Active).terminated(on("2028-02-29"));
    check(&leaving, NOW, "keep: Scheduled until 2028-03-01T00:00:00Z");
}

#[test]
fn instant_ignores_time_zone_and_cutoff() {
    let noon = DateOrInstant::Instant(at("2026-03-10T15:45:30Z"));
    for zone in ["UTC", "Pacific/Auckland", "America/Los_Angeles"] {
        for cutoff in [Cutoff::StartOfDay, cutoff_at("17:30:00"), Cutoff::EndOfDay] {
            for status in [Status::Active, Status::Inactive] {
                let leaving = merge()
                    .zone(zone)
                    .policy(|p| p.cutoff = cutoff)
                    .status(status)
                    .terminated(noon);
                check(&leaving, NOW, "keep: Scheduled until 2026-03-10T15:45:30Z");
                check(
                    &leaving,
                    "2026-03-10T15:45:29Z",
                    "keep: Scheduled until 2026-03-10T15:45:30Z",
                );
                check(&leaving, "2026-03-10T15:45:30Z", "deactivate 7");
            }
        }
    }
}

#[test]
fn inactive_on_a_begun_day_ignores_the_cutoff() {
    for source in [bamboohr(), merge()] {
        for cutoff in [Cutoff::StartOfDay, cutoff_at("17:30:00"), Cutoff::EndOfDay] {
            let today = source
                .clone()
                .policy(|p| p.cutoff = cutoff)
                .terminated(on("2026-03-10"));
            check(&today.status(Status::Inactive), NOW, "deactivate 7");
        }
    }
}

#[test]
fn date_observed_on_its_day_with_older_inactive_deactivates() {
    let moved = merge()
        .observed("2026-01-15T00:00:00Z")
        .status(Status::Inactive)
        .observed("2026-03-10T09:00:00Z")
        .terminated(on("2026-03-10"));
    check(&moved, NOW, "deactivate 7");
}

#[test]
fn inactive_announced_earlier_ends_at_the_cutoff() {
    let announced = merge()
        .observed("2026-03-09T09:00:00Z")
        .status(Status::Inactive)
        .terminated(on("2026-03-10"))
        .policy(|p| p.cutoff = cutoff_at("17:30:00"));
    for now in ["2026-03-09T12:00:00Z", "2026-03-10T00:00:00Z", NOW] {
        check(
            &announced,
            now,
            "keep: Scheduled until 2026-03-10T17:30:00Z",
        );
    }
    check(&announced, "2026-03-10T17:30:00Z", "deactivate 7");
    // Observed again after the day began.
    check(
        &announced
            .observed("2026-03-10T09:00:00Z")
            .status(Status::Inactive),
        NOW,
        "deactivate 7",
    );
}

#[test]
fn announced_date_deactivates_at_its_end_and_later() {
    for source in [bamboohr(), merge()] {
        let leaving = source
            .zone("America/Los_Angeles")
            .status(Status::Active)
            .terminated(on("2026-03-10"));
        check(&leaving, NOW, "keep: Scheduled until 2026-03-11T07:00:00Z");
        check(
            &leaving,
            "2026-03-11T06:59:59Z",
            "keep: Scheduled until 2026-03-11T07:00:00Z",
        );
        for now in [
            "2026-03-11T07:00:00Z",
            "2026-03-11T07:00:01Z",
            "2031-01-01T00:00:00Z",
        ] {
            check_reason(&leaving, now, "deactivate 7", "as announced");
        }
    }
}

#[test]
fn active_observed_after_the_date_is_held() {
    let leaving = merge()
        .observed("2026-03-01T00:00:00Z")
        .status(Status::Active)
        .terminated(on("2026-03-09"));
    check(&leaving, NOW, "deactivate 7");
    let on_the_last_day = leaving
        .clone()
        .observed("2026-03-09T23:59:59Z")
        .status(Status::Active);
    check(&on_the_last_day, NOW, "deactivate 7");
    for seen in ["2026-03-10T00:00:00Z", "2026-03-10T09:00:00Z"] {
        let confirmed = leaving.clone().observed(seen).status(Status::Active);
        check_reason(&confirmed, NOW, "hold: deactivate 7", "has passed");
        let rehired = confirmed.hired("2026-03-10");
        check_reason(&rehired, NOW, "keep: Employed", "an earlier employment");
    }
}

#[test]
fn past_date_observed_late_with_active_status_is_held() {
    let late = bamboohr()
        .observed("2026-01-01T00:00:00Z")
        .status(Status::Active)
        .observed("2026-03-10T09:00:00Z")
        .terminated(on("2026-03-09"));
    check(&late, NOW, "hold: deactivate 7");
}

#[test]
fn first_and_last_day_of_the_calendar_work() {
    for date in [NaiveDate::MIN, NaiveDate::MAX] {
        for zone in [Tz::UTC, Tz::Pacific__Kiritimati, Tz::Pacific__Pago_Pago] {
            for cutoff in [Cutoff::StartOfDay, cutoff_at("23:59:59"), Cutoff::EndOfDay] {
                let ends = access_end(DateOrInstant::Day(date), zone, cutoff);
                assert!(day_start(date, zone) <= ends, "{date} {zone} {cutoff:?}");
            }
        }
    }
    let far = merge()
        .status(Status::Active)
        .terminated(DateOrInstant::Day(NaiveDate::MAX));
    assert!(matches!(
        far.assessed(NOW),
        Employment::Leaving { employed: true, .. }
    ));
    let long_ago = merge()
        .status(Status::Inactive)
        .terminated(DateOrInstant::Day(NaiveDate::MIN));
    check(&long_ago, NOW, "deactivate 7");
}
