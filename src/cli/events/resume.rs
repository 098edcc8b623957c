//! `leaver events resume`.

use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use super::super::{Config, Format, open, output};
use super::configured;
use crate::base::clock::{Clock, SystemClock};
use crate::config::Environment;
use crate::db::notification::{self, Topic};
use crate::jobs::outbox::again;

/// End the pause of a destination, and send all events that wait for it now
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  leaver events resume audit-bus\n\nA destination is paused after five failed attempts in a row, or when it answers 410. It is tried every\n5 minutes, and resumes by itself after a success. This command also ends waits for a later attempt"
)]
pub(super) struct Resume {
    #[command(flatten)]
    config: Config,
    /// The destination
    #[arg(value_name = "NAME")]
    destination: String,
    #[command(flatten)]
    format: Format,
}

impl Resume {
    pub(super) async fn run(self, env: &Environment) -> anyhow::Result<ExitCode> {
        let (settings, mut conn) = open(&self.config, env).await?;
        let name = configured(&settings, &self.destination)?.name();
        let (paused_at, due) = again::store::resume(&mut conn, name, SystemClock.now()).await?;
        notification::store::send_alone(&mut conn, Topic::Events).await?;
        if self.format.json {
            output::json(&json!({ "destination": name, "paused_at": paused_at, "due": due }))?;
            return Ok(ExitCode::SUCCESS);
        }
        let events = output::count(usize::try_from(due).unwrap_or_default(), "event");
        match paused_at {
            Some(at) => output::remark!(
                "destination {name} was paused since {}; {events} due now",
                output::time(at)
            ),
            None => output::remark!("destination {name} was not paused; {events} due now"),
        }
        Ok(ExitCode::SUCCESS)
    }
}
