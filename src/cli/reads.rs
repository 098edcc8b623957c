//! Records each read of the roster at the command line, with the user and the filter, in the audit log.

use anyhow::Context;
use sqlx::PgConnection;

use super::person::Person;
use crate::base::clock::{Clock, SystemClock};
use crate::config::Environment;
use crate::engine::audit;
use leaver_core::domain::EmployeeKey;

/// Records a read about many employees, by the user who runs the command. Fails if it cannot be recorded.
pub(super) async fn record_read(
    conn: &mut PgConnection,
    env: &Environment,
    filter: &str,
) -> anyhow::Result<()> {
    record_read_of(conn, env, filter, &[]).await
}

/// Does the same for a read about these employees.
pub(super) async fn record_read_of(
    conn: &mut PgConnection,
    env: &Environment,
    filter: &str,
    employees: &[EmployeeKey],
) -> anyhow::Result<()> {
    let actor = Person::logged_in(env)?;
    audit::record_read(conn, &actor, filter, employees, SystemClock.now())
        .await
        .context("cannot record this read in the audit log, so nothing is shown; run `leaver migrate --grant-to ROLE` for the role of this command")
}
