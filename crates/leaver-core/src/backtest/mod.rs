//! Replays recorded observations through two policies and returns what each would have done.
//!
//! Each employee is assumed to have one linked account, which is active at first. Other records of the same person, protected
//! rows and answers to holds play no part.

mod difference;
mod employee;
mod trips;
mod walk;

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};

pub use self::difference::Difference;
use self::employee::ReplayedEmployee;
pub use self::trips::Trip;
use self::trips::{Flip, Population, trips};
pub use self::walk::Standing;
use crate::decision::policy::Policy;
use crate::domain::{Employee, EmployeeKey, SourceName, Tenant};
use crate::safeguard::Limits;

/// Two values: of the present policy, and of the new one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Both<T> {
    /// Under the present policy.
    pub present: T,
    /// Under the new policy.
    pub new: T,
}

impl<T> Both<T> {
    /// Applies a function to both.
    pub fn map<U>(self, mut convert: impl FnMut(T) -> U) -> Both<U> {
        Both {
            present: convert(self.present),
            new: convert(self.new),
        }
    }

    /// Returns references to both.
    pub fn as_ref(&self) -> Both<&T> {
        Both {
            present: &self.present,
            new: &self.new,
        }
    }
}

/// A configuration, as far as it decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// The policy of each configured source.
    pub policies: HashMap<SourceName, Policy>,
    /// The limits of the safeguard.
    pub limits: Limits,
}

/// A replay in progress. It keeps what is known of each employee, so its memory grows with their number and not with that of
/// the observations.
#[derive(Debug)]
pub struct Backtest {
    rules: Both<Rules>,
    since: Option<DateTime<Utc>>,
    employees: HashMap<EmployeeKey, ReplayedEmployee>,
    observations: u64,
    first_at: Option<DateTime<Utc>>,
}

/// The result of a replay.
#[derive(Debug)]
pub struct Report {
    /// Number of observations.
    pub observations: u64,
    /// When the first of them was made.
    pub first_at: Option<DateTime<Utc>>,
    /// Number of employees.
    pub employees: u64,
    /// Employees who would have lost access under the new policy only, or not get it back.
    pub more_without_access: u64,
    /// Where the policies differ, in the order of time.
    pub differences: Vec<Difference>,
    /// When the safeguard would have tripped, in the order of time.
    pub trips: Both<Vec<Trip>>,
}

impl Backtest {
    /// Starts a replay. Earlier observations than `since` count for what is known, and for no difference.
    #[must_use]
    pub fn new(rules: Both<Rules>, since: Option<DateTime<Utc>>) -> Self {
        Self {
            rules,
            since,
            employees: HashMap::new(),
            observations: 0,
            first_at: None,
        }
    }

    /// Replays one observation: `apply` sets the facts that it changed. Those of one employee must come in order; those with the
    /// same time are decided about together, as one batch.
    pub fn observe(
        &mut self,
        key: &EmployeeKey,
        at: DateTime<Utc>,
        apply: impl FnOnce(&mut Employee),
    ) {
        self.observations += 1;
        let first_at = self.first_at.get_or_insert(at);
        *first_at = at.min(*first_at);
        if !self.employees.contains_key(key) {
            let employee = ReplayedEmployee::new(key.clone(), at);
            self.employees.insert(key.clone(), employee);
        }
        if let Some(employee) = self.employees.get_mut(key) {
            let policies = policies(&self.rules, &key.source);
            employee.observe(policies, at, apply);
        }
    }

    /// Ends the replay at `now`, and walks on through the ends that are scheduled by then.
    ///
    /// `others` is the number of accounts of each tenant that belong to none of the employees of the replay.
    #[must_use]
    pub fn finish(self, now: DateTime<Utc>, others: &BTreeMap<Tenant, u64>) -> Report {
        let since = self.since.unwrap_or(DateTime::<Utc>::MIN_UTC);
        let mut population = Population::new(others);
        let mut flips: Both<Vec<Flip>> = Both::default();
        let mut differences = vec![];
        let mut more_without_access = 0;
        let employees = (0_usize..).zip(self.employees);
        let mut count = 0;
        for (index, (key, mut employee)) in employees {
            count += 1;
            employee.finish(policies(&self.rules, &key.source));
            population.add(&key.tenant, employee.first_at);
            more_without_access += u64::from(employee.loses_more(since));
            let of_walk = employee.walks.as_ref().map(|walk| {
                let flips = walk.flips.iter().filter(|flip| flip.at <= now);
                flips.map(|flip| Flip {
                    at: flip.at,
                    tenant: key.tenant.clone(),
                    action: flip.action,
                    employee: index,
                })
            });
            flips.present.extend(of_walk.present);
            flips.new.extend(of_walk.new);
            let within = |difference: &Difference| difference.until.is_none_or(|at| at > since);
            differences.extend(employee.differences.into_iter().filter(within));
        }
        differences.sort_by(|one, other| (one.from, &one.key).cmp(&(other.from, &other.key)));
        let mut trips_of = |limits, flips| {
            let mut trips = trips(limits, &mut population, flips);
            trips.retain(|trip| trip.at >= since);
            trips
        };
        Report {
            observations: self.observations,
            first_at: self.first_at,
            employees: count,
            more_without_access,
            differences,
            trips: Both {
                present: trips_of(self.rules.present.limits, flips.present),
                new: trips_of(self.rules.new.limits, flips.new),
            },
        }
    }
}

fn policies<'p>(rules: &'p Both<Rules>, source: &SourceName) -> Both<Option<&'p Policy>> {
    rules.as_ref().map(|rules| rules.policies.get(source))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may fail loudly")]
mod tests;
