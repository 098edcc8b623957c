use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;

use super::gaps::{Arrival, Sent, missing};
use super::{problem, targets_this_service};
use leaver_core::domain::{EmployeeId, SourceName};

fn noon() -> DateTime<Utc> {
    "2026-11-22T12:00:00Z".parse().unwrap()
}

fn these(ids: &[&str]) -> BTreeSet<EmployeeId> {
    ids.iter().map(|id| EmployeeId::new(*id)).collect()
}

/// Sent so many seconds after noon, to these.
fn sent(seconds: i64, ids: &[&str]) -> Sent {
    Sent {
        at: Some(noon() + TimeDelta::seconds(seconds)),
        employees: these(ids),
    }
}

fn arrived(seconds: i64, ids: &[&str]) -> Arrival {
    Arrival {
        at: noon() + TimeDelta::seconds(seconds),
        employees: these(ids),
    }
}

#[test]
fn what_arrived_is_not_missing_and_what_did_not_is() {
    let log = [sent(0, &["1"]), sent(60, &["2", "3"])];
    let inbox = [arrived(1, &["1"]), arrived(61, &["3"])];
    assert_eq!(missing(&log, &inbox), [these(&[]), these(&["2"])]);
}

#[test]
fn an_arrival_counts_from_the_first_try_on_and_a_little_after_the_last() {
    let minute = 60;
    for (at, is_missing) in [
        (-160 * minute, false),
        (-160 * minute - 1, true),
        (5 * minute, false),
        (5 * minute + 1, true),
    ] {
        let left = missing(&[sent(0, &["1"])], &[arrived(at, &["1"])]);
        assert_eq!(left[0].contains(&EmployeeId::new("1")), is_missing, "{at}");
    }
}

#[test]
fn an_arrival_accounts_for_one_delivery_per_employee() {
    let log = [sent(0, &["1", "2"]), sent(30, &["1"])];
    let inbox = [arrived(1, &["1", "2"])];
    assert_eq!(missing(&log, &inbox), [these(&[]), these(&["1"])]);
    // Two that arrived account for both.
    let inbox = [arrived(1, &["1", "2"]), arrived(31, &["1"])];
    assert_eq!(missing(&log, &inbox), [these(&[]), these(&[])]);
}

#[test]
fn those_nearest_in_time_find_each_other_first() {
    // The log is newest first, as BambooHR's is, and the later one was lost.
    let log = [sent(600, &["1"]), sent(0, &["1"])];
    let inbox = [arrived(2, &["1"])];
    assert_eq!(missing(&log, &inbox), [these(&["1"]), these(&[])]);
}

#[test]
fn what_has_no_time_was_never_delivered() {
    let never = Sent {
        at: None,
        employees: these(&["1"]),
    };
    assert_eq!(missing(&[never], &[arrived(0, &["1"])]), [these(&["1"])]);
}

proptest! {
    /// As many of an employee's deliveries are accounted for as arrivals can be, and never more.
    #[test]
    fn nothing_is_accounted_for_twice(
        sent_at in prop::collection::vec(-20_000_i64..20_000, 0..12),
        arrived_at in prop::collection::vec(-20_000_i64..20_000, 0..12),
    ) {
        let log: Vec<Sent> = sent_at.iter().map(|at| sent(*at, &["1"])).collect();
        let inbox: Vec<Arrival> = arrived_at.iter().map(|at| arrived(*at, &["1"])).collect();
        let left = missing(&log, &inbox);
        let accounted = left.iter().filter(|names| names.is_empty()).count();
        prop_assert!(accounted <= inbox.len());
        prop_assert_eq!(left.len(), log.len());
        // Without arrivals all is missing, whatever the log.
        prop_assert!(missing(&log, &[]).iter().all(|names| names.len() == 1));
    }
}

#[test]
fn a_url_points_here_by_the_end_of_its_path() {
    let source = SourceName::parse("bamboohr").unwrap();
    for here in [
        "https://leaver.example/webhooks/bamboohr",
        "https://leaver.example/webhooks/bamboohr/",
        "https://leaver.example/proxied/webhooks/bamboohr?x=1",
    ] {
        assert!(targets_this_service(here, &source), "{here}");
    }
    for elsewhere in [
        "https://leaver.example/webhooks/bamboohr2",
        "https://leaver.example/webhooks",
        "https://leaver.example/?to=/webhooks/bamboohr",
        "https://leaver.example/#/webhooks/bamboohr",
        "https://leaver.example/mywebhooks/bamboohr",
        "",
    ] {
        assert!(!targets_this_service(elsewhere, &source), "{elsewhere}");
    }
}

#[test]
fn trouble_is_a_denied_field_or_a_delivery_that_was_not_taken() {
    assert_eq!(problem("", None), None);
    assert!(problem("", Some("503")).unwrap().contains("503"));
    let both = problem("monitored: status", Some("503")).unwrap();
    assert!(both.contains("monitored: status") && both.contains("503"));
}
