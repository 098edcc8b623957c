//! The connection of a flusher. It is not from a pool: a dead connection is dropped at once, without a farewell that it would
//! wait for.

use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, PgConnection};
use tokio::time::{sleep, timeout};

use super::failure::{InsertError, NotDurable};
use crate::base::backoff::{Backoff, Jitter};
use crate::ingest::inbox::arrivals::store;

/// Before the next attempt. Senders wait meanwhile.
const BACKOFF: Backoff = Backoff {
    base: Duration::from_millis(25),
    cap: Duration::from_millis(400),
    jitter: Jitter::None,
};

/// A connection that is made again after a failure.
#[derive(Debug)]
pub(super) struct ReconnectingConnection {
    options: PgConnectOptions,
    connect_within: Duration,
    connection: Option<PgConnection>,
    failures: u32,
}

impl ReconnectingConnection {
    pub(super) fn new(options: PgConnectOptions, connect_within: Duration) -> Self {
        Self {
            options,
            connect_within,
            connection: None,
            failures: 0,
        }
    }

    /// Returns the connection, a new one if needed.
    ///
    /// # Errors
    /// Returns why none could be made, or that its commits would not be durable.
    pub(super) async fn connection(&mut self) -> Result<&mut PgConnection, InsertError> {
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => timeout(self.connect_within, connect(&self.options))
                .await
                .map_err(|_| InsertError::TimedOut)??,
        };
        Ok(self.connection.insert(connection))
    }

    /// Starts the backoff from its beginning, after a success.
    pub(super) fn reset_backoff(&mut self) {
        self.failures = 0;
    }

    /// Drops the connection, whatever its state, and waits: 25 ms at first, 400 ms at most.
    pub(super) async fn discard(&mut self) {
        self.connection = None;
        self.failures = self.failures.saturating_add(1);
        sleep(BACKOFF.random_wait(self.failures)).await;
    }
}

async fn connect(options: &PgConnectOptions) -> Result<PgConnection, InsertError> {
    let mut connection = options.connect().await?;
    if store::durability(&mut connection).await?.waits_for_disk {
        Ok(connection)
    } else {
        Err(InsertError::NotDurable(NotDurable))
    }
}
