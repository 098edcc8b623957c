//! Checks that need the database.

use sqlx::PgConnection;
use sqlx::postgres::PgConnectOptions;

use super::super::output;
use super::accounts;
use super::connections::check_connections;
use super::events::check_events;
use super::lookup::check_lookup;
use super::modes::{check_modes, check_shadow_rights};
use super::numbers::check_numbers;
use super::protected::check_protected;
use super::rights::{check_role, check_schemas};
use super::{CheckReport, CheckStatus};
use crate::config::Settings;
use crate::db::connection::protection::{Protection, is_socket};
use crate::db::lineage::{self, StateFile};
use crate::db::replication::{self, InRecovery};
use crate::db::schema;
use crate::engine::accounts::AccountsTable;
use crate::engine::accounts::privileges::{self, Rights};
use crate::ingest::group_commit::{self, NotDurable};
use crate::service;

/// Connects, and checks durability, the schema `leaver` and the users table.
pub(super) async fn check_database(report: &mut CheckReport, settings: &Settings) {
    let servers = match service::connect_options(&settings.database) {
        Ok(servers) => servers,
        Err(error) => {
            report.lacks_database = true;
            return report.add(CheckStatus::Error, "database", output::chain(&error));
        }
    };
    let mut conn = match service::connect(&servers).await {
        Ok(conn) => conn,
        Err(error) => {
            report.lacks_database = true;
            return report.add(CheckStatus::Error, "database", output::chain(&error));
        }
    };
    let place = service::describe(&servers);
    report.add(CheckStatus::Ok, "database", format!("connected to {place}"));
    for server in servers.all() {
        let (status, message) = protection_line(server);
        let host = server.get_host();
        match servers.all() {
            [_] => report.add(status, "database.tls", message),
            _ => report.add(status, "database.tls", format!("{host}: {message}")),
        }
    }
    if let Err(error) = check_role(report, &mut conn).await {
        report.add(CheckStatus::Error, "role", output::chain(&error.into()));
    }
    let max_connections = settings.database.max_connections;
    if let Err(error) = check_connections(report, &mut conn, max_connections).await {
        let message = output::chain(&error.into());
        report.add(CheckStatus::Error, "database.max_connections", message);
    }
    match schema::check_encoding(&mut conn).await {
        Ok(()) => report.add(CheckStatus::Ok, "encoding", "UTF8"),
        Err(error) => report.add(CheckStatus::Error, "encoding", output::chain(&error.into())),
    }
    let (status, message) = match check_durability(&mut conn).await {
        Ok(line) => line,
        Err(error) => (CheckStatus::Error, output::chain(&error.into())),
    };
    report.add(status, "durability", message);
    let (status, message) = match replication_line(&mut conn).await {
        Ok(line) => line,
        Err(error) => (CheckStatus::Error, output::chain(&error.into())),
    };
    report.add(status, "replication", message);
    let (status, message) = match check_schema(&mut conn, settings.database.migrate).await {
        Ok(line) => line,
        Err(error) => (CheckStatus::Error, output::chain(&error)),
    };
    let is_readable = status != CheckStatus::Error;
    report.add(status, "schema leaver", message);
    if is_readable && matches!(schema::pending(&mut conn).await, Ok(0)) {
        if let Err(error) = check_lineage(report, settings, &mut conn).await {
            report.add(CheckStatus::Error, "restored", output::chain(&error.into()));
        }
        if let Err(error) = check_events(report, settings, &mut conn).await {
            report.add(CheckStatus::Error, "events", output::chain(&error.into()));
        }
    }
    let is_shadowed = match check_modes(report, settings, &mut conn, is_readable).await {
        Ok(is_shadowed) => is_shadowed,
        Err(error) => {
            report.add(CheckStatus::Error, "modes", output::chain(&error));
            false
        }
    };
    if let Err(error) = check_accounts(report, settings, &mut conn, is_shadowed).await {
        report.add(CheckStatus::Error, "accounts", output::chain(&error));
    }
}

/// Returns what protects the connection.
fn protection_line(options: &PgConnectOptions) -> (CheckStatus, &'static str) {
    match Protection::of(options) {
        Protection::VerifiedTls => (
            CheckStatus::Ok,
            "TLS, with a verified certificate that names the host",
        ),
        Protection::Local if is_socket(options) => (
            CheckStatus::Ok,
            "a socket of this machine, without TLS; the password is used for SCRAM only",
        ),
        Protection::Local => (
            CheckStatus::Ok,
            "an address of this machine, without TLS; the password is used for SCRAM only",
        ),
        Protection::Unverified => (
            CheckStatus::Warning,
            "nothing verifies the server, so another one could get the password and every e-mail; set `database.tls` to \"verify-full\"",
        ),
    }
}

async fn check_durability(conn: &mut PgConnection) -> Result<(CheckStatus, String), sqlx::Error> {
    let durability = group_commit::durability(conn).await?;
    Ok(if !durability.waits_for_disk {
        (CheckStatus::Error, NotDurable.to_string())
    } else if let Some(durability_warning) = durability.durability_warning() {
        (CheckStatus::Warning, durability_warning.to_owned())
    } else {
        (
            CheckStatus::Ok,
            "commits wait for the disk of this server".to_owned(),
        )
    })
}

/// Returns what a commit waits for, and what a failover loses.
async fn replication_line(conn: &mut PgConnection) -> Result<(CheckStatus, String), sqlx::Error> {
    let found = match replication::store::replication(conn).await {
        Err(sqlx::Error::Database(_)) => {
            let message = "the server does not show its standbys; find out what a failover loses";
            return Ok((CheckStatus::Ok, message.to_owned()));
        }
        found => found?,
    };
    if found.in_recovery {
        return Ok((CheckStatus::Error, InRecovery.to_string()));
    }
    Ok(match found.failover_warning() {
        Some(warning) => (CheckStatus::Warning, warning),
        None => (CheckStatus::Ok, found.commit_description()),
    })
}

/// Checks whether the database went back in time, and the folder outside it.
async fn check_lineage(
    report: &mut CheckReport,
    settings: &Settings,
    conn: &mut PgConnection,
) -> Result<(), sqlx::Error> {
    if let Some(restore) = lineage::store::find_open(conn).await? {
        let message = format!(
            "{}; run `leaver sync --full` and `leaver webhooks gaps`, then `leaver restores acknowledge {}`",
            restore.description(),
            restore.id
        );
        report.add(CheckStatus::Warning, "restored", message);
    }
    if let Some(folder) = &settings.database.state_dir {
        match StateFile::new(folder.clone()).try_write() {
            Ok(true) => report.add(CheckStatus::Ok, "database.state_dir", "can be written"),
            Ok(false) => report.add(
                CheckStatus::Ok,
                "database.state_dir",
                "does not exist yet; `leaver serve` makes it",
            ),
            Err(error) => report.add(CheckStatus::Error, "database.state_dir", error.to_string()),
        }
    }
    Ok(())
}

async fn check_schema(
    conn: &mut PgConnection,
    migrate: bool,
) -> anyhow::Result<(CheckStatus, String)> {
    let privileges = schema::privileges(conn).await?;
    let role = &privileges.role;
    if !privileges.missing_privileges.is_empty() {
        let lacking = privileges.missing_privileges.join("; ");
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
    is_shadowed: bool,
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
            mapping.shape.column()
        ),
    );
    if let Some(replica) = replication::store::logical_replica(conn, &table.name).await? {
        report.add(CheckStatus::Error, "replica", replica.to_string());
    }
    check_schemas(report, conn, &table).await?;
    if let Err(error) = check_protected(report, conn, settings, &table).await {
        let message = output::chain(&error.into());
        report.add(CheckStatus::Error, "accounts.protected", message);
    }
    let rights = privileges::rights(conn, &table, mapping, None).await?;
    if rights.select {
        check_lookup(report, conn, &table).await;
        check_numbers(report, conn, &table).await;
    }
    if is_shadowed {
        check_shadow_rights(report, conn, mapping, &table, &rights).await;
        return Ok(());
    }
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
    accounts::check_trials(report, conn, mapping, &table, missing.is_none()).await;
    Ok(())
}
