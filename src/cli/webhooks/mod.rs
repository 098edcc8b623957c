//! `leaver webhooks`: BambooHR's webhooks, managed over its API. One file per command.

mod create;
mod delete;
mod fields;
mod gaps;
mod list;
mod log;
mod show;

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{anyhow, bail};
use clap::{Args, Subcommand};

use super::Config;
use crate::base::clock::{Clock, SystemClock};
use crate::config::{Environment, SecretScope, Settings};
use crate::connect::{BambooHrApi, ClientLimits, WebhookError};
use crate::jobs::sync::SyncSource;
use crate::service;

/// Create, list, compare and delete BambooHR webhooks that post to this service
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  leaver webhooks create --url https://leaver.example.com\n  leaver webhooks list\n  leaver webhooks gaps --json"
)]
pub(super) struct Webhooks {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Create(create::Create),
    List(list::List),
    Show(show::Show),
    Log(log::Log),
    Delete(delete::Delete),
    Fields(fields::Fields),
    Gaps(gaps::Gaps),
}

impl Webhooks {
    pub(super) async fn run(self, env: &Environment) -> anyhow::Result<ExitCode> {
        match self.command {
            Command::Create(command) => command.run(env).await,
            Command::List(command) => command.run(env).await,
            Command::Show(command) => command.run(env).await,
            Command::Log(command) => command.run(env).await,
            Command::Delete(command) => command.run(env).await,
            Command::Fields(command) => command.run(env).await,
            Command::Gaps(command) => command.run(env).await,
        }
    }
}

/// Source whose webhooks are managed.
#[derive(Debug, Clone, Args)]
struct WebhooksTarget {
    #[command(flatten)]
    config: Config,
    /// BambooHR source; only needed if several have an API
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
}

impl WebhooksTarget {
    /// The secrets that are needed: only the API key of the selected source.
    fn scope(&self) -> SecretScope<'_> {
        SecretScope::webhook_apis(self.source.as_deref())
    }

    /// Returns the selected source and its client, without connecting to the database.
    fn source(&self, env: &Environment) -> anyhow::Result<(SyncSource, BambooHrApi)> {
        self.source_in(&self.config.read(env, &self.scope())?)
    }

    fn source_in(&self, settings: &Settings) -> anyhow::Result<(SyncSource, BambooHrApi)> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let sources = service::companies(settings, &ClientLimits::default(), &clock)?;
        let mut ours: Vec<(SyncSource, BambooHrApi)> = sources
            .into_iter()
            .filter_map(|source| {
                let api = source.client.webhook_api()?.clone();
                Some((source, api))
            })
            .collect();
        if let Some(name) = &self.source {
            ours.retain(|(source, _)| source.source.as_str() == name);
            return ours.pop().ok_or_else(|| {
                anyhow!("no BambooHR source {name} with an API is configured; add `[sources.api]` to it, as in config/default.toml")
            });
        }
        let names: Vec<String> = ours
            .iter()
            .map(|(source, _)| source.source.to_string())
            .collect();
        match (ours.pop(), names.as_slice()) {
            (Some(only), [_]) => Ok(only),
            (None, _) => bail!(
                "no BambooHR source has an API; add `[sources.api]` to it, as in config/default.toml"
            ),
            (Some(_), several) => bail!(
                "several BambooHR sources have an API; choose one with --source: {}",
                several.join(", ")
            ),
        }
    }
}

/// Returns how to name the host of a source's API in an error. The other errors name a webhook or a field.
fn at(source: &SyncSource) -> impl FnOnce(WebhookError) -> anyhow::Error + use<> {
    let host = source.client.host();
    move |error| match error {
        WebhookError::Read(_) | WebhookError::MayExist { .. } => {
            anyhow::Error::new(error).context(host)
        }
        error => error.into(),
    }
}

/// Removes query and fragment: other webhooks of the same user may carry a secret there.
fn without_query(url: &str) -> String {
    url.split(['?', '#']).next().unwrap_or_default().to_owned()
}
