//! `leaver holds approve`.

use std::collections::BTreeSet;
use std::io::IsTerminal;
use std::process::ExitCode;

use chrono::TimeDelta;
use clap::Args;
use serde::Serialize;
use serde_json::json;
use sqlx::PgConnection;

use super::super::person::Person;
use super::super::reads::record_read;
use super::super::{Config, Format, exit_code, ids, open, output, wrong_usage};
use super::{ResolvedHold, list};
use crate::base::clock::{Clock, SystemClock};
use crate::config::{Environment, Settings};
use crate::engine::accounts::AccountsTable;
use crate::engine::holds::resolve::{self, Approved, Named, ResolveError};
use crate::engine::holds::selection::{self, HoldFilter, ListedHold, approve_listed};
use crate::engine::previews::DigestError;
use crate::engine::shadow;
use crate::reports::holds::with_emails;
use crate::service;
use leaver_core::domain::{AccountId, Actor, SourceName};

/// Approve holds: by ID, or all that a filter lists
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  leaver holds approve 12 --as dana\n  leaver holds approve 13 --account 4711 --account 4712\n  leaver holds approve 13 --all\n  leaver holds approve 14 15 16\n  leaver holds approve --source merge --reason-contains \"another account\"\n  leaver holds approve --trip 3 --confirm 8f3a-02bc-71d4-90ee\n\nA filter only lists the holds and their digest, until --confirm; on a terminal it asks.\n\nExit codes: 1 one of several holds was not approved or you answer no, 2 the digest is wrong or used: nothing was changed, 3 the one hold was not approved"
)]
pub(super) struct Approve {
    #[command(flatten)]
    config: Config,
    /// Hold IDs
    #[arg(value_name = "ID", value_parser = ids::hold, allow_negative_numbers = true, required_unless_present_any = ["trip", "source", "reason_contains"])]
    ids: Vec<i64>,
    #[command(flatten)]
    filter: FilterArgs,
    /// Approve the list with this digest
    #[arg(long, value_name = "DIGEST", conflicts_with = "ids")]
    confirm: Option<String>,
    /// Account ID, if the hold names no account; may be repeated
    #[arg(long, value_name = "ID", conflicts_with = "all")]
    account: Vec<String>,
    /// All accounts with the work e-mail, if a hold names no account
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    person: Person,
    #[command(flatten)]
    format: Format,
}

#[derive(Debug, Args)]
struct FilterArgs {
    /// All holds of this trip
    #[arg(long, value_name = "TRIP", value_parser = ids::trip, conflicts_with_all = ["ids", "account"])]
    trip: Option<i64>,
    /// All holds about employees of this source
    #[arg(long, value_name = "NAME", value_parser = SourceName::parse, conflicts_with_all = ["ids", "account"])]
    source: Option<SourceName>,
    /// All holds whose reason contains this text
    #[arg(long, value_name = "TEXT", conflicts_with_all = ["ids", "account"])]
    reason_contains: Option<String>,
}

/// A hold that was not approved.
#[derive(Debug, Serialize)]
struct FailedHold {
    id: i64,
    error: String,
}

/// The holds to approve, or the exit code of a command that approves none.
enum Choice {
    Approve(Vec<ListedHold>),
    Nothing(ExitCode),
}

impl Approve {
    pub(super) async fn run(self, env: &Environment) -> anyhow::Result<ExitCode> {
        let (settings, mut conn) = open(&self.config, env).await?;
        let table = AccountsTable::inspect(&mut conn, &settings.accounts).await?;
        let actor = self.person.actor(env)?;
        let named = if self.all {
            Named::All
        } else if self.account.is_empty() {
            Named::OfHold
        } else {
            let ids = self.account.iter().map(|id| AccountId::new(id.as_str()));
            Named::Accounts(ids.collect())
        };
        let policies = service::policies(&settings);
        shadow::store_start_modes(&mut conn, &policies, SystemClock.now()).await?;
        if let [id] = self.ids[..] {
            let now = SystemClock.now();
            let approved =
                resolve::approve(&mut conn, &table, &policies, id, &named, &actor, now).await?;
            if self.format.json {
                output::json(&ResolvedHold::approved(&approved))?;
            } else {
                print(&approved);
            }
            return Ok(ExitCode::SUCCESS);
        }
        if !self.account.is_empty() {
            output::note("leaver: --account is for one hold; name one hold, or use --all");
            return Ok(wrong_usage());
        }
        let mut results: Vec<(i64, Result<Approved, ResolveError>)> = vec![];
        if self.ids.is_empty() {
            let listed = match self.choose(&mut conn, env, &settings, &actor).await? {
                Choice::Approve(listed) => listed,
                Choice::Nothing(code) => return Ok(code),
            };
            for hold in listed {
                let now = SystemClock.now();
                let approved =
                    approve_listed(&mut conn, &table, &policies, &hold, &named, &actor, now).await;
                results.push((hold.id, approved));
            }
        }
        let ids: BTreeSet<i64> = self.ids.iter().copied().collect();
        for id in ids {
            let now = SystemClock.now();
            let approved =
                resolve::approve(&mut conn, &table, &policies, id, &named, &actor, now).await;
            results.push((id, approved));
        }
        self.report(results)
    }

    /// Lists what the filter means, or returns it once it is confirmed.
    async fn choose(
        &self,
        conn: &mut PgConnection,
        env: &Environment,
        settings: &Settings,
        actor: &Actor,
    ) -> anyhow::Result<Choice> {
        let filter = HoldFilter {
            trip: self.filter.trip,
            source: self.filter.source.clone(),
            reason_contains: self.filter.reason_contains.clone(),
        };
        let shown = if let Some(digest) = &self.confirm {
            Some(digest.clone())
        } else {
            record_read(conn, env, "holds approve, the list to confirm").await?;
            self.show(conn, &filter, actor).await?
        };
        let Some(digest) = shown else {
            return Ok(Choice::Nothing(ExitCode::SUCCESS));
        };
        if self.confirm.is_none() && !output::ask("approve these holds now?")? {
            output::note("nothing was changed");
            return Ok(Choice::Nothing(ExitCode::FAILURE));
        }
        let expires = settings.safeguard.approval_expires;
        let expires = TimeDelta::from_std(expires).unwrap_or(TimeDelta::MAX);
        match selection::confirm(conn, &filter, &digest, expires, SystemClock.now()).await {
            Ok(listed) => Ok(Choice::Approve(listed)),
            Err(DigestError::Database(error)) => Err(error.into()),
            Err(error) => {
                output::note(&format!("leaver: {error}; nothing was changed"));
                Ok(Choice::Nothing(wrong_usage()))
            }
        }
    }

    /// Shows what the filter means. Returns the digest if a person can be asked.
    async fn show(
        &self,
        conn: &mut PgConnection,
        filter: &HoldFilter,
        actor: &Actor,
    ) -> anyhow::Result<Option<String>> {
        let selected = selection::select(conn, filter, actor, SystemClock.now()).await?;
        let (count, digest) = (selected.holds.len(), selected.digest);
        let holds = with_emails(conn, selected.holds).await?;
        if self.format.json {
            output::json(&json!({ "count": count, "digest": digest, "holds": holds }))?;
            return Ok(None);
        }
        if count == 0 {
            output::note("no open hold fits");
            return Ok(None);
        }
        output::line!("{}", list::table(holds));
        output::line!("{}, digest: {digest}", output::count(count, "hold"));
        if std::io::stdin().is_terminal() {
            return Ok(Some(digest));
        }
        output::note(&format!(
            "next: the same command with --confirm {digest} approves them"
        ));
        Ok(None)
    }

    fn report(
        &self,
        results: Vec<(i64, Result<Approved, ResolveError>)>,
    ) -> anyhow::Result<ExitCode> {
        let are_all_approved = results.iter().all(|(_, result)| result.is_ok());
        let mut rows = vec![];
        for (id, result) in results {
            match result {
                Ok(approved) if self.format.json => {
                    rows.push(serde_json::to_value(ResolvedHold::approved(&approved))?);
                }
                Ok(approved) => print(&approved),
                Err(error) => {
                    let error = output::chain(&error.into());
                    if self.format.json {
                        rows.push(serde_json::to_value(FailedHold { id, error })?);
                    } else {
                        output::line!("hold {id} not approved: {error}");
                    }
                }
            }
        }
        if self.format.json {
            output::json(&rows)?;
        }
        Ok(exit_code(are_all_approved))
    }
}

fn print(approved: &Approved) {
    for (account, changed) in &approved.accounts {
        output::line!(
            "hold {} approved: account {} {}",
            approved.hold.id,
            output::text(account),
            effect(approved, *changed)
        );
    }
    for account in &approved.still_active {
        output::note(&format!(
            "account {account} has the same e-mail and is still active; `leaver drift` lists it"
        ));
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
