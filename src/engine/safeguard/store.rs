//! The tables `leaver.trips` and `leaver.grants`, and the windows over `leaver.changes`.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};
use sqlx::PgConnection;

use super::Scope;
use crate::engine::batches::Direction;
use leaver_core::domain::{AccountId, Tenant};
use leaver_core::safeguard::{PerWindow, Window};

/// First half of the keys of the advisory locks: "leav" in ASCII.
const LOCK_CLASS: i32 = 0x6c65_6176;

/// The count of a scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Usage {
    /// The open trip.
    pub open_trip: Option<i64>,
    /// Accounts that were changed or are to be changed, within each window.
    pub changes: PerWindow,
    /// The grant that takes the place of the limits.
    pub grant: Option<GrantUsage>,
}

/// A grant that has not expired.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct GrantUsage {
    /// The ID.
    pub id: i64,
    /// Accounts that may be changed.
    pub allowed: u64,
    /// Accounts that were changed.
    pub used: u64,
}

/// Locks scopes until the transaction ends, in an order that is the same everywhere.
///
/// # Errors
/// Returns the database's error.
pub(crate) async fn lock(conn: &mut PgConnection, scopes: &[&Scope]) -> Result<(), sqlx::Error> {
    let keys: BTreeSet<i32> = scopes.iter().map(|scope| lock_key(scope)).collect();
    let keys: Vec<i32> = keys.into_iter().collect();
    sqlx::query!(
        r#"SELECT pg_advisory_xact_lock($1, k)::text AS locked FROM unnest($2::int[]) AS k"#,
        LOCK_CLASS,
        &keys,
    )
    .fetch_all(&mut *conn)
    .await?;
    Ok(())
}

/// Returns the second half of the lock's key: the same in all replicas, whatever compiled them. Scopes with the same key only
/// wait for each other.
fn lock_key(scope: &Scope) -> i32 {
    let name = format!("{} {}", scope.direction.as_str(), scope.tenant.as_str());
    let hash = Sha256::digest(name);
    i32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]])
}

/// Counts the changes of each scope within each window, with those that are wanted. The scopes must be locked.
///
/// # Errors
/// Returns the database's error.
pub(super) async fn usages(
    conn: &mut PgConnection,
    wanted: &BTreeMap<Scope, BTreeSet<AccountId>>,
    now: DateTime<Utc>,
) -> Result<Vec<Usage>, sqlx::Error> {
    let tenants: Vec<&str> = wanted.keys().map(|scope| scope.tenant.as_str()).collect();
    let directions: Vec<&str> = wanted.keys().map(|s| s.direction.as_str()).collect();
    let (mut positions, mut accounts) = (vec![], vec![]);
    for (position, ids) in (1_i64..).zip(wanted.values()) {
        for id in ids {
            positions.push(position);
            accounts.push(id.as_str());
        }
    }
    let rows = sqlx::query!(
        r#"WITH scope AS (
               SELECT s.n, s.tenant, s.direction,
                      COALESCE((SELECT max(t.closed_at) FROM leaver.trips t
                                WHERE t.tenant = s.tenant AND t.direction = s.direction AND t.closed_at IS NOT NULL),
                               '-infinity') AS window_from
               FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS s (tenant, direction, n)
           ), wanted AS (
               SELECT * FROM unnest($3::bigint[], $4::text[]) AS w (n, account_id)
           ), counted AS (
               SELECT s.n, c.account_id, max(c.at) AS at
               FROM scope s
               JOIN leaver.changes c ON c.tenant = s.tenant AND c.direction = s.direction
               WHERE c.counted AND c.at > $6 AND c.at > s.window_from
               GROUP BY s.n, c.account_id
           )
           SELECT (SELECT t.id FROM leaver.trips t
                   WHERE t.tenant = s.tenant AND t.direction = s.direction AND t.state = 'open') AS open_trip,
                  (SELECT count(*) FROM (
                       SELECT c.account_id FROM counted c WHERE c.n = s.n AND c.at > $5
                       UNION SELECT w.account_id FROM wanted w WHERE w.n = s.n) AS hour) AS "hour!",
                  (SELECT count(*) FROM (
                       SELECT c.account_id FROM counted c WHERE c.n = s.n
                       UNION SELECT w.account_id FROM wanted w WHERE w.n = s.n) AS day) AS "day!",
                  g.id AS "grant_id?", g.allowed AS "allowed?", g.used AS "used?"
           FROM scope s
           LEFT JOIN LATERAL (
               SELECT id, allowed, used, expires_at FROM leaver.grants g
               WHERE g.tenant = s.tenant AND g.direction = s.direction
               ORDER BY id DESC LIMIT 1
           ) g ON g.expires_at > $7
           ORDER BY s.n"#,
        &tenants as &[&str],
        &directions as &[&str],
        &positions,
        &accounts as &[&str],
        now - Window::Hour.length(),
        now - Window::Day.length(),
        now,
    )
    .fetch_all(conn)
    .await?;
    let number = |n: i64| u64::try_from(n).unwrap_or_default();
    Ok(rows
        .into_iter()
        .map(|row| Usage {
            open_trip: row.open_trip,
            changes: PerWindow {
                hour: number(row.hour),
                day: number(row.day),
            },
            grant: row.grant_id.map(|id| GrantUsage {
                id,
                allowed: number(row.allowed.unwrap_or_default()),
                used: number(row.used.unwrap_or_default()),
            }),
        })
        .collect())
}

/// Opens a trip and returns its ID. The scope must be locked, and have no open trip.
///
/// # Errors
/// Returns the database's error.
pub(super) async fn open(
    conn: &mut PgConnection,
    scope: &Scope,
    limited_by: &str,
    changes: u64,
    limit: u64,
    population: u64,
    now: DateTime<Utc>,
) -> Result<i64, sqlx::Error> {
    let number = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    sqlx::query_scalar!(
        "INSERT INTO leaver.trips (tenant, direction, opened_at, limited_by, window_count, limit_count, population)
         VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING id",
        scope.tenant.as_str(),
        scope.direction.as_str(),
        now,
        limited_by,
        number(changes),
        number(limit),
        number(population),
    )
    .fetch_one(conn)
    .await
}

/// Uses up a part of a grant.
///
/// # Errors
/// Returns the database's error, also if less than that is left.
pub(super) async fn use_grant(
    conn: &mut PgConnection,
    id: i64,
    accounts: usize,
) -> Result<(), sqlx::Error> {
    let accounts = i64::try_from(accounts).unwrap_or(i64::MAX);
    sqlx::query!(
        "UPDATE leaver.grants SET used = used + $2 WHERE id = $1",
        id,
        accounts,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Accounts that were changed at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Counted {
    /// The tenant and the direction.
    pub scope: Scope,
    /// When they were changed.
    pub at: DateTime<Utc>,
    /// The number of accounts.
    pub accounts: u64,
}

/// Returns the changes that count now, of all scopes, oldest first.
///
/// # Errors
/// Returns the database's error.
pub(crate) async fn counted(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
) -> Result<Vec<Counted>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"SELECT l.tenant AS "tenant!", l.direction AS "direction!", l.at AS "at!", count(*) AS "accounts!"
           FROM (SELECT c.tenant, c.direction, c.account_id, max(c.at) AS at
                 FROM leaver.changes c
                 WHERE c.counted AND c.at > $1
                   AND NOT EXISTS (SELECT FROM leaver.trips t
                                   WHERE t.tenant = c.tenant AND t.direction = c.direction AND t.closed_at >= c.at)
                 GROUP BY c.tenant, c.direction, c.account_id) AS l
           GROUP BY l.tenant, l.direction, l.at ORDER BY l.at"#,
        now - Window::Day.length(),
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Counted {
            scope: Scope {
                tenant: Tenant::new(row.tenant),
                direction: Direction::from_stored(&row.direction),
            },
            at: row.at,
            accounts: u64::try_from(row.accounts).unwrap_or_default(),
        })
        .collect())
}
