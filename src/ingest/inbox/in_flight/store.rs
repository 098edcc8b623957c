//! The table `leaver.in_flight_batches`.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::Orphaned;
use leaver_core::domain::DeliveryId;

/// Records the deliveries that a loop is processing, and replaces its earlier mark.
///
/// # Errors
/// Returns the database's error; nothing was written then.
pub(crate) async fn mark(
    conn: &mut PgConnection,
    worker: Uuid,
    deliveries: &[DeliveryId],
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let ids: Vec<Uuid> = deliveries.iter().map(|id| id.0).collect();
    // Without waiting for the disk: the mark must survive a crash of this process, not of the database.
    sqlx::query!(
        "WITH sparing AS (SELECT set_config('synchronous_commit', 'off', true))
         INSERT INTO leaver.in_flight_batches (worker, delivery_ids, started_at) SELECT $1, $2, $3 FROM sparing
         ON CONFLICT ON CONSTRAINT in_flight_batches_pkey DO UPDATE
         SET delivery_ids = excluded.delivery_ids, started_at = excluded.started_at",
        worker,
        &ids,
        now,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Deletes a loop's mark, in the transaction that settles its deliveries or after that was rolled back.
///
/// # Errors
/// Returns the database's error; nothing was written then.
pub(crate) async fn forget(conn: &mut PgConnection, worker: Uuid) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "DELETE FROM leaver.in_flight_batches WHERE worker = $1",
        worker
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Deletes the marks of dead loops and returns their deliveries, whose rows stay locked until the transaction ends. Skips
/// a mark of which any delivery is locked.
///
/// # Errors
/// Returns the database's error; nothing was written then.
pub(crate) async fn reclaim_orphans(
    conn: &mut PgConnection,
    worker: Uuid,
) -> Result<Vec<Orphaned>, sqlx::Error> {
    let marks = sqlx::query!(
        "SELECT worker, delivery_ids FROM leaver.in_flight_batches WHERE worker <> $1
         ORDER BY worker FOR UPDATE SKIP LOCKED",
        worker,
    )
    .fetch_all(&mut *conn)
    .await?;
    let mut orphaned = vec![];
    for mark in marks {
        let waiting = sqlx::query_scalar!(
            r#"SELECT count(*) AS "pending!" FROM leaver.deliveries WHERE id = ANY($1) AND state = 'pending'"#,
            &mark.delivery_ids,
        )
        .fetch_one(&mut *conn)
        .await?;
        let free = sqlx::query!(
            "SELECT id, isolated FROM leaver.deliveries WHERE id = ANY($1) AND state = 'pending'
             ORDER BY id FOR UPDATE SKIP LOCKED",
            &mark.delivery_ids,
        )
        .fetch_all(&mut *conn)
        .await?;
        if i64::try_from(free.len()) != Ok(waiting) {
            continue;
        }
        forget(conn, mark.worker).await?;
        match free.as_slice() {
            [] => {}
            [one] if one.isolated && mark.delivery_ids.len() == 1 => {
                orphaned.push(Orphaned::One(DeliveryId(one.id)));
            }
            _ => {
                let ids = free.iter().map(|row| DeliveryId(row.id)).collect();
                orphaned.push(Orphaned::Any(ids));
            }
        }
    }
    Ok(orphaned)
}

/// Marks deliveries to be processed with nothing else in flight from now on.
///
/// # Errors
/// Returns the database's error; nothing was written then.
pub(crate) async fn isolate(
    conn: &mut PgConnection,
    deliveries: &[DeliveryId],
) -> Result<(), sqlx::Error> {
    let ids: Vec<Uuid> = deliveries.iter().map(|id| id.0).collect();
    sqlx::query!(
        "UPDATE leaver.deliveries SET isolated = true WHERE id = ANY($1) AND state = 'pending'",
        &ids,
    )
    .execute(conn)
    .await?;
    Ok(())
}
