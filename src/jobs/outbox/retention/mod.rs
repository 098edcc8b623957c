//! Removes personal values that no destination needs any more, and events that are kept no longer.

pub(crate) mod store;

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgConnection;
use tracing::info;

use leaver_core::events::Subscriptions;

/// Rows per statement, so that no statement holds its locks for long.
const SLICE: i64 = 5_000;

/// Deletes what is kept no longer. Attempts for a destination that is not configured any more count as given up.
///
/// # Errors
/// Returns the database's error; each step that came before it is committed.
pub(crate) async fn run(
    conn: &mut PgConnection,
    subscriptions: &Subscriptions,
    kept_for: TimeDelta,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let names = |names: &mut dyn Iterator<Item = &str>| -> Vec<String> {
        names.map(ToOwned::to_owned).collect()
    };
    let configured = names(&mut subscriptions.destinations());
    let receivers = names(&mut subscriptions.destinations_with_details());
    while store::clear_details(conn, &receivers, SLICE).await? > 0 {}
    let before = now - kept_for;
    let mut events = 0;
    loop {
        match store::delete_before(conn, &configured, before, SLICE).await? {
            0 => break,
            deleted => events += deleted,
        }
    }
    if events > 0 {
        info!(events, "housekeeping.delete: deleted old events");
    }
    store::delete_destinations(conn, &configured, before).await
}
