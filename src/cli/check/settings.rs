//! Checks of the configuration alone.

use super::super::output;
use super::{CheckReport, CheckStatus};
use crate::config::{Settings, Source};
use crate::service;
use leaver_core::domain::Provider;
use leaver_core::providers::Tenancy;
use leaver_core::signature::{Layout, Scheme};

/// Checks the sources and the mapping.
pub(super) fn check_settings(report: &mut CheckReport, settings: &Settings) {
    for source in &settings.sources {
        check_source(report, source);
    }
    if settings.accounts.end_sessions.is_empty() {
        report.add(
            CheckStatus::Warning,
            "accounts.end_sessions",
            "empty, so open sessions of a deactivated account stay valid unless the application checks `is_active` on every request; add a statement that ends them",
        );
    }
}

fn check_source(report: &mut CheckReport, source: &Source) {
    let check = format!("source {}", source.name);
    let (keys, provider) = match &source.scheme {
        Scheme::BambooHr {
            keys,
            layout,
            freshness,
        } => {
            if freshness.num_minutes() < 155 {
                report.add(
                    CheckStatus::Warning,
                    &check,
                    "`timestamp_tolerance` is under 155 minutes: BambooHR's last retry comes that late, and rejecting it loses the event",
                );
            }
            let layout = if *layout == Layout::BodyThenTimestamp {
                ""
            } else {
                ", signed as timestamp.body"
            };
            (keys.len(), format!("BambooHR{layout}"))
        }
        Scheme::Merge { keys } => (keys.len(), "Merge".to_owned()),
    };
    report.add(
        CheckStatus::Ok,
        &check,
        format!(
            "{provider}, {}, time zone {}, webhook path /webhooks/{}",
            output::count(keys, "key"),
            source.policy.timezone,
            source.name
        ),
    );
    if matches!(
        (&source.scheme, &source.provider_config.tenancy),
        (Scheme::Merge { .. }, Tenancy::One(_))
    ) {
        report.add(
            CheckStatus::Warning,
            &check,
            "every linked account of the Merge organization counts as one company; list yours in `linked_accounts`",
        );
    }
    check_api(report, &check, source);
}

fn check_api(report: &mut CheckReport, check: &str, source: &Source) {
    let (status, message) = match &source.api {
        None => (
            CheckStatus::Warning,
            "no API, so changes without values become holds and lost webhooks are not detected; add `api`".to_owned(),
        ),
        Some(api) => match service::check_address(source, api) {
            Ok(()) if source.policy.provider == Provider::Merge && api.account_tokens.is_empty() => (
                CheckStatus::Warning,
                "API without tokens, so no employee can be read; add a token to `linked_accounts`".to_owned(),
            ),
            Ok(()) => (
                CheckStatus::Ok,
                format!("API, synced every {} s", api.sync_interval.as_secs()),
            ),
            Err(error) => (CheckStatus::Error, output::chain(&error)),
        },
    };
    report.add(status, check, message);
}
