//! Names the open trips that a command met: what it would have changed is held.

use std::collections::BTreeSet;

use sqlx::PgConnection;

use super::output;
use crate::reports::safeguard::{OpenTrip, open_trips};
use leaver_core::domain::Tenant;

/// Returns the open trips of these tenants.
pub(super) async fn met(
    conn: &mut PgConnection,
    tenants: &BTreeSet<Tenant>,
) -> anyhow::Result<Vec<OpenTrip>> {
    let mut open = open_trips(conn).await?;
    open.retain(|open| tenants.contains(&open.trip.scope().tenant));
    Ok(open)
}

/// Prints one line for each trip.
pub(super) fn note(met: &[OpenTrip]) {
    for open in met {
        let held = usize::try_from(open.held).unwrap_or_default();
        output::note(&format!(
            "the safeguard has tripped: trip {} of tenant {} holds {}",
            open.trip.id,
            open.trip.tenant,
            output::count(held, "change")
        ));
        output::note(&format!(
            "next: `leaver safeguard release {}` lists them",
            open.trip.id
        ));
    }
}

/// Returns the IDs of trips.
pub(super) fn ids(met: &[OpenTrip]) -> Vec<i64> {
    met.iter().map(|open| open.trip.id).collect()
}
