//! Reads the settings from defaults, file and environment, and checks them. Each section has a file of its own.
//! Every error names its key and where it is set; an unknown key is an error; no error contains a secret.

mod accounts;
mod database;
mod destinations;
mod drift;
mod environment;
mod error;
mod events;
mod inbox;
mod layers;
mod log;
mod minimums;
mod misspelt;
mod observations;
mod pending_reads;
mod policy;
mod provenance;
mod raw;
mod reference;
mod safeguard;
mod secrets;
mod server;
mod sources;
mod tenants;
mod toml_errors;
mod traces;
mod values;
mod variables;
mod worker;

use std::path::Path;

pub use self::database::{Database, DatabaseTls};
pub(crate) use self::drift::DriftSettings;
pub use self::environment::Environment;
pub(crate) use self::error::SettingsError;
pub(crate) use self::events::EventsSettings;
pub(crate) use self::inbox::InboxSettings;
pub use self::log::Log;
pub(crate) use self::log::LogFormat;
pub(crate) use self::observations::ObservationsSettings;
pub(crate) use self::pending_reads::PendingReadsSettings;
use self::provenance::Provenance;
use self::raw::Raw;
pub(crate) use self::reference::{Origin, SecretState, Shown, ShownSetting, Variable, schema};
pub(crate) use self::safeguard::SafeguardSettings;
use self::secrets::SecretReader;
pub(crate) use self::secrets::SecretReport;
pub use self::secrets::SecretScope;
pub(crate) use self::server::Server;
pub(crate) use self::sources::ApiSettings;
pub use self::sources::Source;
pub(crate) use self::traces::TracesSettings;
pub(crate) use self::worker::WorkerSettings;
use crate::connect::destinations::Destination;
use crate::engine::accounts::AccountsMapping;

/// The reference of all settings, with their defaults.
pub const DEFAULTS: &str = include_str!("../../config/default.toml");

/// All settings, checked.
#[derive(Debug)]
pub struct Settings {
    /// The HTTP server.
    pub server: Server,
    /// The application's Postgres.
    pub database: Database,
    /// The application's users table.
    pub accounts: AccountsMapping,
    /// Who sends webhooks, and the policy for each.
    pub sources: Vec<Source>,
    /// The periodic comparison of roster and accounts.
    pub drift: DriftSettings,
    /// Limits on the number of accounts that are changed.
    pub safeguard: SafeguardSettings,
    /// Reads of changes that arrive without values.
    pub pending_reads: PendingReadsSettings,
    /// Retention of deliveries.
    pub inbox: InboxSettings,
    /// Settings of events.
    pub events: EventsSettings,
    /// Who receives events.
    pub destinations: Vec<Destination>,
    /// Recorded observations.
    pub observations: ObservationsSettings,
    /// Processing of deliveries.
    pub worker: WorkerSettings,
    /// Filter and format of the log.
    pub log: Log,
    /// Where traces are sent; `None` if they are off.
    pub traces: Option<Box<TracesSettings>>,
    /// Remarks about the secrets.
    pub(crate) secrets: SecretReport,
}

impl Settings {
    /// Reads the settings from the defaults, then the file (`--config`, else `LEAVER_CONFIG`), then the environment.
    ///
    /// # Errors
    /// [`SettingsError`] for the first invalid setting, and [`SettingsError::NoSource`] without any source.
    pub fn load(file: Option<&Path>, env: &Environment) -> Result<Self, SettingsError> {
        Self::read(file, env, &SecretScope::all())?.with_sources()
    }

    /// Reads the settings as [`Settings::load`] does, with the secrets of `scope` only. There may be no source.
    ///
    /// # Errors
    /// [`SettingsError`] for the first invalid setting.
    pub fn read(
        file: Option<&Path>,
        env: &Environment,
        scope: &SecretScope<'_>,
    ) -> Result<Self, SettingsError> {
        let (raw, provenance) = layers::read(file, env)?;
        let protected = raw.accounts.protected(&provenance)?;
        let secrets = SecretReader::new(env, scope, provenance.folder());
        let position = raw.events.position(&secrets, &provenance)?;
        let sources = sources::build(&raw, &protected, &position, &secrets, &provenance)?;
        tenants::check(&raw, &sources, &provenance)?;
        let destinations = destinations::build(&raw.destinations, &secrets, &provenance)?;
        let has_sections = !raw.sources.is_empty();
        secrets.remark_misspelt(provenance.used(), has_sections);
        Ok(Self {
            sources,
            destinations,
            events: raw.events.build(&provenance)?,
            server: raw.server.build(&secrets, &provenance)?,
            database: raw.database.build(&secrets, &provenance)?,
            traces: raw.traces.build(&secrets, &provenance)?,
            secrets: secrets.finish()?,
            accounts: raw.accounts.build(&provenance)?,
            drift: raw.drift.build(&provenance)?,
            safeguard: raw.safeguard.build(&provenance)?,
            pending_reads: raw.pending_reads.build(&provenance)?,
            inbox: raw.inbox.build(&provenance)?,
            observations: raw.observations.build(&provenance)?,
            worker: raw.worker.build(&provenance)?,
            log: raw.log.build(),
        })
    }

    /// Returns every variable that the program reads, with those that these settings refer to.
    ///
    /// # Errors
    /// [`SettingsError`] if the file cannot be read, or a layer has an unknown key.
    pub(crate) fn variables(
        file: Option<&Path>,
        env: &Environment,
    ) -> Result<Vec<Variable>, SettingsError> {
        let (table, _) = layers::merged(file, env)?;
        Ok(reference::variables(&table, env))
    }

    /// Returns the settings if there is a source.
    ///
    /// # Errors
    /// [`SettingsError::NoSource`] without any source.
    pub(crate) fn with_sources(self) -> Result<Self, SettingsError> {
        if self.sources.is_empty() {
            return Err(SettingsError::NoSource(self.secrets.misspelt_hint()));
        }
        Ok(self)
    }
}

#[cfg(test)]
#[expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot set itself up should fail"
)]
mod tests;
