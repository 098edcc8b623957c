//! A flusher's own connection. There is no pool in the way: one whose other end is silently gone would be missing in
//! it for ever.

use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, PgConnection};
use tokio::time::{sleep, timeout};

use super::failure::NotDurable;
use crate::ingest::inbox::arrivals::store;

/// How long until the next attempt, at first and at most.
const PAUSES: [Duration; 2] = [Duration::from_millis(25), Duration::from_millis(400)];

/// A connection that comes back.
#[derive(Debug)]
pub(super) struct Line {
    options: PgConnectOptions,
    connect_within: Duration,
    connection: Option<PgConnection>,
    pause: Duration,
}

impl Line {
    pub(super) fn new(options: PgConnectOptions, connect_within: Duration) -> Self {
        Self {
            options,
            connect_within,
            connection: None,
            pause: PAUSES[0],
        }
    }

    /// The connection, made anew where there is none. One on which a commit could be lost is none.
    ///
    /// # Errors
    /// What the database says; `None` when it said nothing in time.
    pub(super) async fn connection(&mut self) -> Result<&mut PgConnection, Option<sqlx::Error>> {
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => timeout(self.connect_within, connect(&self.options))
                .await
                .map_err(|_| None)??,
        };
        Ok(self.connection.insert(connection))
    }

    /// The last attempt went well.
    pub(super) fn works(&mut self) {
        self.pause = PAUSES[0];
    }

    /// Gives the connection up, whatever state it is in, and waits a little. Its socket is closed without a farewell,
    /// which a dead one would never take.
    pub(super) async fn give_up(&mut self) {
        self.connection = None;
        sleep(self.pause).await;
        self.pause = (self.pause * 2).min(PAUSES[1]);
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
