//! `leaver holds`. One file per command.

mod approve;
mod list;
mod reject;

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde::Serialize;

use crate::config::Environment;

/// List, approve and reject decisions that need a person
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  leaver holds list\n  leaver holds approve 12\n  leaver holds approve 13 --account 4711\n  leaver holds reject 14"
)]
pub(super) struct Holds {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    List(list::List),
    Approve(approve::Approve),
    Reject(reject::Reject),
}

impl Holds {
    pub(super) async fn run(self, env: &Environment) -> anyhow::Result<ExitCode> {
        match self.command {
            Command::List(command) => command.run(env).await?,
            Command::Approve(command) => command.run(env).await?,
            Command::Reject(command) => command.run(env).await?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// The person who decides.
#[derive(Debug, Args)]
struct Person {
    /// Your name in the audit log; default: your login name
    #[arg(long = "as", value_name = "NAME")]
    name: Option<String>,
}

impl Person {
    fn name(&self, env: &Environment) -> String {
        self.name
            .clone()
            .or_else(|| env.text("SUDO_USER").map(str::to_owned))
            .or_else(|| {
                nix::unistd::User::from_uid(nix::unistd::getuid())
                    .ok()
                    .flatten()
                    .map(|user| user.name)
            })
            .unwrap_or_else(|| "unknown".to_owned())
    }
}

/// A hold that a person decided.
#[derive(Debug, Serialize)]
struct ResolvedHold {
    id: i64,
    state: &'static str,
    account_id: Option<String>,
    changed: bool,
}
