//! `leaver leavers`.

use std::process::ExitCode;

use clap::Args;
use sqlx::Connection;

use super::reads::record_read;
use super::records::{PeriodArguments, RecordWriter, describe, empty_period};
use super::{Config, exit_code, open};
use crate::base::clock::{Clock, SystemClock};
use crate::config::Environment;
use crate::engine::accounts::AccountsTable;
use crate::reports::audit::store::begin_snapshot;
use crate::reports::completeness;
use crate::reports::leavers::LeaverQuery;
use crate::service;
use leaver_core::domain::SourceName;

const HEADINGS: &[&str] = &[
    "employee_id",
    "work_email",
    "source",
    "tenant",
    "account_id",
    "effective_at",
    "reported_at",
    "received_at",
    "ended_at",
    "delay_seconds",
    "how",
    "approved_by",
    "state",
    "exception",
];

const AFTER_HELP: &str = "\
Example:
  leaver leavers --from 2026-01-01 --to 2026-03-31 --format csv > leavers.csv

Lists every person whose effective end lies in the period, and accounts that `leaver end` ended.
The effective end is the termination date in the time zone and with the cut-off of the source.
Without a date it is the time that the HR system gave the deciding fact.

Days are calendar days in `--timezone`. `--to 2026-03-31` includes that day; an instant such as
2026-04-01T00:00:00Z is not part of the period. `delay_seconds` counts from the effective end, or
from the receipt if that was later.

CSV is RFC 4180. A cell that begins with = + - or @ gets an apostrophe in front, so that no
spreadsheet runs it.

Exit code 1: leavers may be missing, or a row has an exception: a hold that is open, a blocked end,
no account, an account that is active, or access that returned";

/// Print who left in a period, and how access ended
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Leavers {
    #[command(flatten)]
    config: Config,
    #[command(flatten)]
    period: PeriodArguments,
    /// Only employees of this source
    #[arg(long, value_name = "NAME", value_parser = SourceName::parse)]
    source: Option<SourceName>,
}

impl Leavers {
    pub(super) async fn run(self, env: &Environment) -> anyhow::Result<ExitCode> {
        let (settings, mut conn) = open(&self.config, env).await?;
        let Some(period) = self.period.resolve(&settings) else {
            return Ok(empty_period(&self.config));
        };
        record_read(&mut conn, env, &format!("leavers {}", describe(&period))).await?;
        let policies = service::policies(&settings);
        let table = AccountsTable::inspect(&mut conn, &settings.accounts).await?;
        let names = settings.sources.iter().map(|source| source.name.clone());
        let sources: Vec<SourceName> = names
            .filter(|name| self.source.as_ref().is_none_or(|wanted| wanted == name))
            .collect();
        anyhow::ensure!(
            !sources.is_empty(),
            "no such source is configured; leave `--source` out for all"
        );
        let now = SystemClock.now();
        let mut tx = conn.begin().await?;
        begin_snapshot(&mut tx).await?;
        let mut missing = completeness::of_period(&mut tx, &period, now).await?;
        let of_leavers = completeness::of_leavers(&mut tx, &policies, &sources, &period, now);
        missing.extend(of_leavers.await?);
        let query = LeaverQuery {
            table: &table,
            policies: &policies,
            sources: &sources,
            period,
            now,
        };
        let mut writer = RecordWriter::begin(self.period.format(), &period, HEADINGS)?;
        let counts = query.each(&mut tx, &mut |line| writer.row(line)).await?;
        tx.rollback().await?;
        writer.end(&missing, &counts)?;
        Ok(exit_code(missing.is_empty() && counts.exceptions == 0))
    }
}
