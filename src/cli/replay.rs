//! `leaver replay`.

use std::process::ExitCode;

use clap::Args;
use uuid::Uuid;

use super::progress::{Progress, Total};
use super::{Config, Format, could_not_be_done, exit_code, ids, open, output, trips};
use crate::base::clock::{Clock, SystemClock};
use crate::config::Environment;
use crate::db::notification::{self, Topic};
use crate::ingest::inbox::{self, Replay as ReplayResult};
use crate::service;
use leaver_core::domain::DeliveryId;

/// Deliveries that are queued in one statement.
const AT_A_TIME: usize = 100;

/// Process failed deliveries and unreadable entries again, for example after a fix
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  leaver replay 0199f2c4-7b1e-7c3d-9a55-2f1c8e6b4d10\n  leaver deliveries --state failed --json | jq -r '.[].id' | xargs leaver replay\n\nExit codes: 1 a trip of the safeguard is open and holds the changes, 3 a delivery cannot be processed again"
)]
pub(super) struct Replay {
    #[command(flatten)]
    config: Config,
    /// Delivery IDs, from `leaver deliveries`
    #[arg(required = true, value_name = "ID", value_parser = ids::delivery)]
    ids: Vec<Uuid>,
    #[command(flatten)]
    format: Format,
}

impl Replay {
    pub(super) async fn run(self, env: &Environment) -> anyhow::Result<ExitCode> {
        let (settings, mut conn) = open(&self.config, env).await?;
        let ids: Vec<DeliveryId> = self.ids.iter().copied().map(DeliveryId).collect();
        let total = u64::try_from(ids.len()).unwrap_or_default();
        let progress = Progress::start("replay", "delivery", Total::Exactly(total));
        let mut results = vec![];
        for some in ids.chunks(AT_A_TIME) {
            results.extend(inbox::store::replay(&mut conn, some, SystemClock.now()).await?);
            progress.set(u64::try_from(results.len()).unwrap_or_default());
        }
        // A few are in the table below.
        if ids.len() > AT_A_TIME {
            progress.finish();
        } else {
            drop(progress);
        }
        if results
            .iter()
            .any(|(_, result)| *result == ReplayResult::Queued)
        {
            notification::store::send_alone(&mut conn, Topic::Deliveries).await?;
        }
        let tenants = service::policies(&settings).tenants();
        let met = trips::met(&mut conn, &tenants).await?;
        if self.format.json {
            let rows: Vec<_> = results
                .iter()
                .map(|(id, result)| serde_json::json!({ "delivery": id, "result": result }))
                .collect();
            output::json(&rows)?;
        } else {
            let mut table = output::Table::without_wrapping(&["delivery", "result"]);
            for (id, result) in &results {
                table.add_row([id.to_string(), describe(*result).to_owned()]);
            }
            output::line!("{table}");
        }
        let all_queued = results.iter().all(|(_, result)| {
            matches!(result, ReplayResult::Queued | ReplayResult::AlreadyPending)
        });
        trips::note(&met);
        Ok(if all_queued {
            exit_code(met.is_empty())
        } else {
            could_not_be_done()
        })
    }
}

fn describe(result: ReplayResult) -> &'static str {
    match result {
        ReplayResult::Queued => "queued",
        ReplayResult::AlreadyPending => "already pending",
        ReplayResult::BodyGone => {
            "body no longer stored; have the provider send it again, or post it with `leaver send`"
        }
        ReplayResult::Unknown => "no such delivery",
    }
}
