//! `leaver check`: reads the configuration, looks at the database, and says of each line what to do.

use std::process::ExitCode;

use clap::Args;
use serde::Serialize;
use sqlx::PgConnection;

use super::{Config, Format, output};
use crate::config::{Environment, Settings, SettingsError, Source};
use crate::db::schema;
use crate::engine::accounts::AccountsTable;
use crate::engine::accounts::store::Rights;
use crate::ingest::group_commit::{self, NotDurable};
use crate::service;
use leaver_core::domain::Provider;
use leaver_core::providers::Tenancy;
use leaver_core::signature::{Layout, Scheme};

/// Look at the configuration, the database and the users table, and say what to do
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  leaver check\n  leaver check --config /etc/leaver.toml --json")]
pub(super) struct Check {
    #[command(flatten)]
    config: Config,
    #[command(flatten)]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Verdict {
    Ok,
    Warning,
    Error,
}

#[derive(Debug, Serialize)]
struct Line {
    what: String,
    verdict: Verdict,
    says: String,
}

impl Line {
    fn row(&self) -> [&str; 3] {
        let mark = match self.verdict {
            Verdict::Ok => "ok",
            Verdict::Warning => "warning",
            Verdict::Error => "ERROR",
        };
        [mark, &self.what, &self.says]
    }
}

#[derive(Debug, Default)]
struct Report(Vec<Line>);

impl Report {
    fn say(&mut self, verdict: Verdict, what: &str, says: impl Into<String>) {
        self.0.push(Line {
            what: what.to_owned(),
            verdict,
            says: says.into(),
        });
    }
}

impl Check {
    pub(super) async fn run(self, env: &Environment) -> anyhow::Result<ExitCode> {
        let mut report = Report::default();
        match Settings::load(self.config.config.as_deref(), env) {
            Ok(settings) => {
                report.say(Verdict::Ok, "configuration", "readable, every key known");
                check_settings(&mut report, &settings);
                check_database(&mut report, &settings).await;
            }
            Err(error @ SettingsError::NoSource) => {
                report.say(Verdict::Error, "sources", error.to_string());
                if let Ok(settings) = Settings::read(self.config.config.as_deref(), env) {
                    check_database(&mut report, &settings).await;
                }
            }
            Err(error) => report.say(
                Verdict::Error,
                "configuration",
                output::chain(&error.into()),
            ),
        }
        let failed = report.0.iter().any(|line| line.verdict == Verdict::Error);
        if self.format.json {
            output::json(&report.0)?;
        } else {
            let rows: Vec<[&str; 3]> = report.0.iter().map(Line::row).collect();
            println!("{}", output::lines(&rows).trim_fmt());
        }
        Ok(if failed {
            ExitCode::FAILURE
        } else {
            ExitCode::SUCCESS
        })
    }
}

fn check_settings(report: &mut Report, settings: &Settings) {
    for source in &settings.sources {
        check_source(report, source);
    }
    if settings.accounts.end_sessions.is_empty() {
        report.say(
            Verdict::Warning,
            "accounts.end_sessions",
            "empty: a deactivated person's open sessions go on, unless the application asks is_active at every request",
        );
    }
}

fn check_source(report: &mut Report, source: &Source) {
    let what = format!("source {}", source.name);
    let (keys, note) = match &source.scheme {
        Scheme::BambooHr {
            keys,
            layout,
            freshness,
        } => {
            if freshness.num_minutes() < 155 {
                report.say(
                    Verdict::Warning,
                    &what,
                    "`timestamp_tolerance` is under 155 minutes: BambooHR's last retry comes that late, and rejecting it loses the event",
                );
            }
            let layout = if *layout == Layout::BodyThenTimestamp {
                ""
            } else {
                ", signed as timestamp.body"
            };
            (keys.len(), format!("BambooHR{layout}"))
        }
        Scheme::Merge { keys } => (keys.len(), "Merge".to_owned()),
    };
    report.say(
        Verdict::Ok,
        &what,
        format!(
            "{note}, keys: {keys}, days in {}; webhook path /webhooks/{}",
            source.policy.timezone, source.name
        ),
    );
    if matches!(
        (&source.scheme, &source.provider_config.tenancy),
        (Scheme::Merge { .. }, Tenancy::One(_))
    ) {
        report.say(
            Verdict::Warning,
            &what,
            "linked_accounts is empty: every linked account of your Merge organization counts as the same company",
        );
    }
    check_api(report, &what, source);
}

fn check_api(report: &mut Report, what: &str, source: &Source) {
    let (verdict, says) = match &source.api {
        None => (
            Verdict::Warning,
            "no api: changes that arrive without values wait for a person, and lost webhooks are not noticed".to_owned(),
        ),
        Some(api) => match service::check_address(source, api) {
            Ok(()) if source.policy.provider == Provider::Merge && api.account_tokens.is_empty() => (
                Verdict::Warning,
                "api, but no linked account has a token: nothing can be read (linked_accounts)".to_owned(),
            ),
            Ok(()) => (
                Verdict::Ok,
                format!("api, read every {} s", api.sync_interval.as_secs()),
            ),
            Err(error) => (Verdict::Error, output::chain(&error)),
        },
    };
    report.say(verdict, what, says);
}

async fn check_database(report: &mut Report, settings: &Settings) {
    let connected =
        async { service::connect(&service::connect_options(&settings.database)?).await };
    let mut conn = match connected.await {
        Ok(conn) => conn,
        Err(error) => return report.say(Verdict::Error, "database", output::chain(&error)),
    };
    report.say(Verdict::Ok, "database", "answers");
    let (verdict, says) = match durability_says(&mut conn).await {
        Ok(line) => line,
        Err(error) => (Verdict::Error, output::chain(&error.into())),
    };
    report.say(verdict, "durability", says);
    let (verdict, says) = match schema_says(&mut conn, settings.database.migrate).await {
        Ok(line) => line,
        Err(error) => (Verdict::Error, output::chain(&error)),
    };
    report.say(verdict, "schema leaver", says);
    if let Err(error) = check_accounts(report, settings, &mut conn).await {
        report.say(Verdict::Error, "accounts", output::chain(&error));
    }
}

async fn durability_says(conn: &mut PgConnection) -> Result<(Verdict, String), sqlx::Error> {
    let durability = group_commit::durability(conn).await?;
    Ok(if !durability.waits_for_disk {
        (Verdict::Error, NotDurable.to_string())
    } else if let Some(durability_warning) = durability.durability_warning() {
        (Verdict::Warning, durability_warning.to_owned())
    } else {
        (Verdict::Ok, "a commit is on the disk".to_owned())
    })
}

async fn schema_says(conn: &mut PgConnection, migrate: bool) -> anyhow::Result<(Verdict, String)> {
    let standing = schema::privileges(conn).await?;
    let role = &standing.role;
    if !standing.missing_privileges.is_empty() {
        let lacking = standing.missing_privileges.join("; ");
        return Ok((
            Verdict::Error,
            format!(
                "the role {role} lacks {lacking}; run as the owner of the schema: leaver migrate --grant-to {role}"
            ),
        ));
    }
    let pending = schema::pending(conn).await?;
    Ok(match (pending, migrate, standing.may_migrate) {
        (0, _, _) => (Verdict::Ok, "all migrations are applied".to_owned()),
        (_, true, true) => (
            Verdict::Ok,
            format!("pending migrations: {pending}; `leaver serve` applies them"),
        ),
        (_, true, false) => (
            Verdict::Error,
            format!(
                "pending migrations: {pending}, and the role {role} may not apply them; run as the database's owner: leaver migrate --grant-to {role}"
            ),
        ),
        (_, false, _) => (
            Verdict::Error,
            format!(
                "pending migrations: {pending}, and database.migrate is false; run: leaver migrate"
            ),
        ),
    })
}

async fn check_accounts(
    report: &mut Report,
    settings: &Settings,
    conn: &mut PgConnection,
) -> anyhow::Result<()> {
    let mapping = &settings.accounts;
    let table = AccountsTable::inspect(conn, mapping).await?;
    report.say(
        Verdict::Ok,
        "accounts.table",
        format!(
            "{} with {} ({}), {} and {}",
            table.name,
            mapping.id_column,
            table.id_type,
            mapping.email_column,
            mapping.active_column
        ),
    );
    if table.email_is_indexed {
        report.say(
            Verdict::Ok,
            "accounts.email_column",
            "an index serves the look-up",
        );
    } else {
        report.say(
            Verdict::Warning,
            "accounts.email_column",
            format!(
                "no index serves the look-up by e-mail; make one: {}",
                table.index_statement()
            ),
        );
    }
    let rights = crate::engine::accounts::store::rights(conn, &table, mapping).await?;
    let needs = match rights {
        Rights {
            select: true,
            update: true,
            ..
        } => None,
        Rights { select: false, .. } => Some("SELECT"),
        Rights { .. } => Some("UPDATE"),
    };
    match needs {
        None => report.say(
            Verdict::Ok,
            "accounts rights",
            format!("{} may read and update it", rights.role),
        ),
        Some(right) => report.say(
            Verdict::Error,
            "accounts rights",
            format!(
                "the role {} lacks {right}; run: {}",
                rights.role,
                mapping.grant_statement(&table, &rights.role)
            ),
        ),
    }
    if !rights.folds_unicode {
        report.say(
            Verdict::Warning,
            "accounts.email_column",
            "this database folds the case of ASCII letters only: an e-mail with other letters is found only when it is stored in lower case",
        );
    }
    for (position, statement) in mapping.end_sessions.iter().enumerate() {
        let what = format!("accounts.end_sessions[{position}]");
        match crate::engine::accounts::store::try_end_sessions(conn, statement).await {
            Ok(()) => report.say(Verdict::Ok, &what, "Postgres accepts it"),
            Err(error) => report.say(
                Verdict::Error,
                &what,
                format!("Postgres refuses it: {error}"),
            ),
        }
    }
    Ok(())
}
