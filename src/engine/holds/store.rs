//! The table `leaver.holds`.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Hold, HoldHistory, HoldState, HoldStatus, NewHold};
use crate::db::employee_keys::{AccountColumns, KeyColumns};
use crate::engine::audit::Actor;
use crate::engine::batches::Direction;
use crate::engine::origin::Cause;
use crate::engine::outbox::{self, Events};
use leaver_core::decision::RequestedAction;
use leaver_core::domain::{AccountId, EmployeeKey};

/// Holds of one employee that are read: those that can matter to a decision are the last ones.
const HISTORY: i64 = 50;

/// Opens holds, and returns the positions of those that are new, with their IDs. A hold that is open is updated in place. The caller leaves out
/// those that a person has rejected.
///
/// # Errors
/// Returns the database's error.
pub(crate) async fn raise(
    conn: &mut PgConnection,
    holds: &[NewHold],
    cause: Cause,
    now: DateTime<Utc>,
) -> Result<Vec<(usize, i64)>, sqlx::Error> {
    // Nearly always.
    if holds.is_empty() {
        return Ok(vec![]);
    }
    let columns = KeyColumns::of(holds.iter().map(|hold| &hold.employee));
    let each = |read: fn(&NewHold) -> String| holds.iter().map(read).collect::<Vec<String>>();
    let accounts: Vec<Option<&str>> = holds
        .iter()
        .map(|h| h.question.account.as_ref().map(AccountId::as_str))
        .collect();
    let deliveries: Vec<Option<Uuid>> = holds.iter().map(|h| h.delivery.map(|id| id.0)).collect();
    let trips: Vec<Option<i64>> = holds.iter().map(|hold| hold.trip).collect();
    let opened = sqlx::query!(
        r#"WITH asked AS (
               SELECT * FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
                                    $8::text[], $9::uuid[], $10::bigint[])
                    WITH ORDINALITY AS a (source, tenant, employee_id, account_id, requested_action, reason, facts_fingerprint,
                                          delivery_id, trip_id, n)
           ), present AS (
               SELECT a.n, h.id, h.facts_fingerprint, h.trip_id
               FROM asked a
               LEFT JOIN leaver.holds h ON (h.source, h.tenant, h.employee_id) = (a.source, a.tenant, a.employee_id)
                                       AND h.state = 'open'
           ), renewed AS (
               UPDATE leaver.holds AS h
               SET account_id = a.account_id, requested_action = a.requested_action, reason = a.reason, facts_fingerprint = a.facts_fingerprint,
                   trip_id = a.trip_id, cause = $11
               FROM asked a JOIN present ON present.n = a.n
               WHERE h.id = present.id
                 AND (present.facts_fingerprint, present.trip_id) IS DISTINCT FROM (a.facts_fingerprint, a.trip_id)
           ), raised AS (
               INSERT INTO leaver.holds
                   (opened_at, source, tenant, employee_id, account_id, requested_action, reason, facts_fingerprint, delivery_id, trip_id, cause)
               SELECT $1, a.source, a.tenant, a.employee_id, a.account_id, a.requested_action, a.reason, a.facts_fingerprint, a.delivery_id, a.trip_id, $11
               FROM asked a JOIN present ON present.n = a.n
               WHERE present.id IS NULL
               ORDER BY a.n
               RETURNING id, source, tenant, employee_id
           )
           SELECT a.n AS "n!", raised.id FROM asked a JOIN raised USING (source, tenant, employee_id) ORDER BY a.n"#,
        now,
        &columns.sources,
        &columns.tenants,
        &columns.employee_ids,
        &accounts as &[Option<&str>],
        &each(|h| h.question.requested_action.as_str().to_owned()),
        &each(|h| h.reason.clone()),
        &each(|h| h.question.facts_fingerprint.clone()),
        &deliveries as &[Option<Uuid>],
        &trips as &[Option<i64>],
        cause.as_str(),
    )
    .fetch_all(conn)
    .await?;
    Ok(opened
        .into_iter()
        .filter_map(|row| Some((usize::try_from(row.n - 1).ok()?, row.id)))
        .collect())
}

/// Inserts holds that a person has rejected already: the account stays as it is until the facts change. Open holds of these
/// employees must be withdrawn before.
///
/// # Errors
/// Returns the database's error.
pub(crate) async fn insert_rejected(
    conn: &mut PgConnection,
    holds: &[NewHold],
    actor: &Actor,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let columns = KeyColumns::of(holds.iter().map(|hold| &hold.employee));
    let each = |read: fn(&NewHold) -> String| holds.iter().map(read).collect::<Vec<String>>();
    let accounts: Vec<Option<&str>> = holds
        .iter()
        .map(|h| h.question.account.as_ref().map(AccountId::as_str))
        .collect();
    sqlx::query!(
        "INSERT INTO leaver.holds (opened_at, source, tenant, employee_id, account_id, requested_action, reason,
                                   facts_fingerprint, state, closed_at, closed_by)
         SELECT $1, source, tenant, employee_id, account_id, requested_action, reason, facts_fingerprint, 'rejected', $1, $2
         FROM unnest($3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[]) WITH ORDINALITY
              AS h (source, tenant, employee_id, account_id, requested_action, reason, facts_fingerprint, n)
         ORDER BY n",
        now,
        actor.to_string(),
        &columns.sources,
        &columns.tenants,
        &columns.employee_ids,
        &accounts as &[Option<&str>],
        &each(|h| h.question.requested_action.as_str().to_owned()),
        &each(|h| h.reason.clone()),
        &each(|h| h.question.facts_fingerprint.clone()),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Returns the last holds of each employee that are not withdrawn, in the order given.
///
/// # Errors
/// Returns the database's error.
pub(crate) async fn history(
    conn: &mut PgConnection,
    employees: &[EmployeeKey],
) -> Result<Vec<HoldHistory>, sqlx::Error> {
    let columns = KeyColumns::of(employees);
    let rows = sqlx::query!(
        r#"SELECT k.n AS "n!", h.id, h.state, h.facts_fingerprint,
                  CASE WHEN h.state = 'open' THEN t.id END AS open_trip, t.direction AS "direction?"
           FROM unnest($1::text[], $2::text[], $3::text[]) WITH ORDINALITY AS k (source, tenant, employee_id, n)
           CROSS JOIN LATERAL (
               SELECT id, state, facts_fingerprint, trip_id FROM leaver.holds h
               WHERE (h.source, h.tenant, h.employee_id) = (k.source, k.tenant, k.employee_id)
                 AND h.state IN ('open', 'approved', 'rejected')
               ORDER BY id DESC LIMIT $4
           ) h
           LEFT JOIN leaver.trips t ON t.id = h.trip_id AND t.state = 'open'
           ORDER BY k.n, h.id DESC"#,
        &columns.sources,
        &columns.tenants,
        &columns.employee_ids,
        HISTORY,
    )
    .fetch_all(conn)
    .await?;
    let mut histories = vec![HoldHistory::default(); employees.len()];
    for row in rows {
        let position = usize::try_from(row.n - 1).unwrap_or(usize::MAX);
        let Some(history) = histories.get_mut(position) else {
            continue;
        };
        history.0.push(HoldStatus {
            id: row.id,
            state: match row.state.as_str() {
                "approved" => HoldState::Approved,
                "rejected" => HoldState::Rejected,
                _ => HoldState::Open,
            },
            facts_fingerprint: row.facts_fingerprint,
            open_trip: row
                .open_trip
                .zip(row.direction.as_deref().map(Direction::from_stored)),
        });
    }
    Ok(histories)
}

/// Withdraws the open holds of these employees: newer facts have settled them. Returns the events.
///
/// # Errors
/// Returns the database's error.
pub(crate) async fn withdraw(
    conn: &mut PgConnection,
    employees: &[EmployeeKey],
    actor: &Actor,
    now: DateTime<Utc>,
) -> Result<Events, sqlx::Error> {
    let columns = KeyColumns::of(employees);
    let withdrawn = sqlx::query_as!(
        Hold,
        "UPDATE leaver.holds AS h SET state = 'withdrawn', closed_at = $4
         FROM unnest($1::text[], $2::text[], $3::text[]) AS k (source, tenant, employee_id)
         WHERE (h.source, h.tenant, h.employee_id) = (k.source, k.tenant, k.employee_id)
           AND h.state = 'open'
         RETURNING h.id, h.opened_at, h.source, h.tenant, h.employee_id, h.account_id, h.requested_action, h.reason, h.state, h.delivery_id, h.trip_id, h.cause",
        &columns.sources,
        &columns.tenants,
        &columns.employee_ids,
        now,
    )
    .fetch_all(conn)
    .await?;
    outbox::of_closed_holds(&withdrawn, actor)
}

/// Withdraws the open holds that request this action for these accounts, to which it was applied. Returns the events.
///
/// # Errors
/// Returns the database's error.
pub(crate) async fn withdraw_applied(
    conn: &mut PgConnection,
    action: RequestedAction,
    accounts: &BTreeSet<AccountId>,
    actor: &Actor,
    now: DateTime<Utc>,
) -> Result<Events, sqlx::Error> {
    // Nearly always.
    if accounts.is_empty() {
        return Ok(Events::default());
    }
    let columns = AccountColumns::of(accounts);
    let withdrawn = sqlx::query_as!(
        Hold,
        "UPDATE leaver.holds h SET state = 'withdrawn', closed_at = $2
         WHERE state = 'open' AND requested_action = $3 AND account_id = ANY($1)
           AND EXISTS (SELECT FROM unnest($1::text[], $4::text[]) AS k (account_id, tenant)
                       WHERE k.account_id = h.account_id AND (k.tenant IS NULL OR k.tenant = h.tenant))
         RETURNING id, opened_at, source, tenant, employee_id, account_id, requested_action, reason, state, delivery_id, trip_id, cause",
        &columns.ids,
        now,
        action.as_str(),
        &columns.tenants as &[Option<String>],
    )
    .fetch_all(conn)
    .await?;
    outbox::of_closed_holds(&withdrawn, actor)
}

/// Clears the fingerprint of rejected holds of these employees, whose facts have changed. If the earlier facts come back, the
/// hold can be opened again.
///
/// # Errors
/// Returns the database's error.
pub(crate) async fn lapse(
    conn: &mut PgConnection,
    employees: &[EmployeeKey],
) -> Result<u64, sqlx::Error> {
    let columns = KeyColumns::of(employees);
    let done = sqlx::query!(
        "UPDATE leaver.holds AS h SET facts_fingerprint = ''
         FROM unnest($1::text[], $2::text[], $3::text[]) AS k (source, tenant, employee_id)
         WHERE (h.source, h.tenant, h.employee_id) = (k.source, k.tenant, k.employee_id)
           AND h.state = 'rejected' AND h.facts_fingerprint <> ''",
        &columns.sources,
        &columns.tenants,
        &columns.employee_ids,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}

/// Closes an open hold as a person decided, and returns it; `None` if it is not open.
///
/// # Errors
/// Returns the database's error.
pub async fn close(
    conn: &mut PgConnection,
    id: i64,
    state: &str,
    actor: &Actor,
    now: DateTime<Utc>,
) -> Result<Option<Hold>, sqlx::Error> {
    sqlx::query_as!(
        Hold,
        "UPDATE leaver.holds SET state = $2, closed_by = $3, closed_at = $4
         WHERE id = $1 AND state = 'open'
         RETURNING id, opened_at, source, tenant, employee_id, account_id, requested_action, reason, state, delivery_id, trip_id, cause",
        id,
        state,
        actor.to_string(),
        now,
    )
    .fetch_optional(conn)
    .await
}

/// Adds a text to the reason of an open hold.
///
/// # Errors
/// Returns the database's error.
pub(crate) async fn add_to_reason(
    conn: &mut PgConnection,
    id: i64,
    text: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE leaver.holds SET reason = reason || '; ' || $2 WHERE id = $1 AND state = 'open'",
        id,
        text,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Returns a hold in any state; `None` if it does not exist.
///
/// # Errors
/// Returns the database's error.
pub async fn find(conn: &mut PgConnection, id: i64) -> Result<Option<Hold>, sqlx::Error> {
    sqlx::query_as!(
        Hold,
        "SELECT id, opened_at, source, tenant, employee_id, account_id, requested_action, reason, state, delivery_id, trip_id, cause
         FROM leaver.holds WHERE id = $1",
        id,
    )
    .fetch_optional(conn)
    .await
}

/// Returns holds in any state, oldest first.
///
/// # Errors
/// Returns the database's error.
pub(crate) async fn find_all(
    conn: &mut PgConnection,
    ids: &BTreeSet<i64>,
) -> Result<Vec<Hold>, sqlx::Error> {
    let ids: Vec<i64> = ids.iter().copied().collect();
    sqlx::query_as!(
        Hold,
        "SELECT id, opened_at, source, tenant, employee_id, account_id, requested_action, reason, state, delivery_id, trip_id, cause
         FROM leaver.holds WHERE id = ANY($1) ORDER BY id",
        &ids,
    )
    .fetch_all(conn)
    .await
}

/// Returns the open holds, oldest first.
///
/// # Errors
/// Returns the database's error.
pub async fn list_open(conn: &mut PgConnection) -> Result<Vec<Hold>, sqlx::Error> {
    sqlx::query_as!(
        Hold,
        "SELECT id, opened_at, source, tenant, employee_id, account_id, requested_action, reason, state, delivery_id, trip_id, cause
         FROM leaver.holds WHERE state = 'open' ORDER BY id",
    )
    .fetch_all(conn)
    .await
}

/// Open holds.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct OpenHolds {
    /// Number of them.
    pub(crate) count: i64,
    /// When the oldest was opened.
    pub(crate) oldest_at: Option<DateTime<Utc>>,
}

/// Returns the number of open holds, and when the oldest was opened.
///
/// # Errors
/// Returns the database's error.
pub(crate) async fn count_open(conn: &mut PgConnection) -> Result<OpenHolds, sqlx::Error> {
    sqlx::query_as!(
        OpenHolds,
        r#"SELECT count(*) AS "count!", min(opened_at) AS oldest_at FROM leaver.holds WHERE state = 'open'"#
    )
    .fetch_one(conn)
    .await
}
