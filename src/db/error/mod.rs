//! Classifies database errors, and describes them without the values that they quote.
//!
//! Values may be personal data, and descriptions end up in the log and in `leaver.deliveries`. The full message is in the
//! log of Postgres itself.

mod cause;
pub(crate) mod network;
mod tls;

use std::borrow::Cow;
use std::error::Error;

use sqlx::error::DatabaseError;
use sqlx::postgres::PgDatabaseError;

pub use self::cause::Cause;
pub(crate) use self::cause::is_authentication_failure;
use super::connection::sessions::is_shared_session;

/// The meaning of a database error for its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// The database is unavailable, or it rolled back for a reason outside the statement. The same work may succeed later.
    Outage,
    /// Another session held a lock for longer than `lock_timeout`.
    Locked,
    /// A value, a constraint or a trigger rejected a row.
    Data,
    /// The role may not connect or lacks a privilege.
    Permission,
    /// Everything else, such as a statement that does not fit the schema.
    Other,
}

/// SQLSTATE prefixes by class; the first match counts.
const PREFIXES: [(Class, &[&str]); 4] = [
    // A prepared statement is missing or there already only if a pooler has given the connection another session.
    (
        Class::Outage,
        &["08", "53", "57P", "25006", "26", "40", "42P05"],
    ),
    (Class::Locked, &["55P03"]),
    (Class::Data, &["22", "23", "44", "54", "P0"]),
    (Class::Permission, &["28", "42501"]),
];

/// Classes of SQLSTATE in which the messages of Postgres quote names of tables, columns and roles, and no values.
const CLASSES_WITHOUT_VALUES: [&str; 13] = [
    "08", "23", "25", "28", "3D", "3F", "40", "42", "53", "54", "55", "57", "58",
];

/// Returns the class of an error.
#[must_use]
pub fn classify(error: &sqlx::Error) -> Class {
    match error {
        sqlx::Error::Database(_) => {
            let code = sqlstate(error);
            PREFIXES
                .iter()
                .find(|(_, prefixes)| prefixes.iter().any(|prefix| code.starts_with(prefix)))
                .map_or(Class::Other, |(class, _)| *class)
        }
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => Class::Outage,
        _ if is_shared_session(error) => Class::Outage,
        _ => Class::Other,
    }
}

/// Returns the class of the first database error among an error and its sources; [`Class::Other`] if there is none.
#[must_use]
pub(crate) fn classify_chain(error: &(dyn Error + 'static)) -> Class {
    database_error(error).map_or(Class::Other, classify)
}

/// Returns the first database error among an error and its sources.
#[must_use]
pub(crate) fn database_error<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e sqlx::Error> {
    sources(error).find_map(|error| error.downcast_ref())
}

/// Returns whether Postgres could not read a text as a value of the column's type (class 22).
#[must_use]
pub(crate) fn is_malformed_value(error: &sqlx::Error) -> bool {
    sqlstate(error).starts_with("22")
}

/// Returns whether Postgres ended the transaction because it and another waited for each other.
#[must_use]
pub(crate) fn is_deadlock(error: &sqlx::Error) -> bool {
    sqlstate(error) == "40P01"
}

/// Returns whether Postgres has no free connection for us: the limit of the server, the role or the database is reached.
#[must_use]
pub(crate) fn is_connection_limit(error: &sqlx::Error) -> bool {
    sqlstate(error) == "53300"
}

/// Returns the SQLSTATE of an error; empty if the error is not from Postgres.
#[must_use]
pub(crate) fn sqlstate(error: &sqlx::Error) -> Cow<'_, str> {
    let code = error.as_database_error().and_then(DatabaseError::code);
    code.unwrap_or_default()
}

/// Describes an error with its sources on one line, without values. A source that repeats earlier text is left out.
#[must_use]
pub(crate) fn error_chain(error: &(dyn Error + 'static)) -> String {
    let mut parts: Vec<String> = vec![];
    for error in sources(error) {
        let database_error = error.downcast_ref::<sqlx::Error>();
        let part = database_error.map_or_else(|| error.to_string(), redacted_message);
        if !parts.iter().any(|earlier| earlier.contains(&part)) {
            parts.push(part);
        }
        // Below an error of sqlx stands the original message, with its values.
        if database_error.is_some_and(|error| !matches!(error, sqlx::Error::Configuration(_))) {
            break;
        }
    }
    parts.join(": ")
}

/// Describes a database error without values.
#[must_use]
pub(crate) fn redacted_message(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Database(answer) => describe(answer.as_ref()),
        sqlx::Error::ColumnDecode { index, .. } => format!("column {index} cannot be decoded"),
        sqlx::Error::Decode(_) => "a row of the database cannot be decoded".to_owned(),
        sqlx::Error::PoolTimedOut => "no connection to the database in time".to_owned(),
        // The text of sqlx adds only that it is about the database.
        sqlx::Error::Io(error) => match network::in_words(error) {
            Some(words) => words.to_owned(),
            None => tls::explained(error.to_string()),
        },
        sqlx::Error::Configuration(cause) if is_shared_session(error) => cause.to_string(),
        other => tls::explained(other.to_string()),
    }
}

/// Returns an error and its sources, outermost first.
fn sources<'e>(
    error: &'e (dyn Error + 'static),
) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    let mut next = Some(error);
    std::iter::from_fn(move || {
        let error = next?;
        next = error.source();
        Some(error)
    })
}

fn describe(answer: &dyn DatabaseError) -> String {
    let Some(answer) = answer.try_downcast_ref::<PgDatabaseError>() else {
        return "the database rejected the statement".to_owned();
    };
    let code = answer.code();
    // A function of the application can raise any text under any code.
    let is_raised = answer.r#where().is_some() || answer.routine() == Some("exec_stmt_raise");
    let has_no_values = CLASSES_WITHOUT_VALUES
        .iter()
        .any(|class| code.starts_with(class));
    if has_no_values && !is_raised {
        let message = redact_quoted_values(answer.message());
        return format!("{message} (SQLSTATE {code})");
    }
    let summary = match code.get(..2) {
        Some("22") => "a value was rejected",
        Some("23") => "a constraint was violated",
        Some("40") => "a concurrent transaction interfered",
        Some("42") => "a statement does not fit the schema",
        Some("55") => "a lock was not available in time",
        Some("57") => "the statement was cancelled",
        Some("P0") => "a function of the application raised an error",
        _ => "the database rejected the statement",
    };
    let place = answer.r#where().map(innermost_function).unwrap_or_default();
    format!("{summary} (SQLSTATE {code}){place}; see the log of Postgres for the message")
}

/// Returns the innermost function that a context names. Lines with statements are left out: they hold values.
fn innermost_function(context: &str) -> String {
    context
        .lines()
        .find_map(|line| line.strip_prefix("PL/pgSQL function "))
        .filter(|place| !place.contains(['"', '\'']))
        .map(|place| format!(" in {place}"))
        .unwrap_or_default()
}

/// Replaces everything between double quotes that is not a plain identifier.
fn redact_quoted_values(message: &str) -> String {
    let mut parts = message.split('"');
    let mut clean = parts.next().unwrap_or_default().to_owned();
    for (position, part) in parts.enumerate() {
        let quoted = position % 2 == 0;
        let plain = part.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        clean.push('"');
        clean.push_str(if quoted && !plain { "..." } else { part });
    }
    clean
}

#[cfg(test)]
mod tests;
