//! `leaver safeguard`. One file per command.

mod grant;
mod reject;
mod release;
mod status;

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde::Serialize;
use sqlx::PgConnection;

use super::output::{Listing, Table, TableColumns};
use super::sources::ensure_unused;
use super::{Config, output};
use crate::config::Environment;
use crate::engine::safeguard::trips::{Member, Trip};
use crate::roster;
use leaver_core::domain::EmployeeKey;

/// Show the limits on changes and what trips hold; release and reject trips, grant changes ahead
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  leaver safeguard\n  leaver safeguard release 3\n  leaver safeguard reject 3\n  leaver safeguard grant --tenant acme --count 40 --for 2h --reason \"site closes, ticket 4711\"\n\nExit code 1: a trip is open"
)]
pub(super) struct Safeguard {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    config: Config,
    #[command(flatten)]
    listing: Listing<status::Columns>,
}

#[derive(Debug)]
struct Members;

impl TableColumns for Members {
    const COLUMNS: &'static [(&'static str, u8)] = &[
        ("hold", 0),
        ("employee", 0),
        ("work e-mail", 2),
        ("account", 1),
        ("source", 6),
        ("tenant", 5),
        ("cause", 4),
        ("reason", 3),
        ("skipped because", 1),
    ];
}

#[derive(Debug, Subcommand)]
enum Command {
    Release(release::Release),
    Reject(reject::Reject),
    Grant(grant::Grant),
}

impl Safeguard {
    pub(super) async fn run(self, env: &Environment) -> anyhow::Result<ExitCode> {
        if self.command.is_some() {
            ensure_unused(&self.listing)?;
        }
        match self.command {
            None => status::run(&self.config, &self.listing, env).await,
            Some(Command::Release(command)) => command.run(env).await,
            Some(Command::Reject(command)) => command.run(env).await,
            Some(Command::Grant(command)) => command.run(env).await,
        }
    }
}

/// Returns the effect of the changes in a direction, for people.
fn effect(direction: &str) -> &'static str {
    match direction {
        "reactivated" => "given back access",
        _ => "deactivated",
    }
}

/// Returns the limit that a trip exceeded, such as `34 ends of access within 60 minutes, limit 21`.
fn excess(limited_by: &str, direction: &str, changes: i64, limit: i64) -> String {
    let noun = match direction {
        "reactivated" => "returns of access",
        _ => "ends of access",
    };
    match limited_by {
        "hour" => format!("{changes} {noun} within 60 minutes, limit {limit}"),
        "day" => format!("{changes} {noun} within 24 hours, limit {limit}"),
        _ => format!("{changes} {noun} under a grant of {limit}"),
    }
}

fn excess_of(trip: &Trip) -> String {
    excess(
        &trip.limited_by,
        &trip.direction,
        trip.window_count,
        trip.limit_count,
    )
}

/// A member for output. It contains personal data, so it has no `Debug`.
#[derive(Serialize)]
struct MemberRow {
    #[serde(flatten)]
    member: Member,
    work_email: Option<String>,
}

/// Returns members with the work e-mails of the employees.
async fn with_emails(
    conn: &mut PgConnection,
    members: Vec<Member>,
) -> anyhow::Result<Vec<MemberRow>> {
    let keys = members.iter().map(Member::key);
    let keys = keys.collect::<Result<Vec<EmployeeKey>, _>>()?;
    let emails = roster::store::work_emails(conn, &keys).await?;
    let rows = members.into_iter().zip(emails);
    Ok(rows
        .map(|(member, work_email)| MemberRow { member, work_email })
        .collect())
}

/// Adds a row for each member.
fn fill<'a>(mut table: Table, rows: impl IntoIterator<Item = &'a MemberRow>) -> Table {
    for MemberRow { member, work_email } in rows {
        table.add_row([
            member.hold.to_string(),
            member.employee_id.clone(),
            output::or_dash(work_email.as_deref()),
            output::or_dash(member.account_id.as_deref()),
            member.source.clone(),
            member.tenant.clone(),
            output::or_dash(member.cause.as_deref()),
            member.reason.clone(),
            output::or_dash(member.skipped.as_deref()),
        ]);
    }
    table
}
