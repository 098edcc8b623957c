//! `leaver webhooks list`.

use std::process::ExitCode;

use chrono::{DateTime, Utc};
use clap::Args;
use serde::Serialize;

use super::super::output;
use super::super::output::{Listing, TableColumns};
use super::super::sources::ensure_unused;
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
    listing: Listing<Columns>,
}

#[derive(Debug)]
struct Columns;

impl TableColumns for Columns {
    const COLUMNS: &'static [(&'static str, u8)] = &[
        ("webhook", 0),
        ("name", 2),
        ("url", 1),
        ("this service", 0),
        ("last sent", 3),
    ];
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
    /// Returns an error if an option of the list is given, although a subcommand follows.
    pub(super) fn ensure_unused(&self) -> anyhow::Result<()> {
        ensure_unused(&self.listing)
    }

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
        if self.listing.json {
            output::json(&webhooks)?;
        } else if webhooks.is_empty() {
            output::Table::of(&self.listing).print_empty(
                "no webhooks; BambooHR lists only those of the user who owns `api.api_key`",
            );
        } else {
            print(webhooks, output::Table::of(&self.listing));
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn print(webhooks: Vec<WebhookRow>, mut table: output::Table) {
    for webhook in webhooks {
        table.add_row([
            webhook.id,
            webhook.name,
            webhook.url,
            output::yes_or_no(webhook.targets_this_service).to_owned(),
            output::time_or_dash(webhook.last_sent_at),
        ]);
    }
    table.print();
}
