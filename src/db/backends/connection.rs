//! A connection that keeps its place until its backend has ended.

use std::ops::{Deref, DerefMut};
use std::time::Instant;

use sqlx::{Connection as _, PgConnection};

use super::Place;
use super::reaper::{GivenUp, Reaper};
use super::store::{self, Backend};
use crate::db::connection::sessions::OwnSession;
use crate::db::connection::{ConnectSource, SessionTimeouts};

/// A connection of ours. Dropping it closes the socket; its place is free once the backend has ended.
#[derive(Debug)]
pub struct Connection {
    conn: Option<PgConnection>,
    session: OwnSession,
    ending: Ending,
    opened_at: Instant,
}

/// Hands the place over when the connection has ended.
#[derive(Debug)]
struct Ending {
    place: Option<Place>,
    backend: Option<Backend>,
    reaper: Reaper,
    is_closed: bool,
}

impl Drop for Ending {
    fn drop(&mut self) {
        if let Some(place) = self.place.take() {
            self.reaper.hand_over(GivenUp {
                _place: Some(place),
                backend: self.backend.take(),
                is_closed: self.is_closed,
                since: Instant::now(),
            });
        }
    }
}

/// A connection that is being opened. If it is dropped, there may be a backend that is not known.
pub(super) struct Opening(Ending);

impl Opening {
    pub(super) fn new(place: Place, reaper: Reaper) -> Self {
        Self(Ending {
            place: Some(place),
            backend: None,
            reaper,
            is_closed: false,
        })
    }

    pub(super) async fn open(
        mut self,
        source: &ConnectSource,
        timeouts: SessionTimeouts,
    ) -> Result<Connection, sqlx::Error> {
        let opened = async {
            let (mut conn, session) = source.open_session(timeouts).await?;
            let backend = store::identify(&mut conn).await?;
            Ok((conn, session, backend))
        };
        match opened.await {
            Ok((conn, session, backend)) => {
                self.0.backend = Some(backend);
                Ok(Connection {
                    conn: Some(conn),
                    session,
                    ending: self.0,
                    opened_at: Instant::now(),
                })
            }
            Err(error) => {
                // The server has refused or was not reached, so there is no backend.
                self.0.place = None;
                Err(error)
            }
        }
    }
}

impl Connection {
    /// Closes the connection in order.
    pub(crate) async fn close(mut self) {
        if let Some(conn) = self.conn.take() {
            self.ending.is_closed = conn.close().await.is_ok();
        }
    }

    /// Checks that the session of this connection answers it.
    ///
    /// # Errors
    /// Returns an error if another session answers, or the database's error.
    pub(crate) async fn check_session(&mut self) -> Result<(), sqlx::Error> {
        let session = self.session.clone();
        session.check(self).await
    }

    /// Returns when it was opened.
    pub(crate) fn opened_at(&self) -> Instant {
        self.opened_at
    }

    /// Takes the place, for a pool in which unused connections have none.
    pub(crate) fn take_place(&mut self) -> Option<Place> {
        self.ending.place.take()
    }

    /// Gives a place back to a connection of a pool.
    pub(crate) fn set_place(&mut self, place: Place) {
        self.ending.place = Some(place);
    }
}

impl Deref for Connection {
    type Target = PgConnection;

    #[expect(clippy::expect_used, reason = "only `close` and a drop take it")]
    fn deref(&self) -> &PgConnection {
        self.conn.as_ref().expect("an open connection")
    }
}

impl DerefMut for Connection {
    #[expect(clippy::expect_used, reason = "only `close` and a drop take it")]
    fn deref_mut(&mut self) -> &mut PgConnection {
        self.conn.as_mut().expect("an open connection")
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // The socket is closed before the place is handed over.
        self.conn = None;
    }
}
