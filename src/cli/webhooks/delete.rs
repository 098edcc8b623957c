//! `leaver webhooks delete`.

use std::process::ExitCode;

use anyhow::bail;
use clap::Args;
use sqlx::Connection;

use super::super::{Format, ids, open_with, output};
use super::{WebhooksTarget, at};
use crate::config::Environment;
use crate::connect::WebhookError;
use crate::jobs::provider_webhooks::store;

/// Delete a webhook at BambooHR and stop monitoring it
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  leaver webhooks delete 7\n  leaver webhooks delete 7 --json")]
pub(super) struct Delete {
    #[command(flatten)]
    target: WebhooksTarget,
    /// Webhook ID, from `leaver webhooks list`
    #[arg(value_name = "ID", value_parser = ids::webhook)]
    id: String,
    #[command(flatten)]
    format: Format,
}

impl Delete {
    pub(super) async fn run(self, env: &Environment) -> anyhow::Result<ExitCode> {
        // The database must be reachable before anything is deleted at BambooHR.
        let scope = self.target.scope().with_database();
        let (settings, mut conn) = open_with(&self.target.config, env, &scope).await?;
        let (source, api) = self.target.source_in(&settings)?;
        let deleted = match api.delete_webhook(&self.id).await {
            Ok(()) => true,
            Err(WebhookError::NoSuchWebhook(_)) => false,
            // It still exists at BambooHR, but this API key can never see it again.
            Err(error @ WebhookError::OtherOwner(_)) => {
                let known = store::forget(&mut conn, &source.source, &self.id).await?;
                bail!(
                    "{error}{}",
                    if known {
                        "; it is no longer monitored"
                    } else {
                        ""
                    }
                );
            }
            Err(error) => return Err(at(&source)(error)),
        };
        let forgotten = store::forget(&mut conn, &source.source, &self.id).await?;
        conn.close().await?;
        if !deleted && !forgotten {
            bail!(WebhookError::NoSuchWebhook(self.id));
        }
        if self.format.json {
            output::json(&serde_json::json!({
                "id": self.id, "deleted": deleted, "forgotten": forgotten,
            }))?;
        } else if deleted {
            output::line!(
                "webhook {} deleted; remove its key from `webhook_secrets`",
                self.id
            );
        } else {
            output::line!(
                "webhook {} does not exist at BambooHR; it is no longer monitored",
                self.id
            );
        }
        Ok(ExitCode::SUCCESS)
    }
}
