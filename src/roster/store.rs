//! The table `leaver.employees`. Each function takes a slice and executes one statement for it, [`lock`] up to four.

use std::collections::BTreeSet;

use chrono::{DateTime, NaiveDate, Utc};
use sqlx::PgConnection;
use sqlx::types::Json;

use super::confirmations;
use super::facts_json::{StoredDeparture, StoredFacts};
use super::row::Row;
use crate::db::employee_keys::{AccountColumns, KeyColumns};
use crate::roster::sharing::Sharing;
use leaver_core::domain::{AccountId, Blocked, DateOrInstant, Employee, EmployeeKey, WorkEmail};

/// Loads and locks these employees, and inserts those that are new. Also locks employees who share an account with one of
/// them, since the decision about an account depends on all of them.
///
/// Keys must be sorted, so that overlapping slices wait for each other instead of deadlocking. New rows are inserted only
/// after all known ones are locked.
///
/// # Errors
/// Returns the database's error; nothing was written then.
pub async fn lock(
    conn: &mut PgConnection,
    keys: &[EmployeeKey],
    sharing: &Sharing,
    now: DateTime<Utc>,
) -> Result<Vec<Employee>, sqlx::Error> {
    confirmations::store::keep_out(conn).await?;
    let mut employees = select_for_update(conn, keys, sharing).await?;
    if employees.len() == keys.len() {
        return Ok(employees);
    }
    let known: BTreeSet<&EmployeeKey> = employees.iter().map(|employee| &employee.key).collect();
    let new: Vec<EmployeeKey> = keys
        .iter()
        .filter(|key| !known.contains(key))
        .cloned()
        .collect();
    let columns = KeyColumns::of(&new);
    sqlx::query!(
        "INSERT INTO leaver.employees (source, tenant, employee_id, facts, first_observed_at, modified_at)
         SELECT source, tenant, employee_id, '{}', $4, $4
         FROM unnest($1::text[], $2::text[], $3::text[]) WITH ORDINALITY AS k (source, tenant, employee_id, n)
         ORDER BY n
         ON CONFLICT ON CONSTRAINT employees_pkey DO NOTHING",
        &columns.sources,
        &columns.tenants,
        &columns.employee_ids,
        now,
    )
    .execute(&mut *conn)
    .await?;
    // Another transaction may have inserted some of them meanwhile. No other rows are locked this late.
    employees.extend(select_for_update(conn, &new, &Sharing::default()).await?);
    employees.sort_by(|one, other| one.key.cmp(&other.key));
    Ok(employees)
}

/// Loads and locks those of these employees that are known, and employees in `sources` who share an account with one of them.
///
/// # Errors
/// Returns the database's error.
pub(crate) async fn lock_known(
    conn: &mut PgConnection,
    keys: &[EmployeeKey],
    sharing: &Sharing,
) -> Result<Vec<Employee>, sqlx::Error> {
    confirmations::store::keep_out(conn).await?;
    select_for_update(conn, keys, sharing).await
}

async fn select_for_update(
    conn: &mut PgConnection,
    keys: &[EmployeeKey],
    sharing: &Sharing,
) -> Result<Vec<Employee>, sqlx::Error> {
    let columns = KeyColumns::of(keys);
    let sources: Vec<String> = sharing.sources.iter().map(ToString::to_string).collect();
    let rows = sqlx::query_as!(
        Row,
        r#"WITH asked AS MATERIALIZED (
               SELECT * FROM unnest($1::text[], $2::text[], $3::text[]) AS k (source, tenant, employee_id)
           ), sharing AS MATERIALIZED (
               SELECT other.source, other.tenant, other.employee_id
               FROM asked
               JOIN leaver.employees e USING (source, tenant, employee_id)
               CROSS JOIN unnest($4::text[]) AS s (source)
               JOIN leaver.employees other ON (other.source, other.account_id) = (s.source, e.account_id)
                                           AND (NOT $5 OR other.tenant = e.tenant)
           )
           SELECT e.source, e.tenant, e.employee_id, e.facts AS "facts: Json<StoredFacts>",
                  e.account_id, e.access_ends_at, e.deactivated_at, e.departure AS "departure: Json<StoredDeparture>",
                  e.blocked_since, e.blocked_retry_at, e.blocked_reason, e.without_account_since, e.missing_since,
                  e.linked_account_id, e.first_observed_at, e.last_delivery_id, e.modified_at,
                  e.number, e.revision, c.revision AS "confirmed_revision?", c.as_of AS "confirmed_as_of?",
                  c.observed_at AS "confirmed_observed_at?"
           FROM leaver.employees e
           JOIN (SELECT * FROM asked UNION SELECT * FROM sharing) AS k USING (source, tenant, employee_id)
           LEFT JOIN LATERAL leaver.confirmation_of(e.source, e.number, e.revision) AS c ON true
           ORDER BY e.source, e.tenant, e.employee_id
           FOR UPDATE OF e"#,
        &columns.sources,
        &columns.tenants,
        &columns.employee_ids,
        &sources,
        sharing.within_tenant,
    )
    .fetch_all(conn)
    .await?;
    let mut employees = rows
        .into_iter()
        .map(Row::into_employee)
        .collect::<Result<Vec<_>, _>>()?;
    let asked: BTreeSet<&EmployeeKey> = keys.iter().collect();
    employees.retain(|employee| asked.contains(&employee.key));
    Ok(employees)
}

/// Returns the number of scheduled access ends, and the time of the next. An end that is blocked does not count.
///
/// # Errors
/// Returns the database's error.
pub(crate) async fn scheduled_ends_summary(
    conn: &mut PgConnection,
) -> Result<(i64, Option<DateTime<Utc>>), sqlx::Error> {
    let row = sqlx::query!(
        r#"SELECT count(*) AS "pending!", min(access_ends_at) AS next_at
           FROM leaver.employees WHERE access_ends_at IS NOT NULL AND blocked_since IS NULL"#
    )
    .fetch_one(conn)
    .await?;
    Ok((row.pending, row.next_at))
}

/// Finds the employees with one of these work e-mails or this id, in any source.
///
/// # Errors
/// Returns the database's error.
pub async fn find_by_email_or_id(
    conn: &mut PgConnection,
    emails: &BTreeSet<WorkEmail>,
    employee_id: &str,
) -> Result<Vec<Employee>, sqlx::Error> {
    let emails: Vec<&str> = emails.iter().map(WorkEmail::expose).collect();
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT e.source, e.tenant, e.employee_id, e.facts AS "facts: Json<StoredFacts>",
                  e.account_id, e.access_ends_at, e.deactivated_at, e.departure AS "departure: Json<StoredDeparture>",
                  e.blocked_since, e.blocked_retry_at, e.blocked_reason, e.without_account_since, e.missing_since,
                  e.linked_account_id, e.first_observed_at, e.last_delivery_id, e.modified_at,
                  e.number, e.revision, c.revision AS "confirmed_revision?", c.as_of AS "confirmed_as_of?",
                  c.observed_at AS "confirmed_observed_at?"
           FROM leaver.employees e
           LEFT JOIN LATERAL leaver.confirmation_of(e.source, e.number, e.revision) AS c ON true
           WHERE e.work_email = ANY($1) OR e.employee_id = $2
           ORDER BY e.source, e.tenant, e.employee_id"#,
        &emails as &[&str],
        employee_id,
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter().map(Row::into_employee).collect()
}

/// Updates employees: facts, linked account, scheduled access end. Sets `modified_at` only if a value changed, not if a
/// value was confirmed or a link or schedule changed.
///
/// # Errors
/// Returns the database's error; nothing was written then.
pub(crate) async fn save(
    conn: &mut PgConnection,
    employees: &[Employee],
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    save_evaluated(conn, employees, |_| true, now).await
}

/// Does the same after an evaluation. Deletes the planned change of each employee for whom `keeps_plan` is false, in the same
/// statement: most batches plan nothing, and must not pay for shadow mode.
///
/// # Errors
/// Returns the database's error; nothing was written then.
pub(crate) async fn save_evaluated(
    conn: &mut PgConnection,
    employees: &[Employee],
    keeps_plan: impl Fn(&EmployeeKey) -> bool,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let keeps_plan: Vec<bool> = employees.iter().map(|e| keeps_plan(&e.key)).collect();
    let columns = KeyColumns::of(employees.iter().map(|employee| &employee.key));
    let each = || employees.iter();
    let facts: Vec<Json<StoredFacts>> = each()
        .map(|e| Json(StoredFacts::from_employee(e)))
        .collect();
    let accounts: Vec<Option<String>> = each()
        .map(|e| e.account_id.as_ref().map(ToString::to_string))
        .collect();
    let ends: Vec<Option<DateTime<Utc>>> = each().map(|e| e.access_ends_at).collect();
    let deactivated: Vec<Option<DateTime<Utc>>> = each().map(|e| e.deactivated_at).collect();
    let departures: Vec<Option<Json<StoredDeparture>>> = each()
        .map(|e| e.departure.map(|departure| Json(departure.into())))
        .collect();
    let blocked = |time: fn(&Blocked) -> DateTime<Utc>| -> Vec<Option<DateTime<Utc>>> {
        each().map(|e| e.blocked.as_ref().map(time)).collect()
    };
    let blocked_reasons: Vec<Option<&str>> = each()
        .map(|e| e.blocked.as_ref().map(|blocked| blocked.reason.as_str()))
        .collect();
    let without_account: Vec<Option<DateTime<Utc>>> =
        each().map(|e| e.without_account_since).collect();
    let missing: Vec<Option<DateTime<Utc>>> = each().map(|e| e.missing_since).collect();
    let linked_accounts: Vec<Option<&str>> =
        each().map(|e| e.linked_account_id.as_deref()).collect();
    let deliveries: Vec<Option<uuid::Uuid>> =
        each().map(|e| e.last_delivery_id.map(|id| id.0)).collect();
    let terminations: Vec<Option<NaiveDate>> = each()
        .map(|e| e.termination_date().map(|(date, _)| day_of(date)))
        .collect();
    let modified: Vec<Option<DateTime<Utc>>> = each().map(|e| e.modified_at).collect();
    sqlx::query!(
        "WITH saved AS MATERIALIZED (
             SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::jsonb[], $5::text[], $6::timestamptz[],
                                  $7::timestamptz[], $8::uuid[], $10::date[], $11::timestamptz[], $12::jsonb[],
                                  $13::timestamptz[], $14::timestamptz[], $15::text[], $16::timestamptz[],
                                  $17::timestamptz[], $18::text[], $19::boolean[])
                  AS k (source, tenant, employee_id, facts, account_id, access_ends_at, deactivated_at,
                        last_delivery_id, termination_on, modified_at, departure, blocked_since, blocked_retry_at,
                        blocked_reason, without_account_since, missing_since, linked_account_id, keeps_plan)
         ), unplanned AS (
             DELETE FROM leaver.plan AS p USING saved AS k
             WHERE NOT k.keeps_plan
               AND (p.source, p.tenant, p.employee_id) = (k.source, k.tenant, k.employee_id)
         )
         UPDATE leaver.employees AS e
         SET facts = k.facts,
             account_id = k.account_id,
             linked_at = CASE WHEN k.account_id IS NULL THEN NULL
                              WHEN k.account_id IS DISTINCT FROM e.account_id THEN $9
                              ELSE e.linked_at END,
             termination_on = k.termination_on,
             access_ends_at = k.access_ends_at,
             deactivated_at = k.deactivated_at,
             departure = k.departure,
             blocked_since = k.blocked_since,
             blocked_retry_at = k.blocked_retry_at,
             blocked_reason = k.blocked_reason,
             without_account_since = k.without_account_since,
             missing_since = k.missing_since,
             linked_account_id = k.linked_account_id,
             last_delivery_id = k.last_delivery_id,
             modified_at = COALESCE(k.modified_at, e.modified_at)
         FROM saved AS k
         WHERE (e.source, e.tenant, e.employee_id) = (k.source, k.tenant, k.employee_id)",
        &columns.sources,
        &columns.tenants,
        &columns.employee_ids,
        &facts as &[Json<StoredFacts>],
        &accounts as &[Option<String>],
        &ends as &[Option<DateTime<Utc>>],
        &deactivated as &[Option<DateTime<Utc>>],
        &deliveries as &[Option<uuid::Uuid>],
        now,
        &terminations as &[Option<NaiveDate>],
        &modified as &[Option<DateTime<Utc>>],
        &departures as &[Option<Json<StoredDeparture>>],
        &blocked(|blocked| blocked.since) as &[Option<DateTime<Utc>>],
        &blocked(|blocked| blocked.retry_at) as &[Option<DateTime<Utc>>],
        &blocked_reasons as &[Option<&str>],
        &without_account as &[Option<DateTime<Utc>>],
        &missing as &[Option<DateTime<Utc>>],
        &linked_accounts as &[Option<&str>],
        &keeps_plan,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Clears `deactivated_at` for accounts that are active again. If someone else deactivates them later, we must not
/// reactivate them.
///
/// # Errors
/// Returns the database's error; nothing was written then.
pub(crate) async fn forget_deactivation(
    conn: &mut PgConnection,
    accounts: &BTreeSet<AccountId>,
) -> Result<(), sqlx::Error> {
    // The usual case. Without it the statement would scan the whole roster, since there is no index for it.
    if accounts.is_empty() {
        return Ok(());
    }
    let columns = AccountColumns::of(accounts);
    sqlx::query!(
        "UPDATE leaver.employees SET deactivated_at = NULL
         WHERE account_id = ANY($1) AND deactivated_at IS NOT NULL
           AND EXISTS (SELECT FROM unnest($1::text[], $2::text[]) AS k (account_id, tenant)
                       WHERE k.account_id = employees.account_id
                         AND (k.tenant IS NULL OR k.tenant = employees.tenant))",
        &columns.ids,
        &columns.tenants as &[Option<String>],
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Loads the work e-mails of these employees, in the order given.
///
/// # Errors
/// Returns the database's error.
pub(crate) async fn work_emails(
    conn: &mut PgConnection,
    keys: &[EmployeeKey],
) -> Result<Vec<Option<String>>, sqlx::Error> {
    let columns = KeyColumns::of(keys);
    let rows = sqlx::query!(
        r#"SELECT e.work_email AS "work_email?"
           FROM unnest($1::text[], $2::text[], $3::text[])
                WITH ORDINALITY AS k (source, tenant, employee_id, n)
           LEFT JOIN leaver.employees e USING (source, tenant, employee_id)
           ORDER BY k.n"#,
        &columns.sources,
        &columns.tenants,
        &columns.employee_ids,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| row.work_email).collect())
}

/// Returns the day of an end of employment; an instant counts as its day in UTC.
fn day_of(moment: DateOrInstant) -> NaiveDate {
    match moment {
        DateOrInstant::Day(day) => day,
        DateOrInstant::Instant(instant) => instant.date_naive(),
    }
}
