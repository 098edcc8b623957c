//! The words that enums have in the database, in metrics, in output and in the configuration. Renaming a variant
//! must not change them: rows, dashboards and configuration files contain them.

use std::fmt::Debug;

use serde::de::DeserializeOwned;

use crate::api::error::ApiError;
use crate::config::LogFormat;
use crate::connect::ReadError;
use crate::engine::audit::AuditAction;
use crate::engine::execute::Outcome;
use crate::jobs::sync::gaps::DeliveryLogStatus;
use crate::reports::employees::EmploymentFilter;
use leaver_core::decision::RequestedAction;
use leaver_core::decision::policy::{Cutoff, DriftMode, OnUncertain, Rehire};
use leaver_core::domain::Provider;
use leaver_core::signature::{Layout, Rejection};

fn words<T: Into<&'static str>>(values: impl IntoIterator<Item = T>) -> String {
    let words: Vec<&'static str> = values.into_iter().map(Into::into).collect();
    words.join(" ")
}

#[test]
fn words_in_the_database_stay() {
    assert_eq!(
        words([Provider::BambooHr, Provider::Merge]),
        "bamboohr merge"
    );
    assert_eq!(
        words([RequestedAction::Deactivate, RequestedAction::Reactivate]),
        "deactivate reactivate"
    );
    assert_eq!(
        words([
            AuditAction::Deactivated,
            AuditAction::Reactivated,
            AuditAction::Scheduled,
            AuditAction::Unscheduled,
            AuditAction::HoldOpened,
            AuditAction::Approved,
            AuditAction::Rejected,
            AuditAction::Blocked,
            AuditAction::SessionsEnded,
        ]),
        "deactivated reactivated scheduled unscheduled hold_opened approved rejected blocked sessions_ended"
    );
    assert_eq!(
        words([
            Outcome::Deactivated,
            Outcome::Reactivated,
            Outcome::Scheduled,
            Outcome::Held,
            Outcome::Kept,
            Outcome::AlreadyInactive,
            Outcome::Blocked,
            Outcome::NoAccount,
            Outcome::Unchanged,
            Outcome::Stale,
            Outcome::Reading,
        ]),
        "deactivated reactivated scheduled held kept already_inactive blocked no_account unchanged stale reading"
    );
}

#[test]
fn words_in_metrics_stay() {
    assert_eq!(
        words([
            Rejection::MissingSignature,
            Rejection::MalformedSignature,
            Rejection::WrongSignature,
            Rejection::MissingTimestamp,
            Rejection::MalformedTimestamp,
            Rejection::StaleTimestamp,
            Rejection::FutureTimestamp,
        ]),
        "missing_signature malformed_signature wrong_signature missing_timestamp malformed_timestamp \
         stale_timestamp future_timestamp"
    );
    assert_eq!(
        words([
            ApiError::InvalidSignature,
            ApiError::UnknownSource,
            ApiError::NotFound,
            ApiError::MethodNotAllowed { allow: "POST" },
            ApiError::TooLarge,
            ApiError::Incomplete,
            ApiError::Overloaded,
            ApiError::StoreError,
            ApiError::NotReady,
            ApiError::Unauthorized,
            ApiError::BadParameter(String::new()),
            ApiError::QueryUnavailable,
            ApiError::Internal,
        ]),
        "invalid_signature unknown_source not_found method_not_allowed too_large incomplete overloaded not_stored \
         not_ready unauthorized bad_parameter query_unavailable internal"
    );
    let shape = "of another shape";
    assert_eq!(
        words([
            ReadError::Timeout,
            ReadError::UnexpectedResponse { problem: shape },
            ReadError::Truncated { problem: shape },
            ReadError::RateLimited { retry_after: None },
            ReadError::InvalidId,
            ReadError::HostThrottled,
        ]),
        "timeout unexpected_response truncated rate_limited invalid_id host_throttled"
    );
}

#[test]
fn words_on_the_command_line_stay() {
    assert_eq!(
        words([
            EmploymentFilter::Active,
            EmploymentFilter::Pending,
            EmploymentFilter::Inactive,
            EmploymentFilter::Unknown,
        ]),
        "active pending inactive unknown"
    );
    assert_eq!(
        words([
            DeliveryLogStatus::Accepted,
            DeliveryLogStatus::StillTrying,
            DeliveryLogStatus::GivenUp
        ]),
        "accepted still_trying given_up"
    );
}

/// Fails unless these words, and no others near them, stand for these values in a configuration.
fn check_configured<T: DeserializeOwned + Debug + PartialEq>(pairs: &[(&str, T)]) {
    for (word, value) in pairs {
        let read = |word: &str| serde_json::from_value::<T>(word.into());
        assert_eq!(&read(word).unwrap(), value, "{word}");
        assert!(read(&word.to_uppercase()).is_err(), "{word}");
        assert!(read(&format!(" {word}")).is_err(), "{word}");
    }
}

#[test]
fn words_in_the_configuration_stay() {
    check_configured(&[("bamboohr", Provider::BambooHr), ("merge", Provider::Merge)]);
    check_configured(&[
        ("hold", OnUncertain::Hold),
        ("deactivate", OnUncertain::Deactivate),
        ("ignore", OnUncertain::Ignore),
    ]);
    check_configured(&[
        ("hold", Rehire::Hold),
        ("reactivate", Rehire::Reactivate),
        ("ignore", Rehire::Ignore),
    ]);
    check_configured(&[("report", DriftMode::Report), ("fix", DriftMode::Fix)]);
    check_configured(&[
        ("start_of_day", Cutoff::StartOfDay),
        ("end_of_day", Cutoff::EndOfDay),
    ]);
    check_configured(&[
        ("body+timestamp", Layout::BodyThenTimestamp),
        ("timestamp.body", Layout::TimestampDotBody),
    ]);
    check_configured(&[("text", LogFormat::Text), ("json", LogFormat::Json)]);
}
