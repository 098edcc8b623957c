//! The tables `leaver.outbox`, `leaver.outbox_attempts`, `leaver.outbox_people` and `leaver.outbox_problems`.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use super::NewEvent;
use super::problems::{Checked, Problem, ProblemCode};
use leaver_core::domain::SourceName;
use leaver_core::events::Subscriptions;

/// Inserts events, in the order given, and an attempt for each destination that wants one. The events of an employee continue
/// its numbers.
///
/// # Errors
/// Returns the database's error; the transaction must be rolled back then.
pub(super) async fn insert(
    conn: &mut PgConnection,
    subscriptions: &Subscriptions,
    events: &[NewEvent],
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    type Texts<'e> = Vec<Option<&'e str>>;
    let ids: Vec<Uuid> = events.iter().map(|_| Uuid::now_v7()).collect();
    let kinds: Vec<&str> = events.iter().map(|event| event.kind.as_str()).collect();
    let sources: Texts<'_> = events.iter().map(NewEvent::source).collect();
    let tenants: Texts<'_> = events.iter().map(NewEvent::tenant).collect();
    let employees: Texts<'_> = events.iter().map(NewEvent::employee_id).collect();
    let data: Vec<Value> = events.iter().map(|e| e.data.clone().into()).collect();
    let details: Vec<Option<Value>> = events
        .iter()
        .map(|event| event.details.clone().map(Value::Object))
        .collect();
    let (mut attempts, mut destinations) = (vec![], vec![]);
    for (id, event) in ids.iter().zip(events) {
        for destination in subscriptions.destinations_of(event.kind) {
            attempts.push(*id);
            destinations.push(destination);
        }
    }
    sqlx::query!(
        "WITH event AS (
             SELECT * FROM unnest($2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::jsonb[], $8::jsonb[])
                  WITH ORDINALITY AS e (id, type, source, tenant, employee_id, data, details, n)
         ), numbered AS (
             INSERT INTO leaver.outbox_people AS p (source, tenant, employee_id, sequence)
             SELECT source, tenant, employee_id, count(*) FROM event WHERE employee_id IS NOT NULL
             GROUP BY source, tenant, employee_id ORDER BY source, tenant, employee_id
             ON CONFLICT ON CONSTRAINT outbox_people_pkey DO UPDATE SET sequence = p.sequence + excluded.sequence
             RETURNING source, tenant, employee_id, sequence
         ), recorded AS (
             INSERT INTO leaver.outbox (id, type, source, tenant, employee_id, sequence, occurred_at, shadow, data, details)
             SELECT e.id, e.type, e.source, e.tenant, e.employee_id,
                    p.sequence + 1 - row_number() OVER (PARTITION BY e.source, e.tenant, e.employee_id ORDER BY e.n DESC),
                    $1::timestamptz, COALESCE(s.mode = 'shadow', false), e.data, e.details
             FROM event e
             LEFT JOIN numbered p ON (p.source, p.tenant, p.employee_id) = (e.source, e.tenant, e.employee_id)
             LEFT JOIN leaver.source_status s ON s.source = e.source
             ORDER BY e.n
         )
         INSERT INTO leaver.outbox_attempts (event_id, destination, next_at)
         SELECT event_id, destination, $1 FROM unnest($9::uuid[], $10::text[]) AS a (event_id, destination)",
        now,
        &ids,
        &kinds as &[&str],
        &sources as &[Option<&str>],
        &tenants as &[Option<&str>],
        &employees as &[Option<&str>],
        &data,
        &details as &[Option<Value>],
        &attempts,
        &destinations as &[&str],
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Stores the problems that a check found in place of those that it found before. Returns the positions of those that are new.
///
/// # Errors
/// Returns the database's error.
pub(super) async fn replace_problems(
    conn: &mut PgConnection,
    checked: &Checked<'_>,
    problems: &[Problem],
) -> Result<Vec<usize>, sqlx::Error> {
    let code = |code: &ProblemCode| <&str>::from(*code);
    let checked_sources: Vec<&str> = checked.sources.iter().map(SourceName::as_str).collect();
    let checked_codes: Vec<&str> = checked.codes.iter().map(code).collect();
    let sources: Vec<&str> = problems.iter().map(|p| p.source.as_str()).collect();
    let codes: Vec<&str> = problems.iter().map(|problem| code(&problem.code)).collect();
    let parts: Vec<&str> = problems.iter().map(|p| p.part.as_str()).collect();
    let since: Vec<DateTime<Utc>> = problems.iter().map(|problem| problem.since).collect();
    let begun = sqlx::query_scalar!(
        r#"WITH found AS (
               SELECT * FROM unnest($4::text[], $5::text[], $6::text[], $7::timestamptz[])
                    WITH ORDINALITY AS f (source, code, part, since, n)
           ), ended AS (
               DELETE FROM leaver.outbox_problems p
               WHERE p.source = ANY($1) AND p.code = ANY($2) AND ($3::text IS NULL OR p.part = $3)
                     AND NOT EXISTS (SELECT FROM found f WHERE (f.source, f.code, f.part) = (p.source, p.code, p.part))
           ), begun AS (
               INSERT INTO leaver.outbox_problems AS p (source, code, part, since)
               SELECT source, code, part, since FROM found ORDER BY source, code, part
               ON CONFLICT ON CONSTRAINT outbox_problems_pkey DO UPDATE SET since = excluded.since
               WHERE p.code = 'source_silent' AND p.since < excluded.since
               RETURNING source, code, part
           )
           SELECT f.n AS "n!" FROM found f JOIN begun USING (source, code, part) ORDER BY f.n"#,
        &checked_sources as &[&str],
        &checked_codes as &[&str],
        checked.part,
        &sources as &[&str],
        &codes as &[&str],
        &parts as &[&str],
        &since,
    )
    .fetch_all(conn)
    .await?;
    Ok(begun
        .into_iter()
        .filter_map(|n| usize::try_from(n - 1).ok())
        .collect())
}
