//! The audit log of a period.

pub(crate) mod store;

use chrono::{DateTime, Utc};
use serde::Serialize;
use uuid::Uuid;

use super::scope::Scope;

/// Which entries are wanted. An absent filter matches all.
#[derive(Clone, Default)]
pub(crate) struct AuditFilter {
    /// Whom they are about.
    pub(crate) scope: Scope,
    /// The action.
    pub(crate) action: Option<String>,
    /// The account.
    pub(crate) account: Option<String>,
}

/// One entry.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct AuditLine {
    /// Sequence number.
    pub(crate) id: i64,
    /// When it was done.
    pub(crate) at: DateTime<Utc>,
    /// The action.
    pub(crate) action: String,
    /// Source of the employee.
    pub(crate) source: String,
    /// Company of the employee.
    pub(crate) tenant: String,
    /// Id of the employee in the HR system.
    pub(crate) employee_id: String,
    /// The account.
    pub(crate) account_id: Option<String>,
    /// Why it was done.
    pub(crate) reason: String,
    /// Who did it, as `kind:name`.
    pub(crate) actor: String,
    /// User of the operating system that ran the command.
    pub(crate) os_user: Option<String>,
    /// Machine on which the command ran.
    pub(crate) host: Option<String>,
    /// Role of the database session that wrote the entry.
    pub(crate) database_role: Option<String>,
    /// Delivery that caused it.
    pub(crate) delivery_id: Option<Uuid>,
}
