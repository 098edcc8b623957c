//! The table `leaver.confirmations`.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use sqlx::types::Json;

use super::{Confirmation, Known, Pages};
use crate::db::employee_keys::KeyColumns;
use crate::roster::facts_json::{StoredDeparture, StoredFacts};
use crate::roster::row::Row;
use leaver_core::domain::{EmployeeKey, SourceName};

/// Waits until no confirmation is being made, and lets none be made until the transaction ends. Every transaction calls it
/// before it locks employees.
///
/// # Errors
/// Returns the database's error.
// Otherwise facts that were loaded before the confirmation could be written after it, and undo what a later read reported.
pub(crate) async fn keep_out(conn: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::query!(
        r#"SELECT true AS "done!"
           FROM (SELECT pg_advisory_xact_lock_shared(hashtextextended('leaver.confirmations', 0))) AS locked"#
    )
    .fetch_one(conn)
    .await
    .map(drop)
}

/// Waits 50 ms at most until no transaction has locked employees, and keeps others from it until this one ends. Transactions
/// that begin meanwhile wait behind it.
///
/// # Errors
/// Returns the database's error; that of a lock timeout if a transaction lasts longer.
pub(crate) async fn begin(conn: &mut PgConnection) -> Result<(), sqlx::Error> {
    // In one message, since others wait for this transaction. If this process stops in between, they wait for 2 s.
    sqlx::raw_sql(
        "SET LOCAL lock_timeout = '50ms';
         SET LOCAL statement_timeout = '2s';
         SET LOCAL idle_in_transaction_session_timeout = '2s';
         SELECT FROM pg_advisory_xact_lock(hashtextextended('leaver.confirmations', 0))",
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Loads those of these employees that are known. Rows are not locked: that would write to each of them.
///
/// # Errors
/// Returns the database's error.
pub(crate) async fn find(
    conn: &mut PgConnection,
    keys: &[EmployeeKey],
) -> Result<Vec<Known>, sqlx::Error> {
    let columns = KeyColumns::of(keys);
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT e.source, e.tenant, e.employee_id, e.facts AS "facts: Json<StoredFacts>",
                  e.account_id, e.access_ends_at, e.deactivated_at, e.departure AS "departure: Json<StoredDeparture>",
                  e.blocked_since, e.blocked_retry_at, e.blocked_reason, e.without_account_since, e.missing_since,
                  e.linked_account_id, e.first_observed_at, e.last_delivery_id, e.modified_at,
                  e.number, e.revision, c.revision AS "confirmed_revision?", c.as_of AS "confirmed_as_of?",
                  c.observed_at AS "confirmed_observed_at?"
           FROM unnest($1::text[], $2::text[], $3::text[]) AS k (source, tenant, employee_id)
           JOIN leaver.employees e USING (source, tenant, employee_id)
           LEFT JOIN LATERAL leaver.confirmation_of(e.source, e.number, e.revision) AS c ON true"#,
        &columns.sources,
        &columns.tenants,
        &columns.employee_ids,
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(Known {
                number: row.number,
                confirmation: row.confirmation(),
                employee: row.into_employee()?,
            })
        })
        .collect()
}

/// Inserts confirmations of employees of one source and linked account, one row for each page. The caller has called [`begin`].
///
/// # Errors
/// Returns the database's error; nothing was written then.
pub(crate) async fn insert(
    conn: &mut PgConnection,
    source: &SourceName,
    linked_account: &str,
    pages: &Pages,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let each = || pages.0.iter();
    let numbers: Vec<i64> = each().map(|((_, page), _)| *page).collect();
    let as_of: Vec<DateTime<Utc>> = times(pages, |it| it.as_of);
    let observed_at: Vec<DateTime<Utc>> = times(pages, |it| it.observed_at);
    let members: Vec<Vec<u8>> = each().map(|(_, bits)| bits.clone()).collect();
    sqlx::query!(
        "INSERT INTO leaver.confirmations (source, linked_account_id, page, as_of, observed_at, made_at, members)
         SELECT $1, $2, page, as_of, observed_at, $7, members
         FROM unnest($3::bigint[], $4::timestamptz[], $5::timestamptz[], $6::bytea[])
              AS c (page, as_of, observed_at, members)",
        source.as_str(),
        linked_account,
        &numbers,
        &as_of,
        &observed_at,
        &members,
        now,
    )
    .execute(conn)
    .await?;
    Ok(())
}

fn times(pages: &Pages, time: fn(&Confirmation) -> DateTime<Utc>) -> Vec<DateTime<Utc>> {
    let times = pages.0.keys().map(|(confirmation, _)| time(confirmation));
    times.collect()
}

/// Deletes the confirmations of one source and linked account that were made before a moment. Returns the number of rows.
///
/// # Errors
/// Returns the database's error; nothing was written then.
pub(crate) async fn delete_before(
    conn: &mut PgConnection,
    source: &SourceName,
    linked_account: &str,
    before: DateTime<Utc>,
) -> Result<u64, sqlx::Error> {
    let deleted = sqlx::query!(
        "DELETE FROM leaver.confirmations
         WHERE source = $1 AND linked_account_id = $2 AND made_at < $3",
        source.as_str(),
        linked_account,
        before,
    )
    .execute(conn)
    .await?;
    Ok(deleted.rows_affected())
}
