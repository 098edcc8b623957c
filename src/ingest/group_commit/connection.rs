//! A flusher's own connection. It is not pooled: a pool would keep a dead connection's place occupied.

use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, PgConnection};
use tokio::time::{sleep, timeout};

use super::failure::{FlushError, NotDurable};
use crate::ingest::inbox::arrivals::store;

/// The first and the longest wait before the next attempt.
const BACKOFF: [Duration; 2] = [Duration::from_millis(25), Duration::from_millis(400)];

/// A connection that is opened again after a failure.
#[derive(Debug)]
pub(super) struct ReconnectingConnection {
    options: PgConnectOptions,
    connect_timeout: Duration,
    connection: Option<PgConnection>,
    backoff: Duration,
}

impl ReconnectingConnection {
    pub(super) fn new(options: PgConnectOptions, connect_timeout: Duration) -> Self {
        Self {
            options,
            connect_timeout,
            connection: None,
            backoff: BACKOFF[0],
        }
    }

    /// Returns the connection, and opens one if there is none. Refuses a connection whose commits could be lost.
    ///
    /// # Errors
    /// [`FlushError`] if no connection could be opened in time.
    pub(super) async fn connection(&mut self) -> Result<&mut PgConnection, FlushError> {
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => timeout(self.connect_timeout, connect(&self.options))
                .await
                .map_err(|_| FlushError::TimedOut)??,
        };
        Ok(self.connection.insert(connection))
    }

    /// Records a success.
    pub(super) fn reset_backoff(&mut self) {
        self.backoff = BACKOFF[0];
    }

    /// Drops the connection, whatever its state, and waits before the next attempt.
    pub(super) async fn discard(&mut self) {
        // Dropped, not closed: a dead connection would never take the goodbye.
        self.connection = None;
        sleep(self.backoff).await;
        self.backoff = (self.backoff * 2).min(BACKOFF[1]);
    }
}

async fn connect(options: &PgConnectOptions) -> Result<PgConnection, sqlx::Error> {
    let mut connection = options.connect().await?;
    if store::durability(&mut connection).await?.waits_for_disk {
        Ok(connection)
    } else {
        Err(sqlx::Error::Configuration(NotDurable.into()))
    }
}
