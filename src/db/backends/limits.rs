//! How many connections the server allows.

use sqlx::PgConnection;

use super::MIN_CONNECTIONS;
use super::store::find_limits;

/// Limits of the server on our connections. `None` is no limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The role.
    pub role: String,
    /// The database.
    pub database: String,
    /// Of the role: `ALTER ROLE ... CONNECTION LIMIT`.
    pub of_role: Option<u32>,
    /// Of the database: `ALTER DATABASE ... CONNECTION LIMIT`.
    pub of_database: Option<u32>,
    /// `max_connections` of the server without those reserved for others.
    pub of_server: u32,
    /// Sessions of other processes of Leaver on this database.
    pub other_sessions: u32,
}

/// The server allows too few connections.
#[derive(Debug, thiserror::Error)]
#[error(
    "{limit} allows {allowed} connections, and Leaver needs at least {MIN_CONNECTIONS}, better `database.max_connections` = {wanted}; raise the limit: {statement}"
)]
pub struct TooFewConnections {
    limit: String,
    allowed: u32,
    wanted: u32,
    statement: String,
}

impl Limits {
    /// Queries the limits.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn query(conn: &mut PgConnection) -> Result<Self, sqlx::Error> {
        find_limits(conn).await
    }

    /// Returns the lowest limit, its name, and the statement that raises it.
    #[must_use]
    pub fn lowest(&self, wanted: u32) -> (u32, String, String) {
        let role = self.of_role.map(|limit| {
            let (name, role) = (format!("role {}", self.role), quoted(&self.role));
            (
                limit,
                name,
                format!("ALTER ROLE {role} CONNECTION LIMIT {wanted}"),
            )
        });
        let database = self.of_database.map(|limit| {
            let (name, database) = (
                format!("database {}", self.database),
                quoted(&self.database),
            );
            (
                limit,
                name,
                format!("ALTER DATABASE {database} CONNECTION LIMIT {wanted}"),
            )
        });
        let server = (
            self.of_server,
            "the server (max_connections without the reserved ones)".to_owned(),
            "ALTER SYSTEM SET max_connections, then restart Postgres".to_owned(),
        );
        let limits = [role, database, Some(server)];
        let lowest = limits
            .into_iter()
            .flatten()
            .min_by_key(|(limit, ..)| *limit);
        lowest.unwrap_or_default()
    }

    /// Returns how many connections can be used of those that the settings allow.
    ///
    /// # Errors
    /// Returns an error if they are too few.
    pub fn usable(&self, wanted: u32) -> Result<u32, TooFewConnections> {
        let (allowed, limit, statement) = self.lowest(wanted);
        if allowed < MIN_CONNECTIONS {
            return Err(TooFewConnections {
                limit,
                allowed,
                wanted,
                statement,
            });
        }
        Ok(allowed.min(wanted))
    }

    /// Returns how many replicas with this setting fit.
    #[must_use]
    pub fn replicas(&self, max_connections: u32) -> u32 {
        self.lowest(max_connections).0 / max_connections.max(1)
    }
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
