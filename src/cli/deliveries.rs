//! `leaver deliveries` and `leaver replay`.

use std::process::ExitCode;

use clap::{Args, ValueEnum};
use uuid::Uuid;

use super::{Config, Format, open, output};
use crate::base::clock::{Clock, SystemClock};
use crate::config::Environment;
use crate::ingest::inbox::{self, Replay as Became};
use leaver_core::domain::DeliveryId;

/// List what arrived and what became of it, newest first
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  leaver deliveries --state failed\n  leaver deliveries --source merge --limit 100 --json"
)]
pub(super) struct Deliveries {
    #[command(flatten)]
    config: Config,
    /// Only those in this state
    #[arg(long)]
    state: Option<State>,
    /// Only those of this source
    #[arg(long)]
    source: Option<String>,
    /// How many
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(i64).range(1..=10_000))]
    limit: i64,
    #[command(flatten)]
    format: Format,
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
        let (_, mut conn) = open(&self.config, env).await?;
        let state = self.state.map(|state| match state {
            State::Pending => "pending",
            State::Processed => "processed",
            State::Ignored => "ignored",
            State::Failed => "failed",
        });
        let listed =
            inbox::queries::store::list(&mut conn, state, self.source.as_deref(), self.limit)
                .await?;
        if self.format.json {
            output::json(&listed)?;
            return Ok(ExitCode::SUCCESS);
        }
        if listed.is_empty() {
            println!("no deliveries");
            return Ok(ExitCode::SUCCESS);
        }
        let mut table = output::table(&[
            "delivery",
            "source",
            "received",
            "state",
            "what became of it",
        ]);
        for delivery in listed {
            let outcome = match (&delivery.reason, &delivery.outcome) {
                (Some(reason), _) => reason.clone(),
                (None, Some(serde_json::Value::Object(counts))) if !counts.is_empty() => counts
                    .iter()
                    .map(|(ending, count)| format!("{count} {}", ending.replace('_', " ")))
                    .collect::<Vec<_>>()
                    .join(", "),
                _ => "-".to_owned(),
            };
            table.add_row([
                delivery.id.to_string(),
                delivery.source,
                output::moment(delivery.received_at),
                delivery.state,
                outcome,
            ]);
        }
        println!("{table}");
        Ok(ExitCode::SUCCESS)
    }
}

/// Process failed deliveries again, for example after a fix
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  leaver replay 0199f2c4-7b1e-7c3d-9a55-2f1c8e6b4d10\n  leaver deliveries --state failed --json | jq -r '.[].id' | xargs leaver replay"
)]
pub(super) struct Replay {
    #[command(flatten)]
    config: Config,
    /// Ids of deliveries, as `leaver deliveries` shows them
    #[arg(required = true)]
    ids: Vec<Uuid>,
    #[command(flatten)]
    format: Format,
}

impl Replay {
    pub(super) async fn run(self, env: &Environment) -> anyhow::Result<ExitCode> {
        let (_, mut conn) = open(&self.config, env).await?;
        let ids: Vec<DeliveryId> = self.ids.iter().copied().map(DeliveryId).collect();
        let results = inbox::store::replay(&mut conn, &ids, SystemClock.now()).await?;
        let good = results
            .iter()
            .all(|(_, became)| matches!(became, Became::Queued | Became::AlreadyPending));
        if self.format.json {
            let rows: Vec<_> = results
                .iter()
                .map(|(id, became)| serde_json::json!({ "delivery": id, "result": became }))
                .collect();
            output::json(&rows)?;
        } else {
            for (id, became) in &results {
                println!(
                    "{id}  {}",
                    match became {
                        Became::Queued => "will be processed again",
                        Became::AlreadyPending => "waits to be processed already",
                        Became::BodyGone =>
                            "cannot be replayed: it was settled, and its body is kept no longer than that; `leaver send` can post it anew",
                        Became::Unknown => "no such delivery",
                    }
                );
            }
        }
        Ok(if good {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        })
    }
}
