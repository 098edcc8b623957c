//! State of the safeguard: the changes of each tenant against its limits, open trips, grants, and the scheduled ends ahead.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use serde::Serialize;
use sqlx::PgConnection;

use crate::engine::accounts::{self, AccountsTable};
use crate::engine::batches::Direction;
use crate::engine::policies::Policies;
use crate::engine::safeguard::Scope;
use crate::engine::safeguard::grants::{self, Grant};
use crate::engine::safeguard::store::{Counted, counted};
use crate::engine::safeguard::trips::{self, Trip};
use crate::roster::due::store::{ScheduledEnd, scheduled_between};
use leaver_core::domain::Tenant;
use leaver_core::safeguard::{Allowance, Limit, PerWindow, PlannedEnds, Window, forecast};

/// How far the forecast reaches.
const FORECAST: TimeDelta = TimeDelta::days(14);
/// Cause of a hold that a replica of the version before opened.
const UNKNOWN_CAUSE: &str = "unknown";

/// State of the safeguard.
#[derive(Debug, Serialize)]
pub struct SafeguardReport {
    /// When it was read.
    pub checked_at: DateTime<Utc>,
    /// State of each tenant in each direction.
    pub scopes: Vec<ScopeState>,
}

/// State of a tenant in one direction.
#[derive(Debug, Serialize)]
pub struct ScopeState {
    /// The tenant.
    pub tenant: String,
    /// `deactivated` or `reactivated`.
    pub direction: &'static str,
    /// Within 60 minutes.
    pub hour: WindowState,
    /// Within 24 hours.
    pub day: WindowState,
    /// The open trip.
    pub trip: Option<OpenTrip>,
    /// The grant that takes the place of the limits.
    pub grant: Option<Grant>,
    /// Days with scheduled ends of access, within 14 days.
    pub forecast: Vec<ForecastLine>,
}

/// Changes within a window.
#[derive(Debug, Serialize)]
pub struct WindowState {
    /// Accounts that were changed and count.
    pub changes: u64,
    /// The limit.
    pub limit: u64,
    /// Accounts of which the limit is a percentage.
    pub population: u64,
}

/// An open trip and what it holds.
#[derive(Debug, Serialize)]
pub struct OpenTrip {
    /// The trip.
    #[serde(flatten)]
    pub trip: Trip,
    /// Number of its open holds.
    pub held: i64,
    /// Number of its open holds by cause.
    pub causes: BTreeMap<String, i64>,
}

/// The scheduled ends of access of one day.
#[derive(Debug, Serialize)]
pub struct ForecastLine {
    /// The day in the time zone of the source.
    pub day: NaiveDate,
    /// The number of accounts.
    pub accounts: u64,
    /// True if they would trip the safeguard.
    pub exceeded: bool,
    /// The limit that they would exceed: `hour`, `day` or `grant`.
    pub limited_by: Option<&'static str>,
    /// Changes within that window.
    pub window_count: Option<u64>,
    /// The limit.
    pub limit_count: Option<u64>,
}

impl SafeguardReport {
    /// Returns true if no trip is open.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.scopes.iter().all(|scope| scope.trip.is_none())
    }
}

/// Returns the open trips with what they hold, oldest first.
///
/// # Errors
/// Returns the database's error.
pub(crate) async fn open_trips(conn: &mut PgConnection) -> Result<Vec<OpenTrip>, sqlx::Error> {
    let open = trips::store::list_open(conn).await?;
    if open.is_empty() {
        return Ok(vec![]);
    }
    let counts = trips::store::count_members(conn).await?;
    let with_members = |trip: Trip| {
        let own = counts.iter().filter(|(id, ..)| *id == trip.id);
        let causes: BTreeMap<String, i64> = own
            .map(|(_, cause, held)| {
                let cause = cause.as_deref().unwrap_or(UNKNOWN_CAUSE);
                (cause.to_owned(), *held)
            })
            .collect();
        OpenTrip {
            trip,
            held: causes.values().sum(),
            causes,
        }
    };
    Ok(open.into_iter().map(with_members).collect())
}

/// Returns the state of the safeguard for all tenants.
///
/// # Errors
/// Returns the database's error.
pub async fn safeguard(
    conn: &mut PgConnection,
    table: &AccountsTable,
    policies: &Policies,
    now: DateTime<Utc>,
) -> Result<SafeguardReport, sqlx::Error> {
    let mut trips = open_trips(conn).await?;
    let mut live = grants::store::list_live(conn, now).await?;
    let counted = counted(conn, now).await?;
    let scheduled = scheduled_between(conn, &policies.names(), now, now + FORECAST).await?;
    let mut tenants = policies.tenants();
    tenants.extend(trips.iter().map(|open| open.trip.scope().tenant));
    tenants.extend(live.iter().map(|grant| Tenant::new(grant.tenant.as_str())));
    tenants.extend(counted.iter().map(|counted| counted.scope.tenant.clone()));
    let mut scopes = vec![];
    for tenant in tenants {
        let none = BTreeSet::new();
        let population =
            accounts::safeguarded::store::population(conn, table, &tenant, &none, now).await?;
        for direction in [Direction::Deactivated, Direction::Reactivated] {
            let scope = Scope {
                tenant: tenant.clone(),
                direction,
            };
            let changes: Vec<&Counted> = counted.iter().filter(|one| one.scope == scope).collect();
            let open = trips.iter().position(|open| open.trip.scope() == scope);
            let grant = live.iter().rposition(|grant| {
                grant.tenant == scope.tenant.as_str() && grant.direction == direction.as_str()
            });
            let grant = grant.map(|position| live.remove(position));
            let forecast = match direction {
                Direction::Deactivated => {
                    let planned = planned(&scheduled, &tenant, policies);
                    days(policies, population, &changes, &planned, grant.as_ref())
                }
                Direction::Reactivated => vec![],
            };
            let limits = policies.limits();
            let window = |window, limit: &Limit, population| WindowState {
                changes: within(&changes, window, now),
                limit: limit.of(population),
                population,
            };
            scopes.push(ScopeState {
                hour: window(Window::Hour, &limits.hour, population.hour),
                day: window(Window::Day, &limits.day, population.day),
                trip: open.map(|position| trips.remove(position)),
                tenant: tenant.as_str().to_owned(),
                direction: direction.as_str(),
                grant,
                forecast,
            });
        }
    }
    Ok(SafeguardReport {
        checked_at: now,
        scopes,
    })
}

fn within(changes: &[&Counted], window: Window, now: DateTime<Utc>) -> u64 {
    let since = now - window.length();
    let recent = changes.iter().filter(|counted| counted.at > since);
    recent.map(|counted| counted.accounts).sum()
}

/// Returns the scheduled ends of a tenant, each account once.
fn planned(scheduled: &[ScheduledEnd], tenant: &Tenant, policies: &Policies) -> Vec<PlannedEnds> {
    let mut seen = BTreeSet::new();
    let mut moments: BTreeMap<(DateTime<Utc>, NaiveDate), u64> = BTreeMap::new();
    for end in scheduled.iter().filter(|end| end.tenant == *tenant) {
        let Some(policy) = policies.policy(&end.source) else {
            continue;
        };
        if seen.insert(&end.account) {
            let day = end.at.with_timezone(&policy.timezone).date_naive();
            *moments.entry((end.at, day)).or_default() += 1;
        }
    }
    let moments = moments.into_iter();
    moments
        .map(|((at, day), accounts)| PlannedEnds { at, day, accounts })
        .collect()
}

fn days(
    policies: &Policies,
    population: PerWindow,
    changes: &[&Counted],
    planned: &[PlannedEnds],
    grant: Option<&Grant>,
) -> Vec<ForecastLine> {
    let done: Vec<(DateTime<Utc>, u64)> =
        changes.iter().map(|one| (one.at, one.accounts)).collect();
    let allowance = grant.map(|grant| Allowance {
        left: u64::try_from(grant.allowed - grant.used).unwrap_or_default(),
        expires_at: grant.expires_at,
    });
    forecast(policies.limits(), population, &done, planned, allowance)
        .into_iter()
        .map(|day| ForecastLine {
            day: day.day,
            accounts: day.accounts,
            exceeded: day.excess.is_some(),
            limited_by: day.excess.map(|excess| excess.limited_by),
            window_count: day.excess.map(|excess| excess.changes),
            limit_count: day.excess.map(|excess| excess.limit),
        })
        .collect()
}
