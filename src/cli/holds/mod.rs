//! `leaver holds`. One file per command.

mod approve;
mod list;
mod reject;

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde::Serialize;

use crate::config::Environment;
use crate::engine::holds::Hold;
use crate::engine::holds::resolve::Approved;

/// List, approve and reject decisions that need a person; alone it lists
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  leaver holds\n  leaver holds list\n  leaver holds approve 12\n  leaver holds approve 13 --all\n  leaver holds approve 14 15 16\n  leaver holds reject 14"
)]
pub(super) struct Holds {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    list: list::List,
}

#[derive(Debug, Subcommand)]
enum Command {
    List(list::List),
    Approve(approve::Approve),
    Reject(reject::Reject),
}

impl Holds {
    pub(super) async fn run(self, env: &Environment) -> anyhow::Result<ExitCode> {
        if self.command.is_some() {
            self.list.ensure_unused()?;
        }
        match self.command {
            None => self.list.run(env).await?,
            Some(Command::List(command)) => command.run(env).await?,
            Some(Command::Approve(command)) => return command.run(env).await,
            Some(Command::Reject(command)) => command.run(env).await?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// A hold that a person decided.
#[derive(Debug, Serialize)]
struct ResolvedHold {
    id: i64,
    state: &'static str,
    /// The account, if it is one only.
    account_id: Option<String>,
    changed: bool,
    /// All accounts.
    accounts: Vec<ResolvedAccount>,
    /// Accounts with the same e-mail that are still active.
    still_active: Vec<String>,
}

/// An account of a hold that a person decided.
#[derive(Debug, Serialize)]
struct ResolvedAccount {
    account_id: String,
    changed: bool,
}

impl ResolvedHold {
    fn approved(approved: &Approved) -> Self {
        let accounts: Vec<ResolvedAccount> = approved
            .accounts
            .iter()
            .map(|(account, changed)| ResolvedAccount {
                account_id: account.to_string(),
                changed: *changed,
            })
            .collect();
        let only = accounts.first().filter(|_| accounts.len() == 1);
        Self {
            id: approved.hold.id,
            state: "approved",
            account_id: only.map(|account| account.account_id.clone()),
            changed: approved.is_change(),
            still_active: approved
                .still_active
                .iter()
                .map(ToString::to_string)
                .collect(),
            accounts,
        }
    }

    fn rejected(hold: &Hold) -> Self {
        let account = hold.account_id.clone();
        Self {
            id: hold.id,
            state: "rejected",
            changed: false,
            accounts: account
                .iter()
                .map(|account| ResolvedAccount {
                    account_id: account.clone(),
                    changed: false,
                })
                .collect(),
            still_active: vec![],
            account_id: account,
        }
    }
}
