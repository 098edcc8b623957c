//! `leaver holds`: decisions that wait for a person.

use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::{Config, Format, open, output};
use crate::base::clock::{Clock, SystemClock};
use crate::config::Environment;
use crate::engine::accounts::AccountsTable;
use crate::engine::holds::resolve;
use crate::engine::holds::{self, Hold};
use crate::roster;
use leaver_core::domain::{AccountId, EmployeeId, EmployeeKey, SourceName, Tenant};

/// List, approve or reject the decisions that wait for a person
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  leaver holds list\n  leaver holds approve 12\n  leaver holds approve 13 --account 4711\n  leaver holds reject 14"
)]
pub(super) struct Holds {
    #[command(subcommand)]
    command: HoldsCommand,
}

#[derive(Debug, Subcommand)]
enum HoldsCommand {
    /// Show the open ones
    #[command(after_help = "Example:\n  leaver holds list --json")]
    List {
        #[command(flatten)]
        config: Config,
        #[command(flatten)]
        format: Format,
    },
    /// Carry one out
    #[command(
        after_help = "Example:\n  leaver holds approve 12 --as dana\n  leaver holds approve 13 --account 4711"
    )]
    Approve {
        #[command(flatten)]
        config: Config,
        /// Its number
        id: i64,
        /// The account, where the hold does not know it
        #[arg(long)]
        account: Option<String>,
        #[command(flatten)]
        person: Person,
        #[command(flatten)]
        format: Format,
    },
    /// Drop one; it is asked again only when the facts change
    #[command(after_help = "Example:\n  leaver holds reject 14")]
    Reject {
        #[command(flatten)]
        config: Config,
        /// Its number
        id: i64,
        #[command(flatten)]
        person: Person,
        #[command(flatten)]
        format: Format,
    },
}

/// Who answers, for the audit.
#[derive(Debug, Args)]
struct Person {
    /// Your name in the audit; default: the user you are logged in as
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
            .unwrap_or_else(|| "somebody".to_owned())
    }
}

impl Holds {
    pub(super) async fn run(self, env: &Environment) -> anyhow::Result<ExitCode> {
        match self.command {
            HoldsCommand::List { config, format } => list(&config, format, env).await?,
            HoldsCommand::Approve {
                config,
                id,
                account,
                person,
                format,
            } => {
                let (settings, mut conn) = open(&config, env).await?;
                let table = AccountsTable::inspect(&mut conn, &settings.accounts).await?;
                let named = account.map(AccountId::new);
                let done = resolve::approve(
                    &mut conn,
                    &table,
                    id,
                    named,
                    &person.name(env),
                    SystemClock.now(),
                )
                .await?;
                let what = match (done.hold.requested_action.as_str(), done.changed) {
                    ("reactivate", true) => "is active again",
                    ("reactivate", false) => "was active already",
                    (_, true) => "is deactivated and its sessions are ended",
                    (_, false) => "was inactive already",
                };
                if format.json {
                    output::json(
                        &serde_json::json!({ "hold": id, "state": "approved", "account_id": done.account, "changed": done.changed }),
                    )?;
                } else {
                    println!("hold {id} approved: account {} {what}", done.account);
                }
            }
            HoldsCommand::Reject {
                config,
                id,
                person,
                format,
            } => {
                let (_, mut conn) = open(&config, env).await?;
                let hold =
                    resolve::reject(&mut conn, id, &person.name(env), SystemClock.now()).await?;
                if format.json {
                    output::json(
                        &serde_json::json!({ "hold": id, "state": "rejected", "account_id": hold.account_id }),
                    )?;
                } else {
                    println!(
                        "hold {id} rejected: nothing changes, until the facts about employee {} do",
                        hold.employee_id
                    );
                }
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// About whom a hold is.
fn key(hold: &Hold) -> anyhow::Result<EmployeeKey> {
    Ok(EmployeeKey {
        source: SourceName::parse(&hold.source)?,
        tenant: Tenant::new(hold.tenant.clone()),
        employee_id: EmployeeId::new(hold.employee_id.clone()),
    })
}

async fn list(config: &Config, format: Format, env: &Environment) -> anyhow::Result<()> {
    let (_, mut conn) = open(config, env).await?;
    let open = holds::store::list_open(&mut conn).await?;
    let keys = open.iter().map(key).collect::<Result<Vec<_>, _>>()?;
    let emails = roster::store::work_emails(&mut conn, &keys).await?;
    if format.json {
        let mut rows = vec![];
        for (hold, email) in open.iter().zip(emails) {
            let mut row = serde_json::to_value(hold)?;
            row["work_email"] = serde_json::json!(email);
            rows.push(row);
        }
        return output::json(&rows);
    }
    if open.is_empty() {
        println!("no holds: nothing waits for a person");
        return Ok(());
    }
    let mut table = output::table(&[
        "hold", "since", "source", "employee", "account", "wants to", "because",
    ]);
    for (hold, email) in open.into_iter().zip(emails) {
        let employee = match email {
            Some(email) => format!("{}\n{email}", hold.employee_id),
            None => hold.employee_id,
        };
        table.add_row([
            hold.id.to_string(),
            output::moment(hold.opened_at),
            hold.source,
            employee,
            hold.account_id.unwrap_or_else(|| "?".to_owned()),
            hold.requested_action,
            hold.reason,
        ]);
    }
    println!(
        "{table}\napprove with `leaver holds approve NUMBER`, drop with `leaver holds reject NUMBER`"
    );
    Ok(())
}
