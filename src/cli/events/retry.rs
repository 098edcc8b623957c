//! `leaver events retry`.

use std::process::ExitCode;

use clap::Args;
use serde_json::json;
use uuid::Uuid;

use super::super::output::{self, Listing, TableColumns};
use super::super::{Config, could_not_be_done, ids};
use super::open_about;
use crate::base::clock::{Clock, SystemClock};
use crate::config::Environment;
use crate::db::notification::{self, Topic};
use crate::jobs::outbox::again::{self, RetryResult};

/// Send dead and waiting events now; their attempts are counted from 0
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  leaver events retry 0199f2c4-7b1e-7c3d-9a55-2f1c8e6b4d10\n  leaver events retry --destination audit-bus --dead\n\nEvents keep their ids. Personal values of a dead event are deleted and are not sent again.\nA paused destination stays paused; `leaver events resume` ends a pause.\n\nExit code 3: there is no such event"
)]
pub(super) struct Retry {
    #[command(flatten)]
    config: Config,
    /// Event IDs, from `leaver events`
    #[arg(value_name = "ID", value_parser = ids::event, required_unless_present = "dead", conflicts_with = "dead")]
    ids: Vec<Uuid>,
    /// Only at this destination
    #[arg(long, value_name = "NAME")]
    destination: Option<String>,
    /// All dead events of the destination
    #[arg(long, requires = "destination")]
    dead: bool,
    #[command(flatten)]
    listing: Listing<Columns>,
}

#[derive(Debug)]
struct Columns;

impl TableColumns for Columns {
    const COLUMNS: &'static [(&'static str, u8)] =
        &[("event", 0), ("destination", 0), ("result", 0)];
}

impl Retry {
    pub(super) async fn run(self, env: &Environment) -> anyhow::Result<ExitCode> {
        let destination = self.destination.as_deref();
        let (_, mut conn) = open_about(&self.config, env, destination).await?;
        let now = SystemClock.now();
        if let Some(name) = destination.filter(|_| self.dead) {
            let due = again::store::retry_dead(&mut conn, name, now).await?;
            notification::store::send_alone(&mut conn, Topic::Events).await?;
            if self.listing.json {
                output::json(&json!({ "destination": name, "due": due }))?;
            } else {
                let events = output::count(usize::try_from(due).unwrap_or_default(), "event");
                output::remark!("{events} due at {name}");
            }
            return Ok(ExitCode::SUCCESS);
        }
        let results = again::store::retry(&mut conn, &self.ids, destination, now).await?;
        notification::store::send_alone(&mut conn, Topic::Events).await?;
        let is_unknown = results.iter().any(|one| one.result == RetryResult::Unknown);
        if self.listing.json {
            output::json(&results)?;
        } else {
            let mut table = output::Table::of(&self.listing);
            for one in results {
                table.add_row([
                    one.event.to_string(),
                    output::or_dash(one.destination),
                    describe(one.result).to_owned(),
                ]);
            }
            table.print();
        }
        Ok(if is_unknown {
            could_not_be_done()
        } else {
            ExitCode::SUCCESS
        })
    }
}

fn describe(result: RetryResult) -> &'static str {
    match result {
        RetryResult::Due => "due",
        RetryResult::AlreadySent => "already sent; `leaver events recover` sends it again",
        RetryResult::Unknown => "no such event",
    }
}
