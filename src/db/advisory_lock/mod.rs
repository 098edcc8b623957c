//! Whose turn it is: what only one of several replicas does at a time. A turn is an advisory lock on a connection of its
//! own, so it ends with its owner, however that ends, and another replica takes over.

mod store;

use std::ops::{Deref, DerefMut};

use sqlx::{Connection, PgConnection};

use crate::db::pool::Pool;

/// A proof that nobody else is at it, and the connection that holds it.
#[derive(Debug)]
pub struct AdvisoryLock {
    conn: PgConnection,
    pool: Pool,
}

impl AdvisoryLock {
    /// Takes the turn of this name; `None` when somebody else has it.
    ///
    /// # Errors
    /// Whatever the database says.
    pub async fn take(pool: &Pool, name: &str) -> Result<Option<Self>, sqlx::Error> {
        let taken = async {
            let mut conn = pool.apart().await?;
            if store::try_lock(&mut conn, name).await? {
                let pool = pool.clone();
                return Ok(Some(Self { conn, pool }));
            }
            drop(conn.close().await);
            Ok(None)
        };
        pool.heard(taken).await
    }

    /// Gives the turn to others at once; a connection that is only closed keeps it a moment longer.
    ///
    /// # Errors
    /// Whatever the database says.
    pub async fn end(mut self) -> Result<(), sqlx::Error> {
        self.pool.heard(store::unlock(&mut self.conn)).await?;
        drop(self.conn.close().await);
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
