//! What must be so before deliveries are taken: the database is there and migrated, the users table fits.

use std::time::Duration;

use anyhow::Context;
use tracing::warn;

use crate::db::pool::Pool;
use crate::db::schema;
use crate::engine::accounts::{AccountsMapping, AccountsTable, MappingError};
use crate::ingest::group_commit::{self, NotDurable};

/// What must be so before deliveries are taken.
pub(super) struct Startup {
    pub(super) pool: Pool,
    pub(super) mapping: AccountsMapping,
    pub(super) migrate: bool,
}

impl Startup {
    /// Waits for the database as long as it takes; everything else that is wrong is an error.
    pub(super) async fn prepare(&self) -> anyhow::Result<()> {
        let mut waited = 0_u32;
        loop {
            match self.pool.heard(self.attempt()).await {
                Ok(true) => return Ok(()),
                Ok(false) => warn!(
                    "app.start: migrations are pending; run `leaver migrate` (database.migrate is false)"
                ),
                Err(error) if is_absence(&error) => {
                    warn!("app.start: cannot reach the database yet: {error:#}");
                }
                Err(error) => return Err(error),
            }
            waited = (waited + 1).min(5);
            tokio::time::sleep(Duration::from_millis(100 << waited)).await;
        }
    }

    async fn attempt(&self) -> anyhow::Result<bool> {
        let mut conn = self.pool.acquire().await?;
        // Only when there is something to apply: the role of a service that is migrated by another role may
        // use our tables and not make any.
        match schema::pending(&mut conn).await? {
            0 => {}
            _ if self.migrate => schema::migrate(&mut conn).await.context(
                "cannot apply the migrations; `leaver migrate` as the database's owner would, with --grant-to for the role of the service",
            )?,
            _ => return Ok(false),
        }
        let durability = group_commit::durability(&mut conn).await?;
        if !durability.waits_for_disk {
            return Err(NotDurable.into());
        }
        if let Some(durability_warning) = durability.durability_warning() {
            warn!("app.start: {durability_warning}");
        }
        let table = AccountsTable::inspect(&mut conn, &self.mapping).await?;
        if !table.email_is_indexed {
            warn!(
                table = table.name,
                "accounts.inspect: no index serves the look-up by e-mail; `leaver check` tells how to make one"
            );
        }
        Ok(true)
    }
}

/// Whether the database is merely not there yet.
fn is_absence(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause.downcast_ref::<sqlx::Error>().is_some_and(crate::db::error::is_outage)
            || matches!(cause.downcast_ref::<MappingError>(), Some(MappingError::Database(e)) if crate::db::error::is_outage(e))
    })
}
