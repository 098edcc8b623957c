//! A flusher's own connection. It is not pooled: a pool would keep a dead connection's place occupied.

use std::time::Duration;

use sqlx::PgConnection;
use tokio::time::{sleep, timeout};

use super::failure::{FlushError, NotDurable};
use crate::base::backoff::{Backoff, Jitter};
use crate::db::connection::{ConnectSource, SessionTimeouts};
use crate::ingest::inbox::arrivals::store;

/// The wait before the next attempt. Senders wait meanwhile.
const BACKOFF: Backoff = Backoff {
    base: Duration::from_millis(25),
    cap: Duration::from_millis(400),
    jitter: Jitter::None,
};

/// A connection that is opened again after a failure.
#[derive(Debug)]
pub(super) struct ReconnectingConnection {
    source: ConnectSource,
    connect_timeout: Duration,
    statement_timeout: Duration,
    connection: Option<PgConnection>,
    failures: u32,
}

impl ReconnectingConnection {
    pub(super) fn new(
        source: ConnectSource,
        connect_timeout: Duration,
        statement_timeout: Duration,
    ) -> Self {
        Self {
            source,
            connect_timeout,
            statement_timeout,
            connection: None,
            failures: 0,
        }
    }

    /// Returns the connection, and opens one if there is none. Refuses a connection whose commits could be lost.
    ///
    /// # Errors
    /// Returns why none could be opened, or that its commits would not be durable.
    pub(super) async fn connection(&mut self) -> Result<&mut PgConnection, FlushError> {
        let connection = if let Some(connection) = self.connection.take() {
            connection
        } else {
            let opened = connect(&self.source, self.statement_timeout);
            timeout(self.connect_timeout, opened)
                .await
                .map_err(|_| FlushError::TimedOut)??
        };
        Ok(self.connection.insert(connection))
    }

    /// Starts the backoff again at its shortest wait, after a success.
    pub(super) fn reset_backoff(&mut self) {
        self.failures = 0;
    }

    /// Drops the connection, whatever its state, and waits before the next attempt.
    pub(super) async fn discard(&mut self) {
        // Dropped, not closed: a dead connection would never take the goodbye.
        self.connection = None;
        self.failures = self.failures.saturating_add(1);
        sleep(BACKOFF.random_wait(self.failures)).await;
    }
}

async fn connect(
    source: &ConnectSource,
    statement_timeout: Duration,
) -> Result<PgConnection, FlushError> {
    let timeouts = SessionTimeouts {
        statement: statement_timeout,
        ..SessionTimeouts::default()
    };
    let mut connection = source.open(timeouts).await?;
    if store::durability(&mut connection).await?.waits_for_disk {
        Ok(connection)
    } else {
        Err(FlushError::NotDurable(NotDurable))
    }
}
