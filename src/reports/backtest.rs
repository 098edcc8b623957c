//! A comparison of two policies over the recorded observations.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgConnection;

use crate::engine::batches::Direction;
use crate::roster::observations::store;
use leaver_core::backtest::{Backtest, Both, Difference, Rules, Standing, Trip};
use leaver_core::decision::RequestedAction;
use leaver_core::domain::{EmployeeId, SourceName, Tenant};

/// Rows that are loaded at a time.
const PAGE: i64 = 5_000;

/// The result of a comparison.
#[derive(Debug, Serialize)]
pub(crate) struct BacktestReport {
    /// Time of the first recorded observation. Nothing is known of earlier times.
    pub(crate) recorded_since: Option<DateTime<Utc>>,
    /// Start of the period in which differences count; `None` for all of it.
    pub(crate) since: Option<DateTime<Utc>>,
    /// End of the period.
    pub(crate) until: DateTime<Utc>,
    /// Number of observations, also of those before the period.
    pub(crate) observations: u64,
    /// Number of employees observed.
    pub(crate) employees: u64,
    /// Employees who would lose access under the new policy only, or not get it back.
    pub(crate) more_without_access: u64,
    /// Where the policies differ.
    pub(crate) differences: Vec<DifferenceRow>,
    /// When the safeguard would have tripped.
    pub(crate) trips: Trips,
}

/// A time in which an employee's access differs. Contains no name and no e-mail.
#[derive(Debug, Serialize)]
pub(crate) struct DifferenceRow {
    pub(crate) source: SourceName,
    pub(crate) tenant: Tenant,
    pub(crate) employee_id: EmployeeId,
    /// When it begins. It lies ahead if an end of access is scheduled.
    pub(crate) from: DateTime<Utc>,
    /// When it ends; `None` if it lasts.
    pub(crate) until: Option<DateTime<Utc>>,
    /// `access`, `end_held`, `ended` or `return_held`.
    pub(crate) present: &'static str,
    pub(crate) present_reason: String,
    pub(crate) new: &'static str,
    pub(crate) new_reason: String,
    #[serde(skip)]
    pub(crate) standings: Both<Standing>,
}

/// Trips of the safeguard under each policy.
#[derive(Debug, Serialize)]
pub(crate) struct Trips {
    pub(crate) present: Vec<TripRow>,
    pub(crate) new: Vec<TripRow>,
}

/// A trip, in the words of `leaver.trips`.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct TripRow {
    pub(crate) tenant: Tenant,
    pub(crate) direction: &'static str,
    pub(crate) at: DateTime<Utc>,
    pub(crate) limited_by: &'static str,
    pub(crate) window_count: u64,
    pub(crate) limit_count: u64,
    pub(crate) population: u64,
}

/// Replays all recorded observations, page by page. Calls `on_page` with their number so far.
///
/// # Errors
/// Returns the database's error.
pub(crate) async fn compare(
    conn: &mut PgConnection,
    rules: Both<Rules>,
    since: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
    on_page: &(dyn Fn(u64) + Sync),
) -> Result<BacktestReport, sqlx::Error> {
    let mut backtest = Backtest::new(rules, since);
    let (mut last, mut replayed) = (0, 0);
    loop {
        let page = store::page(conn, last, PAGE).await?;
        let Some(id) = page.last().map(|row| row.id) else {
            break;
        };
        last = id;
        replayed += u64::try_from(page.len()).unwrap_or_default();
        for row in page {
            backtest.observe(&row.key, row.at, |employee| row.facts.apply_to(employee));
        }
        on_page(replayed);
    }
    let others: BTreeMap<Tenant, u64> = store::accounts_without_observation(conn).await?;
    let report = backtest.finish(now, &others);
    Ok(BacktestReport {
        recorded_since: report.first_at,
        since,
        until: now,
        observations: report.observations,
        employees: report.employees,
        more_without_access: report.more_without_access,
        differences: report.differences.into_iter().map(row).collect(),
        trips: Trips {
            present: report.trips.present.into_iter().map(trip).collect(),
            new: report.trips.new.into_iter().map(trip).collect(),
        },
    })
}

fn row(difference: Difference) -> DifferenceRow {
    let Difference {
        key,
        from,
        until,
        standings,
        reasons,
    } = difference;
    DifferenceRow {
        source: key.source,
        tenant: key.tenant,
        employee_id: key.employee_id,
        from,
        until,
        present: standings.present.as_str(),
        present_reason: reasons.present,
        new: standings.new.as_str(),
        new_reason: reasons.new,
        standings,
    }
}

fn trip(trip: Trip) -> TripRow {
    let direction = match trip.action {
        RequestedAction::Deactivate => Direction::Deactivated,
        RequestedAction::Reactivate => Direction::Reactivated,
    };
    TripRow {
        tenant: trip.tenant,
        direction: direction.as_str(),
        at: trip.at,
        limited_by: trip.exceeded.window.as_str(),
        window_count: trip.exceeded.changes,
        limit_count: trip.exceeded.limit,
        population: trip.exceeded.population,
    }
}
