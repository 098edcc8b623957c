//! `leaver leavers`.

use std::process::ExitCode;

use clap::Args;
use sqlx::Connection;

use super::output::{Listing, TableColumns};
use super::reads::record_read;
use super::record_filter::RecordFilter;
use super::records::{PeriodArguments, RecordHead, RecordWriter, describe, empty_period};
use super::sources::open_about;
use super::{Config, exit_code};
use crate::base::clock::{Clock, SystemClock};
use crate::config::Environment;
use crate::engine::accounts::AccountsTable;
use crate::reports::audit::store::begin_snapshot;
use crate::reports::completeness;
use crate::reports::leavers::LeaverQuery;
use crate::service;
use leaver_core::domain::SourceName;

/// Columns of `leaver leavers`.
#[derive(Debug)]
struct Columns;

impl TableColumns for Columns {
    const COLUMNS: &'static [(&'static str, u8)] = &[
        ("employee_id", 0),
        ("work_email", 4),
        ("source", 10),
        ("tenant", 9),
        ("account_id", 6),
        ("effective_at", 3),
        ("reported_at", 11),
        ("received_at", 12),
        ("ended_at", 2),
        ("delay_seconds", 8),
        ("how", 5),
        ("approved_by", 7),
        ("state", 0),
        ("exception", 1),
    ];
}

const AFTER_HELP: &str = "\
Example:
  leaver leavers --from 2026-01-01 --to 2026-03-31 --format csv > leavers.csv

Lists every person whose effective end lies in the period, and accounts that `leaver end` ended.
The effective end is the termination date in the time zone and with the cut-off of the source.
Without a date it is the time that the HR system gave the deciding fact.

`--source`, `--tenant` and `--person` select whose rows; the result names the filter.

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
    #[command(flatten)]
    about: RecordFilter,
    #[command(flatten)]
    listing: Listing<Columns>,
}

impl Leavers {
    pub(super) async fn run(self, env: &Environment) -> anyhow::Result<ExitCode> {
        let source = self.about.source.as_ref();
        let name = source.map(SourceName::as_str);
        let (settings, mut conn) = open_about(&self.config, env, name).await?;
        let Some(period) = self.period.resolve(&settings) else {
            return Ok(empty_period());
        };
        let format = self.period.format(&self.listing)?;
        // The filter may hold an e-mail, so only the period is recorded.
        record_read(&mut conn, env, &format!("leavers {}", describe(&period))).await?;
        let policies = service::policies(&settings);
        let table = AccountsTable::inspect(&mut conn, &settings.accounts).await?;
        let scope = self.about.scope(&mut conn, &settings).await?;
        let names = settings.sources.iter().map(|source| source.name.clone());
        let sources: Vec<SourceName> = names
            .filter(|name| source.is_none_or(|wanted| wanted == name))
            .collect();
        let now = SystemClock.now();
        let mut tx = conn.begin().await?;
        begin_snapshot(&mut tx).await?;
        let mut missing = completeness::of_period(&mut tx, &period, now).await?;
        let of_leavers = completeness::of_leavers(&mut tx, &policies, &sources, &period, now);
        missing.extend(of_leavers.await?);
        if source.is_some() {
            // Employees of other sources are left out as requested.
            missing.retain(|it| it.code != completeness::NOT_CONFIGURED);
        }
        let query = LeaverQuery {
            table: &table,
            policies: &policies,
            sources: &sources,
            scope: &scope,
            period,
            now,
        };
        let head = RecordHead {
            period: &period,
            filter: &self.about,
        };
        let mut writer = RecordWriter::begin(format, &self.listing, &head)?;
        let counts = query.each(&mut tx, &mut |line| writer.row(line)).await?;
        if writer.is_empty() {
            missing.extend(self.about.unknown(&mut tx, &scope).await?);
        }
        tx.rollback().await?;
        writer.end(&missing, &counts)?;
        Ok(exit_code(missing.is_empty() && counts.exceptions == 0))
    }
}
