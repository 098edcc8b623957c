//! `leaver holds list`.

use clap::Args;

use super::super::modes::note_shadow_modes;
use super::super::output::Cell;
use super::super::reads::record_read;
use super::super::{Config, Format, open, output};
use crate::config::Environment;
use crate::reports::holds::{OpenHold, list_open};

/// List open holds
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  leaver holds list\n  leaver holds list --json")]
pub(super) struct List {
    #[command(flatten)]
    config: Config,
    #[command(flatten)]
    format: Format,
}

impl List {
    pub(super) async fn run(self, env: &Environment) -> anyhow::Result<()> {
        let (settings, mut conn) = open(&self.config, env).await?;
        record_read(&mut conn, env, "holds list").await?;
        let holds = list_open(&mut conn).await?;
        if self.format.json {
            return output::json(&holds);
        }
        if holds.is_empty() {
            output::note("no open holds");
            return Ok(());
        }
        output::line!("{}", table(holds));
        note_shadow_modes(&mut conn, &settings).await?;
        output::note(
            "next: `leaver holds approve ID` or `leaver holds reject ID`; `leaver safeguard` for those of a trip",
        );
        Ok(())
    }
}

pub(super) fn table(holds: Vec<OpenHold>) -> output::Table {
    let mut table = output::Table::new(&[
        "hold", "opened", "source", "tenant", "employee", "account", "action", "trip", "reason",
    ]);
    for hold in holds {
        let employee = match hold.work_email {
            Some(email) => Cell::lines([&hold.employee_id, &email]),
            None => hold.employee_id.into(),
        };
        table.add_row([
            hold.id.to_string().into(),
            output::time(hold.opened_at).into(),
            hold.source.into(),
            hold.tenant.into(),
            employee,
            output::or_dash(hold.account_id).into(),
            hold.requested_action.into(),
            output::or_dash(hold.trip_id.map(|trip| trip.to_string())).into(),
            hold.reason.into(),
        ]);
    }
    table
}
