//! `leaver holds approve`.

use clap::Args;

use super::super::{Config, Format, open, output};
use super::{Person, ResolvedHold};
use crate::base::clock::{Clock, SystemClock};
use crate::config::Environment;
use crate::engine::accounts::AccountsTable;
use crate::engine::holds::resolve::{self, Approved, Named};
use crate::engine::shadow;
use crate::service;
use leaver_core::domain::AccountId;

/// Approve a hold
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  leaver holds approve 12 --as dana\n  leaver holds approve 13 --account 4711 --account 4712\n  leaver holds approve 13 --all"
)]
pub(super) struct Approve {
    #[command(flatten)]
    config: Config,
    /// Hold ID
    id: i64,
    /// Account ID, if the hold names no account; may be repeated
    #[arg(long, value_name = "ID", conflicts_with = "all")]
    account: Vec<String>,
    /// All accounts with the work e-mail, if the hold names no account
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    person: Person,
    #[command(flatten)]
    format: Format,
}

impl Approve {
    pub(super) async fn run(self, env: &Environment) -> anyhow::Result<()> {
        let (settings, mut conn) = open(&self.config, env).await?;
        let table = AccountsTable::inspect(&mut conn, &settings.accounts).await?;
        let named = if self.all {
            Named::All
        } else if self.account.is_empty() {
            Named::OfHold
        } else {
            Named::Accounts(self.account.into_iter().map(AccountId::new).collect())
        };
        let (name, now) = (self.person.name(env), SystemClock.now());
        shadow::store_start_modes(&mut conn, &service::policies(&settings), now).await?;
        let approved = resolve::approve(&mut conn, &table, self.id, &named, &name, now).await?;
        if self.format.json {
            return output::json(&ResolvedHold::approved(&approved));
        }
        for (account, changed) in &approved.accounts {
            output::line!(
                "hold {} approved: account {account} {}",
                self.id,
                effect(&approved, *changed)
            );
        }
        for account in &approved.still_active {
            output::note(&format!(
                "account {account} has the same e-mail and is still active; `leaver drift` lists it"
            ));
        }
        Ok(())
    }
}

fn effect(approved: &Approved, changed: bool) -> &'static str {
    match (approved.hold.requested_action.as_str(), changed) {
        ("reactivate", true) => "was reactivated",
        ("reactivate", false) => "was already active",
        (_, true) => "was deactivated and its sessions ended",
        (_, false) => "was already inactive, its sessions ended",
    }
}
