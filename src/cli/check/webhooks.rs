//! Compares BambooHR's own webhooks with `server.public_url`, and the names that they post with those in `sources.fields`.

use std::time::Duration;

use super::{CheckReport, CheckStatus};
use crate::config::{Settings, Source};
use crate::connect::{BambooHrApi, WebhookError};
use crate::jobs::provider_webhooks::{
    has_webhook_path, mapping_problem, shown, targets_this_service,
};
use crate::jobs::sync::SyncSource;
use leaver_core::providers::{FieldNames, Webhook, WebhookConfig};

/// Time limit for the webhooks of one source.
const TIMEOUT: Duration = Duration::from_secs(15);

/// The webhooks of the API key's user.
struct Found {
    /// Those that post to this source.
    ours: Vec<WebhookConfig>,
    others: Vec<Webhook>,
}

/// Reads the webhooks of a source whose API lists them.
pub(super) async fn check_webhooks(
    report: &mut CheckReport,
    settings: &Settings,
    target: &SyncSource,
) {
    let source = settings.sources.iter().find(|s| s.name == target.source);
    let (Some(api), Some(source)) = (target.client.webhook_api(), source) else {
        return;
    };
    let (check, host) = (
        format!("source {} webhooks", target.source),
        target.client.host(),
    );
    match tokio::time::timeout(TIMEOUT, find(api, target)).await {
        Ok(Ok(found)) => {
            add_elsewhere(report, &check, settings, target, &found);
            add_lines(report, &check, source, &found);
        }
        Ok(Err(error)) => report.add(CheckStatus::Warning, &check, format!("{host}: {error}")),
        Err(_) => report.add(
            CheckStatus::Warning,
            &check,
            format!(
                "{host} did not list its webhooks within 15 s; check the network and run this again"
            ),
        ),
    }
}

async fn find(api: &BambooHrApi, target: &SyncSource) -> Result<Found, WebhookError> {
    let (mut ours, mut others) = (vec![], vec![]);
    for webhook in api.webhooks().await? {
        if targets_this_service(&webhook.url, &target.source, target.webhook_url.as_deref()) {
            ours.push(api.webhook(&webhook.id).await?);
        } else {
            others.push(webhook);
        }
    }
    Ok(Found { ours, others })
}

/// Adds a line for each webhook that seems to be meant for this service and does not reach it.
fn add_elsewhere(
    report: &mut CheckReport,
    check: &str,
    settings: &Settings,
    target: &SyncSource,
    found: &Found,
) {
    let Some(wanted) = &target.webhook_url else {
        return;
    };
    for webhook in &found.others {
        let (id, url) = (&webhook.id, shown_url(&webhook.url));
        if has_webhook_path(&webhook.url, &target.source) {
            // A webhook that agrees shows that this one belongs to another installation.
            let status = if found.ours.is_empty() {
                CheckStatus::Error
            } else {
                CheckStatus::Warning
            };
            let text = format!(
                "webhook {id} posts to {url}, and by `server.public_url` the address is {wanted}; correct the one that is wrong"
            );
            report.add(status, check, text);
        } else if is_on_host(settings, &webhook.url)
            && !settings
                .sources
                .iter()
                .any(|source| has_webhook_path(&webhook.url, &source.name))
        {
            let text = format!(
                "webhook {id} posts to {url}, which is the address of no source, so each delivery is refused (404); change it to {wanted} in BambooHR"
            );
            report.add(CheckStatus::Error, check, text);
        }
    }
}

/// Returns true if a URL has the host of `server.public_url`.
fn is_on_host(settings: &Settings, url: &str) -> bool {
    let host = |url: &str| {
        let url = reqwest::Url::parse(url.trim()).ok()?;
        Some((url.host_str()?.to_owned(), url.port_or_known_default()))
    };
    let public_url = settings.server.public_url.as_deref().unwrap_or_default();
    host(public_url).is_some_and(|ours| host(url) == Some(ours))
}

/// Returns a URL without user and query, which may hold a secret.
fn shown_url(url: &str) -> String {
    let Ok(mut url) = reqwest::Url::parse(url.trim()) else {
        return "a text that is no URL".to_owned();
    };
    url.set_query(None);
    url.set_fragment(None);
    // A URL without a host has no user.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.to_string()
}

fn add_lines(report: &mut CheckReport, check: &str, source: &Source, found: &Found) {
    if found.ours.is_empty() {
        report.add(
            CheckStatus::Warning,
            check,
            "the BambooHR user of `api.api_key` has no webhook that posts here; create one with `leaver webhooks create`, or check `server.public_url`",
        );
    }
    for config in &found.ours {
        let (status, message) = mapping_line(config, &source.provider_config.fields);
        let id = &config.webhook.id;
        report.add(status, check, format!("webhook {id}: {message}"));
    }
}

fn mapping_line(config: &WebhookConfig, names: &FieldNames) -> (CheckStatus, String) {
    let fields = config.post_fields.iter();
    let posted: Vec<String> = fields.map(|(_, name)| name.clone()).collect();
    if posted.is_empty() {
        let text = "it posts no values; employees are read over the API";
        return (CheckStatus::Ok, text.to_owned());
    }
    if let Some(problem) = mapping_problem(&posted, names) {
        return (CheckStatus::Error, problem);
    }
    let missing = names.missing_among(&posted);
    if missing.is_empty() {
        return (CheckStatus::Ok, "every posted name is known".to_owned());
    }
    let text = format!(
        "no posted name is known as {}; it posts {}; post these fields too, or set `sources.fields`",
        missing.join(", "),
        shown(&posted)
    );
    (CheckStatus::Warning, text)
}
