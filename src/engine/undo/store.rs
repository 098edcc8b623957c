//! Changes to undo, in `leaver.changes`.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::Selection;
use crate::db::employee_keys::employee_key;
use crate::engine::accounts::AccountsTable;
use crate::engine::batches::Direction;
use leaver_core::domain::{AccountId, EmployeeKey, Tenant};
use leaver_core::undo::RecordedChange;

/// A row of `leaver.changes`.
#[derive(Clone, Debug)]
pub(super) struct Recorded {
    pub(super) id: i64,
    pub(super) batch: Uuid,
    pub(super) account: AccountId,
    pub(super) employee: EmployeeKey,
    pub(super) direction: Direction,
    pub(super) cause: String,
    pub(super) at: DateTime<Utc>,
    pub(super) is_undone: bool,
    /// Low 32 bits of the transaction that wrote the row of the account.
    pub(super) writer: Option<u32>,
    /// Batch of the last change of the account after this one that is not selected.
    pub(super) later_batch: Option<Uuid>,
}

impl Recorded {
    pub(super) fn change(&self) -> RecordedChange {
        RecordedChange {
            activates: self.direction == Direction::Reactivated,
            undone: self.is_undone,
            writer: self.writer,
        }
    }
}

/// Returns the IDs of the selected changes, in order.
///
/// # Errors
/// Returns the database's error.
pub(super) async fn ids(
    conn: &mut PgConnection,
    selection: &Selection,
) -> Result<Vec<i64>, sqlx::Error> {
    match selection {
        Selection::Delivery(id) => of_batch(conn, *id, Some("webhook")).await,
        Selection::Batch(id) => of_batch(conn, *id, None).await,
        Selection::Trip(id) => of_trip(conn, *id).await,
        Selection::Since { from, until } => since(conn, *from, *until).await,
    }
}

async fn of_batch(
    conn: &mut PgConnection,
    batch: Uuid,
    cause: Option<&str>,
) -> Result<Vec<i64>, sqlx::Error> {
    sqlx::query_scalar!(
        "SELECT id FROM leaver.changes
         WHERE batch_id = $1 AND ($2::text IS NULL OR cause = $2) ORDER BY id",
        batch,
        cause,
    )
    .fetch_all(conn)
    .await
}

async fn since(
    conn: &mut PgConnection,
    from: DateTime<Utc>,
    until: Option<DateTime<Utc>>,
) -> Result<Vec<i64>, sqlx::Error> {
    sqlx::query_scalar!(
        "SELECT id FROM leaver.changes
         WHERE at >= $1 AND ($2::timestamptz IS NULL OR at <= $2) AND cause <> 'undo' ORDER BY id",
        from,
        until,
    )
    .fetch_all(conn)
    .await
}

/// Returns the changes in the window that led to the trip, and those of its release. A scope has one open trip at most, so a
/// release after the trip and before the next one of the scope belongs to this trip.
async fn of_trip(conn: &mut PgConnection, trip: i64) -> Result<Vec<i64>, sqlx::Error> {
    sqlx::query_scalar!(
        "WITH trip AS (
             SELECT t.*,
                    GREATEST(
                        CASE t.limited_by
                            WHEN 'hour' THEN t.opened_at - interval '1 hour'
                            WHEN 'day' THEN t.opened_at - interval '1 day'
                            ELSE (SELECT max(g.granted_at) FROM leaver.grants g
                                  WHERE g.tenant = t.tenant AND g.direction = t.direction AND g.granted_at <= t.opened_at)
                        END,
                        (SELECT max(e.closed_at) FROM leaver.trips e
                         WHERE e.tenant = t.tenant AND e.direction = t.direction AND e.id < t.id)) AS window_from,
                    COALESCE((SELECT min(l.opened_at) FROM leaver.trips l
                              WHERE l.tenant = t.tenant AND l.direction = t.direction AND l.id > t.id),
                             'infinity') AS next_at
             FROM leaver.trips t WHERE t.id = $1
         )
         SELECT c.id FROM trip t
         JOIN leaver.changes c ON c.tenant = t.tenant AND c.direction = t.direction
         WHERE (c.at > t.window_from AND c.at <= t.opened_at AND c.cause NOT IN ('cli', 'release', 'undo')
                AND (c.counted OR t.limited_by = 'grant'))
            OR (c.cause = 'release' AND c.at >= t.opened_at AND c.at < t.next_at)
         ORDER BY c.id",
        trip,
    )
    .fetch_all(conn)
    .await
}

/// Locks changes until the transaction ends. Two undos of the same change run one after the other.
///
/// # Errors
/// Returns the database's error.
pub(super) async fn lock(conn: &mut PgConnection, ids: &[i64]) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "SELECT id FROM leaver.changes WHERE id = ANY($1) ORDER BY id FOR UPDATE",
        ids,
    )
    .fetch_all(conn)
    .await?;
    Ok(())
}

/// Returns changes in the order in which they were made.
///
/// # Errors
/// Returns the database's error.
pub(super) async fn load(
    conn: &mut PgConnection,
    table: &AccountsTable,
    ids: &[i64],
) -> Result<Vec<Recorded>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"SELECT c.id, c.batch_id, c.account_id, c.source, c.tenant, c.employee_id, c.direction, c.cause, c.at,
                  c.undone_by IS NOT NULL AS "is_undone!", c.xid::text::bigint % 4294967296 AS writer,
                  (SELECT l.batch_id FROM leaver.changes l
                   WHERE l.account_id = c.account_id AND (l.tenant = c.tenant OR NOT $2) AND l.id > c.id AND NOT l.id = ANY($1)
                   ORDER BY l.id DESC LIMIT 1) AS later_batch
           FROM leaver.changes c WHERE c.id = ANY($1) ORDER BY c.id"#,
        ids,
        table.has_tenants,
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            let tenant = Tenant::new(row.tenant.as_str());
            Ok(Recorded {
                id: row.id,
                batch: row.batch_id,
                account: table.account_in(AccountId::new(row.account_id), &tenant),
                employee: employee_key(&row.source, row.tenant, row.employee_id)?,
                direction: if row.direction == Direction::Reactivated.as_str() {
                    Direction::Reactivated
                } else {
                    Direction::Deactivated
                },
                cause: row.cause,
                at: row.at,
                is_undone: row.is_undone,
                writer: row.writer.and_then(|writer| u32::try_from(writer).ok()),
                later_batch: row.later_batch,
            })
        })
        .collect()
}

/// Records which batch undid changes.
///
/// # Errors
/// Returns the database's error.
pub(super) async fn mark_undone(
    conn: &mut PgConnection,
    ids: &[i64],
    batch: Uuid,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE leaver.changes SET undone_by = $2 WHERE id = ANY($1)",
        ids,
        batch,
    )
    .execute(conn)
    .await?;
    Ok(())
}
