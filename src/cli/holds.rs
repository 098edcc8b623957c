//! `leaver holds`.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde::Serialize;

use super::{Config, Format, open, output};
use crate::base::clock::{Clock, SystemClock};
use crate::config::Environment;
use crate::engine::accounts::AccountsTable;
use crate::engine::holds::resolve::{self, Approved};
use crate::reports::holds::{OpenHold, list_open};
use leaver_core::domain::AccountId;

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
    /// List open holds
    #[command(after_help = "Example:\n  leaver holds list\n  leaver holds list --json")]
    List(List),
    /// Approve a hold
    #[command(
        after_help = "Example:\n  leaver holds approve 12 --as dana\n  leaver holds approve 13 --account 4711"
    )]
    Approve(Approve),
    /// Reject a hold; it opens again only if the facts change
    #[command(after_help = "Example:\n  leaver holds reject 14 --as dana")]
    Reject(Reject),
}

#[derive(Debug, Args)]
struct List {
    #[command(flatten)]
    config: Config,
    #[command(flatten)]
    format: Format,
}

#[derive(Debug, Args)]
struct Approve {
    #[command(flatten)]
    config: Config,
    /// Hold ID
    id: i64,
    /// Account ID, if the hold names no account
    #[arg(long, value_name = "ID")]
    account: Option<String>,
    #[command(flatten)]
    person: Person,
    #[command(flatten)]
    format: Format,
}

#[derive(Debug, Args)]
struct Reject {
    #[command(flatten)]
    config: Config,
    /// Hold ID
    id: i64,
    #[command(flatten)]
    person: Person,
    #[command(flatten)]
    format: Format,
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

impl List {
    async fn run(self, env: &Environment) -> anyhow::Result<()> {
        let (_, mut conn) = open(&self.config, env).await?;
        let holds = list_open(&mut conn).await?;
        if self.format.json {
            return output::json(&holds);
        }
        if holds.is_empty() {
            output::note("no open holds");
            return Ok(());
        }
        output::line!("{}", table(holds));
        output::note("next: `leaver holds approve ID` or `leaver holds reject ID`");
        Ok(())
    }
}

impl Approve {
    async fn run(self, env: &Environment) -> anyhow::Result<()> {
        let (settings, mut conn) = open(&self.config, env).await?;
        let table = AccountsTable::inspect(&mut conn, &settings.accounts).await?;
        let account = self.account.map(AccountId::new);
        let (name, now) = (self.person.name(env), SystemClock.now());
        let approved = resolve::approve(&mut conn, &table, self.id, account, &name, now).await?;
        if self.format.json {
            return output::json(&ResolvedHold {
                id: self.id,
                state: "approved",
                account_id: Some(approved.account.to_string()),
                changed: approved.changed,
            });
        }
        output::line!(
            "hold {} approved: account {} {}",
            self.id,
            approved.account,
            effect(&approved)
        );
        Ok(())
    }
}

impl Reject {
    async fn run(self, env: &Environment) -> anyhow::Result<()> {
        let (_, mut conn) = open(&self.config, env).await?;
        let (name, now) = (self.person.name(env), SystemClock.now());
        let hold = resolve::reject(&mut conn, self.id, &name, now).await?;
        if self.format.json {
            return output::json(&ResolvedHold {
                id: self.id,
                state: "rejected",
                account_id: hold.account_id,
                changed: false,
            });
        }
        output::line!(
            "hold {} rejected: nothing changes unless new facts arrive for employee {}",
            self.id,
            hold.employee_id
        );
        Ok(())
    }
}

fn effect(approved: &Approved) -> &'static str {
    match (approved.hold.wants.as_str(), approved.changed) {
        ("reactivate", true) => "was reactivated",
        ("reactivate", false) => "was already active",
        (_, true) => "was deactivated and its sessions ended",
        (_, false) => "was already inactive",
    }
}

fn table(holds: Vec<OpenHold>) -> output::Table {
    let mut table = output::Table::new(&[
        "hold", "opened", "source", "employee", "account", "action", "reason",
    ]);
    for hold in holds {
        let employee = match hold.work_email {
            Some(email) => format!("{}\n{email}", hold.employee_id),
            None => hold.employee_id,
        };
        table.add_row([
            hold.id.to_string(),
            output::time(hold.opened_at),
            hold.source,
            employee,
            output::or_dash(hold.account_id),
            hold.requested_action,
            hold.reason,
        ]);
    }
    table
}
