//! Checks of the configuration alone.

use super::super::output;
use super::{CheckReport, CheckStatus};
use crate::config::{ApiSettings, Server, Settings, Source};
use crate::service;
use leaver_core::domain::Tenant;
use leaver_core::providers::Tenancy;
use leaver_core::signature::Layout;

/// Checks the filter of the log.
pub(super) fn check_log(report: &mut CheckReport, settings: &Settings) {
    let (check, filter) = ("log.filter", &settings.log.filter);
    if let Err(error) = service::telemetry::filter(filter) {
        let text = format!(
            "\"{filter}\" is no filter ({error}); write it like \"info\" or \"info,leaver::jobs=debug\""
        );
        return report.add(CheckStatus::Error, check, text);
    }
    let problems = service::log_filter::problems(filter);
    if problems.is_empty() {
        let text = format!("\"{filter}\" names targets that exist, and leaves warnings on");
        report.add(CheckStatus::Ok, check, text);
    }
    for problem in problems {
        let text = format!("\"{filter}\": {problem}");
        report.add(CheckStatus::Warning, check, text);
    }
}

/// Adds the remarks about the secrets, and about variables that may be misspelt.
pub(super) fn check_secrets(report: &mut CheckReport, settings: &Settings) {
    for remark in settings.secrets.remarks() {
        let status = if remark.is_warning {
            CheckStatus::Warning
        } else {
            CheckStatus::Ok
        };
        report.add(status, &remark.setting, remark.text.as_str());
    }
    let keys = settings
        .sources
        .iter()
        .map(|source| source.scheme.keys().len());
    let keys = output::count(keys.sum(), "webhook key");
    let mut read = vec![keys];
    if settings.server.admin_token.is_some() {
        read.push("the admin token".to_owned());
    }
    if !settings.destinations.is_empty() {
        let destinations = output::count(settings.destinations.len(), "destination");
        read.push(format!("the secrets of {destinations}"));
    }
    let last = read.pop().unwrap_or_default();
    let read = match read.as_slice() {
        [] => last,
        first => format!("{} and {last}", first.join(", ")),
    };
    report.add(
        CheckStatus::Ok,
        "secrets",
        format!("{read} can be read; each is long enough and has one purpose"),
    );
}

/// Checks the sources and the mapping.
pub(super) fn check_settings(report: &mut CheckReport, settings: &Settings) {
    for source in &settings.sources {
        check_source(report, source, &settings.server);
    }
    check_tenants(report, settings);
    if settings.accounts.end_sessions.is_empty() {
        report.add(
            CheckStatus::Warning,
            "accounts.end_sessions",
            "empty, so open sessions of a deactivated account stay valid unless the application checks `is_active` on every request; add a statement that ends them",
        );
    }
}

/// Checks the declaration that all tenants are one company. Without it, and without a column, the settings do not load.
fn check_tenants(report: &mut CheckReport, settings: &Settings) {
    if !settings.accounts.single_company {
        return;
    }
    let (check, tenants) = (
        "accounts.single_company",
        service::policies(settings).tenants(),
    );
    if settings.accounts.tenant_column.is_some() {
        let message = "it has no effect, since `accounts.tenant_column` separates the tenants; remove one of the two";
        return report.add(CheckStatus::Warning, check, message);
    }
    let names: Vec<&str> = tenants.iter().map(Tenant::as_str).collect();
    report.add(
        CheckStatus::Ok,
        check,
        format!(
            "the accounts of {} ({}) are those of one company",
            output::count(names.len(), "tenant"),
            names.join(", ")
        ),
    );
}

fn check_source(report: &mut CheckReport, source: &Source, server: &Server) {
    let check = format!("source {}", source.name);
    let provider = source.scheme.provider();
    let mut scheme = provider.display_name().to_owned();
    if let Some((layout, tolerance)) = source.scheme.timestamp_options() {
        let last_retry = provider.capabilities().last_retry_after_minutes;
        if tolerance.num_minutes() < last_retry.into() {
            report.add(
                CheckStatus::Warning,
                &check,
                format!(
                    "`timestamp_tolerance` is under {last_retry} minutes: {scheme}'s last retry comes that late, and rejecting it loses the event"
                ),
            );
        }
        if layout == Layout::TimestampDotBody {
            scheme += ", signed as timestamp.body";
        }
    }
    report.add(
        CheckStatus::Ok,
        &check,
        format!(
            "{scheme}, {}, time zone {}, webhooks at {}",
            output::count(source.scheme.keys().len(), "key"),
            source.policy.timezone,
            server
                .webhook_url(&source.name)
                .unwrap_or_else(|| server.webhook_path(&source.name))
        ),
    );
    if provider.capabilities().has_linked_accounts
        && matches!(source.provider_config.tenancy, Tenancy::One(_))
    {
        report.add(
            CheckStatus::Warning,
            &check,
            "the first linked account that delivers is the company, and deliveries of others fail; list yours in `linked_accounts`",
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
            Ok(()) if lacks_tokens(source, api) => (
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

/// Returns true if only linked accounts can be read, and none of them has a token.
fn lacks_tokens(source: &Source, api: &ApiSettings) -> bool {
    source.policy.provider.capabilities().has_linked_accounts && api.account_tokens.is_empty()
}
