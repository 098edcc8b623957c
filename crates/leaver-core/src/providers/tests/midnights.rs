//! Checks that a calendar day stays one, however a provider writes it.

use chrono_tz::Tz;

use super::*;
use crate::domain::{DateOrInstant, EmployeeId, Facts};

/// The facts of one date, as webhook and as API response.
fn all_ways(text: &str, timezone: Tz) -> Vec<Facts> {
    let bamboohr =
        |fields: &str| format!(r#"{{"employees": [{{"id": "7", "fields": {fields}}}]}}"#);
    let fields =
        format!(r#""status": "Active", "terminationDate": "{text}", "hireDate": "{text}""#);
    let record = format!(
        r#"{{"id": "7", "employment_status": "ACTIVE", "termination_date": "{text}", "start_date": "{text}"}}"#
    );
    let escaped: String = form_urlencoded::byte_serialize(text.as_bytes()).collect();
    let form = format!(
        "employees[7][status]=Active&employees[7][terminationDate]={escaped}&employees[7][hireDate]={escaped}"
    );
    let posted = [
        (Provider::BambooHr, bamboohr(&format!("{{{fields}}}"))),
        (Provider::BambooHr, form),
        (
            Provider::Merge,
            format!(r#"{{"hook": {{"event": "Employee.changed"}}, "data": {record}}}"#),
        ),
    ];
    let mut found: Vec<Facts> = posted
        .iter()
        .map(|(provider, body)| {
            let config = ProviderConfig {
                timezone,
                ..provider_config(*provider)
            };
            match normalize(&config, body.as_bytes()).unwrap() {
                Parsed::Changes(mut changes) => changes.changes.remove(0).facts,
                Parsed::Ignored(ignored) => panic!("{ignored}"),
            }
        })
        .collect();
    let (id, tenant) = (EmployeeId::new("7"), Tenant::new("acme"));
    let read = bamboohr_employee(
        format!("{{{fields}}}").as_bytes(),
        &id,
        chrono::DateTime::UNIX_EPOCH,
        &PositionFacts::NONE,
        &tenant,
        timezone,
    );
    found.push(read.unwrap().unwrap().change.facts);
    let page = format!(r#"{{"results": [{record}]}}"#);
    let mut page = merge_page(page.as_bytes(), &PositionFacts::NONE, &tenant, timezone).unwrap();
    found.push(page.changes.remove(0).facts);
    found
}

#[test]
fn midnight_of_its_offset_or_of_the_source_is_a_day() {
    for (text, timezone, expected) in [
        (
            "2026-11-27T00:00:00-08:00",
            Tz::America__Los_Angeles,
            "2026-11-27",
        ),
        (
            "2026-11-27T00:00:00.000+0530",
            Tz::America__Los_Angeles,
            "2026-11-27",
        ),
        (
            "2026-11-27T08:00:00Z",
            Tz::America__Los_Angeles,
            "2026-11-27",
        ),
        (
            "2026-07-27T07:00:00+00:00",
            Tz::America__Los_Angeles,
            "2026-07-27",
        ),
        (
            "2026-11-27T00:00:00Z",
            Tz::America__Los_Angeles,
            "2026-11-27",
        ),
        (
            "2026-11-27T00:00:00",
            Tz::America__Los_Angeles,
            "2026-11-27",
        ),
        (
            "2026-11-26T23:00:00.000000Z",
            Tz::Europe__Berlin,
            "2026-11-27",
        ),
        ("2026-11-26T10:00:00", Tz::Pacific__Kiritimati, "2026-11-27"),
        // This day begins at 01:00, since clocks are put forward at midnight.
        ("2026-09-06T04:00:00Z", Tz::America__Santiago, "2026-09-06"),
        // On this day it is midnight twice.
        ("2026-11-01T04:00:00Z", Tz::America__Havana, "2026-11-01"),
        ("2026-11-01T05:00:00Z", Tz::America__Havana, "2026-11-01"),
        ("2026-11-27", Tz::Pacific__Kiritimati, "2026-11-27"),
    ] {
        for facts in all_ways(text, timezone) {
            let termination = facts.termination_date.value();
            assert_eq!(
                termination,
                Some(&DateOrInstant::Day(day(expected))),
                "{text}"
            );
            assert_eq!(facts.hire_date.value(), Some(&day(expected)), "{text}");
        }
    }
}

#[test]
fn any_other_time_is_an_instant() {
    for (text, timezone, instant, hired) in [
        (
            "2026-11-27T07:00:00Z",
            Tz::America__Los_Angeles,
            "2026-11-27T07:00:00Z",
            "2026-11-26",
        ),
        (
            "2026-11-27T09:00:00+01:00",
            Tz::America__Los_Angeles,
            "2026-11-27T08:00:00Z",
            "2026-11-27",
        ),
        (
            "2026-11-27T17:30:00-08:00",
            Tz::America__Los_Angeles,
            "2026-11-28T01:30:00Z",
            "2026-11-27",
        ),
        (
            "2026-11-27T00:00:01+01:00",
            Tz::Europe__Berlin,
            "2026-11-26T23:00:01Z",
            "2026-11-27",
        ),
        (
            "2026-11-27T01:00:00+01:00",
            Tz::Europe__Berlin,
            "2026-11-27T00:00:00Z",
            "2026-11-27",
        ),
    ] {
        for facts in all_ways(text, timezone) {
            let at = DateOrInstant::Instant(instant.parse().unwrap());
            assert_eq!(facts.termination_date.value(), Some(&at), "{text}");
            assert_eq!(facts.hire_date.value(), Some(&day(hired)), "{text}");
        }
    }
}
