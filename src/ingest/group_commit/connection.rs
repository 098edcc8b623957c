//! A flusher's own connection. There is no pool in the way: one whose other end is silently gone would be missing in
//! it for ever.

use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, PgConnection};
use tokio::time::{sleep, timeout};

use super::failure::NotDurable;
use crate::ingest::inbox::arrivals::store;

/// How long until the next attempt, at first and at most.
const BACKOFF: [Duration; 2] = [Duration::from_millis(25), Duration::from_millis(400)];

/// A connection that comes back.
#[derive(Debug)]
pub(super) struct ReconnectingConnection {
    options: PgConnectOptions,
    connect_timeout: Duration,
    connection: Option<PgConnection>,
    pause: Duration,
}

impl ReconnectingConnection {
    pub(super) fn new(options: PgConnectOptions, connect_timeout: Duration) -> Self {
        Self {
            options,
            connect_timeout,
            connection: None,
            pause: BACKOFF[0],
        }
    }

    /// The connection, made anew where there is none. One on which a commit could be lost is none.
    ///
    /// # Errors
    /// What the database says; `None` when it said nothing in time.
    pub(super) async fn connection(&mut self) -> Result<&mut PgConnection, Option<sqlx::Error>> {
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => timeout(self.connect_timeout, connect(&self.options))
                .await
                .map_err(|_| None)??,
        };
        Ok(self.connection.insert(connection))
    }

    /// The last attempt went well.
    pub(super) fn reset_backoff(&mut self) {
        self.pause = BACKOFF[0];
    }

    /// Gives the connection up, whatever state it is in, and waits a little. Its socket is closed without a farewell,
    /// which a dead one would never take.
    pub(super) async fn discard(&mut self) {
        self.connection = None;
        sleep(self.pause).await;
        self.pause = (self.pause * 2).min(BACKOFF[1]);
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
