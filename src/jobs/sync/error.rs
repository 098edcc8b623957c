//! Why a sync failed.

use crate::connect::{ReadError, WebhookError};
use crate::db::error::error_chain;
use crate::engine::Failure;
use leaver_core::domain::SourceName;

/// Why a sync did not run, or ended early. Each cause may pass, so the next sync retries.
#[derive(Debug, thiserror::Error)]
pub enum SyncError {
    /// The provider's API could not be read to the end.
    #[error(transparent)]
    Api(#[from] ReadError),
    /// Our database failed.
    // Not as `source`: the chain would show the values that the database quotes.
    #[error("our database: {}", error_chain(.0))]
    Database(sqlx::Error),
    /// The engine could not apply a batch.
    #[error("our database: {0}")]
    Engine(#[from] Failure),
}

impl From<sqlx::Error> for SyncError {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error)
    }
}

/// Why the delivery logs could not be compared with the inbox.
#[derive(Debug, thiserror::Error)]
pub enum GapsError {
    /// The provider has no delivery logs.
    #[error("source {0} has no delivery logs; only BambooHR keeps them")]
    NoLogs(SourceName),
    /// The webhooks could not be listed.
    #[error(transparent)]
    List(#[from] WebhookError),
    /// No visible webhook posts to this source.
    #[error(
        "no webhook of this key posts to /webhooks/{0}; run `leaver webhooks list` to see them, use --webhook ID for \
         one that arrives by another path, or use the key of another BambooHR user to see theirs"
    )]
    NoWebhook(SourceName),
    /// Our database failed.
    #[error("our database: {}", error_chain(.0))]
    Database(sqlx::Error),
}

impl From<sqlx::Error> for GapsError {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error)
    }
}
