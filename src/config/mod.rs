//! From defaults, file and environment to checked settings. Every mistake is named by its key and by where
//! it stands; nothing unknown is passed over and no secret is ever shown.

mod environment;
mod layers;
mod minimums;
mod raw;
mod secrets;
mod sources;
mod values;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use secrecy::SecretString;
use serde::Deserialize;

pub use self::environment::Environment;
use self::raw::Raw;
pub use self::sources::{ApiSettings, Source};
use crate::api::admin::AdminToken;
use crate::engine::accounts::AccountsMapping;
use leaver_core::decision::policy::DriftMode;
use leaver_core::domain::WorkEmail;

/// The reference of all settings, with their defaults.
pub const DEFAULTS: &str = include_str!("../../config/default.toml");

/// A setting is wrong. The text names the key, where it stands and what to do.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The file is not there or cannot be read.
    #[error("cannot read the configuration file {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not TOML.
    #[error("{origin} is not valid TOML: {problem}")]
    Syntax {
        /// The file.
        origin: String,
        /// Where and what, without the line itself, which may hold a secret.
        problem: String,
    },
    /// A key does not exist or its value is of the wrong kind.
    #[error("{origin}: {key}: {problem}")]
    Value {
        /// The file, or the environment.
        origin: String,
        /// The key.
        key: String,
        /// What is wrong and what would be right.
        problem: String,
    },
    /// A secret is not where the configuration says.
    #[error("{key}: {problem}")]
    Secret {
        /// The key.
        key: String,
        /// What is wrong and what to do.
        problem: String,
    },
    /// Nobody could send anything.
    #[error(
        "no source is configured, so no webhook could be accepted: set BAMBOOHR_WEBHOOK_SECRET or MERGE_WEBHOOK_SECRET, or write a [[sources]] section (see config/default.toml)"
    )]
    NoSource,
}

/// Everything the service is told, checked.
#[derive(Debug)]
pub struct Settings {
    /// The HTTP side.
    pub server: Server,
    /// The database; its URL is resolved only when it is needed.
    pub database: Database,
    /// Where the application keeps its users.
    pub accounts: AccountsMapping,
    /// Who sends, and how each is read and judged.
    pub sources: Vec<Source>,
    /// How long the body of a failed delivery is kept.
    pub keep_parked: Duration,
    /// How long a settled delivery is remembered.
    pub keep_settled: Duration,
    /// The working half.
    pub worker: WorkerSettings,
    /// What is logged, and how.
    pub log: Log,
}

/// The HTTP side.
#[derive(Debug, Clone)]
pub struct Server {
    /// Where to listen.
    pub listen: SocketAddr,
    /// Largest body in bytes.
    pub max_body_bytes: usize,
    /// Bytes of all bodies in flight together.
    pub max_in_flight_bytes: usize,
    /// For the whole body to arrive.
    pub body_timeout: Duration,
    /// For a delivery to be stored.
    pub store_timeout: Duration,
    /// What opens the routes under `/api`; without it they are not there.
    pub admin_token: Option<AdminToken>,
    /// Limits of connections.
    pub connections: crate::api::connections::Limits,
}

/// The database.
#[derive(Debug, Clone)]
pub struct Database {
    /// Where it is; holds a password.
    pub url: Option<SecretString>,
    /// Why there is no URL, for whoever needs one.
    pub missing: Option<String>,
    /// Whether `serve` migrates first.
    pub migrate: bool,
}

/// The working half.
#[derive(Debug, Clone)]
pub struct WorkerSettings {
    /// Deliveries per batch at most.
    pub batch: i64,
    /// Batches under way at a time.
    pub batches: u32,
    /// Bytes of bodies per batch at most.
    pub batch_bytes: i64,
    /// How often to look without being woken.
    pub poll: Duration,
    /// Failures of one delivery before it counts as failed.
    pub max_attempts: i32,
    /// How often roster and accounts are compared.
    pub drift_check: Duration,
    /// What is done about access that should have ended.
    pub drift: DriftMode,
}

/// What is logged, and how.
#[derive(Debug, Clone)]
pub struct Log {
    /// A tracing filter.
    pub filter: String,
    /// Lines for people or for machines.
    pub format: LogFormat,
}

/// Lines for people or for machines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines, one object per line.
    Json,
}

impl Settings {
    /// Reads defaults, then the file (`--config`, else `LEAVER_CONFIG`), then the environment.
    ///
    /// # Errors
    /// [`SettingsError`], which names the key and where it stands.
    pub fn load(file: Option<&Path>, env: &Environment) -> Result<Self, SettingsError> {
        let written = Self::read(file, env)?;
        if written.sources.is_empty() {
            return Err(SettingsError::NoSource);
        }
        Ok(written)
    }

    /// The same for commands that need no source, such as `migrate`.
    ///
    /// # Errors
    /// [`SettingsError`], which names the key and where it stands.
    pub fn read(file: Option<&Path>, env: &Environment) -> Result<Self, SettingsError> {
        let (raw, origins) = layers::read(file, env)?;
        let wrong = |key: &str, problem: String| SettingsError::Value {
            origin: origins.of(key),
            key: key.to_owned(),
            problem,
        };
        let protected: BTreeSet<WorkEmail> = raw
            .accounts
            .protected
            .iter()
            .filter_map(|email| WorkEmail::parse(email))
            .collect();
        if protected.len() < raw.accounts.protected.len() {
            return Err(wrong(
                "accounts.protected",
                "an entry is blank or stands there twice".to_owned(),
            ));
        }
        let sources = sources::resolve(&raw, &protected, env, &wrong)?;
        let database = match secrets::resolve("database.url", &raw.database.url.0, env) {
            Ok(url) => (Some(url), None),
            Err(error) => (None, Some(error.to_string())),
        };
        if let Some((key, least)) = minimums::too_little(&raw) {
            return Err(wrong(key, format!("it must be at least {least}")));
        }
        Ok(Self {
            server: Server {
                listen: SocketAddr::from_str(&raw.server.listen).map_err(|_| {
                    wrong(
                        "server.listen",
                        format!(
                            "`{}` is not an address and port such as 127.0.0.1:8080",
                            raw.server.listen
                        ),
                    )
                })?,
                max_body_bytes: raw.server.max_body.0,
                max_in_flight_bytes: raw.server.max_in_flight.0,
                body_timeout: raw.server.body_timeout.0,
                store_timeout: raw.server.store_timeout.0,
                admin_token: secrets::admin_token(&raw.server.admin_token.0, env)?,
                connections: crate::api::connections::Limits {
                    max_connections: raw.server.max_connections,
                    header_timeout: raw.server.header_timeout.0,
                    idle_timeout: raw.server.idle_timeout.0,
                    drain_deadline: raw.server.drain_timeout.0,
                    write_timeout: raw.server.write_timeout.0,
                },
            },
            database: Database {
                url: database.0,
                missing: database.1,
                migrate: raw.database.migrate,
            },
            accounts: AccountsMapping {
                table: raw.accounts.table,
                id_column: raw.accounts.id_column,
                email_column: raw.accounts.email_column,
                active_column: raw.accounts.active_column,
                tenant_column: Some(raw.accounts.tenant_column).filter(|name| !name.is_empty()),
                end_sessions: raw.accounts.end_sessions,
            },
            sources,
            keep_parked: raw.inbox.keep.0,
            keep_settled: raw.inbox.retention.0,
            worker: WorkerSettings {
                batch: raw.worker.batch,
                batches: raw.worker.batches,
                batch_bytes: i64::try_from(raw.worker.batch_size.0).unwrap_or(i64::MAX),
                poll: raw.worker.poll.0,
                max_attempts: raw.worker.max_attempts,
                drift_check: raw.worker.drift_check.0,
                drift: raw.policy.drift.into(),
            },
            log: Log {
                filter: raw.log.filter,
                format: raw.log.format,
            },
        })
    }
}

#[cfg(test)]
#[expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot set itself up should fail"
)]
mod tests;
