//! Why work of the engine failed, decided where the error occurs. Callers choose by variant what to do next.

use crate::base::panics::{Panicked, catch_panic};
use crate::db::error::{Class, classify, redacted_message};
use crate::engine::accounts::MappingError;

/// Why work failed. Its text is complete, on one line and without values of the database.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The database is unavailable. The work is not at fault: stop, and repeat all of it later without counting an attempt.
    #[error("{}", redacted_message(.0))]
    Outage(sqlx::Error),
    /// The accounts table does not fit the configuration. As with an outage, everything stays due.
    #[error("{0}")]
    AccountsTable(MappingError),
    /// Another session holds a lock. Repeat later, without a limit on attempts.
    #[error("{}", redacted_message(.0))]
    Locked(sqlx::Error),
    /// The database rejected this work. Split it; an item that fails alone counts an attempt.
    #[error("{}", redacted_message(.0))]
    Rejected(sqlx::Error),
    /// A defect of Leaver. Split the work; an item that fails alone counts an attempt.
    #[error("{0}")]
    Panicked(#[from] Panicked),
}

impl Failure {
    /// Returns whether everything has to wait, so that splitting the work gains nothing.
    #[must_use]
    pub(crate) fn is_outage(&self) -> bool {
        matches!(self, Self::Outage(_) | Self::AccountsTable(_))
    }

    /// Returns whether another session holds a lock.
    #[must_use]
    pub(crate) fn is_lock(&self) -> bool {
        matches!(self, Self::Locked(_))
    }
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        match classify(&error) {
            Class::Outage => Self::Outage(error),
            Class::Locked => Self::Locked(error),
            Class::Data | Class::Permission | Class::Other => Self::Rejected(error),
        }
    }
}

impl From<MappingError> for Failure {
    fn from(error: MappingError) -> Self {
        match error {
            // Without this arm the text would be that of sqlx, with values.
            MappingError::Database(error) => error.into(),
            other => Self::AccountsTable(other),
        }
    }
}

/// Runs work; a panic becomes [`Failure::Panicked`], so that it is treated like any other failure of its item.
pub(crate) async fn run_catching<T, E: Into<Failure>>(
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, Failure> {
    catch_panic(work).await?.map_err(Into::into)
}
