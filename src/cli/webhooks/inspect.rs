//! `leaver webhooks list`, `show`, `log`, `delete` and `fields`.

use std::process::ExitCode;

use anyhow::bail;
use chrono::{DateTime, Utc};
use clap::Args;
use serde::Serialize;
use sqlx::Connection;

use super::super::{Format, open, output};
use super::Of;
use crate::config::Environment;
use crate::connect::{MONITORED_FIELDS, WebhookError};
use crate::jobs::provider_webhooks::{store, targets_this_service};
use leaver_core::domain::EmployeeId;
use leaver_core::providers::{HookConfig, LogTime};

/// List the webhooks of the BambooHR user who made the key
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  leaver webhooks list\n  leaver webhooks list --source bamboohr --json"
)]
pub(super) struct List {
    #[command(flatten)]
    of: Of,
    #[command(flatten)]
    format: Format,
}

#[derive(Debug, Serialize)]
struct Listed {
    id: String,
    name: String,
    url: String,
    created_at: Option<DateTime<Utc>>,
    last_sent_at: Option<DateTime<Utc>>,
    targets_this_service: bool,
}

impl List {
    pub(super) async fn run(self, env: &Environment) -> anyhow::Result<ExitCode> {
        let (company, api) = self.of.company(env)?;
        let hooks: Vec<Listed> = api
            .webhooks()
            .await?
            .into_iter()
            .map(|hook| Listed {
                targets_this_service: targets_this_service(&hook.url, &company.source),
                url: without_query(&hook.url),
                id: hook.id,
                name: hook.name,
                created_at: hook.created,
                last_sent_at: hook.last_sent,
            })
            .collect();
        if self.format.json {
            output::json(&hooks)?;
            return Ok(ExitCode::SUCCESS);
        }
        if hooks.is_empty() {
            println!(
                "no webhooks of the BambooHR user who made api.api_key; those of others are not shown"
            );
            return Ok(ExitCode::SUCCESS);
        }
        let mut table = output::table(&["webhook", "name", "posts to", "here", "last sent"]);
        for hook in hooks {
            table.add_row([
                hook.id,
                hook.name,
                hook.url,
                yes_or_no(hook.targets_this_service).to_owned(),
                output::moment_or_dash(hook.last_sent_at),
            ]);
        }
        println!("{table}");
        Ok(ExitCode::SUCCESS)
    }
}

/// Show how a webhook is configured, and what its owner may not see
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  leaver webhooks show 7\n  leaver webhooks show 7 --json")]
pub(super) struct Show {
    #[command(flatten)]
    of: Of,
    /// The webhook, as `leaver webhooks list` shows it
    id: String,
    #[command(flatten)]
    format: Format,
}

impl Show {
    pub(super) async fn run(self, env: &Environment) -> anyhow::Result<ExitCode> {
        let (company, api) = self.of.company(env)?;
        let HookConfig {
            hook,
            format,
            events,
            monitor_fields,
            post_fields,
            include_company_domain,
            denied,
        } = api.webhook(&self.id).await?;
        let here = targets_this_service(&hook.url, &company.source);
        let denied = denied.words();
        if self.format.json {
            let posted: serde_json::Map<String, serde_json::Value> = post_fields
                .into_iter()
                .map(|(field, name)| (field, name.into()))
                .collect();
            output::json(&serde_json::json!({
                "id": hook.id, "name": hook.name, "url": without_query(&hook.url), "targets_this_service": here,
                "created_at": hook.created, "last_sent_at": hook.last_sent, "format": format, "events": events,
                "monitor_fields": monitor_fields, "post_fields": posted,
                "include_company_domain": include_company_domain, "denied_fields": denied,
            }))?;
            return Ok(ExitCode::SUCCESS);
        }
        let posted: Vec<String> = post_fields
            .iter()
            .map(|(field, name)| {
                if field == name {
                    field.clone()
                } else {
                    format!("{field} as {name}")
                }
            })
            .collect();
        let mut table = output::table(&["webhook", &hook.id]);
        for (what, value) in [
            ("name", hook.name),
            ("posts to", without_query(&hook.url)),
            ("which is this source", yes_or_no(here).to_owned()),
            ("format", format),
            ("events", events.join(", ")),
            ("monitors", or_dash(monitor_fields.join(", "))),
            ("posts", or_dash(posted.join(", "))),
            ("created", output::moment_or_dash(hook.created)),
            ("last sent", output::moment_or_dash(hook.last_sent)),
            ("its owner may not see", or_dash(denied)),
        ] {
            table.add_row([what.to_owned(), value]);
        }
        println!("{table}");
        Ok(ExitCode::SUCCESS)
    }
}

/// Show what BambooHR's log says a webhook sent: the last 14 days, at most 200 deliveries
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  leaver webhooks log 7\n  leaver webhooks log 7 --json")]
pub(super) struct Log {
    #[command(flatten)]
    of: Of,
    /// The webhook, as `leaver webhooks list` shows it
    id: String,
    #[command(flatten)]
    format: Format,
}

#[derive(Debug, Serialize)]
struct Entry {
    last_attempted: String,
    last_success: String,
    status: String,
    employee_ids: Vec<EmployeeId>,
}

impl Log {
    pub(super) async fn run(self, env: &Environment) -> anyhow::Result<ExitCode> {
        let (_, api) = self.of.company(env)?;
        let entries: Vec<Entry> = api
            .webhook_log(&self.id)
            .await?
            .into_iter()
            .map(|entry| Entry {
                last_attempted: said(entry.last_attempted),
                last_success: said(entry.last_success),
                status: entry.status,
                employee_ids: entry.employee_ids,
            })
            .collect();
        if self.format.json {
            output::json(&entries)?;
            return Ok(ExitCode::SUCCESS);
        }
        if entries.is_empty() {
            println!("nothing was sent in the last 14 days");
            return Ok(ExitCode::SUCCESS);
        }
        let mut table = output::table(&["last tried", "last taken", "status", "employees"]);
        for entry in entries {
            let ids: Vec<&str> = entry.employee_ids.iter().map(EmployeeId::as_str).collect();
            table.add_row([
                or_dash(entry.last_attempted),
                or_dash(entry.last_success),
                or_dash(entry.status),
                ids.join(", "),
            ]);
        }
        println!("{table}");
        Ok(ExitCode::SUCCESS)
    }
}

/// Delete a webhook at BambooHR for good, and forget it here
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  leaver webhooks delete 7\n  leaver webhooks delete 7 --json")]
pub(super) struct Delete {
    #[command(flatten)]
    of: Of,
    /// The webhook, as `leaver webhooks list` shows it
    id: String,
    #[command(flatten)]
    format: Format,
}

impl Delete {
    pub(super) async fn run(self, env: &Environment) -> anyhow::Result<ExitCode> {
        // Both are at hand before anything is deleted.
        let (settings, mut conn) = open(&self.of.config, env).await?;
        let (company, api) = self.of.company_in(&settings)?;
        let deleted = match api.delete_webhook(&self.id).await {
            Ok(()) => true,
            Err(WebhookError::NoSuchWebhook(_)) => false,
            // It stays there, but with this key nobody will ever see it again.
            Err(error @ WebhookError::OtherOwner(_)) => {
                let known = store::forget(&mut conn, &company.source, &self.id).await?;
                bail!(
                    "{error}{}",
                    if known { "; it is forgotten here" } else { "" }
                );
            }
            Err(error) => return Err(error.into()),
        };
        let forgotten = store::forget(&mut conn, &company.source, &self.id).await?;
        conn.close().await?;
        if !deleted && !forgotten {
            bail!(WebhookError::NoSuchWebhook(self.id));
        }
        if self.format.json {
            output::json(&serde_json::json!({
                "id": self.id, "deleted": deleted, "forgotten": forgotten,
            }))?;
        } else if deleted {
            println!(
                "webhook {} is deleted; its key can leave webhook_secrets",
                self.id
            );
        } else {
            println!(
                "BambooHR has no webhook {} any more; it is forgotten here too",
                self.id
            );
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// List the fields whose change can fire a webhook, and which of them a webhook of ours wants
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  leaver webhooks fields\n  leaver webhooks fields --json")]
pub(super) struct Fields {
    #[command(flatten)]
    of: Of,
    #[command(flatten)]
    format: Format,
}

#[derive(Debug, Serialize)]
struct Field {
    id: String,
    name: String,
    alias: Option<String>,
    wanted: bool,
}

impl Fields {
    pub(super) async fn run(self, env: &Environment) -> anyhow::Result<ExitCode> {
        let (_, api) = self.of.company(env)?;
        let fields: Vec<Field> = api
            .monitor_fields()
            .await?
            .into_iter()
            .map(|field| Field {
                wanted: MONITORED_FIELDS
                    .iter()
                    .any(|name| field.alias.as_deref() == Some(name)),
                id: field.id,
                name: field.name,
                alias: field.alias,
            })
            .collect();
        if self.format.json {
            output::json(&fields)?;
            return Ok(ExitCode::SUCCESS);
        }
        let mut table = output::table(&["field", "alias", "name", "wanted"]);
        for field in &fields {
            table.add_row([
                field.id.as_str(),
                field.alias.as_deref().unwrap_or("-"),
                &field.name,
                yes_or_no(field.wanted),
            ]);
        }
        println!("{table}");
        let is_there = |name: &&&str| fields.iter().all(|f| f.alias.as_deref() != Some(**name));
        let withheld: Vec<&str> = MONITORED_FIELDS.iter().filter(is_there).copied().collect();
        if !withheld.is_empty() {
            println!(
                "wanted and not there: {}; let the BambooHR user who made api.api_key see them",
                withheld.join(", ")
            );
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Some receivers take a secret in the query, and other webhooks of this user are none of our business.
fn without_query(url: &str) -> String {
    url.split(['?', '#']).next().unwrap_or_default().to_owned()
}

fn said(time: LogTime) -> String {
    match time {
        LogTime::At(at) => output::moment(at),
        LogTime::Word(word) => word,
    }
}

fn yes_or_no(yes: bool) -> &'static str {
    if yes { "yes" } else { "no" }
}

fn or_dash(text: String) -> String {
    if text.is_empty() {
        "-".to_owned()
    } else {
        text
    }
}
