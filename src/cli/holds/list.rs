//! `leaver holds list`.

use clap::Args;

use super::super::modes::note_shadow_modes;
use super::super::output::{Listing, Table, TableColumns};
use super::super::reads::record_read;
use super::super::sources::ensure_unused;
use super::super::{Config, open, output};
use crate::config::Environment;
use crate::reports::holds::{OpenHold, list_open};

/// List open holds
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  leaver holds list\n  leaver holds list --json")]
pub(super) struct List {
    #[command(flatten)]
    config: Config,
    #[command(flatten)]
    listing: Listing<Columns>,
}

/// Columns of a list of holds.
#[derive(Debug)]
pub(super) struct Columns;

impl TableColumns for Columns {
    const COLUMNS: &'static [(&'static str, u8)] = &[
        ("hold", 0),
        ("opened", 4),
        ("source", 6),
        ("tenant", 5),
        ("employee", 0),
        ("work e-mail", 2),
        ("account", 1),
        ("action", 1),
        ("trip", 3),
        ("reason", 1),
    ];
}

impl List {
    /// Returns an error if an option of the list is given, although a subcommand follows.
    pub(super) fn ensure_unused(&self) -> anyhow::Result<()> {
        ensure_unused(&self.listing)
    }

    pub(super) async fn run(self, env: &Environment) -> anyhow::Result<()> {
        let (settings, mut conn) = open(&self.config, env).await?;
        record_read(&mut conn, env, "holds list").await?;
        let holds = list_open(&mut conn).await?;
        if self.listing.json {
            return output::json(&holds);
        }
        if holds.is_empty() {
            Table::of(&self.listing).print_empty("no open holds");
            return Ok(());
        }
        fill(Table::of(&self.listing), holds).print();
        note_shadow_modes(&mut conn, &settings).await?;
        output::note(
            "next: `leaver holds approve ID` or `leaver holds reject ID`; `leaver safeguard` for those of a trip",
        );
        Ok(())
    }
}

/// Adds a row for each hold.
pub(super) fn fill(mut table: Table, holds: Vec<OpenHold>) -> Table {
    for hold in holds {
        table.add_row([
            hold.id.to_string(),
            output::time(hold.opened_at),
            hold.source,
            hold.tenant,
            hold.employee_id,
            output::or_dash(hold.work_email),
            output::or_dash(hold.account_id),
            hold.requested_action,
            output::or_dash(hold.trip_id.map(|trip| trip.to_string())),
            hold.reason,
        ]);
    }
    table
}
