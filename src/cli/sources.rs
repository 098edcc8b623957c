//! Sources that a command names with `--source`, and the error of a command that is used wrongly.

use sqlx::PgConnection;

use super::output::{Listing, TableColumns};
use super::{Config, ensure_migrated};
use crate::config::{Environment, SecretScope, Settings};
use crate::service;

/// A command that is used wrongly: it ends with exit status 2, and nothing was changed.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct WrongUse(String);

impl WrongUse {
    /// Makes the error. The text names the cause, and after a semicolon the way out.
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

/// Returns an error that lists the configured sources unless this is one of them.
pub(super) fn ensure_configured(settings: &Settings, source: Option<&str>) -> anyhow::Result<()> {
    let names: Vec<&str> = settings.sources.iter().map(|it| it.name.as_str()).collect();
    match source {
        Some(source) if !names.contains(&source) => Err(unknown(source, &names).into()),
        _ => Ok(()),
    }
}

/// Returns an error if `--columns` or `--no-header` is given for a command whose subcommand prints something else.
pub(super) fn ensure_unused<T: TableColumns>(listing: &Listing<T>) -> anyhow::Result<()> {
    anyhow::ensure!(
        !listing.is_given(),
        WrongUse::new(
            "--columns and --no-header stand before a subcommand; write them after it, if it prints a table"
        )
    );
    Ok(())
}

fn unknown(source: &str, names: &[&str]) -> WrongUse {
    WrongUse::new(if names.is_empty() {
        format!(
            "source {source} is not configured, and no other is; add it to `[[sources]]`, as in config/default.toml"
        )
    } else {
        format!(
            "source {source} is not configured; the sources are: {}",
            names.join(", ")
        )
    })
}

/// Reads the settings without any secret but the URL of the database, ensures that the source is configured, and connects.
pub(super) async fn open_about(
    config: &Config,
    env: &Environment,
    source: Option<&str>,
) -> anyhow::Result<(Settings, PgConnection)> {
    let settings = config.read(env, &SecretScope::database())?;
    ensure_configured(&settings, source)?;
    let mut conn = service::connect(&service::connect_options(&settings.database)?).await?;
    ensure_migrated(&mut conn).await?;
    Ok((settings, conn))
}
