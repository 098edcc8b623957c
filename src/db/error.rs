//! What the database says when it refuses, without the values that it quotes: they may be personal, and end in
//! the log and beside the delivery. What is left out stands in the database's own log.

use std::error::Error;

use sqlx::error::DatabaseError;
use sqlx::postgres::PgDatabaseError;

/// Classes of SQLSTATE in which Postgres's own messages name tables, columns and constraints, and no values.
const NAMES_ONLY: [&str; 10] = ["08", "23", "25", "40", "42", "53", "54", "55", "57", "58"];

/// Whether an error says that the database was not there. Connection, resource and shutdown classes of
/// Postgres, and everything that is not an answer of its.
#[must_use]
pub fn is_outage(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Database(answer) => answer.code().is_some_and(|code| {
            ["08", "53", "57P", "25006", "40"]
                .iter()
                .any(|class| code.starts_with(class))
        }),
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => true,
        _ => false,
    }
}

/// Whether a lock of somebody else's was not released in time.
pub(crate) fn is_locked_out(error: &sqlx::Error) -> bool {
    let code = error
        .as_database_error()
        .and_then(sqlx::error::DatabaseError::code);
    code.as_deref() == Some("55P03")
}

/// An error with its causes, on one line.
pub(crate) fn chain(error: &(dyn Error + 'static)) -> String {
    let mut parts: Vec<String> = vec![];
    let mut next = Some(error);
    while let Some(error) = next {
        next = error.source();
        let part = match error.downcast_ref::<sqlx::Error>() {
            None => error.to_string(),
            Some(error) => {
                if !matches!(error, sqlx::Error::Configuration(_)) {
                    next = None;
                }
                redacted_message(error)
            }
        };
        if !parts.iter().any(|earlier| earlier.contains(&part)) {
            parts.push(part);
        }
    }
    parts.join(": ")
}

/// What went wrong with the database.
pub(crate) fn redacted_message(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Database(answer) => answered(answer.as_ref()),
        sqlx::Error::ColumnDecode { index, .. } => format!("column {index} cannot be read"),
        sqlx::Error::Decode(_) => "an answer of the database cannot be read".to_owned(),
        other => other.to_string(),
    }
}

fn answered(answer: &dyn DatabaseError) -> String {
    let Some(answer) = answer.try_downcast_ref::<PgDatabaseError>() else {
        return "the database refused".to_owned();
    };
    let code = answer.code();
    // A function of the application's may say anything, under any code.
    let inside = answer.r#where().map(function).unwrap_or_default();
    let is_own_word = answer.r#where().is_some() || answer.routine() == Some("exec_stmt_raise");
    if !is_own_word && NAMES_ONLY.iter().any(|class| code.starts_with(class)) {
        return format!("{} (SQLSTATE {code})", without_values(answer.message()));
    }
    let what = match code.get(..2) {
        Some("22") => "a value was refused",
        Some("23") => "a constraint was violated",
        Some("40") => "another transaction was in the way",
        Some("42") => "a statement does not fit the database",
        Some("55") => "something was not available in time",
        Some("57") => "the statement was cancelled",
        Some("P0") => "a function of the application's refused",
        _ => "the database refused",
    };
    format!("{what} (SQLSTATE {code}){inside}; the database's own log has its words")
}

/// The innermost function that a context names, with the place in it. Statements, which hold values, go.
fn function(context: &str) -> String {
    context
        .lines()
        .find_map(|line| line.strip_prefix("PL/pgSQL function "))
        .filter(|place| !place.contains(['"', '\'']))
        .map(|place| format!(" in {place}"))
        .unwrap_or_default()
}

/// Everything between double quotes that is not a plain identifier goes.
fn without_values(message: &str) -> String {
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
