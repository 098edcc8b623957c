//! Writes into `leaver.deliveries` what arrives. Each function takes a slice and runs one statement for it, which may
//! stand for itself as a transaction.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Arrival, Durability};
use crate::domain::DeliveryId;
use crate::signature::VerifiedDelivery;

/// Writes deliveries down, and says which of them are new. Those of which the same body from the same source is there
/// already, or stands earlier in the slice, are left out; [`repeat`] is for them.
///
/// It waits for nobody but another transaction that is just now writing the same body.
///
/// # Errors
/// Whatever the database says; nothing is stored then.
pub async fn insert(
    conn: &mut PgConnection,
    arrivals: &[&Arrival],
) -> Result<HashSet<DeliveryId>, sqlx::Error> {
    let mut seen = HashSet::with_capacity(arrivals.len());
    let mut unique: Vec<&Arrival> = arrivals.to_vec();
    unique.retain(|arrival| seen.insert(arrival.key()));
    // Two batches with the same bodies then wait for each other instead of deadlocking.
    unique.sort_by_key(|arrival| arrival.key());
    let rows = Columns::of(&unique);
    let written = sqlx::query_scalar!(
        "INSERT INTO leaver.deliveries
             (id, source, digest, content_type, signed_at, received_at, body, body_bytes, state, next_attempt_at)
         SELECT id, source, digest, content_type, signed_at, received_at, body, octet_length(body), 'waiting', received_at
         FROM unnest($1::uuid[], $2::text[], $3::bytea[], $4::text[], $5::timestamptz[], $6::timestamptz[], $7::bytea[])
              WITH ORDINALITY AS a (id, source, digest, content_type, signed_at, received_at, body, n)
         ORDER BY n
         ON CONFLICT (source, digest) DO NOTHING
         RETURNING id",
        &rows.ids,
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

/// Says of deliveries that are there already, in the order given, under which id; `None` for one that is gone.
///
/// A repetition changes nothing, except where its sender signed a later time: the same words then may be news. Where
/// the row is settled and its entries bore no time of their own, it is processed again. Where it is not settled yet,
/// nobody knows whether its entries bear a time; the later signature is noted, and [`settle`](crate::inbox::store::settle)
/// sees to it.
///
/// It waits for a worker that is just now processing a row that has to change.
///
/// # Errors
/// Whatever the database says; nothing is changed then.
pub async fn repeat(
    conn: &mut PgConnection,
    arrivals: &[&Arrival],
) -> Result<Vec<Option<DeliveryId>>, sqlx::Error> {
    let mut latest = HashMap::with_capacity(arrivals.len());
    for arrival in arrivals {
        let signed_at = |arrival: &Arrival| arrival.delivery.signed_at();
        let known = latest.entry(arrival.key()).or_insert(*arrival);
        if signed_at(arrival) > signed_at(known) {
            *known = arrival;
        }
    }
    let unique: Vec<&Arrival> = latest.into_values().collect();
    let rows = Columns::of(&unique);
    // Locked first, in key order, each row comes in its newest version, and what follows rests on that.
    let there = sqlx::query!(
        r#"WITH arrived AS (
               SELECT * FROM unnest($1::text[], $2::bytea[], $3::text[], $4::timestamptz[], $5::timestamptz[], $6::bytea[])
                             AS a (source, digest, content_type, signed_at, received_at, body)
           ), news AS MATERIALIZED (
               SELECT d.id, d.state, a.content_type, a.signed_at, a.received_at, a.body
               FROM leaver.deliveries d JOIN arrived a ON (d.source, d.digest) = (a.source, a.digest)
               WHERE a.signed_at > GREATEST(d.signed_at, d.signed_again_at)
                 AND (d.state IN ('waiting', 'parked') OR (d.state = 'processed' AND NOT d.self_timed))
               ORDER BY d.source, d.digest
               FOR UPDATE OF d
           ), noted AS (
               UPDATE leaver.deliveries d SET signed_again_at = news.signed_at FROM news
               WHERE d.id = news.id AND news.state <> 'processed'
           ), requeued AS (
               UPDATE leaver.deliveries d
               SET state = 'waiting', body = news.body, content_type = news.content_type, signed_at = news.signed_at,
                   received_at = news.received_at, next_attempt_at = news.received_at, attempts = 0,
                   settled_at = NULL, cause = NULL, outcome = NULL, repeats = d.repeats + 1
               FROM news WHERE d.id = news.id AND news.state = 'processed'
           )
           SELECT d.id AS "id!", d.source AS "source!", d.digest AS "digest!"
           FROM leaver.deliveries d JOIN arrived a ON (d.source, d.digest) = (a.source, a.digest)"#,
        &rows.sources as &[&str],
        &rows.digests as &[&[u8]],
        &rows.types as &[Option<&str>],
        &rows.signed as &[Option<DateTime<Utc>>],
        &rows.received,
        &rows.bodies as &[&[u8]],
    )
    .fetch_all(conn)
    .await?;
    let known: HashMap<(&str, &[u8]), Uuid> = there
        .iter()
        .map(|row| ((row.source.as_str(), row.digest.as_slice()), row.id))
        .collect();
    let id_of = |arrival: &&Arrival| {
        let (source, digest) = arrival.key();
        known
            .get(&(source.as_str(), digest.as_slice()))
            .map(|id| DeliveryId(*id))
    };
    Ok(arrivals.iter().map(id_of).collect())
}

/// What a commit of this session is worth.
///
/// # Errors
/// Whatever the database says.
pub async fn durability(conn: &mut PgConnection) -> Result<Durability, sqlx::Error> {
    sqlx::query_as!(
        Durability,
        r#"SELECT current_setting('synchronous_commit') <> 'off' AS "waits_for_disk!",
                  current_setting('fsync')::bool AS "flushes!",
                  current_setting('full_page_writes')::bool AS "mends_pages!""#
    )
    .fetch_one(conn)
    .await
}

/// Rows, turned into one array for each column.
struct Columns<'a> {
    ids: Vec<Uuid>,
    sources: Vec<&'a str>,
    digests: Vec<&'a [u8]>,
    types: Vec<Option<&'a str>>,
    signed: Vec<Option<DateTime<Utc>>>,
    received: Vec<DateTime<Utc>>,
    bodies: Vec<&'a [u8]>,
}

impl<'a> Columns<'a> {
    fn of(rows: &[&'a Arrival]) -> Self {
        let deliveries = || rows.iter().map(|row| &row.delivery);
        Self {
            ids: rows.iter().map(|row| row.id.0).collect(),
            sources: deliveries().map(|d| d.source().as_str()).collect(),
            digests: deliveries().map(|d| d.digest().as_slice()).collect(),
            types: deliveries().map(|d| d.content_type()).collect(),
            signed: deliveries().map(VerifiedDelivery::signed_at).collect(),
            received: rows.iter().map(|row| row.received_at).collect(),
            bodies: deliveries().map(|d| d.body().as_ref()).collect(),
        }
    }
}
