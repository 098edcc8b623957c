//! The plan: the changes that sources in shadow mode would have made, one per employee.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgConnection;

use super::store;
use crate::db::employee_keys::employee_key;
use crate::engine::accounts::AccountsTable;
use crate::engine::batches::Direction;
use crate::engine::evaluate::Evaluated;
use crate::engine::origin::Origin;
use crate::engine::policies::Policies;
use crate::engine::previews;
use crate::engine::safeguard::{self, Outlook, Scope};
use leaver_core::domain::{AccountId, EmployeeKey, SourceName, Tenant};

/// A change that shadow mode replaced in a decision.
#[derive(Clone, Debug)]
pub(crate) struct Planned {
    /// The account.
    pub account: AccountId,
    /// The direction.
    pub direction: Direction,
    /// Why, without the mention of shadow mode.
    pub reason: String,
}

/// A change of the plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PlannedChange {
    /// The source.
    pub source: String,
    /// The tenant.
    pub tenant: String,
    /// The employee ID of the HR system.
    pub employee_id: String,
    /// The account that would have been changed.
    pub account_id: String,
    /// `deactivated` or `reactivated`.
    pub direction: String,
    /// The cause, as in `leaver.changes`.
    pub cause: String,
    /// Why.
    pub reason: String,
    /// When it would have been changed.
    pub planned_at: DateTime<Utc>,
}

impl PlannedChange {
    /// Makes the planned change of an evaluated employee, if there is one.
    pub(crate) fn of(evaluated: &Evaluated, origin: &Origin, now: DateTime<Utc>) -> Option<Self> {
        let planned = evaluated.planned.as_ref()?;
        let key = &evaluated.employee.key;
        Some(Self {
            source: key.source.to_string(),
            tenant: key.tenant.to_string(),
            employee_id: key.employee_id.to_string(),
            account_id: planned.account.as_str().to_owned(),
            direction: planned.direction.as_str().to_owned(),
            cause: origin.cause.as_str().to_owned(),
            reason: planned.reason.clone(),
            planned_at: now,
        })
    }

    /// Returns the key of the employee.
    ///
    /// # Errors
    /// Returns a decoding error for an invalid source name.
    pub fn key(&self) -> Result<EmployeeKey, sqlx::Error> {
        let (tenant, employee) = (self.tenant.clone(), self.employee_id.clone());
        employee_key(&self.source, tenant, employee)
    }

    fn account(&self, table: &AccountsTable) -> AccountId {
        let id = AccountId::new(self.account_id.clone());
        table.account_in(id, &Tenant::new(self.tenant.clone()))
    }

    /// Returns the line of the digest.
    fn line(&self) -> String {
        line([
            &self.direction,
            &self.source,
            &self.tenant,
            &self.employee_id,
            &self.account_id,
        ])
    }

    fn scope(&self) -> Scope {
        Scope {
            tenant: Tenant::new(self.tenant.clone()),
            direction: if self.direction == Direction::Reactivated.as_str() {
                Direction::Reactivated
            } else {
                Direction::Deactivated
            },
        }
    }
}

/// Returns the line of a change in a digest: direction, source, tenant, employee and account, separated by tabs.
fn line(parts: [&str; 5]) -> String {
    parts.join("\t")
}

/// The planned changes of one source or of all.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Plan {
    /// The digest of the changes. A release that makes exactly these changes has the same.
    pub digest: String,
    /// The changes, one per employee, in the order in which they would have been made.
    pub changes: Vec<PlannedChange>,
}

impl Plan {
    /// Loads the plan.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn load(
        conn: &mut PgConnection,
        table: &AccountsTable,
        source: Option<&SourceName>,
    ) -> Result<Self, sqlx::Error> {
        let changes = store::list_plan(conn, source).await?;
        // Two employees who share an account cause one change of it, the first of the two.
        let mut accounts = BTreeSet::new();
        let lines = changes
            .iter()
            .filter(|change| accounts.insert((&change.direction, change.account(table))))
            .map(PlannedChange::line);
        Ok(Self {
            digest: previews::digest(lines),
            changes,
        })
    }

    /// Returns true if nothing is planned.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// Returns the keys of the employees, in order.
    ///
    /// # Errors
    /// Returns a decoding error for an invalid source name.
    pub fn keys(&self) -> Result<BTreeSet<EmployeeKey>, sqlx::Error> {
        self.changes.iter().map(PlannedChange::key).collect()
    }

    /// Returns how the safeguard would admit the changes, all at once and now.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn outlooks(
        &self,
        conn: &mut PgConnection,
        table: &AccountsTable,
        policies: &Policies,
        now: DateTime<Utc>,
    ) -> Result<Vec<Outlook>, sqlx::Error> {
        let mut wanted: BTreeMap<Scope, BTreeSet<AccountId>> = BTreeMap::new();
        for change in &self.changes {
            let accounts = wanted.entry(change.scope()).or_default();
            accounts.insert(change.account(table));
        }
        safeguard::outlooks(conn, table, policies, &wanted, now).await
    }
}

/// Returns the digest of the changes of a batch, comparable to that of a plan.
///
/// # Errors
/// Returns the database's error.
pub(super) async fn digest_of_batch(
    conn: &mut PgConnection,
    batch: uuid::Uuid,
) -> Result<String, sqlx::Error> {
    let changes = store::changes_of_batch(conn, batch).await?;
    Ok(previews::digest(changes.into_iter().map(|change| {
        line([
            &change.direction,
            &change.source,
            &change.tenant,
            &change.employee_id,
            &change.account_id,
        ])
    })))
}
