//! Locks for work that only one replica does at a time.
//!
//! An advisory lock is held on its own connection. If the process dies, Postgres releases it and another replica takes over.

mod store;

use std::ops::{Deref, DerefMut};

use sqlx::PgConnection;

use crate::db::backends::Connection;
use crate::db::pool::Pool;

/// A held lock, and the connection that holds it. Dropping it closes the connection, which releases the lock a moment later.
#[derive(Debug)]
pub(crate) struct AdvisoryLock {
    conn: Connection,
    pool: Pool,
}

impl AdvisoryLock {
    /// Acquires the lock of this name; returns `None` if another session holds it.
    ///
    /// # Errors
    /// Returns the database's error; the lock is not held then.
    pub(crate) async fn try_acquire(pool: &Pool, name: &str) -> Result<Option<Self>, sqlx::Error> {
        let acquired = async {
            let mut conn = pool.connect_dedicated().await?;
            if store::try_lock(&mut conn, name).await? {
                let pool = pool.clone();
                return Ok(Some(Self { conn, pool }));
            }
            conn.close().await;
            Ok(None)
        };
        pool.with_silence_timeout(acquired).await
    }

    /// Releases the lock at once and closes the connection.
    ///
    /// # Errors
    /// Returns the database's error; Postgres releases the lock when it detects the closed connection.
    pub(crate) async fn release(mut self) -> Result<(), sqlx::Error> {
        let unlocked = store::unlock(&mut self.conn);
        self.pool.with_silence_timeout(unlocked).await?;
        self.conn.close().await;
        Ok(())
    }
}

impl Deref for AdvisoryLock {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.conn
    }
}

impl DerefMut for AdvisoryLock {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.conn
    }
}
