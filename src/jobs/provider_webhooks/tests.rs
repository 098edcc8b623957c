use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;

use super::gaps::{LoggedDelivery, RecordedDelivery, missing_employees};
use super::{mapping_problem, problem, targets_this_service};
use leaver_core::domain::{EmployeeId, SourceName};
use leaver_core::providers::FieldNames;

fn noon() -> DateTime<Utc> {
    "2026-11-22T12:00:00Z".parse().unwrap()
}

fn ids(ids: &[&str]) -> BTreeSet<EmployeeId> {
    ids.iter().map(|id| EmployeeId::new(*id)).collect()
}

/// A logged delivery this many seconds after noon.
fn logged(seconds: i64, employees: &[&str]) -> LoggedDelivery {
    LoggedDelivery {
        at: Some(noon() + TimeDelta::seconds(seconds)),
        employees: ids(employees),
    }
}

fn recorded(seconds: i64, employees: &[&str]) -> RecordedDelivery {
    RecordedDelivery {
        at: noon() + TimeDelta::seconds(seconds),
        employees: ids(employees),
    }
}

#[test]
fn only_unrecorded_employees_are_missing() {
    let log = [logged(0, &["1"]), logged(60, &["2", "3"])];
    let inbox = [recorded(1, &["1"]), recorded(61, &["3"])];
    assert_eq!(missing_employees(&log, &inbox), [ids(&[]), ids(&["2"])]);
}

#[test]
fn a_recorded_delivery_matches_within_its_window() {
    let minute = 60;
    for (at, is_missing) in [
        (-160 * minute, false),
        (-160 * minute - 1, true),
        (5 * minute, false),
        (5 * minute + 1, true),
    ] {
        let left = missing_employees(&[logged(0, &["1"])], &[recorded(at, &["1"])]);
        assert_eq!(left[0].contains(&EmployeeId::new("1")), is_missing, "{at}");
    }
}

#[test]
fn a_recorded_delivery_matches_once_per_employee() {
    let log = [logged(0, &["1", "2"]), logged(30, &["1"])];
    let inbox = [recorded(1, &["1", "2"])];
    assert_eq!(missing_employees(&log, &inbox), [ids(&[]), ids(&["1"])]);
    // Two recorded deliveries match both.
    let inbox = [recorded(1, &["1", "2"]), recorded(31, &["1"])];
    assert_eq!(missing_employees(&log, &inbox), [ids(&[]), ids(&[])]);
}

#[test]
fn the_nearest_pairs_match_first() {
    // The log is newest first, like BambooHR's, and the later delivery was lost.
    let log = [logged(600, &["1"]), logged(0, &["1"])];
    let inbox = [recorded(2, &["1"])];
    assert_eq!(missing_employees(&log, &inbox), [ids(&["1"]), ids(&[])]);
}

#[test]
fn a_delivery_without_time_is_missing() {
    let never = LoggedDelivery {
        at: None,
        employees: ids(&["1"]),
    };
    assert_eq!(
        missing_employees(&[never], &[recorded(0, &["1"])]),
        [ids(&["1"])]
    );
}

proptest! {
    /// No more deliveries match than were recorded.
    #[test]
    fn no_recorded_delivery_matches_twice(
        sent_at in prop::collection::vec(-20_000_i64..20_000, 0..12),
        arrived_at in prop::collection::vec(-20_000_i64..20_000, 0..12),
    ) {
        let log: Vec<LoggedDelivery> = sent_at.iter().map(|at| logged(*at, &["1"])).collect();
        let inbox: Vec<RecordedDelivery> = arrived_at.iter().map(|at| recorded(*at, &["1"])).collect();
        let left = missing_employees(&log, &inbox);
        let accounted = left.iter().filter(|names| names.is_empty()).count();
        prop_assert!(accounted <= inbox.len());
        prop_assert_eq!(left.len(), log.len());
        // Without recorded deliveries everything is missing.
        prop_assert!(missing_employees(&log, &[]).iter().all(|names| names.len() == 1));
    }
}

#[test]
fn a_url_is_recognised_by_the_end_of_its_path() {
    let source = SourceName::parse("bamboohr").unwrap();
    for here in [
        "https://leaver.example/webhooks/bamboohr",
        "https://leaver.example/webhooks/bamboohr/",
        "https://leaver.example/proxied/webhooks/bamboohr?x=1",
    ] {
        assert!(targets_this_service(here, &source, None), "{here}");
    }
    for elsewhere in [
        "https://leaver.example/webhooks/bamboohr2",
        "https://leaver.example/webhooks",
        "https://leaver.example/?to=/webhooks/bamboohr",
        "https://leaver.example/#/webhooks/bamboohr",
        "https://leaver.example/mywebhooks/bamboohr",
        "",
    ] {
        assert!(
            !targets_this_service(elsewhere, &source, None),
            "{elsewhere}"
        );
    }
}

#[test]
fn denied_fields_and_refused_deliveries_are_problems() {
    assert_eq!(problem("", None, None), None);
    assert!(problem("", Some("503"), None).unwrap().contains("503"));
    let both = problem("monitored: status", Some("503"), None).unwrap();
    assert!(both.contains("monitored: status") && both.contains("503"));
}

#[test]
fn with_a_public_url_another_host_is_not_ours() {
    let source = SourceName::parse("bamboohr").unwrap();
    let ours = Some("https://leaver.example/hr/webhooks/bamboohr");
    for here in [
        "https://leaver.example/hr/webhooks/bamboohr",
        "https://LEAVER.example:443/hr/webhooks/bamboohr/?x=1",
    ] {
        assert!(targets_this_service(here, &source, ours), "{here}");
    }
    for elsewhere in [
        "https://staging.leaver.example/hr/webhooks/bamboohr",
        "https://leaver.example/webhooks/bamboohr",
        "https://leaver.example:8443/hr/webhooks/bamboohr",
        "http://leaver.example/hr/webhooks/bamboohr",
        "",
    ] {
        assert!(
            !targets_this_service(elsewhere, &source, ours),
            "{elsewhere}"
        );
    }
}

#[test]
fn posted_names_without_any_status_are_a_problem() {
    let names = FieldNames::default();
    let of = |posted: &[&str]| {
        let posted: Vec<String> = posted.iter().map(|&name| name.to_owned()).collect();
        mapping_problem(&posted, &names)
    };
    assert_eq!(of(&[]), None);
    assert_eq!(of(&["Status", "workEmail"]), None);
    assert_eq!(of(&["employmentHistoryStatus"]), None);
    let problem = of(&["employee_status", "work_email"]).unwrap();
    assert!(problem.contains("employee_status, work_email"), "{problem}");
    assert!(problem.contains("sources.fields"), "{problem}");
}
