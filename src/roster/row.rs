//! A row of `leaver.employees`, as the queries of the roster return it.

use chrono::{DateTime, Utc};
use sqlx::types::Json;

use super::confirmations::Confirmation;
use super::facts_json::{StoredDeparture, StoredFacts};
use crate::db::employee_keys::employee_key;
use leaver_core::domain::{AccountId, Blocked, DeliveryId, Employee};

/// The columns from which an employee is built.
pub(super) struct Row {
    pub(super) source: String,
    pub(super) tenant: String,
    pub(super) employee_id: String,
    pub(super) facts: Json<StoredFacts>,
    pub(super) account_id: Option<String>,
    pub(super) access_ends_at: Option<DateTime<Utc>>,
    pub(super) deactivated_at: Option<DateTime<Utc>>,
    pub(super) departure: Option<Json<StoredDeparture>>,
    pub(super) blocked_since: Option<DateTime<Utc>>,
    pub(super) blocked_retry_at: Option<DateTime<Utc>>,
    pub(super) blocked_reason: Option<String>,
    pub(super) without_account_since: Option<DateTime<Utc>>,
    pub(super) missing_since: Option<DateTime<Utc>>,
    pub(super) linked_account_id: Option<String>,
    pub(super) first_observed_at: DateTime<Utc>,
    pub(super) last_delivery_id: Option<uuid::Uuid>,
    pub(super) modified_at: DateTime<Utc>,
    pub(super) number: i64,
    pub(super) revision: i64,
    pub(super) confirmed_revision: Option<i64>,
    pub(super) confirmed_as_of: Option<DateTime<Utc>>,
    pub(super) confirmed_observed_at: Option<DateTime<Utc>>,
}

impl Row {
    /// Returns the times of a read that repeated the known facts.
    pub(super) fn confirmation(&self) -> Option<Confirmation> {
        // After a wait for a lock, Postgres combines the new facts with the confirmation of the old ones.
        self.confirmed_revision
            .filter(|confirmed| *confirmed > self.revision)?;
        Some(Confirmation {
            as_of: self.confirmed_as_of?,
            observed_at: self.confirmed_observed_at?,
        })
    }

    pub(super) fn into_employee(self) -> Result<Employee, sqlx::Error> {
        let confirmation = self.confirmation();
        let mut employee =
            Employee::new(employee_key(&self.source, self.tenant, self.employee_id)?);
        self.facts.0.apply_to(&mut employee);
        if let Some(confirmation) = confirmation {
            confirmation.apply_to(&mut employee);
        }
        employee.account_id = self.account_id.map(AccountId::new);
        employee.access_ends_at = self.access_ends_at;
        employee.deactivated_at = self.deactivated_at;
        employee.departure = self.departure.map(|departure| departure.0.into());
        employee.blocked = self.blocked_since.map(|since| Blocked {
            since,
            retry_at: self.blocked_retry_at.unwrap_or(since),
            reason: self.blocked_reason.unwrap_or_default(),
        });
        employee.without_account_since = self.without_account_since;
        employee.missing_since = self.missing_since;
        employee.linked_account_id = self.linked_account_id;
        employee.first_observed_at = Some(self.first_observed_at);
        employee.last_delivery_id = self.last_delivery_id.map(DeliveryId);
        employee.modified_at = Some(self.modified_at);
        Ok(employee)
    }
}
