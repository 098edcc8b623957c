//! `leaver webhooks`: BambooHR's own webhooks, over its API. One file per thing that can be asked of them.

mod create;
mod gaps;
mod inspect;

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{anyhow, bail};
use clap::{Args, Subcommand};

use super::Config;
use crate::base::clock::{Clock, SystemClock};
use crate::config::{Environment, Settings};
use crate::connect::{BambooHrApi, ClientLimits};
use crate::jobs::sync::SyncSource;
use crate::service;

/// Make, look at, compare and delete BambooHR's webhooks that post to this service
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
    List(inspect::List),
    Show(inspect::Show),
    Log(inspect::Log),
    Delete(inspect::Delete),
    Fields(inspect::Fields),
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

/// Whose webhooks.
#[derive(Debug, Clone, Args)]
struct Of {
    #[command(flatten)]
    config: Config,
    /// The source; needed only where several BambooHR sources have an api
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
}

impl Of {
    /// The source that is meant, and its client. The database is not asked.
    fn company(&self, env: &Environment) -> anyhow::Result<(SyncSource, BambooHrApi)> {
        self.company_in(&self.config.read(env)?)
    }

    fn company_in(&self, settings: &Settings) -> anyhow::Result<(SyncSource, BambooHrApi)> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let companies = service::companies(settings, &ClientLimits::default(), &clock)?;
        let mut ours: Vec<(SyncSource, BambooHrApi)> = companies
            .into_iter()
            .filter_map(|company| {
                let api = company.client.webhook_api()?.clone();
                Some((company, api))
            })
            .collect();
        if let Some(name) = &self.source {
            ours.retain(|(company, _)| company.source.as_str() == name);
            return ours.pop().ok_or_else(|| {
                anyhow!("no BambooHR source named {name} with an api is configured: add [sources.api] to it (config/default.toml shows how)")
            });
        }
        let names: Vec<String> = ours.iter().map(|(c, _)| c.source.to_string()).collect();
        match (ours.pop(), names.as_slice()) {
            (Some(only), [_]) => Ok(only),
            (None, _) => bail!(
                "no BambooHR source has an api: add [sources.api] to it (config/default.toml shows how)"
            ),
            (Some(_), several) => bail!(
                "several BambooHR sources have an api: say which with --source ({})",
                several.join(", ")
            ),
        }
    }
}
