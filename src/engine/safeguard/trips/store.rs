//! The tables `leaver.trips` and `leaver.holds`: the members of a trip are its open holds.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::Trip;
use crate::engine::audit::Actor;
use crate::engine::holds::Hold;
use crate::engine::outbox::{self, Events};

/// Returns a trip; `None` if it does not exist.
///
/// # Errors
/// Returns the database's error.
pub(crate) async fn find(conn: &mut PgConnection, id: i64) -> Result<Option<Trip>, sqlx::Error> {
    sqlx::query_as!(
        Trip,
        "SELECT id, tenant, direction, opened_at, limited_by, window_count, limit_count, population, state, closed_at, closed_by
         FROM leaver.trips WHERE id = $1",
        id,
    )
    .fetch_optional(conn)
    .await
}

/// Returns the open trips, oldest first.
///
/// # Errors
/// Returns the database's error.
pub(crate) async fn list_open(conn: &mut PgConnection) -> Result<Vec<Trip>, sqlx::Error> {
    sqlx::query_as!(
        Trip,
        "SELECT id, tenant, direction, opened_at, limited_by, window_count, limit_count, population, state, closed_at, closed_by
         FROM leaver.trips WHERE state = 'open' ORDER BY id",
    )
    .fetch_all(conn)
    .await
}

/// Closes an open trip as a person decided. The scope must be locked. The windows start after all changes so far, also where
/// the clock of this host is behind that of a replica.
///
/// # Errors
/// Returns the database's error.
pub(super) async fn close(
    conn: &mut PgConnection,
    id: i64,
    state: &str,
    actor: &Actor,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE leaver.trips AS t
         SET state = $2, closed_by = $3,
             closed_at = GREATEST($4, (SELECT max(c.at) FROM leaver.changes c
                                       WHERE c.tenant = t.tenant AND c.direction = t.direction))
         WHERE t.id = $1 AND t.state = 'open'",
        id,
        state,
        actor.to_string(),
        now,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Returns the open holds of a trip, oldest first.
///
/// # Errors
/// Returns the database's error.
pub(super) async fn members(conn: &mut PgConnection, trip: i64) -> Result<Vec<Hold>, sqlx::Error> {
    sqlx::query_as!(
        Hold,
        "SELECT id, opened_at, source, tenant, employee_id, account_id, requested_action, reason, state, delivery_id, trip_id, cause
         FROM leaver.holds WHERE trip_id = $1 AND state = 'open' ORDER BY id",
        trip,
    )
    .fetch_all(conn)
    .await
}

/// Returns the number of open holds of open trips, by trip and cause.
///
/// # Errors
/// Returns the database's error.
pub(crate) async fn count_members(
    conn: &mut PgConnection,
) -> Result<Vec<(i64, Option<String>, i64)>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"SELECT h.trip_id AS "trip_id!", h.cause, count(*) AS "held!"
           FROM leaver.holds h JOIN leaver.trips t ON t.id = h.trip_id
           WHERE h.state = 'open' AND t.state = 'open'
           GROUP BY h.trip_id, h.cause ORDER BY h.trip_id, h.cause"#
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.trip_id, row.cause, row.held))
        .collect())
}

/// Closes holds as a person decided, also those that the change itself withdrew in this transaction. Returns the events.
///
/// # Errors
/// Returns the database's error.
pub(super) async fn close_holds(
    conn: &mut PgConnection,
    ids: &[i64],
    state: &str,
    actor: &Actor,
    now: DateTime<Utc>,
) -> Result<Events, sqlx::Error> {
    let closed = sqlx::query_as!(
        Hold,
        "UPDATE leaver.holds SET state = $2, closed_by = $3, closed_at = $4 WHERE id = ANY($1)
         RETURNING id, opened_at, source, tenant, employee_id, account_id, requested_action, reason, state, delivery_id, trip_id, cause",
        ids,
        state,
        actor.to_string(),
        now,
    )
    .fetch_all(conn)
    .await?;
    outbox::of_closed_holds(&closed, actor)
}
