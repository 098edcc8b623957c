//! `leaver migrate`.

use std::process::ExitCode;

use anyhow::Context;
use clap::Args;

use super::{Config, Format, connect, output};
use crate::config::Environment;
use crate::db::schema;

/// Apply pending migrations to the schema `leaver`
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  leaver migrate\n  DATABASE_URL=postgres://owner@localhost/app leaver migrate --grant-to leaver_service"
)]
pub(super) struct Migrate {
    #[command(flatten)]
    config: Config,
    /// Grant this role the service's privileges; on the audit log, INSERT only
    #[arg(long, value_name = "ROLE")]
    grant_to: Option<String>,
    #[command(flatten)]
    format: Format,
}

impl Migrate {
    pub(super) async fn run(self, env: &Environment) -> anyhow::Result<ExitCode> {
        let (_, mut conn) = connect(&self.config, env).await?;
        let pending = schema::pending(&mut conn).await?;
        schema::migrate(&mut conn)
            .await
            .context("cannot apply the migrations")?;
        if let Some(role) = &self.grant_to {
            schema::grant_to(&mut conn, role)
                .await
                .with_context(|| format!("cannot grant the service's privileges to role {role}"))?;
        }
        if self.format.json {
            output::json(&serde_json::json!({ "applied": pending, "granted_to": self.grant_to }))?;
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
        }
        Ok(ExitCode::SUCCESS)
    }
}
