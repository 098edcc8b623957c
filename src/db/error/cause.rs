//! Why the database does not store or answer, by SQLSTATE, as an operator names it.

use std::io;

use sqlx::error::DatabaseError;

use super::{redacted_message, sqlstate};
use crate::db::connection::Refused;
use crate::db::connection::sessions::{SharedSession, is_shared_session};

/// Why the database does not store or answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// `default_transaction_read_only` is on.
    ReadOnly,
    /// The server is a standby.
    InRecovery,
    /// The role or its password is wrong, or `pg_hba.conf` refuses them.
    AuthenticationFailed,
    /// The server, the database or the role allows no more connections.
    TooManyConnections,
    /// The disk is full.
    DiskFull,
    /// The server starts, stops or recovers from a crash.
    StartingOrStopping,
    /// A commit waits for a standby that does not answer.
    WaitingForStandby,
    /// A statement waits for a lock of another session.
    WaitingForLock,
    /// Another session, or a conflict with one, ended the transaction.
    Interrupted,
    /// The role lacks a privilege.
    NotAllowed,
    /// The server has no database of this name.
    NoSuchDatabase,
    /// Commits do not wait for the disk.
    NotDurable,
    /// A pooler gives the statements of one connection to several sessions.
    SharedSessions,
    /// There is a connection, and no response in time.
    NoResponse,
    /// There is no connection. Has the error.
    NotReachable(String),
    /// Any other error of the database, without values.
    Other(String),
}

/// Causes by SQLSTATE; the first prefix that fits counts.
const BY_SQLSTATE: [(&str, Cause); 15] = [
    ("25006", Cause::ReadOnly),
    ("28", Cause::AuthenticationFailed),
    ("3D000", Cause::NoSuchDatabase),
    ("40", Cause::Interrupted),
    ("42501", Cause::NotAllowed),
    ("53300", Cause::TooManyConnections),
    ("53100", Cause::DiskFull),
    ("55P03", Cause::WaitingForLock),
    ("57014", Cause::Interrupted),
    ("57P01", Cause::StartingOrStopping),
    ("57P02", Cause::StartingOrStopping),
    ("57P03", Cause::StartingOrStopping),
    ("57P04", Cause::NoSuchDatabase),
    ("57P05", Cause::Interrupted),
    ("25P03", Cause::Interrupted),
];

impl Cause {
    /// Returns the cause of an error.
    #[must_use]
    pub fn of(error: &sqlx::Error) -> Self {
        match error {
            sqlx::Error::Database(_) if is_authentication_failure(error) => {
                Self::AuthenticationFailed
            }
            sqlx::Error::Configuration(_) if is_shared_session(error) => Self::SharedSessions,
            sqlx::Error::Database(_) => {
                Self::of_sqlstate(&sqlstate(error), || redacted_message(error))
            }
            sqlx::Error::Io(io) => match refused(io) {
                Some(refused) => Self::of_sqlstate(&refused.code, || refused.to_string()),
                None if io.kind() == io::ErrorKind::TimedOut => Self::NoResponse,
                None => Self::NotReachable(redacted_message(error)),
            },
            sqlx::Error::Tls(_) | sqlx::Error::Protocol(_) => {
                Self::NotReachable(redacted_message(error))
            }
            sqlx::Error::PoolTimedOut | sqlx::Error::WorkerCrashed | sqlx::Error::PoolClosed => {
                Self::NoResponse
            }
            _ => Self::Other(redacted_message(error)),
        }
    }

    /// Returns the cause of an SQLSTATE; `message` makes the text of those without a name.
    pub(crate) fn of_sqlstate(code: &str, message: impl Fn() -> String) -> Self {
        let mut known = BY_SQLSTATE.iter();
        known
            .find(|(prefix, _)| code.starts_with(prefix))
            .map_or_else(|| Self::Other(message()), |(_, cause)| cause.clone())
    }

    /// Returns a short, stable name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::ReadOnly => "read only",
            Self::InRecovery => "in recovery",
            Self::AuthenticationFailed => "authentication failed",
            Self::TooManyConnections => "too many connections",
            Self::DiskFull => "disk full",
            Self::StartingOrStopping => "starting up or shutting down",
            Self::WaitingForStandby => "waiting for a synchronous standby",
            Self::WaitingForLock => "waiting for a lock",
            Self::Interrupted => "interrupted",
            Self::NotAllowed => "not allowed",
            Self::NoSuchDatabase => "no such database",
            Self::NotDurable => "not durable",
            Self::SharedSessions => "sessions shared",
            Self::NoResponse => "no response",
            Self::NotReachable(_) => "not reachable",
            Self::Other(_) => "refused",
        }
    }

    /// Describes the cause, and what to do.
    #[must_use]
    pub fn advice(&self) -> String {
        let text = match self {
            Self::ReadOnly => {
                "`default_transaction_read_only` is on for the server, the database or the role, or the server is a standby; set it to off, or name the primary in `database.url`"
            }
            Self::InRecovery => {
                "the server is a standby, which takes no writes; name the primary in `database.url`, or promote this server"
            }
            Self::AuthenticationFailed => {
                "the server refuses the role or its password; correct what `database.url` refers to, or the role, or pg_hba.conf"
            }
            Self::TooManyConnections => {
                "the limit of the server, the database or the role is reached; close connections, or raise `max_connections` or CONNECTION LIMIT"
            }
            Self::DiskFull => "the server's disk is full; free space on it",
            Self::StartingOrStopping => {
                "the server accepts no connections yet or any more; look at its log if this lasts"
            }
            Self::WaitingForStandby => {
                "a commit waits until a standby of `synchronous_standby_names` confirms it; start a standby, or change that setting"
            }
            Self::WaitingForLock => {
                "another session locks a table of schema leaver; look for long transactions in `pg_stat_activity`"
            }
            Self::Interrupted => {
                "another session or a time limit ended the transaction; the same work may succeed later"
            }
            Self::NotAllowed => {
                "the role lacks a privilege; as owner of the schema, run: leaver migrate --grant-to ROLE"
            }
            Self::NoSuchDatabase => {
                "the server has no such database; correct `database.url`, or create it"
            }
            Self::NotDurable => {
                "`synchronous_commit` is off, so a crash could lose acknowledged deliveries; set it to on where it is set"
            }
            Self::SharedSessions => return SharedSession.to_string(),
            Self::NoResponse => {
                "the server does not respond in time; look at its load, its log and the network"
            }
            Self::NotReachable(error) => {
                return format!("{error}; start the server, or correct `database.url`");
            }
            Self::Other(error) => return format!("{error}; look at the log of the server"),
        };
        text.to_owned()
    }

    /// Returns whether the cause lies in the server or the role, whatever the statement was.
    #[must_use]
    pub(crate) fn is_of_server(&self) -> bool {
        matches!(
            self,
            Self::ReadOnly
                | Self::AuthenticationFailed
                | Self::TooManyConnections
                | Self::DiskFull
                | Self::StartingOrStopping
                | Self::NoSuchDatabase
                | Self::Interrupted
        )
    }

    /// Returns whether no server has answered.
    #[must_use]
    pub(crate) fn is_unreachable(&self) -> bool {
        matches!(self, Self::NoResponse | Self::NotReachable(_))
    }
}

/// Returns whether the server refuses the role or its password.
#[must_use]
pub(crate) fn is_authentication_failure(error: &sqlx::Error) -> bool {
    let code = sqlstate(error);
    let is_of_pooler = || {
        // PgBouncer reports it as a violation of the protocol.
        let message = error.as_database_error().map(DatabaseError::message);
        message.is_some_and(|message| message.contains("authentication failed"))
    };
    code.starts_with("28") || (code == "08P01" && is_of_pooler())
}

fn refused(error: &io::Error) -> Option<&Refused> {
    error.get_ref()?.downcast_ref()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_causes_by_sqlstate() {
        let cases = [
            ("25006", "read only"),
            ("28P01", "authentication failed"),
            ("28000", "authentication failed"),
            ("53300", "too many connections"),
            ("53100", "disk full"),
            ("57P01", "starting up or shutting down"),
            ("57P03", "starting up or shutting down"),
            ("3D000", "no such database"),
            ("40001", "interrupted"),
            ("40P01", "interrupted"),
            ("42501", "not allowed"),
            ("55P03", "waiting for a lock"),
            ("P0001", "refused"),
        ];
        for (code, name) in cases {
            let cause = Cause::of_sqlstate(code, || "text".to_owned());
            assert_eq!(cause.name(), name, "{code}");
            assert!(cause.advice().contains(';'), "{code}");
        }
    }

    #[test]
    fn finds_the_sqlstate_of_a_refused_connection() {
        for (code, name) in [
            ("53300", "too many connections"),
            ("57P03", "starting up or shutting down"),
        ] {
            let code = code.to_owned();
            let error = sqlx::Error::Io(io::Error::other(Refused { code }));
            assert_eq!(Cause::of(&error).name(), name);
        }
        let absent = io::Error::from(io::ErrorKind::ConnectionRefused);
        assert!(Cause::of(&sqlx::Error::Io(absent)).is_unreachable());
    }
}
