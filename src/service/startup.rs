//! Checks before deliveries are accepted: the database is reachable and migrated, commits are durable, the accounts table fits.

use std::sync::Arc;

use anyhow::Context;
use tracing::{info, warn};

use crate::base::backoff::DATABASE;
use crate::base::clock::Clock;
use crate::db::backends::{Backends, Limits};
use crate::db::error::{Class, classify_chain, error_chain};
use crate::db::pool::Pool;
use crate::db::schema;
use crate::engine::accounts::{AccountsMapping, AccountsTable, protected};
use crate::engine::policies::Policies;
use crate::engine::shadow::{self, ModeOfSource};
use crate::ingest::group_commit::{self, GroupCommit, NotDurable};

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
}

impl Startup {
    /// Runs the checks. Repeats them until the database is reachable and migrated; other failures are errors.
    pub(super) async fn startup_checks(&self) -> anyhow::Result<()> {
        let mut failures = 0_u32;
        loop {
            match self.pool.with_silence_timeout(self.attempt()).await {
                Ok(true) => return Ok(()),
                Ok(false) => warn!(
                    "service.start: migrations are pending; run `leaver migrate` (database.migrate is false)"
                ),
                Err(error) if classify_chain(error.as_ref()) == Class::Outage => {
                    let error = error_chain(error.as_ref());
                    warn!(error, "service.start: cannot reach the database yet");
                }
                Err(error) => return Err(error),
            }
            failures = failures.saturating_add(1);
            tokio::time::sleep(DATABASE.random_wait(failures)).await;
        }
    }

    async fn attempt(&self) -> anyhow::Result<bool> {
        let mut conn = self.pool.acquire().await?;
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
            _ if self.migrate => schema::migrate(&mut conn).await.context(
                "cannot apply the migrations; run `leaver migrate --grant-to ROLE` as the owner of the database, with the role of the service",
            )?,
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
        self.intake.connect_early();
        log_modes(&shadow::modes(&mut conn, &self.policies).await?);
        Ok(true)
    }
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
