//! Recorded changes: one row per account that was deactivated or reactivated, in the transaction of the change. The windows of
//! the safeguard, an undo and evidence are computed from them.

pub(crate) mod store;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::accounts::{self, AccountsTable};
use super::origin::Origin;
use super::outbox::{self, Events};
use leaver_core::decision::access_end::access_end;
use leaver_core::decision::policy::Policy;
use leaver_core::domain::{AccountId, Employee, EmployeeKey, Fact, WorkEmail};

/// The direction of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum Direction {
    /// Access ends.
    Deactivated,
    /// Access is given back.
    Reactivated,
}

impl Direction {
    /// Returns the value in `leaver.changes` and `leaver.trips`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// Reads the value in `leaver.changes` and `leaver.trips`, which have no others.
    #[must_use]
    pub(crate) fn from_stored(text: &str) -> Self {
        if text == Self::Reactivated.as_str() {
            Self::Reactivated
        } else {
            Self::Deactivated
        }
    }
}

/// A change of an account, seen in the database.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    /// The batch.
    pub batch: Uuid,
    /// The account.
    pub account: AccountId,
    /// The employee.
    pub employee: EmployeeKey,
    /// Work e-mail of the employee.
    pub work_email: Option<WorkEmail>,
    /// The direction.
    pub direction: Direction,
    /// True if it counts in the windows of the safeguard.
    pub is_counted: bool,
    /// End of access by the HR system.
    pub effective_at: Option<DateTime<Utc>>,
    /// The time that the provider gave the deciding fact.
    pub provider_at: Option<DateTime<Utc>>,
    /// When the deciding fact was received.
    pub received_at: Option<DateTime<Utc>>,
}

impl Change {
    /// Makes the record of a change that the facts of an employee imply.
    pub(crate) fn of(
        employee: &Employee,
        account: &AccountId,
        direction: Direction,
        origin: &Origin,
        is_counted: bool,
    ) -> Self {
        let (provider_at, received_at) = newest_fact(employee).unzip();
        Self {
            batch: origin.batch_of(employee),
            account: account.clone(),
            employee: employee.key.clone(),
            work_email: employee.work_email().cloned(),
            direction,
            is_counted,
            effective_at: None,
            provider_at,
            received_at,
        }
    }

    /// Sets when access ends by the termination date of the employee, if one is known.
    pub(crate) fn effective_by(mut self, policy: &Policy, employee: &Employee) -> Self {
        let termination = employee.termination_date.as_ref();
        let date = termination.and_then(|fact| fact.value);
        self.effective_at = date
            .filter(|_| self.direction == Direction::Deactivated)
            .map(|date| access_end(date, policy.timezone, policy.cutoff));
        self
    }
}

/// Returns the times of the newest fact that can decide: by the provider's clock, and by ours.
pub(crate) fn newest_fact(employee: &Employee) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
    fn times<T>(fact: Option<&Fact<T>>) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
        fact.map(|fact| (fact.as_of, fact.observed_at))
    }
    let all = [
        times(employee.status.as_ref()),
        times(employee.employment_status.as_ref()),
        times(employee.termination_date.as_ref()),
        times(employee.hire_date.as_ref()),
        times(employee.deleted.as_ref()),
    ];
    all.into_iter().flatten().max_by_key(|(as_of, _)| *as_of)
}

/// Records changes, and returns their events. Without any, it runs no statement.
///
/// # Errors
/// Returns the database's error; the transaction must be rolled back then.
pub(crate) async fn record(
    conn: &mut PgConnection,
    table: &AccountsTable,
    changes: &[Change],
    origin: &Origin,
    now: DateTime<Utc>,
) -> Result<Events, sqlx::Error> {
    if changes.is_empty() {
        return Ok(Events::default());
    }
    let ids = changes
        .iter()
        .map(|change| change.account.clone())
        .collect();
    let writers = accounts::writers::store::last_writers(conn, table, &ids).await?;
    store::insert(conn, changes, &writers, origin, now).await?;
    Ok(outbox::of_changes(changes, origin))
}
