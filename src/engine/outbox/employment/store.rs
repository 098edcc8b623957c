//! States of employees that were reported, in the table `leaver.outbox_people`.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use sqlx::types::Json;

use super::Known;
use crate::db::employee_keys::{KeyColumns, employee_key};
use crate::roster::facts_json::{StoredDeparture, StoredFacts};
use leaver_core::domain::{Employee, EmployeeKey};
use leaver_core::events::employment::{Reported, ReportedEmployment};

/// An employee as stored, and what was reported last.
struct Row {
    source: String,
    tenant: String,
    employee_id: String,
    facts: Json<StoredFacts>,
    access_ends_at: Option<DateTime<Utc>>,
    departure: Option<Json<StoredDeparture>>,
    employment: Option<String>,
    ends_at: Option<DateTime<Utc>>,
    deleted: Option<bool>,
}

/// Loads these employees as they are stored, and what was reported last. Those that are not stored are left out.
///
/// # Errors
/// Returns the database's error.
pub(super) async fn find(
    conn: &mut PgConnection,
    keys: &[&EmployeeKey],
) -> Result<HashMap<EmployeeKey, Known>, sqlx::Error> {
    let columns = KeyColumns::of(keys.iter().copied());
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT e.source, e.tenant, e.employee_id, e.facts AS "facts: Json<StoredFacts>", e.access_ends_at,
                  e.departure AS "departure: Json<StoredDeparture>", p.employment AS "employment?",
                  p.ends_at AS "ends_at?", p.deleted AS "deleted?"
           FROM unnest($1::text[], $2::text[], $3::text[]) AS k (source, tenant, employee_id)
           JOIN leaver.employees e USING (source, tenant, employee_id)
           LEFT JOIN leaver.outbox_people p USING (source, tenant, employee_id)"#,
        &columns.sources,
        &columns.tenants,
        &columns.employee_ids,
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter().map(Row::into_known).collect()
}

impl Row {
    fn into_known(self) -> Result<(EmployeeKey, Known), sqlx::Error> {
        let key = employee_key(&self.source, self.tenant, self.employee_id)?;
        let mut before = Employee::new(key.clone());
        self.facts.0.apply_to(&mut before);
        before.access_ends_at = self.access_ends_at;
        before.departure = self.departure.map(|departure| departure.0.into());
        let employment = self.employment.as_deref().map(str::parse);
        let employment: Option<ReportedEmployment> = employment
            .transpose()
            .map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
        let reported = Reported {
            employment,
            ends_at: self.ends_at,
            deleted: self.deleted.unwrap_or_default(),
        };
        Ok((key, Known { before, reported }))
    }
}

/// Stores what was reported. Without an employee, it runs no statement.
///
/// # Errors
/// Returns the database's error; the transaction must be rolled back then.
pub(super) async fn save(
    conn: &mut PgConnection,
    reported: &[(&EmployeeKey, Reported)],
) -> Result<(), sqlx::Error> {
    if reported.is_empty() {
        return Ok(());
    }
    let columns = KeyColumns::of(reported.iter().map(|(key, _)| *key));
    let employments: Vec<Option<&str>> = reported
        .iter()
        .map(|(_, reported)| reported.employment.map(Into::into))
        .collect();
    let ends: Vec<Option<DateTime<Utc>>> = reported.iter().map(|(_, it)| it.ends_at).collect();
    let deleted: Vec<bool> = reported.iter().map(|(_, it)| it.deleted).collect();
    sqlx::query!(
        "INSERT INTO leaver.outbox_people (source, tenant, employee_id, sequence, employment, ends_at, deleted)
         SELECT source, tenant, employee_id, 0, employment, ends_at, deleted
         FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::boolean[])
              AS k (source, tenant, employee_id, employment, ends_at, deleted)
         ORDER BY source, tenant, employee_id
         ON CONFLICT ON CONSTRAINT outbox_people_pkey DO UPDATE
         SET employment = excluded.employment, ends_at = excluded.ends_at, deleted = excluded.deleted",
        &columns.sources,
        &columns.tenants,
        &columns.employee_ids,
        &employments as &[Option<&str>],
        &ends as &[Option<DateTime<Utc>>],
        &deleted,
    )
    .execute(conn)
    .await?;
    Ok(())
}
