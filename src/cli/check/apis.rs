//! One real read of each configured API: credentials, permissions, fields that are withheld.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use super::names::resolves;
use super::webhooks::check_webhooks;
use super::{CheckReport, CheckStatus};
use crate::base::clock::{Clock, SystemClock};
use crate::cli::output;
use crate::config::Settings;
use crate::connect::{ClientLimits, Findings, Probe, ReadError};
use crate::jobs::sync::SyncSource;
use crate::service;

/// Returns limits of a person who waits: a sync waits for longer, and tries more often.
fn limits() -> ClientLimits {
    ClientLimits {
        connect_timeout: Duration::from_secs(5),
        attempt_timeout: Duration::from_secs(15),
        total_timeout: Duration::from_secs(20),
        max_attempts: 2,
        ..ClientLimits::default()
    }
}

/// Reads each API once, then the webhooks of those that list them. With `is_offline` it calls none.
pub(super) async fn check_apis(report: &mut CheckReport, settings: &Settings, is_offline: bool) {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    // An address that is invalid has an error of its own.
    let sources = service::companies(settings, &limits(), &clock).unwrap_or_default();
    let mut reads = JoinSet::new();
    for (position, source) in sources.iter().enumerate() {
        if is_offline {
            let text = format!("{} was not called (--offline)", source.client.host());
            report.add(CheckStatus::Ok, &check_name(source, ""), text);
            continue;
        }
        let client = source.client.clone();
        reads.spawn(async move { (position, client.probe().await) });
    }
    let mut probed = reads.join_all().await;
    probed.sort_by_key(|(position, _)| *position);
    for (position, found) in probed {
        let Some(source) = sources.get(position) else {
            continue;
        };
        if found.is_empty() {
            add_unread(report, source).await;
        }
        for probe in &found {
            add_lines(report, source, probe);
        }
        // Another request would fail alike, or would not be sent.
        let is_usable = |probe: &Probe| match &probe.result {
            Ok(_) => true,
            Err(error) => !is_of_connection(error),
        };
        if found.iter().all(is_usable) {
            check_webhooks(report, settings, source).await;
        }
    }
}

/// Returns the name of the lines about an account.
fn check_name(source: &SyncSource, account: &str) -> String {
    match account {
        "" => format!("source {} API", source.source),
        account => format!("source {} API, account {account}", source.source),
    }
}

/// Adds a line about an API of which no account can be read, since none has a token.
async fn add_unread(report: &mut CheckReport, source: &SyncSource) {
    let (check, host) = (check_name(source, ""), source.client.host());
    match resolves(&host).await {
        Ok(()) => {
            let text = format!("{host} resolves; no account has a token, so nothing was read");
            report.add(CheckStatus::Warning, &check, text);
        }
        Err(problem) => report.add(
            CheckStatus::Error,
            &check,
            format!("{host}: {problem}; check `api.base_url` and the network"),
        ),
    }
}

fn add_lines(report: &mut CheckReport, source: &SyncSource, probe: &Probe) {
    let (check, host) = (check_name(source, &probe.account), source.client.host());
    let found = match &probe.result {
        Ok(found) => found,
        Err(error) => {
            let hint = if is_unreachable(error) {
                "; `leaver check --offline` leaves this call out"
            } else {
                ""
            };
            return report.add(CheckStatus::Error, &check, format!("{host}: {error}{hint}"));
        }
    };
    add_findings(report, &check, &host, found);
}

fn add_findings(report: &mut CheckReport, check: &str, host: &str, found: &Findings) {
    for field in &found.withheld {
        let advice = if field.contains("linked account") {
            ""
        } else {
            ", so leavers may stay unseen; let the BambooHR user who made `api.api_key` see this field"
        };
        let text = format!("{host} withholds {field}{advice}");
        report.add(CheckStatus::Error, check, text);
    }
    if !found.position.is_empty() {
        let text = format!(
            "{host} withholds {}, so its changes cause no event; let the BambooHR user who made `api.api_key` see this field, or \
             remove it from `events.facts`",
            found.position.join(", ")
        );
        report.add(CheckStatus::Warning, check, text);
    }
    for problem in &found.problems {
        let text = format!(
            "{host}: {problem}; reads are incomplete until this is corrected in the HR system"
        );
        report.add(CheckStatus::Warning, check, text);
    }
    if found.withheld.is_empty() && found.problems.is_empty() {
        let employees = output::count(found.employees, "employee");
        let text = format!(
            "{host} accepts the credentials; {employees} read, and no field that the rules need is withheld"
        );
        report.add(CheckStatus::Ok, check, text);
    }
}

/// Returns whether every request with these credentials, or to this host, would fail.
fn is_of_connection(error: &ReadError) -> bool {
    is_unreachable(error)
        || matches!(
            error,
            ReadError::Unauthorized { .. }
                | ReadError::Forbidden { .. }
                | ReadError::NotFound { .. }
        )
}

/// Returns whether the host did not answer, or not as an API does.
fn is_unreachable(error: &ReadError) -> bool {
    matches!(error, ReadError::Unavailable { .. } | ReadError::Timeout)
}
