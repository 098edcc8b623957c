//! The table `leaver.audit`. Rows are only inserted.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgConnection;
use uuid::Uuid;

use super::AuditEntry;
use crate::db::employee_keys::KeyColumns;
use leaver_core::domain::EmployeeKey;

/// Inserts entries.
///
/// # Errors
/// Returns the database's error; the transaction must be rolled back then.
pub(crate) async fn record(
    conn: &mut PgConnection,
    entries: &[AuditEntry],
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    if entries.is_empty() {
        return Ok(());
    }
    let columns = KeyColumns::of(entries.iter().map(|entry| &entry.employee));
    let each = |read: fn(&AuditEntry) -> String| entries.iter().map(read).collect::<Vec<String>>();
    let accounts: Vec<Option<&str>> = entries
        .iter()
        .map(|e| {
            e.account
                .as_ref()
                .map(leaver_core::domain::AccountId::as_str)
        })
        .collect();
    let deliveries: Vec<Option<Uuid>> = entries.iter().map(|e| e.delivery.map(|id| id.0)).collect();
    let os_users: Vec<Option<&str>> = entries.iter().map(|e| e.actor.os_user()).collect();
    let hosts: Vec<Option<&str>> = entries.iter().map(|e| e.actor.host()).collect();
    sqlx::query!(
        "INSERT INTO leaver.audit (at, action, reason, source, tenant, employee_id, account_id, delivery_id, actor, os_user, host)
         SELECT $1, action, reason, source, tenant, employee_id, account_id, delivery_id, actor, os_user, host
         FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::uuid[], $9::text[], $10::text[],
                     $11::text[])
              WITH ORDINALITY AS a (action, reason, source, tenant, employee_id, account_id, delivery_id, actor, os_user, host, n)
         ORDER BY n",
        now,
        &each(|e| e.action.as_str().to_owned()),
        &each(|e| e.reason.clone()),
        &columns.sources,
        &columns.tenants,
        &columns.employee_ids,
        &accounts as &[Option<&str>],
        &deliveries as &[Option<Uuid>],
        &each(|e| e.actor.to_string()),
        &os_users as &[Option<&str>],
        &hosts as &[Option<&str>],
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// An entry as shown to people.
#[derive(Clone, Debug, Serialize)]
pub struct AuditRecord {
    /// When it was done.
    pub at: DateTime<Utc>,
    /// The action.
    pub action: String,
    /// Why it was done.
    pub reason: String,
    /// The account.
    pub account_id: Option<String>,
    /// The delivery that caused it.
    pub delivery_id: Option<Uuid>,
    /// Who did it, as `kind:name`.
    pub actor: String,
    /// User of the operating system that ran the command.
    pub os_user: Option<String>,
    /// Machine on which the command ran.
    pub host: Option<String>,
    /// Role of the database session that wrote the entry.
    pub database_role: Option<String>,
}

/// Returns the changes of one employee, oldest first; reads are left out. With separate roles the role of the service cannot read them.
///
/// # Errors
/// Returns the database's error.
pub(crate) async fn history(
    conn: &mut PgConnection,
    key: &EmployeeKey,
) -> Result<Vec<AuditRecord>, sqlx::Error> {
    sqlx::query_as!(
        AuditRecord,
        "SELECT at, action, reason, account_id, delivery_id, actor, os_user, host, database_role FROM leaver.audit
         WHERE source = $1 AND tenant = $2 AND employee_id = $3 AND action <> 'roster_read' ORDER BY id",
        key.source.as_str(),
        key.tenant.as_str(),
        key.employee_id.as_str(),
    )
    .fetch_all(conn)
    .await
}
