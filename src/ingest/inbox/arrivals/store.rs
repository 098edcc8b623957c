//! Inserts new deliveries into `leaver.deliveries`. Each function takes a slice and executes one statement for it, which
//! can be a transaction of its own.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Durability, NewArrival};
use leaver_core::domain::DeliveryId;
use leaver_core::signature::VerifiedDelivery;

/// How often a repeated body makes a failed delivery pending again.
const MAX_REPEATS_OF_FAILED: i32 = 5;

/// Inserts deliveries and returns the ids of those inserted. Skips a delivery whose body from the same source is stored
/// already, or comes earlier in the slice; see [`record_repeats`].
///
/// Waits only for another transaction that is inserting the same body.
///
/// # Errors
/// Returns the database's error; nothing was written then.
pub async fn insert(
    conn: &mut PgConnection,
    arrivals: &[&NewArrival],
) -> Result<HashSet<DeliveryId>, sqlx::Error> {
    let mut unique = with_fingerprints(arrivals);
    // In one order, so that two batches with the same bodies wait for each other instead of deadlocking. The sort is
    // stable, so the first of equal bodies stays.
    unique.sort_by_key(|(fingerprint, _)| *fingerprint);
    unique.dedup_by_key(|(fingerprint, _)| *fingerprint);
    let rows = Columns::of(&unique);
    let written = sqlx::query_scalar!(
        "INSERT INTO leaver.deliveries
             (id, fingerprint, source, digest, content_type, signed_at, received_at, body, body_bytes, state, next_attempt_at)
         SELECT id, fingerprint, source, digest, content_type, signed_at, received_at, body, octet_length(body), 'pending', received_at
         FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::bytea[], $5::text[], $6::timestamptz[], $7::timestamptz[], $8::bytea[])
              WITH ORDINALITY AS a (id, fingerprint, source, digest, content_type, signed_at, received_at, body, n)
         ORDER BY n
         ON CONFLICT (fingerprint) WHERE fingerprint IS NOT NULL DO NOTHING
         RETURNING id",
        &rows.ids,
        &rows.fingerprints,
        &rows.sources as &[&str],
        &rows.digests as &[&[u8]],
        &rows.types as &[Option<&str>],
        &rows.signed as &[Option<DateTime<Utc>>],
        &rows.received,
        &rows.bodies as &[&[u8]],
    )
    .fetch_all(conn)
    .await?;
    Ok(written.into_iter().map(DeliveryId).collect())
}

/// Returns the stored id of each duplicate delivery, in the order given; `None` if it was deleted.
///
/// A duplicate changes nothing unless it was signed later, since the same body may then carry new facts. A processed row
/// without event times becomes pending. For a row that is not settled, the later signature is stored, and
/// [`settle`](crate::ingest::inbox::store::settle) decides.
///
/// A failed row becomes pending if the sender repeats the body with another `Content-Type`: the sender has corrected something.
/// Its times stay those of the first arrival, so that a replay does not make its facts newer. Nobody signs the header, so this
/// happens at most [`MAX_REPEATS_OF_FAILED`] times.
///
/// Waits for a job that is processing a row that has to change.
///
/// # Errors
/// Returns the database's error; nothing was written then.
pub(crate) async fn record_repeats(
    conn: &mut PgConnection,
    arrivals: &[&NewArrival],
) -> Result<Vec<Option<DeliveryId>>, sqlx::Error> {
    let arrivals = with_fingerprints(arrivals);
    let mut latest = HashMap::with_capacity(arrivals.len());
    for (fingerprint, arrival) in &arrivals {
        let known = latest.entry(*fingerprint).or_insert(*arrival);
        if arrival.delivery.signed_at() > known.delivery.signed_at() {
            *known = arrival;
        }
    }
    let unique: Vec<(Uuid, &NewArrival)> = latest.into_iter().collect();
    let rows = Columns::of(&unique);
    // The rows are locked first, in key order, so each comes in its newest version.
    // A row can be here although no standby has it: its commit was ended while it waited for one. A transaction that writes
    // nothing does not wait, so this one writes a message to the log.
    let there = sqlx::query!(
        r#"WITH arrived AS (
               SELECT * FROM unnest($1::uuid[], $2::text[], $3::timestamptz[], $4::timestamptz[], $5::bytea[])
                             AS a (fingerprint, content_type, signed_at, received_at, body)
           ), news AS MATERIALIZED (
               SELECT d.id, d.state, a.content_type, a.signed_at, a.received_at, a.body,
                      a.signed_at > GREATEST(d.signed_at, d.resigned_at) AS is_later,
                      d.state = 'failed' AND a.content_type IS DISTINCT FROM d.content_type
                          AND d.reprocess_count < $6 AS is_corrected
               FROM leaver.deliveries d JOIN arrived a USING (fingerprint)
               WHERE (a.signed_at > GREATEST(d.signed_at, d.resigned_at)
                      AND (d.state IN ('pending', 'failed') OR (d.state = 'processed' AND NOT d.has_event_times)))
                  OR (d.state = 'failed' AND a.content_type IS DISTINCT FROM d.content_type AND d.reprocess_count < $6)
               ORDER BY d.fingerprint
               FOR UPDATE OF d
           ), noted AS (
               UPDATE leaver.deliveries d SET resigned_at = news.signed_at FROM news
               WHERE d.id = news.id AND news.state <> 'processed' AND NOT news.is_corrected
           ), corrected AS (
               UPDATE leaver.deliveries d
               SET state = 'pending', body = news.body, content_type = news.content_type,
                   resigned_at = CASE WHEN news.is_later THEN news.signed_at ELSE d.resigned_at END,
                   next_attempt_at = news.received_at, attempts = 0, processed_at = NULL, reason = NULL,
                   reprocess_count = d.reprocess_count + 1
               FROM news WHERE d.id = news.id AND news.is_corrected
           ), requeued AS (
               UPDATE leaver.deliveries d
               SET state = 'pending', body = news.body, content_type = news.content_type, signed_at = news.signed_at,
                   received_at = news.received_at, next_attempt_at = news.received_at, attempts = 0,
                   processed_at = NULL, reason = NULL, outcome = NULL, reprocess_count = d.reprocess_count + 1
               FROM news WHERE d.id = news.id AND news.state = 'processed'
           )
           SELECT d.id AS "id!", fingerprint AS "fingerprint!", waits.lsn AS waits_for
           FROM leaver.deliveries d JOIN arrived a USING (fingerprint)
           CROSS JOIN (
               SELECT CASE WHEN current_setting('synchronous_standby_names') <> ''
                   THEN pg_logical_emit_message(true, 'leaver', ''::text)::text END AS lsn
           ) AS waits"#,
        &rows.fingerprints,
        &rows.types as &[Option<&str>],
        &rows.signed as &[Option<DateTime<Utc>>],
        &rows.received,
        &rows.bodies as &[&[u8]],
        MAX_REPEATS_OF_FAILED,
    )
    .fetch_all(conn)
    .await?;
    let known: HashMap<Uuid, Uuid> = there
        .into_iter()
        .map(|row| (row.fingerprint, row.id))
        .collect();
    let id_of = |(fingerprint, _): &(Uuid, _)| known.get(fingerprint).copied().map(DeliveryId);
    Ok(arrivals.iter().map(id_of).collect())
}

fn with_fingerprints<'a>(arrivals: &[&'a NewArrival]) -> Vec<(Uuid, &'a NewArrival)> {
    let with_fingerprint = |arrival: &&'a NewArrival| (arrival.fingerprint(), *arrival);
    arrivals.iter().map(with_fingerprint).collect()
}

/// Loads the settings that decide whether a commit of this session survives a crash.
///
/// # Errors
/// Returns the database's error.
pub async fn durability(conn: &mut PgConnection) -> Result<Durability, sqlx::Error> {
    sqlx::query_as!(
        Durability,
        r#"SELECT current_setting('synchronous_commit') <> 'off' AS "waits_for_disk!",
                  current_setting('fsync')::bool AS "fsync!",
                  current_setting('full_page_writes')::bool AS "full_page_writes!""#
    )
    .fetch_one(conn)
    .await
}

/// One array per column.
struct Columns<'a> {
    ids: Vec<Uuid>,
    fingerprints: Vec<Uuid>,
    sources: Vec<&'a str>,
    digests: Vec<&'a [u8]>,
    types: Vec<Option<&'a str>>,
    signed: Vec<Option<DateTime<Utc>>>,
    received: Vec<DateTime<Utc>>,
    bodies: Vec<&'a [u8]>,
}

impl<'a> Columns<'a> {
    fn of(rows: &[(Uuid, &'a NewArrival)]) -> Self {
        let deliveries = || rows.iter().map(|(_, row)| &row.delivery);
        Self {
            ids: rows.iter().map(|(_, row)| row.id.0).collect(),
            fingerprints: rows.iter().map(|(fingerprint, _)| *fingerprint).collect(),
            sources: deliveries().map(|d| d.source().as_str()).collect(),
            digests: deliveries().map(|d| d.digest().as_slice()).collect(),
            types: deliveries().map(|d| d.content_type()).collect(),
            signed: deliveries().map(VerifiedDelivery::signed_at).collect(),
            received: rows.iter().map(|(_, row)| row.received_at).collect(),
            bodies: deliveries().map(|d| d.body().as_ref()).collect(),
        }
    }
}
