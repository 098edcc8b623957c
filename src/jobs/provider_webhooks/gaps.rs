//! Subtracts the deliveries in the inbox from those in a webhook's log, employee by employee.

use std::collections::{BTreeSet, HashMap, HashSet};

use chrono::{DateTime, TimeDelta, Utc};

use leaver_core::domain::EmployeeId;

/// How long before its time in the log a delivery may have arrived.
// The log has the time of the last attempt, and the last retry comes 155 minutes after the first attempt
// (https://documentation.bamboohr.com/reference/employee-updated-webhook, read 2026-11-22). The inbox has the time of
// the first attempt that arrived.
pub(crate) const MAX_EARLY: TimeDelta = TimeDelta::minutes(160);
/// How long after its time in the log a delivery may have arrived, since the two clocks differ.
pub(crate) const MAX_LATE: TimeDelta = TimeDelta::minutes(5);

/// A delivery in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LoggedDelivery {
    /// When it was last tried; `None` if the log has a text instead, for a delivery that was never sent.
    pub at: Option<DateTime<Utc>>,
    /// The employees that it named.
    pub employees: BTreeSet<EmployeeId>,
}

/// A delivery in the inbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RecordedDelivery {
    /// When it arrived.
    pub at: DateTime<Utc>,
    /// The employees that it named.
    pub employees: BTreeSet<EmployeeId>,
}

/// Returns for each delivery in the log the employees for whom nothing arrived, in the log's order. Per employee a
/// delivery in the inbox matches one in the log; the pairs nearest in time match first.
#[must_use]
pub(crate) fn missing_employees(
    logged: &[LoggedDelivery],
    recorded: &[RecordedDelivery],
) -> Vec<BTreeSet<EmployeeId>> {
    let mut recorded_of: HashMap<&EmployeeId, Vec<usize>> = HashMap::new();
    for (index, delivery) in recorded.iter().enumerate() {
        for employee in &delivery.employees {
            recorded_of.entry(employee).or_default().push(index);
        }
    }
    let mut pairs = vec![];
    for (index, delivery) in logged.iter().enumerate() {
        let Some(at) = delivery.at else { continue };
        for employee in &delivery.employees {
            for candidate in recorded_of.get(employee).into_iter().flatten() {
                let early = at - recorded[*candidate].at;
                if -MAX_LATE <= early && early <= MAX_EARLY {
                    pairs.push((early.abs(), index, *candidate, employee));
                }
            }
        }
    }
    pairs.sort_unstable();
    let mut missing: Vec<BTreeSet<EmployeeId>> =
        logged.iter().map(|d| d.employees.clone()).collect();
    let mut matched: HashSet<(usize, &EmployeeId)> = HashSet::new();
    for (_, index, candidate, employee) in pairs {
        if missing[index].contains(employee) && matched.insert((candidate, employee)) {
            missing[index].remove(employee);
        }
    }
    missing
}
