//! The table `leaver.reads`, and the employees to read again.

use chrono::NaiveDate;
use sqlx::PgConnection;

use super::{ReadWay, SyncState};
use crate::db::employee_keys::source_name;
use leaver_core::domain::{EmployeeId, SourceName};

/// Lists the sync states of these sources.
///
/// # Errors
/// Returns the database's error.
pub(crate) async fn list(
    conn: &mut PgConnection,
    sources: &[SourceName],
) -> Result<Vec<SyncState>, sqlx::Error> {
    let names: Vec<String> = sources.iter().map(ToString::to_string).collect();
    let rows = sqlx::query!(
        "SELECT source, linked_account_id, last_complete_started_at, last_full_started_at, last_started_at, last_completed_at, state, reason, employees,
                read_way, read_because
         FROM leaver.sync_state WHERE source = ANY($1) ORDER BY source, linked_account_id",
        &names,
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            let source = source_name(&row.source)?;
            Ok(SyncState {
                source,
                linked_account_id: row.linked_account_id,
                last_complete_started_at: row.last_complete_started_at,
                last_full_started_at: row.last_full_started_at,
                last_started_at: row.last_started_at,
                last_completed_at: row.last_completed_at,
                incomplete: (row.state != "complete").then(|| row.reason.unwrap_or_default()),
                employees: row.employees,
                read_way: row.read_way.map(|way| ReadWay {
                    way,
                    because: row.read_because.unwrap_or_default(),
                }),
            })
        })
        .collect()
}

/// Inserts or updates a sync state.
///
/// # Errors
/// Returns the database's error; nothing was written then.
pub(crate) async fn save(conn: &mut PgConnection, reads: &SyncState) -> Result<(), sqlx::Error> {
    let state = if reads.incomplete.is_none() {
        "complete"
    } else {
        "incomplete"
    };
    sqlx::query!(
        "INSERT INTO leaver.sync_state
             (source, linked_account_id, last_complete_started_at, last_full_started_at, last_started_at, last_completed_at, state, reason, employees,
              read_way, read_because)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
         ON CONFLICT ON CONSTRAINT sync_state_pkey DO UPDATE
         SET last_complete_started_at = excluded.last_complete_started_at, last_full_started_at = excluded.last_full_started_at,
             last_started_at = excluded.last_started_at, last_completed_at = excluded.last_completed_at, state = excluded.state,
             reason = excluded.reason, employees = excluded.employees,
             read_way = excluded.read_way, read_because = excluded.read_because",
        reads.source.as_str(),
        reads.linked_account_id,
        reads.last_complete_started_at,
        reads.last_full_started_at,
        reads.last_started_at,
        reads.last_completed_at,
        state,
        reads.incomplete.as_deref(),
        reads.employees,
        reads.read_way.as_ref().map(|read| read.way.as_str()),
        reads.read_way.as_ref().map(|read| read.because.as_str()),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Finds the employees of a source whose termination date is between two days, both included.
///
/// # Errors
/// Returns the database's error.
pub(crate) async fn find_leaving(
    conn: &mut PgConnection,
    source: &SourceName,
    from: NaiveDate,
    until: NaiveDate,
) -> Result<Vec<EmployeeId>, sqlx::Error> {
    // The text of a day and of an instant both begin with the day.
    let ids = sqlx::query_scalar!(
        r#"SELECT employee_id FROM leaver.employees
           WHERE source = $1
             AND termination_on BETWEEN $2 AND $3
           ORDER BY employee_id"#,
        source.as_str(),
        from,
        until,
    )
    .fetch_all(conn)
    .await?;
    Ok(ids.into_iter().map(EmployeeId::new).collect())
}
