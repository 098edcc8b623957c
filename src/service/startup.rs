//! Checks before deliveries are accepted: the database is reachable and migrated, commits are durable, the accounts table fits.

use std::sync::Arc;

use tracing::{info, warn};

use crate::base::backoff::DATABASE;
use crate::base::clock::Clock;
use crate::db::connection::is_in_recovery;
use crate::db::error::{Cause, Class, classify_chain, database_error, error_chain};
use crate::db::pool::Pool;
use crate::db::schema::{self, MigrationError};
use crate::engine::accounts::{AccountsMapping, AccountsTable, protected};
use crate::engine::policies::Policies;
use crate::engine::shadow::{self, ModeOfSource};
use crate::ingest::group_commit::{self, NotDurable};
use crate::ingest::store_signs::StoreSigns;

/// The checks before the service is ready.
pub(super) struct Startup {
    pub(super) pool: Pool,
    pub(super) mapping: AccountsMapping,
    pub(super) migrate: bool,
    pub(super) policies: Arc<Policies>,
    pub(super) clock: Arc<dyn Clock>,
    /// For health.
    pub(super) signs: Arc<StoreSigns>,
}

impl Startup {
    /// Runs the checks. Repeats them until the database is reachable and migrated; other failures are errors.
    pub(super) async fn startup_checks(&self) -> anyhow::Result<()> {
        let mut failures = 0_u32;
        loop {
            match self.pool.with_silence_timeout(self.attempt()).await {
                Ok(true) => {
                    self.signs.set_start_failure(None);
                    return Ok(());
                }
                Ok(false) => {
                    self.signs.set_start_failure(None);
                    warn!(
                        "service.start: migrations are pending; run `leaver migrate` (database.migrate is false)"
                    );
                }
                Err(error) if classify_chain(error.as_ref()) == Class::Outage => {
                    let cause = self.cause(&error).await;
                    let (name, advice) = (cause.name(), cause.advice());
                    let error = error_chain(error.as_ref());
                    if cause.is_unreachable() {
                        warn!(error, "service.start: cannot reach the database yet");
                    } else {
                        warn!(
                            error,
                            advice, "service.start: cannot use the database yet: {name}"
                        );
                    }
                    self.signs.set_start_failure(Some(cause));
                }
                Err(error) => return Err(error),
            }
            failures = failures.saturating_add(1);
            tokio::time::sleep(DATABASE.random_wait(failures)).await;
        }
    }

    /// Returns the cause of a failure that may pass.
    async fn cause(&self, error: &anyhow::Error) -> Cause {
        let cause = database_error(error.as_ref()).map_or(Cause::NoResponse, Cause::of);
        let is_standby = async {
            let mut conn = self.pool.connect_dedicated().await?;
            is_in_recovery(&mut conn).await
        };
        match cause {
            Cause::ReadOnly
                if self
                    .pool
                    .with_silence_timeout(is_standby)
                    .await
                    .unwrap_or(false) =>
            {
                Cause::InRecovery
            }
            cause => cause,
        }
    }

    async fn attempt(&self) -> anyhow::Result<bool> {
        // Not from the pool, which repeats some refusals until its time limit and then has no cause.
        let mut conn = self.pool.connect_dedicated().await?;
        schema::check_encoding(&mut conn).await?;
        // Only if migrations are pending: where another role migrates, the role of the service may not create tables.
        match schema::pending(&mut conn).await? {
            0 => {}
            _ if self.migrate => schema::migrate(&mut conn).await.map_err(with_what_to_do)?,
            _ => return Ok(false),
        }
        let durability = group_commit::durability(&mut conn).await?;
        if !durability.waits_for_disk {
            return Err(NotDurable.into());
        }
        if let Some(durability_warning) = durability.durability_warning() {
            warn!("service.start: {durability_warning}");
        }
        let table = AccountsTable::inspect(&mut conn, &self.mapping).await?;
        if !table.email_is_indexed {
            warn!(
                table = table.name,
                "accounts.inspect: no index supports the lookup by e-mail; `leaver check` prints the statement that creates one"
            );
        }
        let now = self.clock.now();
        let tenants = self.policies.tenants();
        protected::remember_all(&mut conn, &table, &tenants, now).await?;
        shadow::store_start_modes(&mut conn, &self.policies, now).await?;
        log_modes(&shadow::modes(&mut conn, &self.policies).await?);
        Ok(true)
    }
}

/// Adds what to do about a migration that failed. Only a lack of privileges needs another role.
fn with_what_to_do(error: MigrationError) -> anyhow::Error {
    let error = anyhow::Error::new(error);
    let text = if classify_chain(error.as_ref()) == Class::Permission {
        "cannot apply the migrations; run `leaver migrate --grant-to ROLE` as the owner of the database, with the role of the service"
    } else {
        "cannot apply the migrations"
    };
    error.context(text)
}

fn log_modes(modes: &[ModeOfSource]) {
    for found in modes {
        let (source, mode) = (&found.source, found.mode.as_str());
        info!(%source, mode, "service.start: mode of the source");
        if found.mode != found.configured {
            let configured = found.configured.as_str();
            warn!(
                %source,
                mode,
                configured,
                "service.start: the configured mode has no effect, since the source was seen before; `leaver {mode}` was run or the setting changed later"
            );
        }
    }
}
