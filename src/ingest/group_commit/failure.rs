//! What a failed flush means, and how it is said.

use sqlx::error::DatabaseError;
use sqlx::postgres::PgDatabaseError;

/// The database would say yes before a delivery is on the disk.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error(
    "synchronous_commit is off for leaver's role or database, so a delivery that was answered 200 could be lost in a crash; \
     set it to on where it is set: ALTER ROLE ... SET synchronous_commit = on, ALTER DATABASE ... SET, or postgresql.conf"
)]
pub struct NotDurable;

/// Whether a row is at fault, by the class of the error: a value, a constraint, a limit, or a trigger's own word.
pub(super) fn is_about_the_data(error: &sqlx::Error) -> bool {
    let code = sqlstate(error);
    ["22", "23", "44", "54", "P0"]
        .iter()
        .any(|class| code.starts_with(class))
}

/// The code of Postgres's answer; empty when there was none.
pub(super) fn sqlstate(error: &sqlx::Error) -> String {
    let code = error.as_database_error().and_then(DatabaseError::code);
    code.unwrap_or_default().into_owned()
}

/// What went wrong, without what Postgres or a trigger may quote of a row.
pub(super) fn plain_cause(error: &sqlx::Error) -> String {
    let code = sqlstate(error);
    let answer = error.as_database_error();
    match answer.and_then(|answer| answer.try_downcast_ref::<PgDatabaseError>()) {
        Some(answer) if answer.r#where().is_none() && !is_about_the_data(error) => {
            format!("{} (SQLSTATE {code})", answer.message())
        }
        Some(_) => format!("SQLSTATE {code}"),
        None => error.to_string(),
    }
}
