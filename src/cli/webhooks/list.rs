//! `leaver webhooks list`.

use std::process::ExitCode;

use chrono::{DateTime, Utc};
use clap::Args;
use serde::Serialize;

use super::super::{Format, output};
use super::{WebhooksTarget, at, without_query};
use crate::config::Environment;
use crate::jobs::provider_webhooks::targets_this_service;

/// List the webhooks of the BambooHR user who owns the API key
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  leaver webhooks list\n  leaver webhooks list --source bamboohr --json"
)]
pub(super) struct List {
    #[command(flatten)]
    target: WebhooksTarget,
    #[command(flatten)]
    format: Format,
}

#[derive(Debug, Serialize)]
struct WebhookRow {
    id: String,
    name: String,
    url: String,
    created_at: Option<DateTime<Utc>>,
    last_sent_at: Option<DateTime<Utc>>,
    targets_this_service: bool,
}

impl List {
    pub(super) async fn run(self, env: &Environment) -> anyhow::Result<ExitCode> {
        let (source, api) = self.target.source(env)?;
        let webhooks: Vec<WebhookRow> = api
            .webhooks()
            .await
            .map_err(at(&source))?
            .into_iter()
            .map(|webhook| WebhookRow {
                targets_this_service: targets_this_service(
                    &webhook.url,
                    &source.source,
                    source.webhook_url.as_deref(),
                ),
                url: without_query(&webhook.url),
                id: webhook.id,
                name: webhook.name,
                created_at: webhook.created,
                last_sent_at: webhook.last_sent,
            })
            .collect();
        if self.format.json {
            output::json(&webhooks)?;
        } else if webhooks.is_empty() {
            output::note(
                "no webhooks; BambooHR lists only those of the user who owns `api.api_key`",
            );
        } else {
            print(webhooks);
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn print(webhooks: Vec<WebhookRow>) {
    let mut table = output::Table::new(&["webhook", "name", "url", "this service", "last sent"]);
    for webhook in webhooks {
        table.add_row([
            webhook.id,
            webhook.name,
            webhook.url,
            output::yes_or_no(webhook.targets_this_service).to_owned(),
            output::time_or_dash(webhook.last_sent_at),
        ]);
    }
    output::line!("{table}");
}
