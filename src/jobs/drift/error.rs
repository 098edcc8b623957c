//! Why a comparison failed.

use crate::db::error::chain;
use crate::engine::accounts::MappingError;
use crate::jobs::EngineFailure;

/// Why the roster could not be compared with the accounts.
#[derive(Debug, thiserror::Error)]
pub enum DriftError {
    /// The accounts table cannot be used.
    // Not as `source`, here and below: the chain would show the values that the database quotes.
    #[error("{}", chain(.0))]
    Accounts(MappingError),
    /// The database failed.
    #[error("the database: {}", chain(.0))]
    Database(sqlx::Error),
    /// The engine could not end access.
    #[error(transparent)]
    Engine(#[from] EngineFailure),
}

impl From<sqlx::Error> for DriftError {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error)
    }
}
