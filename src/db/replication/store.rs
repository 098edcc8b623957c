//! Queries on the catalogs of replication. They may differ or be closed on managed servers.

use sqlx::{PgConnection, Row};

use super::{LogicalReplica, Replication};

/// Loads replication. A walsender of a logical slot and one of a base backup are no standbys.
///
/// A role without `pg_monitor` sees only the process ids of walsenders, so it can count them.
///
/// # Errors
/// Returns the database's error.
pub async fn replication(conn: &mut PgConnection) -> Result<Replication, sqlx::Error> {
    let row = sqlx::query(
        "WITH receivers AS (
             SELECT r.state, r.flush_lsn, r.flush_lag
             FROM pg_stat_replication r
             WHERE NOT EXISTS (SELECT FROM pg_replication_slots s WHERE s.active_pid = r.pid AND s.slot_type = 'logical')
               AND r.application_name IS DISTINCT FROM 'pg_basebackup' AND r.state IS DISTINCT FROM 'backup'
         ), waiting AS (
             SELECT FROM pg_replication_slots
             WHERE slot_type = 'physical' AND NOT active AND restart_lsn IS NOT NULL AND wal_status IS DISTINCT FROM 'lost'
         )
         SELECT pg_is_in_recovery() AS in_recovery,
                current_setting('synchronous_commit') AS synchronous_commit,
                current_setting('synchronous_standby_names') AS standby_names,
                (SELECT count(*) FROM receivers) + (SELECT count(*) FROM waiting) AS standbys,
                (SELECT max(CASE WHEN NOT pg_is_in_recovery() THEN pg_wal_lsn_diff(pg_current_wal_lsn(), flush_lsn) END)
                 FROM receivers)::bigint AS behind_bytes,
                (SELECT (extract(epoch FROM max(flush_lag)) * 1000) FROM receivers)::bigint AS lag_ms,
                (SELECT coalesce(bool_and(state IS NOT NULL), true) FROM receivers) AS sees_details",
    )
    .fetch_one(conn)
    .await?;
    Ok(Replication {
        in_recovery: row.try_get("in_recovery")?,
        synchronous_commit: row.try_get("synchronous_commit")?,
        standby_names: row.try_get("standby_names")?,
        standbys: row.try_get("standbys")?,
        behind_bytes: row.try_get("behind_bytes")?,
        lag_ms: row.try_get("lag_ms")?,
        sees_details: row.try_get("sees_details")?,
    })
}

/// Returns whether the server is a standby.
///
/// # Errors
/// Returns the database's error.
pub async fn is_in_recovery(conn: &mut PgConnection) -> Result<bool, sqlx::Error> {
    let (in_recovery,): (bool,) = sqlx::query_as("SELECT pg_is_in_recovery()")
        .fetch_one(conn)
        .await?;
    Ok(in_recovery)
}

/// Returns an enabled subscription that writes a table of ours, or the users table, a name that is quoted where needed.
///
/// # Errors
/// Returns the database's error.
pub async fn logical_replica(
    conn: &mut PgConnection,
    users_table: &str,
) -> Result<Option<LogicalReplica>, sqlx::Error> {
    // Not by the oid of pg_subscription: on Postgres 13 only superusers may read it.
    let found: Result<Option<(String, String)>, sqlx::Error> = sqlx::query_as(
        "SELECT n.nspname || '.' || c.relname, p.subname::text
         FROM pg_subscription_rel r
         JOIN pg_class c ON c.oid = r.srrelid
         JOIN pg_namespace n ON n.oid = c.relnamespace
         JOIN pg_stat_subscription s ON s.subid = r.srsubid
         JOIN pg_subscription p ON p.subname = s.subname
         JOIN pg_database d ON d.oid = p.subdbid AND d.datname = current_database()
         WHERE p.subenabled AND (n.nspname = 'leaver' OR c.oid = to_regclass($1))
         ORDER BY n.nspname = 'leaver' DESC, 1 LIMIT 1",
    )
    .bind(users_table)
    .fetch_optional(conn)
    .await;
    let found = match found {
        // A managed server may refuse these catalogs, and it is the database all the same.
        Err(sqlx::Error::Database(_)) => None,
        found => found?,
    };
    Ok(found.map(|(table, subscription)| LogicalReplica {
        table,
        subscription,
    }))
}
