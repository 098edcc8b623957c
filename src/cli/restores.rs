//! `leaver restores`.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::json;

use super::person::Person;
use super::{Config, Format, exit_code, ids, open, output};
use crate::base::clock::{Clock, SystemClock};
use crate::config::Environment;
use crate::db::lineage::{Restore, store};

/// Show when the database went back in time, after a restore or a failover; acknowledge it
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Example:\n  leaver restores\n  leaver sync --full\n  leaver webhooks gaps\n  leaver restores acknowledge 3\n\nExit code 1: one is not acknowledged"
)]
pub(super) struct Restores {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    config: Config,
    #[command(flatten)]
    format: Format,
}

#[derive(Debug, Subcommand)]
enum Command {
    Acknowledge(Acknowledge),
}

/// End the warning in `/health`, after `leaver sync --full` and `leaver webhooks gaps`
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  leaver restores acknowledge 3 --as dana")]
struct Acknowledge {
    #[command(flatten)]
    config: Config,
    /// ID, from `leaver restores`
    #[arg(value_name = "ID", value_parser = ids::restore, allow_negative_numbers = true)]
    id: i64,
    #[command(flatten)]
    person: Person,
    #[command(flatten)]
    format: Format,
}

impl Restores {
    pub(super) async fn run(self, env: &Environment) -> anyhow::Result<ExitCode> {
        if let Some(Command::Acknowledge(command)) = self.command {
            return command.run(env).await;
        }
        let (_, mut conn) = open(&self.config, env).await?;
        let restores = store::list(&mut conn).await?;
        let is_clean = restores.iter().all(|it| it.acknowledged_at.is_some());
        if self.format.json {
            output::json(&restores)?;
        } else {
            print(&restores);
        }
        Ok(exit_code(is_clean))
    }
}

fn print(restores: &[Restore]) {
    if restores.is_empty() {
        return output::note("the database was never found to have gone back in time");
    }
    let mut table =
        output::Table::new(&["id", "found", "rows known until", "acknowledged", "cause"]);
    for restore in restores {
        let by = restore.acknowledged_by.as_deref();
        table.add_row([
            restore.id.to_string(),
            output::time(restore.found_at),
            output::time(restore.known_until),
            output::or_dash(by),
            restore.description().to_owned(),
        ]);
    }
    output::line!("{table}");
    if let Some(open) = restores.iter().find(|it| it.acknowledged_at.is_none()) {
        output::note(&format!(
            "next: `leaver sync --full` and `leaver webhooks gaps`, then `leaver restores acknowledge {}`",
            open.id
        ));
    }
}

impl Acknowledge {
    async fn run(self, env: &Environment) -> anyhow::Result<ExitCode> {
        let (_, mut conn) = open(&self.config, env).await?;
        let (actor, now) = (self.person.actor(env)?, SystemClock.now());
        let by = actor.to_string();
        let is_done = store::acknowledge(&mut conn, self.id, &by, now).await?;
        anyhow::ensure!(
            is_done,
            "there is no open restore {}; `leaver restores` lists them",
            self.id
        );
        if self.format.json {
            output::json(&json!({ "restore": self.id, "acknowledged_by": by }))?;
        } else {
            output::line!("restore {} acknowledged by {}", self.id, output::text(&by));
        }
        Ok(ExitCode::SUCCESS)
    }
}
