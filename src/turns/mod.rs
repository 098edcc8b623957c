//! Whose turn it is: what only one of several replicas does at a time. A turn is an advisory lock on a connection of its
//! own, so it ends with its owner, however that ends, and another replica takes over.

mod store;

use std::ops::{Deref, DerefMut};

use sqlx::{Connection, PgConnection, PgPool};

/// A proof that nobody else is at it, and the connection that holds it.
#[derive(Debug)]
pub struct Turn(PgConnection);

impl Turn {
    /// Takes the turn of this name; `None` when somebody else has it.
    ///
    /// # Errors
    /// Whatever the database says.
    pub async fn take(pool: &PgPool, name: &str) -> Result<Option<Self>, sqlx::Error> {
        let mut conn = pool.acquire().await?.detach();
        if store::try_lock(&mut conn, name).await? {
            return Ok(Some(Self(conn)));
        }
        drop(conn.close().await);
        Ok(None)
    }

    /// Gives the turn to others at once; a connection that is only closed keeps it a moment longer.
    ///
    /// # Errors
    /// Whatever the database says.
    pub async fn end(mut self) -> Result<(), sqlx::Error> {
        store::unlock(&mut self.0).await?;
        drop(self.0.close().await);
        Ok(())
    }
}

impl Deref for Turn {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.0
    }
}

impl DerefMut for Turn {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.0
    }
}
