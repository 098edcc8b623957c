//! The modes in `leaver.source_status`, and the table `leaver.plan`.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::ModeRead;
use super::plan::PlannedChange;
use crate::db::employee_keys::{KeyColumns, source_name};
use crate::engine::audit::Actor;
use leaver_core::domain::{EmployeeKey, SourceName};
use leaver_core::safeguard::SourceMode;

/// The mode of a source that was seen.
pub(crate) struct StoredMode {
    /// The source.
    pub(crate) source: SourceName,
    /// The mode.
    pub(crate) mode: SourceMode,
    /// Since when.
    pub(super) since: Option<DateTime<Utc>>,
    /// The person who changed it.
    pub(super) by: Option<String>,
}

fn mode_of(word: &str) -> SourceMode {
    if word == SourceMode::Shadow.as_str() {
        SourceMode::Shadow
    } else {
        SourceMode::Enforce
    }
}

fn texts(sources: &[SourceName]) -> Vec<String> {
    sources.iter().map(ToString::to_string).collect()
}

/// A row of `leaver.source_status` with a mode.
struct ModeRow {
    source: String,
    mode: String,
    mode_since: Option<DateTime<Utc>>,
    mode_by: Option<String>,
}

impl ModeRow {
    fn read(self) -> Result<StoredMode, sqlx::Error> {
        Ok(StoredMode {
            source: source_name(&self.source)?,
            mode: mode_of(&self.mode),
            since: self.mode_since,
            by: self.mode_by,
        })
    }
}

/// Returns the modes of these sources. Those that were never seen are left out. Modes that are locked stay as they are until
/// the transaction ends.
///
/// # Errors
/// Returns the database's error.
pub(crate) async fn modes(
    conn: &mut PgConnection,
    sources: &[SourceName],
    read: ModeRead,
) -> Result<Vec<StoredMode>, sqlx::Error> {
    let sources = texts(sources);
    let rows = match read {
        ModeRead::Shown => {
            sqlx::query_as!(
                ModeRow,
                r#"SELECT source, mode AS "mode!", mode_since, mode_by FROM leaver.source_status
               WHERE source = ANY($1) AND mode IS NOT NULL"#,
                &sources,
            )
            .fetch_all(conn)
            .await?
        }
        ModeRead::Locked => {
            sqlx::query_as!(
                ModeRow,
                r#"SELECT source, mode AS "mode!", mode_since, mode_by FROM leaver.source_status
               WHERE source = ANY($1) AND mode IS NOT NULL ORDER BY source FOR SHARE"#,
                &sources,
            )
            .fetch_all(conn)
            .await?
        }
    };
    rows.into_iter().map(ModeRow::read).collect()
}

/// Returns whether a source is in shadow mode, and keeps its mode until the transaction ends.
///
/// # Errors
/// Returns the database's error.
pub(crate) async fn is_shadowed(
    conn: &mut PgConnection,
    source: &SourceName,
) -> Result<bool, sqlx::Error> {
    let stored = modes(conn, std::slice::from_ref(source), ModeRead::Locked).await?;
    Ok(stored
        .iter()
        .any(|stored| stored.mode == SourceMode::Shadow))
}

/// Stores the modes of sources that have none yet.
///
/// # Errors
/// Returns the database's error.
pub(super) async fn insert_new(
    conn: &mut PgConnection,
    modes: &[(SourceName, SourceMode)],
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    if modes.is_empty() {
        return Ok(());
    }
    let sources: Vec<String> = modes.iter().map(|(source, _)| source.to_string()).collect();
    let words: Vec<&str> = modes.iter().map(|(_, mode)| mode.as_str()).collect();
    // `DO UPDATE` would wait for transactions that have read the mode.
    sqlx::query!(
        "INSERT INTO leaver.source_status (source, since, mode, mode_since)
         SELECT source, $3, mode, $3 FROM unnest($1::text[], $2::text[]) AS m (source, mode) ORDER BY source
         ON CONFLICT ON CONSTRAINT source_status_pkey DO NOTHING",
        &sources,
        &words as &[&str],
        now,
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "UPDATE leaver.source_status AS s SET mode = m.mode, mode_since = $3
         FROM unnest($1::text[], $2::text[]) AS m (source, mode)
         WHERE s.source = m.source AND s.mode IS NULL",
        &sources,
        &words as &[&str],
        now,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Returns the mode of a source, and lets no transaction change accounts by it until this one ends. Waits for those that do
/// so now.
///
/// # Errors
/// Returns the database's error, also for a source that was never seen.
pub(super) async fn lock_mode(
    conn: &mut PgConnection,
    source: &SourceName,
) -> Result<SourceMode, sqlx::Error> {
    let word = sqlx::query_scalar!(
        r#"SELECT mode AS "mode!" FROM leaver.source_status WHERE source = $1 AND mode IS NOT NULL FOR UPDATE"#,
        source.as_str(),
    )
    .fetch_one(conn)
    .await?;
    Ok(mode_of(&word))
}

/// Changes the mode of a source.
///
/// # Errors
/// Returns the database's error.
pub(super) async fn set_mode(
    conn: &mut PgConnection,
    source: &SourceName,
    mode: SourceMode,
    actor: &Actor,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE leaver.source_status SET mode = $2, mode_since = $3, mode_by = $4 WHERE source = $1",
        source.as_str(),
        mode.as_str(),
        now,
        actor.to_string(),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Stores planned changes. A change that is planned already keeps its time. Without any, it runs no statement.
///
/// # Errors
/// Returns the database's error.
pub(crate) async fn save_plan(
    conn: &mut PgConnection,
    planned: &[PlannedChange],
) -> Result<(), sqlx::Error> {
    if planned.is_empty() {
        return Ok(());
    }
    let each = |read: fn(&PlannedChange) -> &String| {
        let texts = planned.iter().map(read);
        texts.cloned().collect::<Vec<String>>()
    };
    let times: Vec<DateTime<Utc>> = planned.iter().map(|change| change.planned_at).collect();
    sqlx::query!(
        "INSERT INTO leaver.plan AS p (source, tenant, employee_id, account_id, direction, cause, reason, planned_at)
         SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
                              $8::timestamptz[])
         ON CONFLICT ON CONSTRAINT plan_pkey DO UPDATE
         SET account_id = EXCLUDED.account_id, direction = EXCLUDED.direction, reason = EXCLUDED.reason,
             cause = CASE WHEN (p.account_id, p.direction) = (EXCLUDED.account_id, EXCLUDED.direction)
                          THEN p.cause ELSE EXCLUDED.cause END,
             planned_at = CASE WHEN (p.account_id, p.direction) = (EXCLUDED.account_id, EXCLUDED.direction)
                               THEN p.planned_at ELSE EXCLUDED.planned_at END
         WHERE (p.account_id, p.direction, p.reason) <> (EXCLUDED.account_id, EXCLUDED.direction, EXCLUDED.reason)",
        &each(|change| &change.source),
        &each(|change| &change.tenant),
        &each(|change| &change.employee_id),
        &each(|change| &change.account_id),
        &each(|change| &change.direction),
        &each(|change| &change.cause),
        &each(|change| &change.reason),
        &times,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Returns the planned changes of a source, or of all, in the order in which they would have been made.
///
/// # Errors
/// Returns the database's error.
pub(super) async fn list_plan(
    conn: &mut PgConnection,
    source: Option<&SourceName>,
) -> Result<Vec<PlannedChange>, sqlx::Error> {
    sqlx::query_as!(
        PlannedChange,
        "SELECT source, tenant, employee_id, account_id, direction, cause, reason, planned_at FROM leaver.plan
         WHERE $1::text IS NULL OR source = $1
         ORDER BY planned_at, source, tenant, employee_id",
        source.map(SourceName::as_str),
    )
    .fetch_all(conn)
    .await
}

/// Returns whether a change is planned for each employee, in the order given.
///
/// # Errors
/// Returns the database's error.
pub(crate) async fn are_planned(
    conn: &mut PgConnection,
    employees: &[EmployeeKey],
) -> Result<Vec<bool>, sqlx::Error> {
    let columns = KeyColumns::of(employees);
    sqlx::query_scalar!(
        r#"SELECT p.source IS NOT NULL AS "is_planned!"
           FROM unnest($1::text[], $2::text[], $3::text[]) WITH ORDINALITY AS k (source, tenant, employee_id, n)
           LEFT JOIN leaver.plan p USING (source, tenant, employee_id)
           ORDER BY k.n"#,
        &columns.sources,
        &columns.tenants,
        &columns.employee_ids,
    )
    .fetch_all(conn)
    .await
}

/// Deletes the plan of a source.
///
/// # Errors
/// Returns the database's error.
pub(super) async fn delete_plan(
    conn: &mut PgConnection,
    source: &SourceName,
) -> Result<(), sqlx::Error> {
    sqlx::query!("DELETE FROM leaver.plan WHERE source = $1", source.as_str())
        .execute(conn)
        .await?;
    Ok(())
}

/// A change that was made.
pub(super) struct MadeChange {
    pub(super) direction: String,
    pub(super) source: String,
    pub(super) tenant: String,
    pub(super) employee_id: String,
    pub(super) account_id: String,
}

/// Returns the changes of a batch.
///
/// # Errors
/// Returns the database's error.
pub(super) async fn changes_of_batch(
    conn: &mut PgConnection,
    batch: Uuid,
) -> Result<Vec<MadeChange>, sqlx::Error> {
    sqlx::query_as!(
        MadeChange,
        "SELECT direction, source, tenant, employee_id, account_id FROM leaver.changes WHERE batch_id = $1",
        batch,
    )
    .fetch_all(conn)
    .await
}
