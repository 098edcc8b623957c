//! Reads `leaver.employees` by time of last change.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use sqlx::types::Json;

use super::{Cursor, EmployeeQuery, EmployeeRow, Page};
use crate::db::employee_keys::employee_key;
use crate::roster::facts_json::StoredFacts;
use leaver_core::domain::{AccountId, Employee, SourceName};

/// Returns a page of at most `size` employees.
///
/// # Errors
/// Returns the database's error, or a decoding error for an invalid source name.
pub(crate) async fn page(
    conn: &mut PgConnection,
    query: &EmployeeQuery,
    size: u16,
) -> Result<Page, sqlx::Error> {
    // No change is older than 1970. With both bounds always present, the index serves every page.
    let earliest = DateTime::<Utc>::UNIX_EPOCH;
    let after = query.modified_after.map_or(earliest, |at| at.max(earliest));
    let from = query.cursor.clone().unwrap_or(Cursor {
        modified_at: earliest,
        source: String::new(),
        tenant: String::new(),
        employee_id: String::new(),
    });
    let size = usize::from(size);
    // One extra row shows whether there is a next page.
    let limit = i64::try_from(size + 1).unwrap_or(i64::MAX);
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT source, tenant, employee_id, facts AS "facts: Json<StoredFacts>", account_id,
                  access_ends_at, deactivated_at, first_observed_at, modified_at
           FROM leaver.employees
           WHERE modified_at > $1
             AND (modified_at, source, tenant, employee_id) > ($2, $3, $4, $5)
             AND ($6::text IS NULL OR COALESCE(status, 'unknown') = $6)
             AND ($7::text IS NULL OR source = $7)
           ORDER BY modified_at, source, tenant, employee_id
           LIMIT $8"#,
        after,
        from.modified_at.max(earliest),
        from.source,
        from.tenant,
        from.employee_id,
        query.status.map(super::EmploymentFilter::as_str),
        query.source.as_ref().map(SourceName::as_str),
        limit,
    )
    .fetch_all(conn)
    .await?;
    let more = rows.len() > size;
    let results = rows
        .into_iter()
        .take(size)
        .map(Row::into_employee)
        .collect::<Result<Vec<_>, sqlx::Error>>()?;
    Ok(Page {
        next: results.last().filter(|_| more).map(Cursor::after),
        results,
    })
}

struct Row {
    source: String,
    tenant: String,
    employee_id: String,
    facts: Json<StoredFacts>,
    account_id: Option<String>,
    access_ends_at: Option<DateTime<Utc>>,
    deactivated_at: Option<DateTime<Utc>>,
    first_observed_at: DateTime<Utc>,
    modified_at: DateTime<Utc>,
}

impl Row {
    fn into_employee(self) -> Result<EmployeeRow, sqlx::Error> {
        let mut employee =
            Employee::new(employee_key(&self.source, self.tenant, self.employee_id)?);
        self.facts.0.apply_to(&mut employee);
        employee.account_id = self.account_id.map(AccountId::new);
        employee.access_ends_at = self.access_ends_at;
        employee.deactivated_at = self.deactivated_at;
        Ok(EmployeeRow::new(
            employee,
            self.first_observed_at,
            self.modified_at,
        ))
    }
}
