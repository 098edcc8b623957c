//! `leaver undo`.

use std::collections::HashMap;
use std::process::ExitCode;

use chrono::{DateTime, TimeDelta, Utc};
use clap::{ArgGroup, Args};
use serde::Serialize;
use sqlx::PgConnection;
use uuid::Uuid;

use super::output::{Listing, Table, TableColumns};
use super::person::Person;
use super::reads::record_read;
use super::{Config, exit_code, ids, open, output};
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

/// Most restorable accounts in the table on a terminal; a pipe and `--json` have all of them.
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
    listing: Listing<Columns>,
}

#[derive(Debug)]
struct Columns;

impl TableColumns for Columns {
    const COLUMNS: &'static [(&'static str, u8)] = &[
        ("account", 0),
        ("employee", 2),
        ("work e-mail", 1),
        ("source", 7),
        ("tenant", 6),
        ("change", 3),
        ("at", 4),
        ("cause", 5),
        ("batch", 8),
        ("result", 0),
        ("reason", 1),
    ];
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
                output::problem(&format!("leaver: {error}; nothing was changed"));
                return Ok(ExitCode::from(2));
            }
            Err(error) => return Err(error.into()),
        };
        let is_done = self.confirm.is_some();
        let emails = emails(&mut conn, &report).await?;
        if self.listing.json {
            output::json(&Summary::of(&undo, &report, &emails, is_done))?;
        } else {
            print(&undo, &report, &emails, is_done, Table::of(&self.listing));
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

fn print(undo: &Undo, report: &UndoReport, emails: &Emails, is_done: bool, mut table: Table) {
    let selection = &undo.selection;
    let all = report.accounts.len();
    if all == 0 {
        return table.print_empty(&format!(
            "no change of an account is recorded for {selection}"
        ));
    }
    let (restored, kept) = (report.restored().count(), report.kept().count());
    let verb = if is_done {
        "restored"
    } else {
        "can be restored"
    };
    output::remark!(
        "{selection}: {restored} of {} {verb}",
        output::count(all, "account")
    );
    let batches = batches_of(&report.accounts);
    if batches.len() > 1 && output::is_terminal() {
        batches_table(&batches).print();
    }
    let most = if output::is_terminal() {
        MAX_ROWS
    } else {
        usize::MAX
    };
    for account in report.restored().take(most) {
        table.add_row(cells(account, emails, verb));
    }
    for account in report.kept() {
        table.add_row(cells(account, emails, "left as it is"));
    }
    table.print();
    if restored > most {
        output::note(&format!(
            "{} more rows; --json has all of them",
            restored - most
        ));
    }
    if kept > 0 {
        output::remark!("left as they are: {kept}");
    }
    match (&report.digest, report.batch) {
        (Some(digest), _) => {
            output::note("nothing was changed yet; sessions stay ended");
            output::note(&format!(
                "next: `leaver undo {}{} --confirm {digest}`",
                arguments(selection),
                if undo.also_touched { " --touched" } else { "" },
            ));
        }
        (None, Some(batch)) => {
            output::note(&format!("done as batch {batch}; sessions stay ended"));
            output::note("the accounts stay as they are until the facts change");
        }
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

fn batches_table(batches: &[(&UndoneAccount, usize)]) -> Table {
    let columns = [
        ("batch", 0),
        ("cause", 1),
        ("first change", 2),
        ("accounts", 0),
    ];
    let mut table = Table::with(columns);
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

fn cells(account: &UndoneAccount, emails: &Emails, result: &str) -> [String; 11] {
    let reason = account.kept_because.as_ref().map(KeptBecause::text);
    [
        account.account.to_string(),
        account.employee.employee_id.to_string(),
        output::or_dash(emails.get(&account.employee).cloned()),
        account.employee.source.to_string(),
        account.employee.tenant.to_string(),
        account.direction.as_str().to_owned(),
        output::time(account.at),
        account.cause.clone(),
        account.batch.to_string(),
        result.to_owned(),
        output::or_dash(reason),
    ]
}
