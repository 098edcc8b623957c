//! A flusher's own connection. It is not pooled: a pool would keep a dead connection's place occupied.

use std::sync::Arc;
use std::time::Duration;

use sqlx::PgConnection;
use tokio::time::{sleep, timeout};

use super::failure::{FlushError, NotDurable};
use crate::base::backoff::{Backoff, Jitter};
use crate::db::backends::{Connection, Place, Share};
use crate::db::connection::SessionTimeouts;
use crate::db::lineage::Memory;
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
    share: Share,
    connect_timeout: Duration,
    statement_timeout: Duration,
    lineage: Arc<Memory>,
    place: Option<Place>,
    connection: Option<Connection>,
    failures: u32,
}

impl ReconnectingConnection {
    pub(super) fn new(
        share: Share,
        connect_timeout: Duration,
        statement_timeout: Duration,
        lineage: Arc<Memory>,
    ) -> Self {
        Self {
            share,
            connect_timeout,
            statement_timeout,
            lineage,
            place: None,
            connection: None,
            failures: 0,
        }
    }

    /// Waits until there is a connection or a place for one. While those that were given up have not ended, there is none.
    pub(super) async fn reserve(&mut self) {
        if self.connection.is_none() && self.place.is_none() {
            self.place = self.share.place().await.ok();
        }
    }

    /// Frees a place that is not used yet.
    pub(super) fn release_place(&mut self) {
        self.place = None;
    }

    /// Returns the connection, and opens one if there is none. Refuses a connection whose commits could be lost.
    ///
    /// # Errors
    /// Returns why none could be opened, or that its commits would not be durable.
    pub(super) async fn connection(&mut self) -> Result<&mut PgConnection, FlushError> {
        let connection = if let Some(connection) = self.connection.take() {
            connection
        } else {
            let opened = connect(&self.share, self.place.take(), self.statement_timeout);
            let opened = timeout(self.connect_timeout, opened)
                .await
                .map_err(|_| FlushError::TimedOut)??;
            self.lineage.connected();
            opened
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
    share: &Share,
    place: Option<Place>,
    statement_timeout: Duration,
) -> Result<Connection, FlushError> {
    let place = match place {
        Some(place) => place,
        None => share.place().await?,
    };
    let timeouts = SessionTimeouts {
        statement: statement_timeout,
        ..SessionTimeouts::default()
    };
    let mut connection = share.open_in(place, timeouts).await?;
    if store::durability(&mut connection).await?.waits_for_disk {
        Ok(connection)
    } else {
        Err(FlushError::NotDurable(NotDurable))
    }
}
