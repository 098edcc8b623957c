//! `leaver audit`.

use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use clap::builder::PossibleValuesParser;
use serde_json::json;
use sqlx::{Connection, PgConnection};
use strum::VariantNames;

use super::reads::record_read;
use super::records::{PeriodArguments, RecordWriter, describe, empty_period};
use super::{Config, exit_code, open};
use crate::base::clock::{Clock, SystemClock};
use crate::config::{Environment, Settings};
use crate::engine::accounts::AccountsTable;
use crate::engine::audit::AuditAction;
use crate::reports::audit::{AuditFilter, store};
use crate::reports::completeness;
use crate::roster;
use leaver_core::domain::{SourceName, WorkEmail};

/// Entries that are loaded together.
const PAGE_SIZE: i64 = 1_000;

const HEADINGS: &[&str] = &[
    "id",
    "at",
    "action",
    "source",
    "tenant",
    "employee_id",
    "account_id",
    "reason",
    "actor",
    "os_user",
    "host",
    "database_role",
    "delivery_id",
];

const AFTER_HELP: &str = "\
Example:
  leaver audit --from 2026-01-01 --to 2026-03-31 --format csv > audit.csv

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
    /// Only entries about employees of this source
    #[arg(long, value_name = "NAME", value_parser = SourceName::parse)]
    source: Option<SourceName>,
    /// Only entries about this company
    #[arg(long, value_name = "NAME")]
    tenant: Option<String>,
    /// Only entries about this person: work e-mail or employee ID
    #[arg(long, value_name = "EMAIL-OR-EMPLOYEE-ID")]
    person: Option<String>,
    /// Only entries about this account
    #[arg(long, value_name = "ID")]
    account: Option<String>,
    /// Only this action
    #[arg(long, value_parser = PossibleValuesParser::new(AuditAction::VARIANTS))]
    action: Option<String>,
}

impl Audit {
    pub(super) async fn run(self, env: &Environment) -> anyhow::Result<ExitCode> {
        let (settings, mut conn) = open(&self.config, env).await?;
        let Some(period) = self.period.resolve(&settings) else {
            return Ok(empty_period(&self.config));
        };
        // The filter may hold an e-mail, so only the period is recorded.
        record_read(&mut conn, env, &format!("audit {}", describe(&period))).await?;
        let filter = self.filter(&mut conn, &settings).await?;
        let now = SystemClock.now();
        let mut tx = conn.begin().await?;
        store::begin_snapshot(&mut tx).await?;
        let missing = completeness::of_period(&mut tx, &period, now).await?;
        let mut writer = None;
        let (mut after, mut count) = (0, 0_u64);
        loop {
            let page = store::page(&mut tx, &period, &filter, after, PAGE_SIZE);
            let page = page.await.context(
                "cannot read the audit log; run this command as a role that may read leaver.audit, such as the owner of the schema",
            )?;
            if writer.is_none() {
                writer = Some(RecordWriter::begin(
                    self.period.format(),
                    &period,
                    HEADINGS,
                )?);
            }
            let Some((writer, last)) = writer.as_mut().zip(page.last().map(|last| last.id)) else {
                break;
            };
            for entry in &page {
                writer.row(entry)?;
                count += 1;
            }
            after = last;
        }
        tx.rollback().await?;
        if let Some(writer) = writer {
            writer.end(&missing, &json!({ "entries": count }))?;
        }
        Ok(exit_code(missing.is_empty()))
    }

    async fn filter(
        &self,
        conn: &mut PgConnection,
        settings: &Settings,
    ) -> anyhow::Result<AuditFilter> {
        let mut filter = AuditFilter {
            source: self.source.as_ref().map(ToString::to_string),
            tenant: self.tenant.clone(),
            action: self.action.clone(),
            account: self.account.clone(),
            employee_ids: None,
        };
        if let Some(person) = self.person.as_deref().map(str::trim) {
            let table = AccountsTable::inspect(&mut *conn, &settings.accounts).await?;
            let email = WorkEmail::parse(person);
            let emails = email.map(|email| table.email_domains.aliases(&email));
            let find = roster::store::find_by_email_or_id;
            let found = find(conn, &emails.unwrap_or_default(), person).await?;
            let ids = found.iter().map(|it| it.key.employee_id.to_string());
            // The roster may not have the person any more.
            filter.employee_ids = Some(ids.chain([person.to_owned()]).collect());
        }
        Ok(filter)
    }
}
