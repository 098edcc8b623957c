//! `leaver undo`.

use std::collections::HashMap;
use std::process::ExitCode;

use chrono::{DateTime, TimeDelta, Utc};
use clap::{ArgGroup, Args};
use serde::Serialize;
use sqlx::PgConnection;
use uuid::Uuid;

use super::person::Person;
use super::reads::record_read;
use super::{Config, Format, exit_code, ids, open, output};
use crate::base::clock::{Clock, SystemClock};
use crate::config::Environment;
use crate::engine::accounts::AccountsTable;
use crate::engine::undo::{
    KeptBecause, Selection, Undo, UndoError, UndoReport, UndoneAccount, carry_out, list,
};
use crate::reports::employees;
use crate::roster;
use crate::service;
use leaver_core::domain::EmployeeKey;

/// Most restorable accounts in the table for people; `--json` has all of them.
const MAX_ROWS: usize = 20;

/// Undo changes of accounts: list them, then confirm the list
#[derive(Debug, Args)]
#[command(
    group(ArgGroup::new("selection").required(true).args(["delivery", "batch", "trip", "since"])),
    after_help = "Example:\n  leaver undo --since 2026-11-22T09:00:00Z\n  leaver undo --delivery 0199f2c4-7b1e-7c3d-9a55-2f1c8e6b4d10\n  leaver undo --delivery 0199f2c4-7b1e-7c3d-9a55-2f1c8e6b4d10 --confirm 1f0c-77ab-90d2-e5b1\n\nExit codes: 1 nothing can be undone, or an account of the confirmed list was not restored, 2 the digest is wrong"
)]
pub(super) struct UndoCommand {
    #[command(flatten)]
    config: Config,
    /// Changes of this delivery, from `leaver deliveries`
    #[arg(long, value_name = "ID", value_parser = ids::delivery)]
    delivery: Option<Uuid>,
    /// Changes of this batch: a delivery, sync, timer round, drift fix, command or undo
    #[arg(long, value_name = "ID", value_parser = ids::batch)]
    batch: Option<Uuid>,
    /// Changes in the window that led to this trip, and those of its release
    #[arg(long, value_name = "ID", value_parser = ids::trip, allow_negative_numbers = true)]
    trip: Option<i64>,
    /// Changes since this time, except for undos; a date means midnight UTC
    #[arg(long, value_name = "TIME", value_parser = employees::parse_time)]
    since: Option<DateTime<Utc>>,
    /// Changes until this time
    #[arg(long, value_name = "TIME", value_parser = employees::parse_time, requires = "since")]
    until: Option<DateTime<Utc>>,
    /// Restore also accounts that somebody has touched since
    #[arg(long)]
    touched: bool,
    /// Carry out the list with this digest
    #[arg(long, value_name = "DIGEST")]
    confirm: Option<String>,
    #[command(flatten)]
    person: Person,
    #[command(flatten)]
    format: Format,
}

impl UndoCommand {
    pub(super) async fn run(self, env: &Environment) -> anyhow::Result<ExitCode> {
        let (settings, mut conn) = open(&self.config, env).await?;
        let table = AccountsTable::inspect(&mut conn, &settings.accounts).await?;
        let policies = service::policies(&settings);
        let undo = Undo {
            selection: self.selection(),
            also_touched: self.touched,
        };
        let (actor, now) = (self.person.actor(env)?, SystemClock.now());
        let done = match &self.confirm {
            None => {
                record_read(&mut conn, env, "undo, the list to confirm").await?;
                list(&mut conn, &table, &policies, &undo, &actor, now).await
            }
            Some(digest) => {
                let expires = TimeDelta::from_std(settings.safeguard.approval_expires);
                let expires = expires.unwrap_or(TimeDelta::MAX);
                let (conn, table, policies) = (&mut conn, &table, &policies);
                carry_out(conn, table, policies, &undo, digest, expires, &actor, now).await
            }
        };
        let report = match done {
            Ok(report) => report,
            Err(error @ (UndoError::Digest(_) | UndoError::NoWriters(_))) => {
                output::note(&format!("leaver: {error}; nothing was changed"));
                return Ok(ExitCode::from(2));
            }
            Err(error) => return Err(error.into()),
        };
        let is_done = self.confirm.is_some();
        let emails = emails(&mut conn, &report).await?;
        if self.format.json {
            output::json(&Summary::of(&undo, &report, &emails, is_done))?;
        } else {
            print(&undo, &report, &emails, is_done);
        }
        Ok(exit_code(if is_done {
            report.missed == 0
        } else {
            report.digest.is_some()
        }))
    }

    fn selection(&self) -> Selection {
        match (self.delivery, self.batch, self.trip, self.since) {
            (Some(id), ..) => Selection::Delivery(id),
            (_, Some(id), ..) => Selection::Batch(id),
            (_, _, Some(id), _) => Selection::Trip(id),
            (.., since) => Selection::Since {
                from: since.unwrap_or_default(),
                until: self.until,
            },
        }
    }
}

/// The work e-mails of employees.
type Emails = HashMap<EmployeeKey, String>;

async fn emails(conn: &mut PgConnection, report: &UndoReport) -> anyhow::Result<Emails> {
    let keys = report
        .accounts
        .iter()
        .map(|account| account.employee.clone());
    let keys: Vec<EmployeeKey> = keys.collect();
    let emails = roster::store::work_emails(conn, &keys).await?;
    let found = keys.into_iter().zip(emails);
    Ok(found
        .filter_map(|(key, email)| Some((key, email?)))
        .collect())
}

/// An undo for programs.
#[derive(Serialize)]
struct Summary<'a> {
    selection: String,
    touched: bool,
    carried_out: bool,
    /// The digest to confirm.
    digest: Option<&'a str>,
    /// The batch of the undo.
    batch: Option<Uuid>,
    /// Accounts that were restored, or can be.
    restored: Vec<Row<'a>>,
    /// Accounts that stay as they are.
    kept: Vec<Row<'a>>,
}

/// An account for programs.
#[derive(Serialize)]
struct Row<'a> {
    account_id: &'a str,
    source: &'a str,
    tenant: &'a str,
    employee_id: &'a str,
    work_email: Option<&'a str>,
    /// The change: `deactivated` or `reactivated`.
    change: &'static str,
    at: DateTime<Utc>,
    cause: &'a str,
    batch: Uuid,
    /// Why it stays as it is, as a word and as text.
    reason: Option<&'static str>,
    reason_text: Option<String>,
}

impl<'a> Summary<'a> {
    fn of(undo: &Undo, report: &'a UndoReport, emails: &'a Emails, carried_out: bool) -> Self {
        Self {
            selection: undo.selection.to_string(),
            touched: undo.also_touched,
            carried_out,
            digest: report.digest.as_deref(),
            batch: report.batch,
            restored: report.restored().map(|it| Row::of(it, emails)).collect(),
            kept: report.kept().map(|it| Row::of(it, emails)).collect(),
        }
    }
}

impl<'a> Row<'a> {
    fn of(account: &'a UndoneAccount, emails: &'a Emails) -> Self {
        let reason = account.kept_because.as_ref();
        Self {
            account_id: account.account.as_str(),
            source: account.employee.source.as_str(),
            tenant: account.employee.tenant.as_str(),
            employee_id: account.employee.employee_id.as_str(),
            work_email: emails.get(&account.employee).map(String::as_str),
            change: account.direction.as_str(),
            at: account.at,
            cause: &account.cause,
            batch: account.batch,
            reason: reason.map(KeptBecause::as_str),
            reason_text: reason.map(KeptBecause::text),
        }
    }
}

fn print(undo: &Undo, report: &UndoReport, emails: &Emails, is_done: bool) {
    let selection = &undo.selection;
    let all = report.accounts.len();
    if all == 0 {
        output::note(&format!(
            "no change of an account is recorded for {selection}"
        ));
        return;
    }
    let (restored, kept) = (report.restored().count(), report.kept().count());
    let verb = if is_done {
        "restored"
    } else {
        "can be restored"
    };
    output::line!(
        "{selection}: {restored} of {} {verb}",
        output::count(all, "account")
    );
    let batches = batches_of(&report.accounts);
    if batches.len() > 1 {
        output::line!("{}\n", batches_table(&batches));
    }
    if restored > 0 {
        output::line!("{}", table_of(report.restored().take(MAX_ROWS), emails));
    }
    if restored > MAX_ROWS {
        output::note(&format!(
            "{} more rows; --json has all of them",
            restored - MAX_ROWS
        ));
    }
    if kept > 0 {
        output::line!(
            "\nleft as they are: {kept}\n{}",
            table_of(report.kept(), emails)
        );
    }
    match (&report.digest, report.batch) {
        (Some(digest), _) => output::note(&format!(
            "nothing was changed yet; sessions stay ended\nnext: `leaver undo {}{} --confirm {digest}`",
            arguments(selection),
            if undo.also_touched { " --touched" } else { "" },
        )),
        (None, Some(batch)) => output::note(&format!(
            "done as batch {batch}; sessions stay ended\nthe accounts stay as they are until the facts change"
        )),
        (None, None) => output::note("nothing was changed"),
    }
}

/// Returns the first account of each batch with the number of accounts, in order.
fn batches_of(accounts: &[UndoneAccount]) -> Vec<(&UndoneAccount, usize)> {
    let mut batches: Vec<(&UndoneAccount, usize)> = vec![];
    let mut positions = HashMap::new();
    for account in accounts {
        let position = *positions.entry(account.batch).or_insert(batches.len());
        match batches.get_mut(position) {
            Some((_, count)) => *count += 1,
            None => batches.push((account, 1)),
        }
    }
    batches
}

fn batches_table(batches: &[(&UndoneAccount, usize)]) -> output::Table {
    let mut table = output::Table::new(&["batch", "cause", "first change", "accounts"]);
    for (first, count) in batches {
        table.add_row([
            first.batch.to_string(),
            first.cause.clone(),
            output::time(first.at),
            count.to_string(),
        ]);
    }
    table
}

fn arguments(selection: &Selection) -> String {
    let time = |at: &DateTime<Utc>| at.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true);
    match selection {
        Selection::Delivery(id) => format!("--delivery {id}"),
        Selection::Batch(id) => format!("--batch {id}"),
        Selection::Trip(id) => format!("--trip {id}"),
        Selection::Since { from, until: None } => format!("--since {}", time(from)),
        Selection::Since {
            from,
            until: Some(until),
        } => format!("--since {} --until {}", time(from), time(until)),
    }
}

fn table_of<'a>(
    accounts: impl Iterator<Item = &'a UndoneAccount>,
    emails: &Emails,
) -> output::Table {
    let mut table = output::Table::new(&[
        "account", "employee", "source", "tenant", "change", "at", "cause", "reason",
    ]);
    for account in accounts {
        let reason = account.kept_because.as_ref().map(KeptBecause::text);
        table.add_row([
            account.account.to_string(),
            match emails.get(&account.employee) {
                Some(email) => format!("{}\n{email}", account.employee.employee_id),
                None => account.employee.employee_id.to_string(),
            },
            account.employee.source.to_string(),
            account.employee.tenant.to_string(),
            account.direction.as_str().to_owned(),
            output::time(account.at),
            account.cause.clone(),
            output::or_dash(reason),
        ]);
    }
    table
}
