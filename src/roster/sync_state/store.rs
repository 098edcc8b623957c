//! The table `leaver.reads`, and the employees to read again.

use chrono::NaiveDate;
use sqlx::PgConnection;

use super::SyncState;
use leaver_core::domain::{EmployeeId, SourceName};

/// Lists the sync states of these sources.
///
/// # Errors
/// Returns the database's error.
pub async fn list(
    conn: &mut PgConnection,
    sources: &[SourceName],
) -> Result<Vec<SyncState>, sqlx::Error> {
    let names: Vec<String> = sources.iter().map(ToString::to_string).collect();
    let rows = sqlx::query!(
        "SELECT source, account, complete_from, full_from, tried_at, ended_at, state, cause, employees
         FROM leaver.reads WHERE source = ANY($1) ORDER BY source, account",
        &names,
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            let source = SourceName::parse(&row.source)
                .map_err(|error| sqlx::Error::Decode(error.into()))?;
            Ok(SyncState {
                source,
                account: row.account,
                complete_from: row.complete_from,
                full_from: row.full_from,
                tried_at: row.tried_at,
                ended_at: row.ended_at,
                incomplete: (row.state != "complete").then(|| row.cause.unwrap_or_default()),
                employees: row.employees,
            })
        })
        .collect()
}

/// Inserts or updates a sync state.
///
/// # Errors
/// Returns the database's error; nothing was written then.
pub async fn save(conn: &mut PgConnection, reads: &SyncState) -> Result<(), sqlx::Error> {
    let state = if reads.incomplete.is_none() {
        "complete"
    } else {
        "incomplete"
    };
    sqlx::query!(
        "INSERT INTO leaver.reads
             (source, account, complete_from, full_from, tried_at, ended_at, state, cause, employees)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
         ON CONFLICT ON CONSTRAINT reads_pkey DO UPDATE
         SET complete_from = excluded.complete_from, full_from = excluded.full_from,
             tried_at = excluded.tried_at, ended_at = excluded.ended_at, state = excluded.state,
             cause = excluded.cause, employees = excluded.employees",
        reads.source.as_str(),
        reads.account,
        reads.complete_from,
        reads.full_from,
        reads.tried_at,
        reads.ended_at,
        state,
        reads.incomplete.as_deref(),
        reads.employees,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Finds the employees of a source whose termination date is between two days, both included.
///
/// # Errors
/// Returns the database's error.
pub async fn find_leaving(
    conn: &mut PgConnection,
    source: &SourceName,
    from: NaiveDate,
    until: NaiveDate,
) -> Result<Vec<EmployeeId>, sqlx::Error> {
    // The text of a day and of an instant both begin with the day.
    let ids = sqlx::query_scalar!(
        r#"SELECT employee_id FROM leaver.employees
           WHERE source = $1
             AND left(COALESCE(facts #>> '{termination,value,day}', facts #>> '{termination,value,instant}'), 10)
                 BETWEEN $2 AND $3
           ORDER BY employee_id"#,
        source.as_str(),
        from.to_string(),
        until.to_string(),
    )
    .fetch_all(conn)
    .await?;
    Ok(ids.into_iter().map(EmployeeId::new).collect())
}
