//! What BambooHR's log says was sent, less what arrived. Pure subtraction, employee by employee.

use std::collections::{BTreeSet, HashMap, HashSet};

use chrono::{DateTime, TimeDelta, Utc};

use leaver_core::domain::EmployeeId;

/// A delivery may arrive so long before the time that the log has of it: that is of the last try, and the last
/// retry comes 155 minutes after the first (BambooHR's OpenAPI file), while what was stored at an earlier one
/// keeps its time of arrival.
pub const EARLIEST: TimeDelta = TimeDelta::minutes(160);
/// And so long after it, since two clocks differ.
pub const LATEST: TimeDelta = TimeDelta::minutes(5);

/// A delivery that the log tells of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// When; `None` where the log has words instead of times, which is to say never.
    pub at: Option<DateTime<Utc>>,
    /// Whom it named.
    pub employees: BTreeSet<EmployeeId>,
}

/// A delivery that arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// When.
    pub at: DateTime<Utc>,
    /// Whom it named.
    pub employees: BTreeSet<EmployeeId>,
}

/// Of each delivery in one webhook's log, in its order, the employees for whom nothing arrived. For each
/// employee an arrival accounts for one delivery, and those nearest in time find each other first.
#[must_use]
pub fn missing(sent: &[Sent], arrived: &[Arrival]) -> Vec<BTreeSet<EmployeeId>> {
    let mut arrivals_of: HashMap<&EmployeeId, Vec<usize>> = HashMap::new();
    for (n, arrival) in arrived.iter().enumerate() {
        for employee in &arrival.employees {
            arrivals_of.entry(employee).or_default().push(n);
        }
    }
    let mut pairs = vec![];
    for (n, delivery) in sent.iter().enumerate() {
        let Some(at) = delivery.at else { continue };
        for employee in &delivery.employees {
            for arrival in arrivals_of.get(employee).into_iter().flatten() {
                let early = at - arrived[*arrival].at;
                if -LATEST <= early && early <= EARLIEST {
                    pairs.push((early.abs(), n, *arrival, employee));
                }
            }
        }
    }
    pairs.sort_unstable();
    let mut left: Vec<BTreeSet<EmployeeId>> = sent.iter().map(|s| s.employees.clone()).collect();
    let mut used: HashSet<(usize, &EmployeeId)> = HashSet::new();
    for (_, delivery, arrival, employee) in pairs {
        if left[delivery].contains(employee) && used.insert((arrival, employee)) {
            left[delivery].remove(employee);
        }
    }
    left
}
