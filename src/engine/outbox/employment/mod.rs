//! Events about employment. Each comes from a comparison with the stored row and with what was reported last, so the same facts
//! cannot be reported twice.

mod store;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::{NewEvent, Subject};
use crate::engine::policies::Policies;
use leaver_core::decision::assess::Employment;
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

fn new_event(event: EmployeeEvent, key: &EmployeeKey) -> NewEvent {
    NewEvent {
        kind: event.kind,
        subject: Subject::Employee(key.clone()),
        data: event.data,
        details: Some(event.details).filter(|details| !details.is_empty()),
    }
}
