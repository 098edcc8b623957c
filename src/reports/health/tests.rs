use chrono::{DateTime, TimeDelta, Utc};

use super::query::{DatabaseHealth, OverdueEnds};
use super::reasons::{Reason, Service, of_database, of_requests, of_service};
use super::{DriftHealth, TripHealth};
use crate::base::rejections::Rejections;
use crate::db::error::Cause;
use leaver_core::domain::SourceName;
use leaver_core::signature::Rejection;

fn now() -> DateTime<Utc> {
    "2026-11-22T12:00:00Z".parse().unwrap()
}

fn codes(reasons: &[Reason]) -> Vec<&str> {
    reasons.iter().map(|reason| reason.code).collect()
}

fn bamboohr() -> SourceName {
    SourceName::parse("bamboohr").unwrap()
}

#[test]
fn a_healthy_service_has_no_reasons() {
    let service = Service {
        not_stored: None,
        is_migrated: true,
        is_stalled: false,
    };
    assert_eq!(of_service(&service), []);
    assert_eq!(of_database(&DatabaseHealth::default()), []);
    assert_eq!(of_requests(&Rejections::default().report(), now()), []);
}

#[test]
fn a_cause_of_the_server_is_named_and_nothing_else() {
    let of = |cause: &Cause| {
        of_service(&Service {
            not_stored: Some(cause),
            is_migrated: true,
            is_stalled: true,
        })
    };
    for cause in [
        Cause::ReadOnly,
        Cause::InRecovery,
        Cause::AuthenticationFailed,
        Cause::WaitingForStandby,
        Cause::TooManyConnections,
        Cause::DiskFull,
        Cause::StartingOrStopping,
    ] {
        let reasons = of(&cause);
        assert_eq!(codes(&reasons), ["not_stored"]);
        assert!(reasons[0].text.contains(cause.name()), "{reasons:?}");
    }
    assert_eq!(codes(&of(&Cause::NoResponse)), ["database_unreachable"]);
}

#[test]
fn each_problem_of_the_database_has_its_reason() {
    let mut found = DatabaseHealth {
        trips: vec![TripHealth {
            tenant: "acme".to_owned(),
            direction: "deactivated".to_owned(),
            trip: 3,
            held: 23,
        }],
        ..DatabaseHealth::default()
    };
    found.leavers.blocked = 1;
    found.leavers.without_account = 5;
    found.overdue = OverdueEnds {
        count: 2,
        oldest_at: Some(now()),
    };
    found.backlog.failed = 2;
    found.failing_reads.count = 3;
    found.drift = Some(DriftHealth {
        checked_at: now(),
        terminated_with_access: 1,
    });
    let reasons = of_database(&found);
    assert_eq!(
        codes(&reasons),
        [
            "safeguard_tripped",
            "deactivations_blocked",
            "scheduled_ends_overdue",
            "terminated_with_access",
            "deliveries_failed",
            "pending_reads_failing"
        ]
    );
    assert!(
        reasons[0].text.contains("23 changes of tenant acme"),
        "{reasons:?}"
    );
    assert!(reasons[1].text.contains("1 deactivation;"), "{reasons:?}");
    assert!(reasons[4].text.contains("2 deliveries"), "{reasons:?}");
    assert!(
        reasons
            .iter()
            .all(|reason| reason.command.starts_with("leaver "))
    );
}

#[test]
fn leavers_without_an_account_alone_do_not_degrade() {
    let mut found = DatabaseHealth::default();
    found.leavers.without_account = 5;
    assert_eq!(of_database(&found), []);
}

#[test]
fn refused_signatures_degrade_until_a_good_one() {
    let (rejections, source) = (Rejections::default(), bamboohr());
    rejections.refused(&source, Rejection::WrongSignature, now());
    let reasons = of_requests(&rejections.report(), now());
    assert_eq!(codes(&reasons), ["deliveries_refused"]);
    assert!(reasons[0].text.contains("webhook_secrets"), "{reasons:?}");
    assert!(reasons[0].text.contains("since the start"), "{reasons:?}");
    rejections.accepted(&source, now());
    assert_eq!(of_requests(&rejections.report(), now()), []);
}

#[test]
fn refusals_beside_good_deliveries_do_not_degrade() {
    let (rejections, source) = (Rejections::default(), bamboohr());
    rejections.accepted(&source, now());
    rejections.refused(
        &source,
        Rejection::StaleTimestamp,
        now() + TimeDelta::minutes(59),
    );
    let at = |minutes| of_requests(&rejections.report(), now() + TimeDelta::minutes(minutes));
    assert_eq!(at(59), []);
    let reasons = at(60);
    assert_eq!(codes(&reasons), ["deliveries_refused"]);
    assert!(reasons[0].text.contains("clock"), "{reasons:?}");
    // A stray request is forgotten after a day.
    assert_eq!(at(59 + 24 * 60), []);
}

#[test]
fn the_most_frequent_refusal_names_the_cause() {
    let (rejections, source) = (Rejections::default(), bamboohr());
    for cause in [
        Rejection::WrongSignature,
        Rejection::MissingSignature,
        Rejection::MissingSignature,
    ] {
        rejections.refused(&source, cause, now());
    }
    let reasons = of_requests(&rejections.report(), now());
    assert!(reasons[0].text.contains("header"), "{reasons:?}");
    assert!(reasons[0].text.contains("3 deliveries"), "{reasons:?}");
}

#[test]
fn a_request_without_a_route_degrades_for_an_hour() {
    let rejections = Rejections::default();
    rejections.unrouted(now());
    let at = |minutes| of_requests(&rejections.report(), now() + TimeDelta::minutes(minutes));
    assert_eq!(codes(&at(59)), ["requests_unrouted"]);
    assert_eq!(at(60), []);
}
