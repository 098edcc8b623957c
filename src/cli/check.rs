//! `leaver check`: one line per check, with its status and what to do.

use std::process::ExitCode;

use clap::Args;
use serde::Serialize;
use sqlx::PgConnection;

use super::{Config, Format, exit_code, output};
use crate::config::{Environment, Settings, SettingsError, Source};
use crate::db::error::redacted_message;
use crate::db::schema;
use crate::engine::accounts::AccountsTable;
use crate::engine::accounts::store::Rights;
use crate::ingest::group_commit::{self, NotDurable};
use crate::service;
use leaver_core::domain::Provider;
use leaver_core::providers::Tenancy;
use leaver_core::signature::{Layout, Scheme};

/// Check the configuration, the database and the users table
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  leaver check\n  leaver check --config /etc/leaver.toml --json\n\nExit code 1: at least one line is an error"
)]
pub(super) struct Check {
    #[command(flatten)]
    config: Config,
    #[command(flatten)]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum CheckStatus {
    Ok,
    Warning,
    Error,
}

#[derive(Debug, Serialize)]
struct CheckLine {
    check: String,
    status: CheckStatus,
    message: String,
}

impl CheckLine {
    fn row(&self) -> [&str; 3] {
        let status = match self.status {
            CheckStatus::Ok => "ok",
            CheckStatus::Warning => "warning",
            CheckStatus::Error => "ERROR",
        };
        [status, &self.check, &self.message]
    }
}

#[derive(Debug, Default)]
struct CheckReport(Vec<CheckLine>);

impl CheckReport {
    fn add(&mut self, status: CheckStatus, check: &str, message: impl Into<String>) {
        self.0.push(CheckLine {
            check: check.to_owned(),
            status,
            message: message.into(),
        });
    }
}

impl Check {
    pub(super) async fn run(self, env: &Environment) -> anyhow::Result<ExitCode> {
        let mut report = CheckReport::default();
        match Settings::load(self.config.config.as_deref(), env) {
            Ok(settings) => {
                report.add(CheckStatus::Ok, "configuration", "valid");
                check_settings(&mut report, &settings);
                check_database(&mut report, &settings).await;
            }
            Err(error @ SettingsError::NoSource) => {
                report.add(CheckStatus::Error, "sources", error.to_string());
                if let Ok(settings) = Settings::read(self.config.config.as_deref(), env) {
                    check_database(&mut report, &settings).await;
                }
            }
            Err(error) => report.add(
                CheckStatus::Error,
                "configuration",
                output::chain(&error.into()),
            ),
        }
        let has_errors = report
            .0
            .iter()
            .any(|line| line.status == CheckStatus::Error);
        if self.format.json {
            output::json(&report.0)?;
        } else {
            let mut table = output::Table::without_wrapping(&["status", "check", "message"]);
            for line in &report.0 {
                table.add_row(line.row());
            }
            output::line!("{table}");
        }
        Ok(exit_code(!has_errors))
    }
}

fn check_settings(report: &mut CheckReport, settings: &Settings) {
    for source in &settings.sources {
        check_source(report, source);
    }
    if settings.accounts.end_sessions.is_empty() {
        report.add(
            CheckStatus::Warning,
            "accounts.end_sessions",
            "empty, so open sessions of a deactivated account stay valid unless the application checks `is_active` on every request; add a statement that ends them",
        );
    }
}

fn check_source(report: &mut CheckReport, source: &Source) {
    let check = format!("source {}", source.name);
    let (keys, provider) = match &source.scheme {
        Scheme::BambooHr {
            keys,
            layout,
            freshness,
        } => {
            if freshness.num_minutes() < 155 {
                report.add(
                    CheckStatus::Warning,
                    &check,
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
    report.add(
        CheckStatus::Ok,
        &check,
        format!(
            "{provider}, {}, time zone {}, webhook path /webhooks/{}",
            output::count(keys, "key"),
            source.policy.timezone,
            source.name
        ),
    );
    if matches!(
        (&source.scheme, &source.provider_config.tenancy),
        (Scheme::Merge { .. }, Tenancy::One(_))
    ) {
        report.add(
            CheckStatus::Warning,
            &check,
            "every linked account of the Merge organization counts as one company; list yours in `linked_accounts`",
        );
    }
    check_api(report, &check, source);
}

fn check_api(report: &mut CheckReport, check: &str, source: &Source) {
    let (status, message) = match &source.api {
        None => (
            CheckStatus::Warning,
            "no API, so changes without values become holds and lost webhooks are not detected; add `api`".to_owned(),
        ),
        Some(api) => match service::check_address(source, api) {
            Ok(()) if source.policy.provider == Provider::Merge && api.account_tokens.is_empty() => (
                CheckStatus::Warning,
                "API without tokens, so no employee can be read; add a token to `linked_accounts`".to_owned(),
            ),
            Ok(()) => (
                CheckStatus::Ok,
                format!("API, synced every {} s", api.poll.as_secs()),
            ),
            Err(error) => (CheckStatus::Error, output::chain(&error)),
        },
    };
    report.add(status, check, message);
}

async fn check_database(report: &mut CheckReport, settings: &Settings) {
    let connected =
        async { service::connect(&service::connect_options(&settings.database)?).await };
    let mut conn = match connected.await {
        Ok(conn) => conn,
        Err(error) => return report.add(CheckStatus::Error, "database", output::chain(&error)),
    };
    report.add(CheckStatus::Ok, "database", "connected");
    let (status, message) = match check_durability(&mut conn).await {
        Ok(line) => line,
        Err(error) => (CheckStatus::Error, output::chain(&error.into())),
    };
    report.add(status, "durability", message);
    let (status, message) = match check_schema(&mut conn, settings.database.migrate).await {
        Ok(line) => line,
        Err(error) => (CheckStatus::Error, output::chain(&error)),
    };
    report.add(status, "schema leaver", message);
    if let Err(error) = check_accounts(report, settings, &mut conn).await {
        report.add(CheckStatus::Error, "accounts", output::chain(&error));
    }
}

async fn check_durability(conn: &mut PgConnection) -> Result<(CheckStatus, String), sqlx::Error> {
    let durability = group_commit::durability(conn).await?;
    Ok(if !durability.waits_for_disk {
        (CheckStatus::Error, NotDurable.to_string())
    } else if let Some(durability_warning) = durability.durability_warning() {
        (CheckStatus::Warning, durability_warning.to_owned())
    } else {
        (CheckStatus::Ok, "commits wait for the disk".to_owned())
    })
}

async fn check_schema(
    conn: &mut PgConnection,
    migrate: bool,
) -> anyhow::Result<(CheckStatus, String)> {
    let privileges = schema::standing(conn).await?;
    let role = &privileges.role;
    if !privileges.lacking.is_empty() {
        let lacking = privileges.lacking.join("; ");
        return Ok((
            CheckStatus::Error,
            format!(
                "role {role} lacks {lacking}; as owner of the schema, run: leaver migrate --grant-to {role}"
            ),
        ));
    }
    let pending = schema::pending(conn).await?;
    let migrations = output::count(pending, "migration");
    Ok(match (pending, migrate, privileges.may_migrate) {
        (0, _, _) => (CheckStatus::Ok, "all migrations are applied".to_owned()),
        (_, true, true) => (
            CheckStatus::Ok,
            format!("{migrations} pending; `leaver serve` applies them"),
        ),
        (_, true, false) => (
            CheckStatus::Error,
            format!(
                "{migrations} pending, and role {role} may not apply them; as owner of the database, run: leaver migrate --grant-to {role}"
            ),
        ),
        (_, false, _) => (
            CheckStatus::Error,
            format!("{migrations} pending and `database.migrate` is false; run: leaver migrate"),
        ),
    })
}

async fn check_accounts(
    report: &mut CheckReport,
    settings: &Settings,
    conn: &mut PgConnection,
) -> anyhow::Result<()> {
    let mapping = &settings.accounts;
    let table = AccountsTable::inspect(conn, mapping).await?;
    report.add(
        CheckStatus::Ok,
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
        report.add(CheckStatus::Ok, "accounts.email_column", "indexed");
    } else {
        report.add(
            CheckStatus::Warning,
            "accounts.email_column",
            format!(
                "no index for the look-up by e-mail; run: {}",
                table.index_statement()
            ),
        );
    }
    let rights = crate::engine::accounts::store::rights(conn, &table, mapping).await?;
    let missing = match rights {
        Rights {
            select: true,
            update: true,
            ..
        } => None,
        Rights { select: false, .. } => Some("SELECT"),
        Rights { .. } => Some("UPDATE"),
    };
    match missing {
        None => report.add(
            CheckStatus::Ok,
            "accounts rights",
            format!("role {} may SELECT and UPDATE", rights.role),
        ),
        Some(privilege) => report.add(
            CheckStatus::Error,
            "accounts rights",
            format!(
                "role {} lacks {privilege}; run: {}",
                rights.role,
                mapping.grant_statement(&table, &rights.role)
            ),
        ),
    }
    if !rights.folds_unicode {
        report.add(
            CheckStatus::Warning,
            "accounts.email_column",
            "this database lowercases only ASCII, so an e-mail with other letters matches only if it is stored in lower case",
        );
    }
    for (position, statement) in mapping.end_sessions.iter().enumerate() {
        let check = format!("accounts.end_sessions[{position}]");
        match crate::engine::accounts::store::try_end_sessions(conn, statement).await {
            Ok(()) => report.add(CheckStatus::Ok, &check, "accepted by Postgres"),
            Err(error) => report.add(
                CheckStatus::Error,
                &check,
                format!("rejected by Postgres: {}", redacted_message(&error)),
            ),
        }
    }
    Ok(())
}
