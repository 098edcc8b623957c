//! Events about employment. Each comes from a comparison with the stored row and with what was reported last, so the same facts
//! cannot be reported twice.

mod store;

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::{Events, NewEvent, Subject};
use crate::engine::policies::Policies;
use crate::roster;
use leaver_core::decision::RequestedAction;
use leaver_core::decision::assess::{Employment, assess};
use leaver_core::domain::{Employee, EmployeeKey};
use leaver_core::events::EventType;
use leaver_core::events::employment::{Comparison, EmployeeEvent, Reported, compare};

/// Employees as they are about to be saved. It stays empty if no destination wants events about them.
pub(crate) struct Assessed<'p> {
    policies: &'p Policies,
    is_wanted: bool,
    employees: Vec<AssessedEmployee>,
}

struct AssessedEmployee {
    employee: Employee,
    employment: Employment,
    is_held: bool,
}

/// An employee as stored, and what was reported last.
pub(super) struct Known {
    pub(super) before: Employee,
    pub(super) reported: Reported,
}

impl<'p> Assessed<'p> {
    /// Creates an empty list.
    pub(crate) fn new(policies: &'p Policies) -> Self {
        let is_wanted = policies
            .subscriptions()
            .wants_any(EventType::is_about_facts);
        Self {
            policies,
            is_wanted,
            employees: vec![],
        }
    }

    /// Adds an employee. `is_held` is true if the safeguard or a person's answer holds what follows from the facts.
    pub(crate) fn add(&mut self, employee: &Employee, employment: &Employment, is_held: bool) {
        if self.is_wanted {
            self.employees.push(AssessedEmployee {
                employee: employee.clone(),
                employment: employment.clone(),
                is_held,
            });
        }
    }

    /// Returns the events that are due, and stores what they report. The employees must not be saved yet. Without an
    /// employee, it runs no statement.
    ///
    /// # Errors
    /// Returns the database's error; the transaction must be rolled back then.
    pub(crate) async fn events(
        &self,
        conn: &mut PgConnection,
        now: DateTime<Utc>,
    ) -> Result<Vec<NewEvent>, sqlx::Error> {
        let (mut events, mut changed) = (vec![], vec![]);
        if self.employees.is_empty() {
            return Ok(events);
        }
        let keys: Vec<&EmployeeKey> = self.employees.iter().map(|it| &it.employee.key).collect();
        let mut known = store::find(conn, &keys).await?;
        for assessed in &self.employees {
            let key = &assessed.employee.key;
            let policy = self.policies.policy(&key.source);
            let (Some(known), Some(policy)) = (known.remove(key), policy) else {
                continue;
            };
            let (due, reported) = compare(&Comparison {
                policy,
                before: &known.before,
                after: &assessed.employee,
                employment: &assessed.employment,
                is_held: assessed.is_held,
                reported: known.reported,
                now,
            });
            events.extend(due.into_iter().map(|event| new_event(event, key)));
            if reported != known.reported {
                changed.push((key, reported));
            }
        }
        store::save(conn, &changed).await?;
        Ok(events)
    }
}

/// Returns the events about other employees whose end of access the safeguard held, if it came about in another way: `closed`
/// has the events of their holds. Their rows must be saved and locked. Without such a hold, it runs no statement.
///
/// # Errors
/// Returns the database's error; the transaction must be rolled back then.
pub(crate) async fn of_settled_ends(
    conn: &mut PgConnection,
    policies: &Policies,
    closed: &Events,
    is_other: impl Fn(&EmployeeKey) -> bool,
    now: DateTime<Utc>,
) -> Result<Vec<NewEvent>, sqlx::Error> {
    let mut assessed = Assessed::new(policies);
    let settled = closed.0.iter().filter_map(held_end);
    let keys: BTreeSet<&EmployeeKey> = settled.filter(|key| is_other(key)).collect();
    if keys.is_empty() || !assessed.is_wanted {
        return Ok(vec![]);
    }
    let keys: Vec<EmployeeKey> = keys.into_iter().cloned().collect();
    for employee in roster::scan::store::find(conn, &keys).await? {
        let Some(policy) = policies.policy(&employee.key.source) else {
            continue;
        };
        let employment = assess(policy, &employee, now);
        if matches!(employment, Employment::Left { .. }) {
            assessed.add(&employee, &employment, false);
        }
    }
    assessed.events(conn, now).await
}

/// Returns the employee of the event of a hold in which the safeguard held the end of access.
fn held_end(event: &NewEvent) -> Option<&EmployeeKey> {
    let data = &event.data;
    let is_of_trip = data.get("trip_id").is_some_and(|trip| !trip.is_null());
    let ends = data.get("requested_action")? == RequestedAction::Deactivate.as_str();
    match &event.subject {
        Subject::Employee(key) if event.kind == EventType::HoldClosed && is_of_trip && ends => {
            Some(key)
        }
        _ => None,
    }
}

fn new_event(event: EmployeeEvent, key: &EmployeeKey) -> NewEvent {
    NewEvent {
        kind: event.kind,
        subject: Subject::Employee(key.clone()),
        data: event.data,
        details: Some(event.details).filter(|details| !details.is_empty()),
    }
}
