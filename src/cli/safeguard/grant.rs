//! `leaver safeguard grant`.

use std::process::ExitCode;

use chrono::TimeDelta;
use clap::{Args, ValueEnum};
use serde_json::json;

use super::super::end::parse_reason;
use super::super::person::Person;
use super::super::{Config, Format, open, output, wrong_usage};
use super::effect;
use crate::base::clock::{Clock, SystemClock};
use crate::config::Environment;
use crate::engine::batches::Direction;
use crate::engine::safeguard::Scope;
use crate::engine::safeguard::grants::{self, Given};
use crate::service;
use leaver_core::domain::Tenant;

/// Permit a number of changes ahead, for a planned lay-off
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  leaver safeguard grant --tenant acme --count 40 --for 2h --reason \"site closes, ticket 4711\"\n\nUntil it expires exactly so many accounts of the tenant may be changed; the next one is held. Then the limits apply again."
)]
pub(super) struct Grant {
    #[command(flatten)]
    config: Config,
    /// Tenant, as in the configuration
    #[arg(long, value_name = "NAME")]
    tenant: String,
    /// Accounts that may be changed
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    count: u32,
    /// How long, such as 30m, 2h or 14d; 1s to 31d
    #[arg(long = "for", value_name = "TIME", value_parser = parse_duration)]
    lasts: TimeDelta,
    /// Why, for the audit log; without names and e-mails
    #[arg(long, value_name = "TEXT", value_parser = parse_reason)]
    reason: String,
    /// Changes that it permits
    #[arg(long, value_enum, default_value_t = Permits::Deactivate)]
    direction: Permits,
    #[command(flatten)]
    person: Person,
    #[command(flatten)]
    format: Format,
}

/// The changes that a grant permits.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Permits {
    /// Ends of access
    Deactivate,
    /// Returns of access
    Reactivate,
}

impl From<Permits> for Direction {
    fn from(permits: Permits) -> Self {
        match permits {
            Permits::Deactivate => Self::Deactivated,
            Permits::Reactivate => Self::Reactivated,
        }
    }
}

/// A duration that no grant may have.
#[derive(Debug, thiserror::Error)]
#[error("not a time between 1s and 31d; write it as 30m, 2h or 14d")]
struct InvalidDuration;

fn parse_duration(text: &str) -> Result<TimeDelta, InvalidDuration> {
    let lasts = humantime::parse_duration(text).map_err(|_| InvalidDuration)?;
    if !grants::DURATION.contains(&lasts) {
        return Err(InvalidDuration);
    }
    TimeDelta::from_std(lasts).map_err(|_| InvalidDuration)
}

impl Grant {
    pub(super) async fn run(self, env: &Environment) -> anyhow::Result<ExitCode> {
        let (settings, mut conn) = open(&self.config, env).await?;
        let tenants = service::policies(&settings).tenants();
        let scope = Scope {
            tenant: Tenant::new(self.tenant.as_str()),
            direction: self.direction.into(),
        };
        if !tenants.contains(&scope.tenant) {
            let known: Vec<&str> = tenants.iter().map(Tenant::as_str).collect();
            output::problem(&format!(
                "leaver: no source has the tenant {}; the tenants are: {}",
                self.tenant,
                output::or_dash(Some(known.join(", ")))
            ));
            return Ok(wrong_usage());
        }
        let (actor, now) = (self.person.actor(env)?, SystemClock.now());
        let given = grants::give(
            &mut conn,
            &scope,
            self.count,
            self.lasts,
            &self.reason,
            &actor,
            now,
        );
        let given = given.await?;
        if self.format.json {
            output::json(&json!({
                "grant": given.grant, "ended": given.ended, "open_trip": given.open_trip,
            }))?;
        } else {
            print(&given);
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn print(given: &Given) {
    let grant = &given.grant;
    output::line!(
        "grant {}: {} of tenant {} may be {} until {}",
        grant.id,
        output::count(
            usize::try_from(grant.allowed).unwrap_or_default(),
            "account"
        ),
        output::text(&grant.tenant),
        effect(&grant.direction),
        output::time(grant.expires_at)
    );
    for ended in &given.ended {
        output::line!(
            "grant {} ended: {} of {} were used",
            ended.id,
            ended.used,
            ended.allowed
        );
    }
    if let Some(trip) = given.open_trip {
        output::note(&format!(
            "trip {trip} is open, and a grant does not open it: all changes are held until `leaver safeguard release {trip}` or `reject {trip}`"
        ));
    }
}
