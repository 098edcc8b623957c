//! `leaver webhooks show`.

use std::process::ExitCode;

use clap::Args;

use super::super::{Format, ids, output};
use super::{WebhooksTarget, at, without_query};
use crate::config::Environment;
use crate::jobs::provider_webhooks::targets_this_service;
use leaver_core::providers::WebhookConfig;

/// Show a webhook's settings, and the fields hidden from its owner
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  leaver webhooks show 7\n  leaver webhooks show 7 --json")]
pub(super) struct Show {
    #[command(flatten)]
    target: WebhooksTarget,
    /// Webhook ID, from `leaver webhooks list`
    #[arg(value_name = "ID", value_parser = ids::webhook)]
    id: String,
    #[command(flatten)]
    format: Format,
}

impl Show {
    pub(super) async fn run(self, env: &Environment) -> anyhow::Result<ExitCode> {
        let (source, api) = self.target.source(env)?;
        let config = api.webhook(&self.id).await.map_err(at(&source))?;
        let is_ours = targets_this_service(
            &config.webhook.url,
            &source.source,
            source.webhook_url.as_deref(),
        );
        if self.format.json {
            output::json(&as_json(config, is_ours))?;
        } else {
            print(config, is_ours);
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn as_json(config: WebhookConfig, is_ours: bool) -> serde_json::Value {
    let post_fields: serde_json::Map<String, serde_json::Value> = config
        .post_fields
        .into_iter()
        .map(|(field, name)| (field, name.into()))
        .collect();
    serde_json::json!({
        "id": config.webhook.id,
        "name": config.webhook.name,
        "url": without_query(&config.webhook.url),
        "targets_this_service": is_ours,
        "created_at": config.webhook.created,
        "last_sent_at": config.webhook.last_sent,
        "format": config.format,
        "events": config.events,
        "monitor_fields": config.monitor_fields,
        "post_fields": post_fields,
        "include_company_domain": config.include_company_domain,
        "denied_fields": config.denied.description(),
    })
}

fn print(config: WebhookConfig, is_ours: bool) {
    let post_fields: Vec<String> = config
        .post_fields
        .iter()
        .map(|(field, name)| {
            if field == name {
                field.clone()
            } else {
                format!("{field} as {name}")
            }
        })
        .collect();
    let mut table = output::Table::new(&["setting", "value"]);
    for (setting, value) in [
        ("webhook", config.webhook.id),
        ("name", config.webhook.name),
        ("url", without_query(&config.webhook.url)),
        ("this service", output::yes_or_no(is_ours).to_owned()),
        ("format", config.format),
        ("events", config.events.join(", ")),
        ("monitored fields", config.monitor_fields.join(", ")),
        ("posted fields", post_fields.join(", ")),
        ("created", output::time_or_dash(config.webhook.created)),
        ("last sent", output::time_or_dash(config.webhook.last_sent)),
        ("hidden from its owner", config.denied.description()),
    ] {
        table.add_row([setting.to_owned(), output::or_dash(Some(value))]);
    }
    output::line!("{table}");
}
