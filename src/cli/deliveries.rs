//! `leaver deliveries`.

use std::process::ExitCode;

use clap::{Args, ValueEnum};

use super::modes::note_shadow_modes;
use super::output::{Listing, TableColumns};
use super::sources::open_about;
use super::{Config, output};
use crate::config::Environment;
use crate::reports::deliveries::{self, DeliverySummary};

/// List deliveries and their outcome, newest first
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  leaver deliveries --state failed\n  leaver deliveries --source merge --limit 100 --json"
)]
pub(super) struct Deliveries {
    #[command(flatten)]
    config: Config,
    /// Only deliveries in this state
    #[arg(long)]
    state: Option<State>,
    /// Only deliveries from this source
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// Maximum number of deliveries
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(i64).range(1..=10_000))]
    limit: i64,
    #[command(flatten)]
    listing: Listing<Columns>,
}

#[derive(Debug)]
struct Columns;

impl TableColumns for Columns {
    const COLUMNS: &'static [(&'static str, u8)] = &[
        ("delivery", 0),
        ("source", 3),
        ("received", 2),
        ("state", 0),
        ("outcome", 1),
    ];
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum State {
    Pending,
    Processed,
    Ignored,
    Failed,
}

impl Deliveries {
    pub(super) async fn run(self, env: &Environment) -> anyhow::Result<ExitCode> {
        let (settings, mut conn) = open_about(&self.config, env, self.source.as_deref()).await?;
        let state = self.state.map(|state| match state {
            State::Pending => "pending",
            State::Processed => "processed",
            State::Ignored => "ignored",
            State::Failed => "failed",
        });
        let list =
            deliveries::store::list(&mut conn, state, self.source.as_deref(), self.limit).await?;
        if self.listing.json {
            output::json(&list)?;
        } else if list.is_empty() {
            output::Table::of(&self.listing).print_empty("no deliveries");
        } else {
            print(list, output::Table::of(&self.listing));
            note_shadow_modes(&mut conn, &settings).await?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn print(list: Vec<DeliverySummary>, mut table: output::Table) {
    for delivery in list {
        let outcome = match (&delivery.reason, &delivery.outcome) {
            (Some(reason), None) => reason.clone(),
            (reason, Some(serde_json::Value::Object(counts))) if !counts.is_empty() => {
                let counts = counts
                    .iter()
                    .map(|(outcome, count)| (outcome.as_str(), count));
                let mut text = output::outcomes(counts);
                if let Some(reason) = reason {
                    text.push_str("; ");
                    text.push_str(reason);
                }
                text
            }
            _ => "-".to_owned(),
        };
        table.add_row([
            delivery.id.to_string(),
            delivery.source,
            output::time(delivery.received_at),
            delivery.state,
            outcome,
        ]);
    }
    table.print();
}
