//! Records each read of the roster, with its reader and its filter.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::{Actor, AuditAction, AuditEntry, store};
use crate::db::employee_keys::employee_key;
use leaver_core::domain::EmployeeKey;

/// Source, tenant and employee id of a read that is about no single employee.
const NOBODY: &str = "-";

/// Records a read before its result is shown. Without `employees` it is one entry, otherwise one for each of them.
///
/// `filter` must not contain an e-mail or a name.
///
/// # Errors
/// Returns the database's error; the result must not be shown then.
pub(crate) async fn record_read(
    conn: &mut PgConnection,
    actor: &Actor,
    filter: &str,
    employees: &[EmployeeKey],
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let mut employees = employees.to_vec();
    if employees.is_empty() {
        employees.push(employee_key(NOBODY, NOBODY.to_owned(), NOBODY.to_owned())?);
    }
    let entries: Vec<AuditEntry> = employees
        .into_iter()
        .map(|employee| AuditEntry {
            action: AuditAction::RosterRead,
            reason: filter.to_owned(),
            employee,
            account: None,
            delivery: None,
            actor: actor.clone(),
        })
        .collect();
    store::record(conn, &entries, now).await
}
