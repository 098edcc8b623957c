//! Locks and closes a hold on a person's decision.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::resolve::ResolveError;
use super::{Hold, store};
use crate::db::employee_keys::employee_key;
use crate::db::transaction::set_lock_timeout;
use crate::engine::audit::Actor;
use crate::roster::{self, sharing::Sharing};
use leaver_core::domain::EmployeeKey;

/// Returns a hold in any state. Nothing changes it until the transaction ends, since its roster entry is locked. Execution locks
/// in this order, and the reverse would deadlock.
pub(super) async fn lock(
    conn: &mut PgConnection,
    id: i64,
    sharing: &Sharing,
    now: DateTime<Utc>,
) -> Result<Hold, ResolveError> {
    set_lock_timeout(conn).await?;
    let unknown = || ResolveError::Unknown(id);
    let found = store::find(conn, id).await?.ok_or_else(unknown)?;
    let key = employee_key(&found.source, found.tenant, found.employee_id)?;
    roster::store::lock(conn, &[key], sharing, now).await?;
    store::find(conn, id).await?.ok_or_else(unknown)
}

/// Closes the hold.
pub(super) async fn close(
    conn: &mut PgConnection,
    id: i64,
    state: &str,
    sharing: &Sharing,
    actor: &Actor,
    now: DateTime<Utc>,
) -> Result<(Hold, EmployeeKey), ResolveError> {
    let found = lock(conn, id, sharing, now).await?;
    let key = employee_key(&found.source, found.tenant, found.employee_id)?;
    let state_before = found.state;
    match store::close(conn, id, state, actor, now).await? {
        Some(hold) => Ok((hold, key)),
        None => Err(ResolveError::Closed {
            id,
            state: state_before,
        }),
    }
}
