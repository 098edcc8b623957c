//! When the safeguard would have tripped.
//!
//! Each trip is assumed to be released at once: its changes are carried out without counting, and the windows start again.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

use chrono::{DateTime, Utc};

use crate::decision::RequestedAction;
use crate::domain::Tenant;
use crate::safeguard::{Exceeded, Limits, PerWindow, Window};

/// A trip of the safeguard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trip {
    /// The tenant.
    pub tenant: Tenant,
    /// The direction.
    pub action: RequestedAction,
    /// When it trips.
    pub at: DateTime<Utc>,
    /// The limit that is exceeded.
    pub exceeded: Exceeded,
}

/// A change of an account.
#[derive(Clone, Debug)]
pub(super) struct Flip {
    pub(super) at: DateTime<Utc>,
    pub(super) tenant: Tenant,
    pub(super) action: RequestedAction,
    /// Identifies the employee.
    pub(super) employee: usize,
}

/// The accounts of each tenant: those of the employees of the replay since they are known, and others.
#[derive(Debug)]
pub(super) struct Population {
    others: BTreeMap<Tenant, u64>,
    known_since: BTreeMap<Tenant, Vec<DateTime<Utc>>>,
}

impl Population {
    pub(super) fn new(others: &BTreeMap<Tenant, u64>) -> Self {
        Self {
            others: others.clone(),
            known_since: BTreeMap::new(),
        }
    }

    pub(super) fn add(&mut self, tenant: &Tenant, known_since: DateTime<Utc>) {
        if let Some(times) = self.known_since.get_mut(tenant) {
            times.push(known_since);
        } else {
            let times = vec![known_since];
            self.known_since.insert(tenant.clone(), times);
        }
    }

    fn accounts(&self, tenant: &Tenant, at: DateTime<Utc>) -> u64 {
        let others = self.others.get(tenant).copied().unwrap_or_default();
        let known = self.known_since.get(tenant);
        others
            + known.map_or(0, |times| {
                count(times.partition_point(|since| *since <= at))
            })
    }
}

/// Returns the trips in the order of time. Changes of one time are one batch.
pub(super) fn trips(
    limits: Limits,
    population: &mut Population,
    mut flips: Vec<Flip>,
) -> Vec<Trip> {
    for times in population.known_since.values_mut() {
        times.sort_unstable();
    }
    flips.sort_by(|one, other| {
        let order = |flip: &Flip| (flip.at, is_return(flip.action));
        order(one)
            .cmp(&order(other))
            .then_with(|| one.tenant.cmp(&other.tenant))
    });
    let mut tenants: HashMap<Tenant, TenantWindows> = HashMap::new();
    let mut trips = vec![];
    let is_same_batch = |one: &Flip, other: &Flip| {
        one.at == other.at && one.action == other.action && one.tenant == other.tenant
    };
    for batch in flips.chunk_by(is_same_batch) {
        let Some(first) = batch.first() else { continue };
        let windows = tenants.entry(first.tenant.clone()).or_default();
        let accounts = population.accounts(&first.tenant, first.at);
        trips.extend(windows.admit(limits, accounts, batch, first));
    }
    trips
}

/// The changes of one tenant.
#[derive(Debug, Default)]
struct TenantWindows {
    /// Counted changes of the last day, by direction: ends and returns.
    counted: [VecDeque<(DateTime<Utc>, usize)>; 2],
    /// Employees without access, and since when.
    ended: HashMap<usize, DateTime<Utc>>,
}

impl TenantWindows {
    /// Carries out a batch. Returns the trip if it exceeds a limit.
    fn admit(
        &mut self,
        limits: Limits,
        accounts: u64,
        batch: &[Flip],
        first: &Flip,
    ) -> Option<Trip> {
        let counted = &mut self.counted[usize::from(is_return(first.action))];
        while counted
            .front()
            .is_some_and(|(at, _)| *at <= first.at - Window::Day.length())
        {
            counted.pop_front();
        }
        let within = |window: Window| {
            let recent = counted.iter().rev();
            let recent = recent.take_while(|(at, _)| *at > first.at - window.length());
            let employees: HashSet<usize> = recent
                .map(|(_, employee)| *employee)
                .chain(batch.iter().map(|flip| flip.employee))
                .collect();
            count(employees.len())
        };
        let changes = PerWindow {
            hour: within(Window::Hour),
            day: within(Window::Day),
        };
        let exceeded = (!limits.allow_any_population(changes))
            .then(|| limits.exceeded(changes, self.population(accounts, batch, first.at)))
            .flatten();
        let counted = &mut self.counted[usize::from(is_return(first.action))];
        if exceeded.is_some() {
            counted.clear();
        } else {
            counted.extend(batch.iter().map(|flip| (flip.at, flip.employee)));
        }
        for flip in batch {
            if is_return(flip.action) {
                self.ended.remove(&flip.employee);
            } else {
                self.ended.insert(flip.employee, flip.at);
            }
        }
        exceeded.map(|exceeded| Trip {
            tenant: first.tenant.clone(),
            action: first.action,
            at: first.at,
            exceeded,
        })
    }

    /// Returns the active accounts, those deactivated within each window, and those of the batch.
    fn population(&self, accounts: u64, batch: &[Flip], now: DateTime<Utc>) -> PerWindow {
        let of_batch: HashSet<usize> = batch.iter().map(|flip| flip.employee).collect();
        let within = |window: Window| {
            let since = now - window.length();
            let without = self
                .ended
                .iter()
                .filter(|(employee, at)| **at <= since && !of_batch.contains(*employee));
            accounts.saturating_sub(count(without.count()))
        };
        PerWindow {
            hour: within(Window::Hour),
            day: within(Window::Day),
        }
    }
}

fn is_return(action: RequestedAction) -> bool {
    action == RequestedAction::Reactivate
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}
