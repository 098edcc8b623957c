//! `leaver holds reject`.

use clap::Args;

use super::super::person::Person;
use super::super::{Config, Format, ids, open, output};
use super::ResolvedHold;
use crate::base::clock::{Clock, SystemClock};
use crate::config::Environment;
use crate::engine::holds::resolve;
use crate::service;

/// Reject a hold; it opens again only if the facts change
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  leaver holds reject 14 --as dana")]
pub(super) struct Reject {
    #[command(flatten)]
    config: Config,
    /// Hold ID
    #[arg(value_name = "ID", value_parser = ids::hold, allow_negative_numbers = true)]
    id: i64,
    #[command(flatten)]
    person: Person,
    #[command(flatten)]
    format: Format,
}

impl Reject {
    pub(super) async fn run(self, env: &Environment) -> anyhow::Result<()> {
        let (settings, mut conn) = open(&self.config, env).await?;
        let (actor, now) = (self.person.actor(env)?, SystemClock.now());
        let hold = resolve::reject(
            &mut conn,
            &service::policies(&settings),
            self.id,
            &actor,
            now,
        )
        .await?;
        if self.format.json {
            return output::json(&ResolvedHold::rejected(&hold));
        }
        output::line!(
            "hold {} rejected: nothing changes unless new facts arrive for employee {}",
            self.id,
            output::text(&hold.employee_id)
        );
        Ok(())
    }
}
