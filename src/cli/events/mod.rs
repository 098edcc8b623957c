//! `leaver events`. One file per command.

mod list;
mod recover;
mod resume;
mod retry;

use std::process::ExitCode;

use clap::{Args, Subcommand};
use sqlx::PgConnection;

use super::output::Listing;
use super::sources::{WrongUse, ensure_unused};
use super::{Config, open};
use crate::config::{Environment, Settings};
use crate::connect::destinations::Destination;
use crate::reports::events;

/// List events and where they were sent, newest first; send them again
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  leaver events --state dead\n  leaver events --destination audit-bus --type 'account.*' --since 2026-01-31 --json\n  leaver events retry --destination audit-bus --dead\n  leaver events resume audit-bus\n\nStates: due (to be sent), leased (sent right now), done, dead (the last attempt failed).\nThe list has no names and e-mails, and not the content of an event."
)]
pub(super) struct Events {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    config: Config,
    #[command(flatten)]
    list: list::List,
    #[command(flatten)]
    listing: Listing<list::Columns>,
}

#[derive(Debug, Subcommand)]
enum Command {
    Retry(retry::Retry),
    Recover(recover::Recover),
    Resume(resume::Resume),
}

impl Events {
    pub(super) async fn run(self, env: &Environment) -> anyhow::Result<ExitCode> {
        if self.command.is_some() {
            ensure_unused(&self.listing)?;
            self.list.ensure_unused()?;
        }
        match self.command {
            None => self.list.run(&self.config, &self.listing, env).await,
            Some(Command::Retry(command)) => command.run(env).await,
            Some(Command::Recover(command)) => command.run(env).await,
            Some(Command::Resume(command)) => command.run(env).await,
        }
    }
}

/// Returns the names of the configured destinations.
fn names(settings: &Settings) -> Vec<String> {
    let destinations = settings.destinations.iter();
    destinations.map(|one| one.name().to_owned()).collect()
}

/// Returns a configured destination.
fn configured<'s>(settings: &'s Settings, name: &str) -> Result<&'s Destination, WrongUse> {
    let mut destinations = settings.destinations.iter();
    let found = destinations.find(|one| one.name() == name);
    found.ok_or_else(|| unknown(settings, name))
}

/// Connects, and ensures that the destination is configured, or was when an event was recorded.
async fn open_about(
    config: &Config,
    env: &Environment,
    destination: Option<&str>,
) -> anyhow::Result<(Settings, PgConnection)> {
    let (settings, mut conn) = open(config, env).await?;
    if let Some(name) = destination
        && configured(&settings, name).is_err()
        && !events::store::has_events(&mut conn, name).await?
    {
        return Err(unknown(&settings, name).into());
    }
    Ok((settings, conn))
}

fn unknown(settings: &Settings, name: &str) -> WrongUse {
    let names = names(settings);
    WrongUse::new(if names.is_empty() {
        format!(
            "destination {name} is not configured, and no other is; add it to `[[destinations]]`, as in config/default.toml"
        )
    } else {
        format!(
            "destination {name} is not configured; the destinations are: {}",
            names.join(", ")
        )
    })
}
