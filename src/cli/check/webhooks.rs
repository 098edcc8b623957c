//! Compares the names that BambooHR's webhooks post with those in `sources.fields`.

use std::sync::Arc;
use std::time::Duration;

use super::{CheckReport, CheckStatus};
use crate::base::clock::{Clock, SystemClock};
use crate::config::{Settings, Source};
use crate::connect::{BambooHrApi, ClientLimits, WebhookError};
use crate::jobs::provider_webhooks::{mapping_problem, shown, targets_this_service};
use crate::jobs::sync::SyncSource;
use crate::service;
use leaver_core::providers::{FieldNames, WebhookConfig};

/// Time limit for the webhooks of one source.
const TIMEOUT: Duration = Duration::from_secs(15);

/// Reads the webhooks of each source whose API lists them.
pub(super) async fn check_webhooks(report: &mut CheckReport, settings: &Settings) {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    // An address that is invalid has an error of its own.
    let sources = service::companies(settings, &ClientLimits::default(), &clock);
    for target in sources.unwrap_or_default() {
        let source = settings.sources.iter().find(|s| s.name == target.source);
        let (Some(api), Some(source)) = (target.client.webhook_api(), source) else {
            continue;
        };
        let check = format!("source {} webhooks", target.source);
        match tokio::time::timeout(TIMEOUT, ours(api, &target)).await {
            Ok(Ok(webhooks)) => add_lines(report, &check, source, &webhooks),
            Ok(Err(error)) => report.add(CheckStatus::Warning, &check, error.to_string()),
            Err(_) => report.add(
                CheckStatus::Warning,
                &check,
                "BambooHR did not list its webhooks within 15 s; check the network and run this again",
            ),
        }
    }
}

/// Reads the webhooks that post to this service.
async fn ours(api: &BambooHrApi, target: &SyncSource) -> Result<Vec<WebhookConfig>, WebhookError> {
    let mut found = vec![];
    for webhook in api.webhooks().await? {
        if targets_this_service(&webhook.url, &target.source, target.webhook_url.as_deref()) {
            found.push(api.webhook(&webhook.id).await?);
        }
    }
    Ok(found)
}

fn add_lines(report: &mut CheckReport, check: &str, source: &Source, webhooks: &[WebhookConfig]) {
    if webhooks.is_empty() {
        report.add(
            CheckStatus::Warning,
            check,
            "the BambooHR user of `api.api_key` has no webhook that posts here; create one with `leaver webhooks create`, or check `server.public_url`",
        );
    }
    for config in webhooks {
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
