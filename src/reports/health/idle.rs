//! A connection that is kept between queries.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use sqlx::PgConnection;
use tokio::time::timeout;

use crate::db::connection::{ConnectSource, SessionTimeouts};
use crate::ingest::inbox;

/// Time limit for a ping of an idle connection. A connection that fails it is dropped.
const PING_TIMEOUT: Duration = Duration::from_millis(500);

/// A connection that is kept between queries.
#[derive(Debug)]
pub(super) struct IdleConnection {
    source: ConnectSource,
    idle: Mutex<Option<PgConnection>>,
}

impl IdleConnection {
    pub(super) fn new(source: ConnectSource) -> Self {
        Self {
            source,
            idle: Mutex::default(),
        }
    }

    /// Keeps a connection for the next query.
    pub(super) fn put(&self, conn: PgConnection) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        *idle = Some(conn);
    }

    /// Returns the idle connection if it still answers a ping, else a new one that does.
    pub(super) async fn take(&self) -> Result<PgConnection, sqlx::Error> {
        let idle = self
            .idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(mut conn) = idle
            && let Ok(Ok(())) = timeout(PING_TIMEOUT, inbox::queries::store::ping(&mut conn)).await
        {
            return Ok(conn);
        }
        let mut conn = self.source.open(SessionTimeouts::default()).await?;
        inbox::queries::store::ping(&mut conn).await?;
        Ok(conn)
    }
}
