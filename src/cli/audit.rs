//! `leaver audit`.

use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use clap::builder::PossibleValuesParser;
use serde_json::json;
use sqlx::Connection;
use strum::VariantNames;

use super::output::{Listing, TableColumns};
use super::reads::record_read;
use super::record_filter::RecordFilter;
use super::records::{PeriodArguments, RecordHead, RecordWriter, describe, empty_period};
use super::sources::ensure_configured;
use super::{Config, exit_code, open};
use crate::base::clock::{Clock, SystemClock};
use crate::config::Environment;
use crate::engine::audit::AuditAction;
use crate::reports::audit::{AuditFilter, store};
use crate::reports::completeness;
use crate::reports::scope;
use leaver_core::domain::SourceName;

/// Entries that are loaded together.
const PAGE_SIZE: i64 = 1_000;

const NOT_READABLE: &str = "cannot read the audit log; run this command as a role that may read leaver.audit, such as the owner of the schema";

/// Columns of `leaver audit`.
#[derive(Debug)]
struct Columns;

impl TableColumns for Columns {
    const COLUMNS: &'static [(&'static str, u8)] = &[
        ("id", 7),
        ("at", 0),
        ("action", 0),
        ("source", 5),
        ("tenant", 6),
        ("employee_id", 1),
        ("account_id", 2),
        ("reason", 3),
        ("actor", 4),
        ("os_user", 10),
        ("host", 9),
        ("database_role", 11),
        ("delivery_id", 8),
    ];
}

const AFTER_HELP: &str = "\
Example:
  leaver audit --from 2026-01-01 --to 2026-03-31 --format csv > audit.csv

`--source`, `--tenant` and `--person` select whose entries; the result names the filter.

Days are calendar days in `--timezone`. `--to 2026-03-31` includes that day; an instant such as
2026-04-01T00:00:00Z is not part of the period. The instants are printed. All rows come from one
state of the database, and this read is an entry of the audit log itself.

CSV is RFC 4180. A cell that begins with = + - or @ gets an apostrophe in front, so that no
spreadsheet runs it.

Exit code 1: the audit log of the period may be incomplete; the reasons are printed";

/// Print the audit log of a period
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Audit {
    #[command(flatten)]
    config: Config,
    #[command(flatten)]
    period: PeriodArguments,
    #[command(flatten)]
    about: RecordFilter,
    /// Only entries about this account
    #[arg(long, value_name = "ID")]
    account: Option<String>,
    /// Only this action
    #[arg(long, value_parser = PossibleValuesParser::new(AuditAction::VARIANTS))]
    action: Option<String>,
    #[command(flatten)]
    listing: Listing<Columns>,
}

impl Audit {
    pub(super) async fn run(self, env: &Environment) -> anyhow::Result<ExitCode> {
        let (settings, mut conn) = open(&self.config, env).await?;
        let Some(period) = self.period.resolve(&settings) else {
            return Ok(empty_period());
        };
        let format = self.period.format(&self.listing)?;
        // Entries outlive the source that they are about.
        if let Some(source) = self.about.source.as_ref().map(SourceName::as_str)
            && !scope::store::has_source(&mut conn, source)
                .await
                .context(NOT_READABLE)?
        {
            ensure_configured(&settings, Some(source))?;
        }
        // The filter may hold an e-mail, so only the period is recorded.
        record_read(&mut conn, env, &format!("audit {}", describe(&period))).await?;
        let filter = AuditFilter {
            scope: self.about.scope(&mut conn, &settings).await?,
            action: self.action.clone(),
            account: self.account.clone(),
        };
        let now = SystemClock.now();
        let mut tx = conn.begin().await?;
        store::begin_snapshot(&mut tx).await?;
        let mut missing = completeness::of_period(&mut tx, &period, now).await?;
        // Before anything is written: this role may not read the audit log.
        let mut page = store::page(&mut tx, &period, &filter, 0, PAGE_SIZE)
            .await
            .context(NOT_READABLE)?;
        let head = RecordHead {
            period: &period,
            filter: &self.about,
        };
        let mut writer = RecordWriter::begin(format, &self.listing, &head)?;
        let mut count = 0_u64;
        while let Some(last) = page.last().map(|last| last.id) {
            for entry in &page {
                writer.row(entry)?;
                count += 1;
            }
            page = store::page(&mut tx, &period, &filter, last, PAGE_SIZE).await?;
        }
        if writer.is_empty() {
            missing.extend(self.about.unknown(&mut tx, &filter.scope).await?);
        }
        tx.rollback().await?;
        writer.end(&missing, &json!({ "entries": count }))?;
        Ok(exit_code(missing.is_empty()))
    }
}
