//! Checks before deliveries are accepted: the database is reachable and migrated, commits are durable, the accounts table fits.

use std::sync::Arc;

use sqlx::PgConnection;
use tracing::{info, warn};

use crate::base::backoff::DATABASE;
use crate::base::clock::Clock;
use crate::db::backends::{Backends, Limits};
use crate::db::connection::sessions::is_shared_session;
use crate::db::error::{
    Cause, Class, classify_chain, database_error, error_chain, redacted_message,
};
use crate::db::pool::Pool;
use crate::db::replication::{self, InRecovery};
use crate::db::schema::{self, MigrationError};
use crate::engine::accounts::{AccountsMapping, AccountsTable, lookup, protected};
use crate::engine::policies::Policies;
use crate::engine::shadow::{self, ModeOfSource};
use crate::ingest::group_commit::{self, GroupCommit, NotDurable};
use crate::ingest::store_signs::StoreSigns;

/// The checks before the service is ready.
pub(super) struct Startup {
    pub(super) backends: Backends,
    pub(super) intake: GroupCommit,
    pub(super) max_connections: u32,
    pub(super) pool: Pool,
    pub(super) mapping: AccountsMapping,
    pub(super) migrate: bool,
    pub(super) policies: Arc<Policies>,
    pub(super) clock: Arc<dyn Clock>,
    /// Servers and database, for the log.
    pub(super) place: String,
    /// For health.
    pub(super) signs: Arc<StoreSigns>,
}

/// Result of one attempt.
enum Attempt {
    Passed,
    /// The server is a standby. It may be promoted.
    InRecovery,
    /// Migrations are pending.
    Unmigrated,
}

impl Startup {
    /// Runs the checks. Repeats them until the database is reachable and migrated; other failures are errors.
    pub(super) async fn startup_checks(&self) -> anyhow::Result<()> {
        let mut failures = 0_u32;
        loop {
            match self.pool.with_silence_timeout(self.attempt()).await {
                Ok(Attempt::Passed) => {
                    self.signs.set_start_failure(None);
                    return Ok(());
                }
                Ok(Attempt::InRecovery) => {
                    self.signs.set_start_failure(Some(Cause::InRecovery));
                    warn!("service.start: {InRecovery}; will retry");
                }
                Ok(Attempt::Unmigrated) => {
                    self.signs.set_start_failure(None);
                    warn!(
                        "service.start: migrations are pending; run `leaver migrate` (database.migrate is false)"
                    );
                }
                Err(error) if is_pooled(&error) => return Err(error),
                Err(error) if classify_chain(error.as_ref()) == Class::Outage => {
                    let cause = self.cause(&error).await;
                    let (name, advice) = (cause.name(), cause.advice());
                    let error = error_chain(error.as_ref());
                    let place = &self.place;
                    if cause.is_unreachable() {
                        warn!(error, place, "service.start: cannot reach the database yet");
                    } else {
                        warn!(
                            error,
                            place, advice, "service.start: cannot use the database yet: {name}"
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
            replication::store::is_in_recovery(&mut conn).await
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

    async fn attempt(&self) -> anyhow::Result<Attempt> {
        self.pool.check_sessions().await?;
        // Not from the pool, which repeats some refusals until its time limit and then has no cause.
        let mut conn = self.pool.connect_dedicated().await?;
        if replication::store::is_in_recovery(&mut conn).await? {
            return Ok(Attempt::InRecovery);
        }
        let limits = Limits::query(&mut conn).await?;
        let usable = limits.usable(self.max_connections)?;
        if usable < self.max_connections {
            let (_, limit, statement) = limits.lowest(self.max_connections);
            warn!(
                max_connections = self.max_connections,
                usable,
                statement,
                "service.start: {limit} allows fewer connections than `database.max_connections`; processing is slower"
            );
        }
        self.backends.lower_to(usable);
        self.backends.open_control().await;
        schema::check_encoding(&mut conn).await?;
        // Only if migrations are pending: where another role migrates, the role of the service may not create tables.
        match schema::pending(&mut conn).await? {
            0 => {}
            _ if self.migrate => schema::migrate(&mut conn).await.map_err(with_what_to_do)?,
            _ => return Ok(Attempt::Unmigrated),
        }
        let durability = group_commit::durability(&mut conn).await?;
        if !durability.waits_for_disk {
            return Err(NotDurable.into());
        }
        if let Some(durability_warning) = durability.durability_warning() {
            warn!("service.start: {durability_warning}");
        }
        if let Some(warning) = failover_warning(&mut conn).await? {
            warn!("service.start: {warning}");
        }
        let table = AccountsTable::inspect(&mut conn, &self.mapping).await?;
        if let Some(replica) = replication::store::logical_replica(&mut conn, &table.name).await? {
            return Err(replica.into());
        }
        warn_without_index(&mut conn, &table).await;
        let now = self.clock.now();
        let tenants = self.policies.tenants();
        protected::remember_all(&mut conn, &table, &tenants, now).await?;
        shadow::store_start_modes(&mut conn, &self.policies, now).await?;
        self.intake.connect_early();
        log_modes(&shadow::modes(&mut conn, &self.policies).await?);
        Ok(Attempt::Passed)
    }
}

/// Returns what a failover would lose. A managed server may refuse the views of replication.
async fn failover_warning(conn: &mut PgConnection) -> Result<Option<String>, sqlx::Error> {
    match replication::store::replication(conn).await {
        Ok(found) => Ok(found.failover_warning()),
        Err(sqlx::Error::Database(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Logs if no index serves the look-up. An inspection that fails, such as by a lock of the application, does not stop the start.
async fn warn_without_index(conn: &mut PgConnection, table: &AccountsTable) {
    let table_name = &table.name;
    match lookup::is_indexed(conn, table).await {
        Ok(true) => {}
        Ok(false) => warn!(
            table = table_name,
            "accounts.inspect: no index supports the lookup by e-mail; `leaver check` prints the statement that creates one"
        ),
        Err(error) => warn!(
            table = table_name,
            error = redacted_message(&error),
            "accounts.inspect: cannot inspect the lookup by e-mail; run `leaver check`"
        ),
    }
}

/// Returns true if a pooler shares sessions. Waiting would change nothing.
fn is_pooled(error: &anyhow::Error) -> bool {
    error
        .downcast_ref::<sqlx::Error>()
        .is_some_and(is_shared_session)
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
