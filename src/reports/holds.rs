//! Open holds with the work e-mail of the employee.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::db::employee_keys::employee_key;
use crate::engine::holds::{self, Hold};
use crate::roster;
use leaver_core::domain::EmployeeKey;

/// A hold that needs a person. It holds personal data, so it has no `Debug`.
#[derive(Serialize)]
pub(crate) struct OpenHold {
    /// Hold ID, for `leaver holds approve` and `leaver holds reject`.
    pub id: i64,
    /// Time at which it was opened.
    pub opened_at: DateTime<Utc>,
    /// Source of the employee.
    pub source: String,
    /// Tenant of the employee.
    pub tenant: String,
    /// ID in the HR system.
    pub employee_id: String,
    /// Work e-mail in the roster, if known.
    pub work_email: Option<String>,
    /// Account it is about; `None` if the person must name one.
    pub account_id: Option<String>,
    /// State of the hold: `open`.
    pub state: String,
    /// The effect of an approval: `deactivate` or `reactivate`.
    pub requested_action: String,
    /// Why a person must decide.
    pub reason: String,
    /// Delivery that opened it; `None` if a sync or a scheduled end did.
    pub delivery_id: Option<Uuid>,
    /// Trip of the safeguard that holds the change; `None` if a rule holds it.
    pub trip_id: Option<i64>,
    /// Cause of the change that is held, as in `leaver.changes`.
    pub cause: Option<String>,
}

/// Returns all open holds, oldest first.
///
/// # Errors
/// Returns the database's error, or a decoding error for an invalid source name.
pub(crate) async fn list_open(conn: &mut PgConnection) -> Result<Vec<OpenHold>, sqlx::Error> {
    let holds = holds::store::list_open(conn).await?;
    with_emails(conn, holds).await
}

/// Returns holds with the work e-mails of their employees.
///
/// # Errors
/// Returns the database's error, or a decoding error for an invalid source name.
pub(crate) async fn with_emails(
    conn: &mut PgConnection,
    holds: Vec<Hold>,
) -> Result<Vec<OpenHold>, sqlx::Error> {
    let keys = holds.iter().map(key).collect::<Result<Vec<_>, _>>()?;
    let emails = roster::store::work_emails(conn, &keys).await?;
    let rows = holds.into_iter().zip(emails);
    Ok(rows
        .map(|(hold, email)| OpenHold::new(hold, email))
        .collect())
}

fn key(hold: &Hold) -> Result<EmployeeKey, sqlx::Error> {
    employee_key(&hold.source, hold.tenant.clone(), hold.employee_id.clone())
}

impl OpenHold {
    fn new(hold: Hold, work_email: Option<String>) -> Self {
        Self {
            id: hold.id,
            opened_at: hold.opened_at,
            source: hold.source,
            tenant: hold.tenant,
            employee_id: hold.employee_id,
            work_email,
            account_id: hold.account_id,
            state: hold.state,
            requested_action: hold.requested_action,
            reason: hold.reason,
            delivery_id: hold.delivery_id,
            trip_id: hold.trip_id,
            cause: hold.cause,
        }
    }
}
