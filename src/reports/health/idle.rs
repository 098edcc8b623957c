//! A connection that is kept between queries.

use std::time::Duration;

use tokio::sync::{Mutex, MutexGuard};
use tokio::time::timeout;

use crate::db::backends::{Connection, Share};
use crate::db::connection::SessionTimeouts;
use crate::db::connection::sessions::is_shared_session;

/// Time limit for a ping of an idle connection. A connection that fails it is dropped.
const PING_TIMEOUT: Duration = Duration::from_millis(500);

/// A connection that is kept between queries. Queries run one at a time.
#[derive(Debug)]
pub(super) struct IdleConnection {
    share: Share,
    idle: Mutex<Option<Connection>>,
}

/// A connection in use. It is kept only if [`TakenConnection::put_back`] is called.
pub(super) struct TakenConnection<'a> {
    idle: MutexGuard<'a, Option<Connection>>,
    /// The connection.
    pub(super) conn: Connection,
}

impl TakenConnection<'_> {
    /// Keeps the connection for the next query.
    pub(super) fn put_back(mut self) {
        *self.idle = Some(self.conn);
    }
}

impl IdleConnection {
    pub(super) fn new(share: Share) -> Self {
        Self {
            share,
            idle: Mutex::default(),
        }
    }

    /// Returns the idle connection if it still answers with its session, else a new one that does.
    pub(super) async fn take(&self) -> Result<TakenConnection<'_>, sqlx::Error> {
        let mut idle = self.idle.lock().await;
        if let Some(mut conn) = idle.take() {
            match timeout(PING_TIMEOUT, conn.check_session()).await {
                Ok(Ok(())) => return Ok(TakenConnection { idle, conn }),
                Ok(Err(error)) if is_shared_session(&error) => return Err(error),
                Ok(Err(_)) | Err(_) => {}
            }
        }
        let conn = self.share.open(SessionTimeouts::default()).await?;
        Ok(TakenConnection { idle, conn })
    }
}
