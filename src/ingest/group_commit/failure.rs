//! Why a flush failed, and what the log shows of it.

use crate::db::error::{Cause, Class, classify, redacted_message, sqlstate};

/// The database would confirm a commit before it is on disk.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error(
    "`synchronous_commit` is off for Leaver's role or database, so a crash could lose a delivery that was answered 200; \
     set it to on where it is set: ALTER ROLE ... SET synchronous_commit = on, ALTER DATABASE ... SET, or postgresql.conf"
)]
pub(crate) struct NotDurable;

/// Why a flush failed. Its text has no values of the database.
#[derive(Debug, thiserror::Error)]
pub(super) enum FlushError {
    /// No connection or no response in time.
    #[error("no response from the database in time")]
    TimedOut,
    /// The session must not be used.
    #[error("{0}")]
    NotDurable(NotDurable),
    /// A row is at fault: the insert fails however often it is repeated. Has the SQLSTATE.
    #[error("the database rejects a delivery (SQLSTATE {0})")]
    Rejected(String),
    /// The database is unavailable or refuses the statement.
    #[error("{}", redacted_message(.0))]
    Unavailable(sqlx::Error),
}

impl FlushError {
    /// Returns the cause, for health.
    pub(super) fn cause(&self) -> Cause {
        match self {
            Self::TimedOut => Cause::NoResponse,
            Self::NotDurable(_) => Cause::NotDurable,
            Self::Rejected(code) => rejected(code),
            Self::Unavailable(error) => Cause::of(error),
        }
    }
}

/// Returns the cause when the database rejects a delivery with this SQLSTATE.
pub(super) fn rejected(code: &str) -> Cause {
    Cause::Other(format!(
        "a trigger or constraint on leaver.deliveries rejects deliveries (SQLSTATE {code})"
    ))
}

impl From<sqlx::Error> for FlushError {
    fn from(error: sqlx::Error) -> Self {
        match classify(&error) {
            Class::Data => Self::Rejected(sqlstate(&error).into_owned()),
            Class::Outage | Class::Locked | Class::Permission | Class::Other => {
                Self::Unavailable(error)
            }
        }
    }
}
