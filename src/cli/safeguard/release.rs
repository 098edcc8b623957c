//! `leaver safeguard release`.

use std::collections::BTreeMap;
use std::process::ExitCode;

use chrono::TimeDelta;
use clap::Args;
use serde_json::json;

use super::super::person::Person;
use super::super::reads::record_read;
use super::super::{Config, Format, exit_code, open, output, wrong_usage};
use super::{effect, excess_of, members_table};
use crate::base::clock::{Clock, SystemClock};
use crate::config::Environment;
use crate::engine::accounts::AccountsTable;
use crate::engine::previews::DigestError;
use crate::engine::safeguard::trips::{self, Listed, Member, Released, TripError};
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
    #[arg(value_name = "TRIP")]
    trip: i64,
    /// Carry out the list with this digest
    #[arg(long, value_name = "DIGEST")]
    confirm: Option<String>,
    #[command(flatten)]
    person: Person,
    #[command(flatten)]
    format: Format,
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
            if self.format.json {
                output::json(&listed)?;
            } else {
                print_list(&listed);
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
                output::note(&format!("leaver: {error}; nothing was changed"));
                return Ok(wrong_usage());
            }
            released => released?,
        };
        if self.format.json {
            output::json(&json!({
                "trip": released.trip, "batch": released.batch, "changed": released.changed,
                "skipped": released.skipped, "waiting": released.waiting,
            }))?;
        } else {
            print_released(&released);
        }
        Ok(exit_code(released.waiting == 0 && !released.is_blocked))
    }
}

fn print_list(listed: &Listed) {
    let trip = &listed.trip;
    if !listed.members.is_empty() {
        output::line!("{}", members_table(&listed.members));
    }
    let is_due = |member: &&Member| member.skipped.is_none();
    let due = listed.members.iter().filter(is_due).count();
    output::line!(
        "trip {} of tenant {} holds {}: {} would be {}, {} would be skipped ({})",
        trip.id,
        output::text(&trip.tenant),
        listed.members.len(),
        due,
        effect(&trip.direction),
        listed.members.len() - due,
        excess_of(trip)
    );
    for (cause, count) in by_cause(&listed.members) {
        output::line!("  {count} by {cause}");
    }
    output::line!("digest: {}", listed.digest);
    output::note(&format!(
        "next: `leaver safeguard release {0} --confirm {1}` carries them out, `leaver safeguard reject {0}` drops them",
        trip.id, listed.digest
    ));
}

fn by_cause(members: &[Member]) -> BTreeMap<&str, usize> {
    let mut counts = BTreeMap::new();
    for member in members {
        *counts
            .entry(member.cause.as_deref().unwrap_or("unknown cause"))
            .or_default() += 1;
    }
    counts
}

fn print_released(released: &Released) {
    let trip = &released.trip;
    if !released.skipped.is_empty() {
        output::line!("{}", members_table(&released.skipped));
    }
    output::line!(
        "trip {}: {} {}, {} skipped (batch {})",
        trip.id,
        output::count(released.changed.len(), "account"),
        effect(&trip.direction),
        released.skipped.len(),
        released.batch
    );
    if released.waiting == 0 {
        output::line!("trip {} is closed", trip.id);
    } else {
        output::note(&format!(
            "trip {0} is still open: {1} joined after the list was shown; next: `leaver safeguard release {0}`",
            trip.id, released.waiting
        ));
    }
}
