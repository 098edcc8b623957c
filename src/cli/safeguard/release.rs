//! `leaver safeguard release`.

use std::collections::BTreeMap;
use std::process::ExitCode;

use chrono::TimeDelta;
use clap::Args;
use serde_json::json;

use super::super::output::{Listing, Table};
use super::super::person::Person;
use super::super::reads::record_read;
use super::super::{Config, exit_code, ids, open, output, wrong_usage};
use super::{MemberRow, Members, effect, excess_of, fill, with_emails};
use crate::base::clock::{Clock, SystemClock};
use crate::config::Environment;
use crate::engine::accounts::AccountsTable;
use crate::engine::previews::DigestError;
use crate::engine::safeguard::trips::{self, Released, Trip, TripError};
use crate::service;

/// List what a trip holds, and carry it out with --confirm
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  leaver safeguard release 3\n  leaver safeguard release 3 --confirm 8f3a-02bc-71d4-90ee\n\nEach change is decided again and carried out only if it is still due. Holds that join after the list was shown wait.\n\nExit codes: 1 an account was not changed by the database, or the trip still holds something, 2 the digest is wrong or used: nothing was changed"
)]
pub(super) struct Release {
    #[command(flatten)]
    config: Config,
    /// Trip ID, from `leaver safeguard`
    #[arg(value_name = "TRIP", value_parser = ids::trip, allow_negative_numbers = true)]
    trip: i64,
    /// Carry out the list with this digest
    #[arg(long, value_name = "DIGEST")]
    confirm: Option<String>,
    #[command(flatten)]
    person: Person,
    #[command(flatten)]
    listing: Listing<Members>,
}

impl Release {
    pub(super) async fn run(self, env: &Environment) -> anyhow::Result<ExitCode> {
        let (settings, mut conn) = open(&self.config, env).await?;
        let table = AccountsTable::inspect(&mut conn, &settings.accounts).await?;
        let policies = service::policies(&settings);
        let (actor, now) = (self.person.actor(env)?, SystemClock.now());
        let Some(digest) = &self.confirm else {
            let filter = format!("safeguard release {}, the list to confirm", self.trip);
            record_read(&mut conn, env, &filter).await?;
            let listed =
                trips::preview(&mut conn, &table, &policies, self.trip, &actor, now).await?;
            let (trip, digest) = (&listed.trip, &listed.digest);
            let members = with_emails(&mut conn, listed.members).await?;
            if self.listing.json {
                output::json(&json!({ "trip": trip, "members": members, "digest": digest }))?;
            } else {
                print_list(trip, &members, digest, Table::of(&self.listing));
            }
            return Ok(ExitCode::SUCCESS);
        };
        let expires = settings.safeguard.approval_expires;
        let expires = TimeDelta::from_std(expires).unwrap_or(TimeDelta::MAX);
        let released = trips::release(
            &mut conn, &table, &policies, self.trip, digest, expires, &actor, now,
        );
        let released = match released.await {
            Err(TripError::Digest(error)) if !matches!(error, DigestError::Database(_)) => {
                output::problem(&format!("leaver: {error}; nothing was changed"));
                return Ok(wrong_usage());
            }
            released => released?,
        };
        let changed = with_emails(&mut conn, released.changed.clone()).await?;
        let skipped = with_emails(&mut conn, released.skipped.clone()).await?;
        if self.listing.json {
            output::json(&json!({
                "trip": released.trip, "batch": released.batch, "changed": changed,
                "skipped": skipped, "waiting": released.waiting,
            }))?;
        } else {
            print_released(&released, &changed, &skipped, Table::of(&self.listing));
        }
        Ok(exit_code(released.waiting == 0 && !released.is_blocked))
    }
}

fn print_list(trip: &Trip, rows: &[MemberRow], digest: &str, table: Table) {
    let is_due = |row: &&MemberRow| row.member.skipped.is_none();
    let due: Vec<&MemberRow> = rows.iter().filter(is_due).collect();
    if !(rows.is_empty() && output::is_terminal()) {
        fill(table, rows).print();
    }
    output::remark!(
        "trip {} of tenant {}: {}",
        trip.id,
        output::text(&trip.tenant),
        excess_of(trip)
    );
    output::remark!(
        "it holds {}: {} would be {}, {} would be skipped",
        rows.len(),
        due.len(),
        effect(&trip.direction),
        rows.len() - due.len()
    );
    for (cause, count) in by_cause(rows) {
        output::remark!("  {count} by {cause}");
    }
    output::remark!("digest: {digest}");
    output::note(&format!(
        "next: `leaver safeguard release {} --confirm {digest}` carries them out",
        trip.id
    ));
    output::note(&format!(
        "      `leaver safeguard reject {}` drops them",
        trip.id
    ));
}

fn by_cause(rows: &[MemberRow]) -> BTreeMap<&str, usize> {
    let mut counts = BTreeMap::new();
    for row in rows {
        *counts
            .entry(row.member.cause.as_deref().unwrap_or("unknown cause"))
            .or_default() += 1;
    }
    counts
}

/// Prints those who were skipped, and for a pipe also those whose account was changed.
fn print_released(released: &Released, changed: &[MemberRow], skipped: &[MemberRow], table: Table) {
    let trip = &released.trip;
    if !output::is_terminal() {
        fill(table, changed.iter().chain(skipped)).print();
    } else if !skipped.is_empty() {
        fill(table, skipped).print();
    }
    output::remark!(
        "trip {}: {} {}, {} skipped",
        trip.id,
        output::count(released.changed.len(), "account"),
        effect(&trip.direction),
        skipped.len()
    );
    if !released.changed.is_empty() {
        output::note(&format!(
            "`leaver undo --batch {}` takes them back",
            released.batch
        ));
    }
    if released.waiting == 0 {
        output::remark!("trip {} is closed", trip.id);
    } else {
        output::note(&format!(
            "trip {0} is still open: {1} joined after the list was shown; next: `leaver safeguard release {0}`",
            trip.id, released.waiting
        ));
    }
}
