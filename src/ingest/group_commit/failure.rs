//! Why a flush failed, and what the log shows of it.

use sqlx::error::DatabaseError;
use sqlx::postgres::PgDatabaseError;

/// The database would confirm a commit before it is on disk.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error(
    "`synchronous_commit` is off for Leaver's role or database, so a crash could lose a delivery that was answered 200; \
     set it to on where it is set: ALTER ROLE ... SET synchronous_commit = on, ALTER DATABASE ... SET, or postgresql.conf"
)]
pub struct NotDurable;

/// Why a batch was not written.
#[derive(Debug, thiserror::Error)]
pub(super) enum FlushError {
    /// The database did not respond in time. The batch may have been committed.
    #[error("no response in time")]
    TimedOut,
    /// The database failed.
    // Not as `source`: the chain would show the values that the database quotes.
    #[error("{}", redacted_cause(.0))]
    Database(sqlx::Error),
}

impl From<sqlx::Error> for FlushError {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error)
    }
}

impl FlushError {
    /// Returns true if a row is the cause, so that a retry of the same batch is useless.
    pub(super) fn is_about_the_data(&self) -> bool {
        matches!(self, Self::Database(error) if is_about_the_data(error))
    }

    /// Returns the SQLSTATE; empty if Postgres returned none.
    pub(super) fn sqlstate(&self) -> String {
        match self {
            Self::TimedOut => String::new(),
            Self::Database(error) => sqlstate(error),
        }
    }
}

/// Returns true for the SQLSTATE classes of a value, a constraint, a limit or a trigger's own error.
fn is_about_the_data(error: &sqlx::Error) -> bool {
    let code = sqlstate(error);
    ["22", "23", "44", "54", "P0"]
        .iter()
        .any(|class| code.starts_with(class))
}

fn sqlstate(error: &sqlx::Error) -> String {
    let code = error.as_database_error().and_then(DatabaseError::code);
    code.unwrap_or_default().into_owned()
}

/// Describes the error without the values of a row that Postgres or a trigger may quote.
fn redacted_cause(error: &sqlx::Error) -> String {
    let code = sqlstate(error);
    let database_error = error.as_database_error();
    match database_error.and_then(|error| error.try_downcast_ref::<PgDatabaseError>()) {
        Some(response) if response.r#where().is_none() && !is_about_the_data(error) => {
            format!("{} (SQLSTATE {code})", response.message())
        }
        Some(_) => format!("SQLSTATE {code}"),
        None => error.to_string(),
    }
}
