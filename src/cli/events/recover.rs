//! `leaver events recover`.

use std::process::ExitCode;

use chrono::{DateTime, Utc};
use clap::Args;
use serde_json::json;

use super::super::{Config, Format, open, output};
use super::configured;
use crate::base::clock::{Clock, SystemClock};
use crate::config::Environment;
use crate::db::notification::{self, Topic};
use crate::jobs::outbox::again;
use crate::reports::employees::parse_time;
use leaver_core::events::EventType;

/// Send recorded events to a destination again, also those that it has received
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  leaver events recover --destination audit-bus --since 2026-01-31T17:00:00Z\n\nSends the events of the types that the destination wants, with their ids, also to one that was\nconfigured later. Events are kept for `events.retention`, and only those that a destination wanted\nwhen they happened. Personal values that were deleted are not sent again"
)]
pub(super) struct Recover {
    #[command(flatten)]
    config: Config,
    /// The destination
    #[arg(long, value_name = "NAME")]
    destination: String,
    /// Events since this time; a date means midnight UTC
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    since: DateTime<Utc>,
    #[command(flatten)]
    format: Format,
}

impl Recover {
    pub(super) async fn run(self, env: &Environment) -> anyhow::Result<ExitCode> {
        let (settings, mut conn) = open(&self.config, env).await?;
        let destination = configured(&settings, &self.destination)?;
        let types = destination.subscription.types.iter().copied();
        let types: Vec<&str> = types.map(EventType::as_str).collect();
        let now = SystemClock.now();
        let name = destination.name();
        let due = again::store::recover(&mut conn, name, &types, self.since, now).await?;
        notification::store::send_alone(&mut conn, Topic::Events).await?;
        if self.format.json {
            output::json(&json!({ "destination": name, "since": self.since, "due": due }))?;
        } else {
            let events = output::count(usize::try_from(due).unwrap_or_default(), "event");
            output::remark!("{events} due at {name}");
        }
        Ok(ExitCode::SUCCESS)
    }
}
