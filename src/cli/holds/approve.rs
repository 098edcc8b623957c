//! `leaver holds approve`.

use clap::Args;

use super::super::{Config, Format, open, output};
use super::{Person, ResolvedHold};
use crate::base::clock::{Clock, SystemClock};
use crate::config::Environment;
use crate::engine::accounts::AccountsTable;
use crate::engine::holds::resolve::{self, Approved};
use leaver_core::domain::AccountId;

/// Approve a hold
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  leaver holds approve 12 --as dana\n  leaver holds approve 13 --account 4711"
)]
pub(super) struct Approve {
    #[command(flatten)]
    config: Config,
    /// Hold ID
    id: i64,
    /// Account ID, if the hold names no account
    #[arg(long, value_name = "ID")]
    account: Option<String>,
    #[command(flatten)]
    person: Person,
    #[command(flatten)]
    format: Format,
}

impl Approve {
    pub(super) async fn run(self, env: &Environment) -> anyhow::Result<()> {
        let (settings, mut conn) = open(&self.config, env).await?;
        let table = AccountsTable::inspect(&mut conn, &settings.accounts).await?;
        let account = self.account.map(AccountId::new);
        let (name, now) = (self.person.name(env), SystemClock.now());
        let approved = resolve::approve(&mut conn, &table, self.id, account, &name, now).await?;
        if self.format.json {
            return output::json(&ResolvedHold {
                id: self.id,
                state: "approved",
                account_id: Some(approved.account.to_string()),
                changed: approved.changed,
            });
        }
        output::line!(
            "hold {} approved: account {} {}",
            self.id,
            approved.account,
            effect(&approved)
        );
        Ok(())
    }
}

fn effect(approved: &Approved) -> &'static str {
    match (approved.hold.requested_action.as_str(), approved.changed) {
        ("reactivate", true) => "was reactivated",
        ("reactivate", false) => "was already active",
        (_, true) => "was deactivated and its sessions ended",
        (_, false) => "was already inactive",
    }
}
