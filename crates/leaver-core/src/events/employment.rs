//! Events about employment: a comparison of an employee with what was known and what was reported before.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use super::{EventType, without_values};
use crate::decision::access_end::{access_end, day_start, start_of};
use crate::decision::assess::{Employment, assess};
use crate::decision::departure;
use crate::decision::policy::Policy;
use crate::domain::{DateOrInstant, Employee, EmploymentStatus, Fact, PositionFact, Status};

/// An employment as it was reported last.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Hash,
    strum::IntoStaticStr,
    strum::EnumString,
    strum::VariantArray,
)]
#[strum(serialize_all = "snake_case")]
pub enum ReportedEmployment {
    /// The record was reported, and its facts imply nothing.
    Unknown,
    /// The person is employed.
    Employed,
    /// The employment ends at a time that was reported.
    Leaving,
    /// The employment ended.
    Left,
}

/// State of an employee as it was reported last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reported {
    /// The employment; `None` if no event about the record was due yet.
    pub employment: Option<ReportedEmployment>,
    /// The scheduled end.
    pub ends_at: Option<DateTime<Utc>>,
    /// True if the deletion of the record was reported.
    pub deleted: bool,
}

/// An employee before and after a transaction.
#[derive(Clone, Copy, Debug)]
pub struct Comparison<'a> {
    /// The policy of the source.
    pub policy: &'a Policy,
    /// The employee as stored before. It has no facts if the transaction inserted the record.
    pub before: &'a Employee,
    /// The employee as it is stored now.
    pub after: &'a Employee,
    /// The assessment of the facts, or of the person who settled them.
    pub employment: &'a Employment,
    /// True if the safeguard or a person's answer holds what follows from the facts.
    pub is_held: bool,
    /// State that was reported before.
    pub reported: Reported,
    /// The time.
    pub now: DateTime<Utc>,
}

/// An event about an employee.
#[derive(Clone, PartialEq)]
pub struct EmployeeEvent {
    /// The type.
    pub kind: EventType,
    /// The content, without values of the HR system other than the end of employment.
    pub data: Map<String, Value>,
    /// Values of the HR system.
    pub details: Map<String, Value>,
}

impl std::fmt::Debug for EmployeeEvent {
    /// Leaves out the content: it can be personal.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = f.debug_struct("EmployeeEvent");
        shown.field("kind", &self.kind).finish_non_exhaustive()
    }
}

impl EmployeeEvent {
    fn new(kind: EventType, data: Value, details: Map<String, Value>) -> Self {
        let data = match data {
            Value::Object(data) => data,
            _ => Map::new(),
        };
        Self {
            kind,
            data,
            details,
        }
    }
}

/// Returns the events that are due, in order, and what is reported after them.
#[must_use]
pub fn compare(comparison: &Comparison<'_>) -> (Vec<EmployeeEvent>, Reported) {
    let mut reported = comparison.baseline();
    let mut events = vec![];
    comparison.record(&mut reported, &mut events);
    comparison.employment(&mut reported, &mut events);
    if comparison.after.is_deleted() && !reported.deleted {
        events.push(comparison.event(EventType::EmployeeDeleted, json!({})));
    }
    if reported.employment.is_some() {
        reported.deleted = comparison.after.is_deleted();
    }
    (events, reported)
}

impl Comparison<'_> {
    /// Returns what was reported. Of an employee who was known before the first destination, it is what was known.
    fn baseline(&self) -> Reported {
        let (before, after) = (self.before, self.after);
        let is_unknown =
            !has_values(before) && (is_new(before) || before.values_pending_since.is_some());
        if self.reported.employment.is_some() || is_unknown {
            return self.reported;
        }
        let (employment, ends_at) = match before.access_ends_at {
            Some(at) => (ReportedEmployment::Leaving, Some(at)),
            None => match assess(self.policy, before, self.now) {
                // The end is carried out only now: a scheduled one, or one that the safeguard held.
                Employment::Left { .. }
                    if !departure::is_carried_out(before) && departure::is_carried_out(after) =>
                {
                    (ReportedEmployment::Unknown, None)
                }
                Employment::Left { .. } => (ReportedEmployment::Left, None),
                Employment::Leaving { at, .. } => (ReportedEmployment::Leaving, Some(at)),
                _ if departure::is_carried_out(before) && !is_ended_by_hand(before) => {
                    (ReportedEmployment::Left, None)
                }
                Employment::Employed { .. } => (ReportedEmployment::Employed, None),
                Employment::Unclear { .. } | Employment::Uncertain { .. } => {
                    (ReportedEmployment::Unknown, None)
                }
            },
        };
        Reported {
            employment: Some(employment),
            ends_at,
            deleted: before.is_deleted(),
        }
    }

    /// Adds the events about the record itself: it is new, or its values changed.
    fn record(&self, reported: &mut Reported, events: &mut Vec<EmployeeEvent>) {
        if reported.employment.is_none() {
            // A change without values becomes known with the values. A creation without values is a statement.
            let is_waiting = self.after.values_pending_since.is_some();
            if has_values(self.after) || (is_new(self.before) && !is_waiting) {
                reported.employment = Some(ReportedEmployment::Unknown);
                let mut created = self.event(EventType::EmployeeCreated, json!({}));
                created.details.extend(values(self.after, |_| true));
                for fact in PositionFact::ALL {
                    created.details.extend(self.text(*fact));
                }
                events.push(created);
            }
            return;
        }
        let changed = changed(self.before, self.after);
        if !changed.is_empty() && has_values(self.before) {
            let mut updated = self.event(EventType::EmployeeUpdated, json!({ "changed": changed }));
            let new = values(self.after, |name| changed.contains(&name));
            updated.details.extend(new);
            events.push(updated);
        }
        for fact in PositionFact::ALL {
            if self.after.has_moved(self.before, *fact) {
                let mut moved = self.event(kind_of(*fact), json!({}));
                moved.details.extend(self.text(*fact));
                events.push(moved);
            }
        }
    }

    /// Returns the text of a fact about the position if it was just observed, or null if the HR system has none.
    fn text(&self, fact: PositionFact) -> Option<(String, Value)> {
        let known = self.after.position.get(fact).as_ref()?;
        let text = match &known.value {
            Some(hashed) => Value::from(hashed.text()?),
            None => Value::Null,
        };
        Some((fact.as_str().to_owned(), text))
    }

    /// Adds the events about the employment. Uncertain facts report nothing.
    fn employment(&self, reported: &mut Reported, events: &mut Vec<EmployeeEvent>) {
        if reported.employment == Some(ReportedEmployment::Left) && self.had_returned() {
            events.push(self.event(EventType::EmployeeRehired, json!({})));
            reported.employment = Some(ReportedEmployment::Employed);
        }
        let Some(before) = reported.employment else {
            return;
        };
        // Access that a person ended is not given back by what the HR system repeats.
        let is_repeat = departure::outlasts_the_facts(self.policy, self.after);
        let was_left = before == ReportedEmployment::Left;
        match self.employment {
            Employment::Left { reason } if !self.is_held => {
                if !was_left {
                    let short = without_values(reason);
                    let data = json!({ "reason": short, "ended_at": self.ended_at() });
                    let mut ended = self.event(EventType::EmployeeTerminated, data);
                    let reason = Value::from(reason.as_str());
                    ended.details.insert("reason".to_owned(), reason);
                    events.push(ended);
                }
                reported.employment = Some(ReportedEmployment::Left);
                reported.ends_at = None;
            }
            Employment::Leaving { at, employed, .. } if !was_left || (*employed && !is_repeat) => {
                if was_left {
                    events.push(self.event(EventType::EmployeeRehired, json!({})));
                }
                if before != ReportedEmployment::Leaving || reported.ends_at != Some(*at) {
                    let data = json!({ "ends_at": at });
                    events.push(self.event(EventType::EmployeeTerminationScheduled, data));
                }
                reported.employment = Some(ReportedEmployment::Leaving);
                reported.ends_at = Some(*at);
            }
            Employment::Employed { .. } if !was_left || !is_repeat => {
                match before {
                    ReportedEmployment::Left => {
                        events.push(self.event(EventType::EmployeeRehired, json!({})));
                    }
                    ReportedEmployment::Leaving => {
                        let kind = EventType::EmployeeTerminationCancelled;
                        events.push(self.event(kind, json!({})));
                    }
                    ReportedEmployment::Employed | ReportedEmployment::Unknown => {}
                }
                reported.employment = Some(ReportedEmployment::Employed);
                reported.ends_at = None;
            }
            _ => {}
        }
    }

    /// Returns whether the facts before this transaction showed an employed person. An employment can begin by time alone, or
    /// while no destination wants events.
    fn had_returned(&self) -> bool {
        !departure::outlasts_the_facts(self.policy, self.before)
            && assess(self.policy, self.before, self.now).is_certainly_employed()
    }

    /// Returns when the employment ended by its termination date, if that has passed and belongs to it.
    fn ended_at(&self) -> Option<DateTime<Utc>> {
        let (date, _) = self.after.termination_date()?;
        let Policy {
            timezone, cutoff, ..
        } = *self.policy;
        let begun = self.after.hire_date().map(|day| day_start(day, timezone));
        let is_earlier =
            begun.is_some_and(|hired| hired <= self.now && start_of(date, timezone) < hired);
        let ends = access_end(date, timezone, cutoff);
        Some(ends).filter(|ends| *ends <= self.now && !is_earlier)
    }

    fn event(&self, kind: EventType, data: Value) -> EmployeeEvent {
        let details = values(self.after, |name| name == "work_email");
        EmployeeEvent::new(kind, data, details.collect())
    }
}

fn kind_of(fact: PositionFact) -> EventType {
    match fact {
        PositionFact::JobTitle => EventType::EmployeePositionChanged,
        PositionFact::Department => EventType::EmployeeDepartmentChanged,
        PositionFact::Manager => EventType::EmployeeManagerChanged,
    }
}

/// Returns whether the access was ended by hand, without a statement of the HR system.
fn is_ended_by_hand(employee: &Employee) -> bool {
    employee
        .departure
        .is_some_and(|departure| departure.by_person)
}

/// Returns whether nothing was ever observed.
fn is_new(employee: &Employee) -> bool {
    // Every observation reports whether the record is deleted.
    !has_values(employee) && employee.deleted.is_none()
}

/// Returns whether a value is known, or that the record was deleted.
fn has_values(employee: &Employee) -> bool {
    employee.is_deleted() || values(employee, |_| true).next().is_some()
}

fn value<T>(fact: Option<&Fact<T>>) -> Option<&T> {
    fact.and_then(|fact| fact.value.as_ref())
}

/// Returns the names of the values that differ.
fn changed(before: &Employee, after: &Employee) -> Vec<&'static str> {
    let facts = [
        ("status", before.status() != after.status()),
        (
            "employment_status",
            value(before.employment_status.as_ref()) != value(after.employment_status.as_ref()),
        ),
        ("hire_date", before.hire_date() != after.hire_date()),
        (
            "termination_date",
            value(before.termination_date.as_ref()) != value(after.termination_date.as_ref()),
        ),
        ("work_email", before.work_email() != after.work_email()),
        // A deletion has an event of its own.
        ("deleted", before.is_deleted() && !after.is_deleted()),
    ];
    let differing = facts.into_iter().filter(|(_, differs)| *differs);
    differing.map(|(name, _)| name).collect()
}

/// Returns the known values with these names.
fn values(
    employee: &Employee,
    is_wanted: impl Fn(&'static str) -> bool,
) -> impl Iterator<Item = (String, Value)> {
    let status = employee.status().map(|status| match status {
        Status::Active => "active".to_owned(),
        Status::Pending => "pending".to_owned(),
        Status::Inactive => "inactive".to_owned(),
        Status::Unknown(word) => word.clone(),
    });
    let employment_status = value(employee.employment_status.as_ref()).map(|status| match status {
        EmploymentStatus::Terminated => "terminated",
        EmploymentStatus::Other => "other",
    });
    let termination_date = value(employee.termination_date.as_ref()).map(|date| match date {
        DateOrInstant::Day(day) => json!(day),
        DateOrInstant::Instant(instant) => json!(instant),
    });
    let all = [
        ("status", status.map(Value::from)),
        ("employment_status", employment_status.map(Value::from)),
        ("hire_date", employee.hire_date().map(|day| json!(day))),
        ("termination_date", termination_date),
        (
            "work_email",
            employee.work_email().map(|email| json!(email.expose())),
        ),
    ];
    let known = all
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)));
    let wanted: Vec<(String, Value)> = known
        .filter(|(name, _)| is_wanted(name))
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
    wanted.into_iter()
}
