//! `leaver safeguard reject`.

use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use super::super::person::Person;
use super::super::{Config, Format, ids, open, output};
use crate::base::clock::{Clock, SystemClock};
use crate::config::Environment;
use crate::engine::safeguard::trips;
use crate::service;

/// Drop what a trip holds; the accounts stay as they are until facts change
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  leaver safeguard reject 3 --as dana")]
pub(super) struct Reject {
    #[command(flatten)]
    config: Config,
    /// Trip ID, from `leaver safeguard`
    #[arg(value_name = "TRIP", value_parser = ids::trip, allow_negative_numbers = true)]
    trip: i64,
    #[command(flatten)]
    person: Person,
    #[command(flatten)]
    format: Format,
}

impl Reject {
    pub(super) async fn run(self, env: &Environment) -> anyhow::Result<ExitCode> {
        let (settings, mut conn) = open(&self.config, env).await?;
        let (actor, now) = (self.person.actor(env)?, SystemClock.now());
        let rejected = trips::reject(
            &mut conn,
            &service::policies(&settings),
            self.trip,
            &actor,
            now,
        )
        .await?;
        if self.format.json {
            let holds: Vec<i64> = rejected.holds.iter().map(|hold| hold.id).collect();
            output::json(&json!({ "trip": rejected.trip, "rejected": holds }))?;
        } else {
            output::line!(
                "trip {} rejected: {} stay as they are until facts change; `leaver drift` lists them",
                self.trip,
                output::count(rejected.holds.len(), "account")
            );
        }
        Ok(ExitCode::SUCCESS)
    }
}
