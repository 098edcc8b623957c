//! Checks of the connection limits of the server, the role and the database.

use sqlx::PgConnection;

use super::{CheckReport, CheckStatus};
use crate::cli::output;
use crate::db::backends::Limits;

const CHECK: &str = "database.max_connections";

/// Compares `database.max_connections` with the limits, and with the sessions of replicas that run now.
pub(super) async fn check_connections(
    report: &mut CheckReport,
    conn: &mut PgConnection,
    max_connections: u32,
) -> Result<(), sqlx::Error> {
    let limits = Limits::query(conn).await?;
    if let Err(error) = limits.usable(max_connections) {
        report.add(CheckStatus::Error, CHECK, error.to_string());
        return Ok(());
    }
    let (allowed, limit, statement) = limits.lowest(max_connections);
    let others = limits.other_sessions;
    let running = match others {
        0 => String::new(),
        others => format!(
            "; {} of Leaver now",
            output::count(others as usize, "session")
        ),
    };
    if allowed < max_connections {
        report.add(
            CheckStatus::Warning,
            CHECK,
            format!(
                "{limit} allows {allowed} connections, so one replica uses {allowed} of {max_connections} and processes slower{running}; {statement}"
            ),
        );
        return Ok(());
    }
    let replicas = limits.replicas(max_connections);
    let fit = output::count(replicas as usize, "replica");
    let spare = allowed - replicas * max_connections;
    // A command opens up to two connections.
    let (status, advice) = if spare < COMMAND_CONNECTIONS && replicas == 1 {
        (
            CheckStatus::Warning,
            "; no connection is left for commands beside it: lower `database.max_connections` by 2, or raise the limit",
        )
    } else {
        (CheckStatus::Ok, "")
    };
    report.add(
        status,
        CHECK,
        format!(
            "{max_connections} for each replica; {limit} allows {allowed}, so {fit} can run if nothing else uses them{running}{advice}"
        ),
    );
    Ok(())
}

/// Connections of a command such as `leaver sync`.
const COMMAND_CONNECTIONS: u32 = 2;
