//! `leaver init`.

mod choices;
mod document;
mod files;
mod next;
mod questions;
mod snippets;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use chrono_tz::Tz;
use clap::Args;
use secrecy::{ExposeSecret, SecretString};

use self::choices::{Choices, Runner};
use self::files::Targets;
use super::{Format, output, wrong_usage};
use crate::config::{DatabaseTls, Environment, SecretScope, Settings};
use crate::demo::example;
use crate::engine::accounts::discovery;
use crate::service;

/// Write a configuration for your database: finds the users table, makes keys, shows what to do next
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  leaver init\n  leaver init --yes --bamboohr --merge --timezone Europe/Berlin --systemd\n  DATABASE_URL=postgres://app@localhost/app leaver init --yes --table app.members --output /etc/leaver/leaver.toml\n\nNo secret is written into the configuration. The database URL and a key per source are files of mode 0600, in a folder beside it."
)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag")]
pub(super) struct Init {
    /// URL of the application's Postgres; default: `DATABASE_URL`, which other users of the machine cannot see
    #[arg(long, value_name = "URL", value_parser = parse_secret)]
    database_url: Option<SecretString>,
    /// Users table, as schema.table; default: the one table that looks like it
    #[arg(long, value_name = "TABLE")]
    table: Option<String>,
    /// Make a source for BambooHR; the default, if no source is named
    #[arg(long)]
    bamboohr: bool,
    /// Make a source for Merge
    #[arg(long)]
    merge: bool,
    /// ID of your linked account in Merge
    #[arg(long, value_name = "ID", requires = "merge")]
    merge_account: Option<String>,
    /// Time zone in which a last day ends, such as Europe/Berlin; default: that of this machine
    #[arg(long, value_name = "ZONE", value_parser = parse_timezone)]
    timezone: Option<Tz>,
    /// Also write a systemd unit
    #[arg(long)]
    systemd: bool,
    /// Also write a file for docker compose
    #[arg(long, conflicts_with = "systemd")]
    compose: bool,
    /// Configuration file to write
    #[arg(long, value_name = "FILE", default_value = "leaver.toml")]
    output: PathBuf,
    /// Create an example users table and example users first, if the database has no table public.users
    #[arg(long, conflicts_with = "table")]
    example: bool,
    /// Replace files that exist; webhook keys stay
    #[arg(long)]
    force: bool,
    /// Ask nothing
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    format: Format,
}

#[expect(clippy::unnecessary_wraps, reason = "the form of a value parser")]
fn parse_secret(text: &str) -> Result<SecretString, String> {
    Ok(text.into())
}

fn parse_timezone(text: &str) -> Result<Tz, &'static str> {
    text.parse()
        .map_err(|_| "not an IANA time zone; write it like Europe/Berlin or UTC")
}

impl Init {
    pub(super) async fn run(self, env: &Environment) -> anyhow::Result<ExitCode> {
        let asks = !self.yes && questions::can_ask();
        if !asks && !self.yes {
            output::problem(
                "leaver: there is no terminal to ask on; add --yes, and any of --database-url, --table, --bamboohr, --merge, --timezone, --output, --systemd, --compose (see `leaver init --help`)",
            );
            return Ok(wrong_usage());
        }
        let targets = Targets::new(&self.output)?;
        let Some(url) = self.database_url(env, asks)? else {
            output::problem(
                "leaver: no database; set DATABASE_URL, or add --database-url postgres://user:password@host/database",
            );
            return Ok(wrong_usage());
        };
        let runner = match (self.systemd, self.compose) {
            (true, _) => Some(Runner::Systemd),
            (_, true) => Some(Runner::Compose),
            _ => None,
        };
        if !self.force {
            targets.refuse_existing(&url, runner)?;
        }
        let with_url = env.with("DATABASE_URL", url.expose_secret());
        // The other layers are not in use yet: this file will be one of them.
        let database = Settings::read(
            None,
            &with_url.without("LEAVER_CONFIG"),
            &SecretScope::database(),
        )?;
        let database = database.database;
        let mut conn = service::connect(&service::connect_options(&database)?).await?;
        if self.example && example::create_with_users(&mut conn).await? {
            output::note("created public.users with 9 example users, and public.sessions");
        }
        let tables = discovery::tables(&mut conn, self.table.as_deref()).await?;
        let accounts = choices::accounts(&tables, self.table.as_deref(), asks)?;
        let accounts = match accounts {
            Ok(accounts) => accounts,
            Err(problem) => {
                output::note(&format!("leaver: {problem}"));
                return Ok(wrong_usage());
            }
        };
        let sources = choices::sources(
            self.bamboohr,
            self.merge,
            self.merge_account.as_deref(),
            asks,
        )?;
        let choices = Choices {
            accounts,
            sources,
            timezone: choices::timezone(self.timezone, env, asks)?,
            is_unverified: database.tls == DatabaseTls::Unverified,
            runner: if asks {
                choices::runner(runner)?
            } else {
                runner
            },
        };
        if asks {
            output::note("");
            for line in next::summary(&choices) {
                output::note(&line);
            }
            if !output::ask(&format!("\nWrite {}?", files::shown(&targets.config)))? {
                output::note("nothing was written");
                return Ok(ExitCode::SUCCESS);
            }
        }
        if !self.force {
            targets.refuse_existing(&url, choices.runner)?;
        }
        let written = targets.write(&url, &choices)?;
        if self.format.json {
            output::json(&next::as_json(&written, &choices))?;
        } else {
            next::print(&targets, &written, &choices, self.example);
        }
        Ok(ExitCode::SUCCESS)
    }

    /// Returns the URL of the flag, of the environment, or of an answer.
    fn database_url(&self, env: &Environment, asks: bool) -> anyhow::Result<Option<SecretString>> {
        if let Some(url) = &self.database_url {
            return Ok(Some(url.clone()));
        }
        let is_set = ["DATABASE_URL", "DATABASE_URL_FILE"].iter();
        if is_set.clone().any(|name| env.raw(name).is_some()) {
            let scope = SecretScope::database();
            let database = Settings::read(None, &env.without("LEAVER_CONFIG"), &scope)?.database;
            let url = database.url.with_context(|| {
                database
                    .missing
                    .unwrap_or_else(|| "DATABASE_URL is not usable".to_owned())
            })?;
            return Ok(Some(url));
        }
        if !asks {
            return Ok(None);
        }
        questions::text(
            "URL of your application's Postgres",
            "postgres://localhost/app",
        )
        .map(|answer| Some(answer.into()))
    }
}
