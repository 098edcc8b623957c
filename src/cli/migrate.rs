//! `leaver migrate`.

use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use sqlx::PgConnection;

use super::{Config, Format, connect, exit_code, output};
use crate::config::{Environment, SecretScope, Settings};
use crate::db::schema;
use crate::engine::accounts::privileges::{self, Rights};
use crate::engine::accounts::{AccountsMapping, AccountsTable};

/// Apply pending migrations to the schema `leaver`
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  leaver migrate\n  DATABASE_URL=postgres://owner@localhost/app leaver migrate --grant-to leaver_service\n  leaver migrate --grant-to leaver_service --shadow\n\nExit code 1: with --shadow, the role may still change accounts"
)]
pub(super) struct Migrate {
    #[command(flatten)]
    config: Config,
    /// Grant this role the service's privileges; on the audit log, INSERT only
    #[arg(long, value_name = "ROLE")]
    grant_to: Option<String>,
    /// Also grant it SELECT on the users table, and revoke UPDATE, for shadow mode
    #[arg(long, requires = "grant_to")]
    shadow: bool,
    #[command(flatten)]
    format: Format,
}

impl Migrate {
    pub(super) async fn run(self, env: &Environment) -> anyhow::Result<ExitCode> {
        let (settings, mut conn) = connect(&self.config, env, &SecretScope::database()).await?;
        let pending = schema::pending(&mut conn).await?;
        schema::migrate(&mut conn)
            .await
            .context("cannot apply the migrations")?;
        if let Some(role) = &self.grant_to {
            schema::grant_to(&mut conn, role)
                .await
                .with_context(|| format!("cannot grant the service's privileges to role {role}"))?;
        }
        let shadow_role = self.grant_to.as_ref().filter(|_| self.shadow);
        let rights = match shadow_role {
            Some(role) => Some(grant_shadow(&mut conn, &settings, role).await?),
            None => None,
        };
        let may_update = rights.as_ref().map(|rights| rights.update);
        if self.format.json {
            output::json(&serde_json::json!({
                "applied": pending, "granted_to": self.grant_to, "may_update_accounts": may_update
            }))?;
        } else {
            output::line!(
                "schema leaver: {pending} of {} migrations applied now",
                schema::MIGRATOR.iter().count()
            );
            if let Some(role) = &self.grant_to {
                output::line!(
                    "role {role}: privileges on the schema leaver granted; on leaver.audit, INSERT only"
                );
            }
            if let Some(rights) = rights {
                print_rights(&settings.accounts, &rights);
            }
        }
        Ok(exit_code(may_update != Some(true)))
    }
}

/// Lets a role read the users table and not change it. Returns the privileges that it has now.
async fn grant_shadow(
    conn: &mut PgConnection,
    settings: &Settings,
    role: &str,
) -> anyhow::Result<Rights> {
    let mapping = &settings.accounts;
    let table = AccountsTable::inspect(conn, mapping).await?;
    let before = privileges::rights(conn, &table, mapping, Some(role)).await?;
    let usage = (!before.usage).then(|| AccountsMapping::usage_statement(&table, role));
    let mut statements: Vec<String> = usage.into_iter().collect();
    statements.extend([
        mapping.select_statement(&table, role),
        mapping.revoke_statement(&table, role),
    ]);
    let granted = schema::run_grants(conn, &statements).await;
    granted.with_context(|| {
        format!(
            "cannot change the privileges of role {role} on the users table; as its owner, run: {}",
            statements.join(" ")
        )
    })?;
    Ok(privileges::rights(conn, &table, mapping, Some(role)).await?)
}

fn print_rights(mapping: &AccountsMapping, rights: &Rights) {
    let (role, table) = (&rights.role, &mapping.table);
    if rights.update {
        output::note(&format!(
            "role {role} may still UPDATE {table}: it is a superuser, owns the table, or has the privilege through another role or PUBLIC; use another role"
        ));
    } else {
        output::line!("role {role}: SELECT on {table} granted, and no UPDATE");
    }
}
