//! The outbox: events for other systems, written in the transaction of the change (ADR 0018).

mod accounts;
pub(crate) mod employment;
mod holds;
pub(crate) mod problems;
pub(crate) mod store;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};
use sqlx::PgConnection;

pub(crate) use self::accounts::{Refused, of_changes};
pub(crate) use self::holds::{
    OpenedTrip, of_closed_holds, of_closed_trip, of_opened_hold, of_opened_trip,
};
use crate::db::notification::{self, Topic};
use leaver_core::domain::{EmployeeKey, SourceName, Tenant, WorkEmail};
use leaver_core::events::{EventType, Subscriptions};

/// Source, employee id and perhaps tenant of an account of no known employee.
const NOBODY: &str = "-";

/// An event of a transaction.
#[derive(Clone, PartialEq)]
pub(crate) struct NewEvent {
    /// The type.
    pub(crate) kind: EventType,
    /// The person, company or source that it is about.
    pub(crate) subject: Subject,
    /// The content. It has no names, e-mails and values of the HR system.
    pub(crate) data: Map<String, Value>,
    /// Personal values; left out if no destination receives them.
    pub(crate) details: Option<Map<String, Value>>,
}

/// The subject of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    /// The service.
    Service,
    /// A source.
    Source(SourceName),
    /// A company.
    Tenant(Tenant),
    /// An employee.
    Employee(EmployeeKey),
}

impl Subject {
    /// Returns the subject of an event about an employee. An account of no known employee has the key `-`.
    pub(crate) fn of(key: &EmployeeKey) -> Self {
        match (key.source.as_str(), key.tenant.as_str()) {
            (NOBODY, NOBODY) => Self::Service,
            (NOBODY, _) => Self::Tenant(key.tenant.clone()),
            _ => Self::Employee(key.clone()),
        }
    }
}

impl NewEvent {
    /// Creates an event. `data` is a JSON object.
    pub(crate) fn new(kind: EventType, subject: Subject, data: Value) -> Self {
        Self {
            kind,
            subject,
            data: object(data),
            details: None,
        }
    }

    /// Adds personal values. `details` is a JSON object.
    #[must_use]
    pub(crate) fn with_details(mut self, details: Value) -> Self {
        self.details = Some(object(details)).filter(|details| !details.is_empty());
        self
    }

    fn source(&self) -> Option<&str> {
        match &self.subject {
            Subject::Source(source) => Some(source.as_str()),
            Subject::Employee(key) => Some(key.source.as_str()),
            Subject::Service | Subject::Tenant(_) => None,
        }
    }

    fn tenant(&self) -> Option<&str> {
        match &self.subject {
            Subject::Tenant(tenant) => Some(tenant.as_str()),
            Subject::Employee(key) => Some(key.tenant.as_str()),
            Subject::Service | Subject::Source(_) => None,
        }
    }

    fn employee_id(&self) -> Option<&str> {
        match &self.subject {
            Subject::Employee(key) => Some(key.employee_id.as_str()),
            _ => None,
        }
    }
}

impl std::fmt::Debug for NewEvent {
    /// Leaves out the content: it can be personal.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = f.debug_struct("NewEvent");
        shown.field("kind", &self.kind).finish_non_exhaustive()
    }
}

/// Events of a transaction that are not recorded yet.
#[derive(Clone, Debug, Default)]
#[must_use = "pass them to `outbox::record`"]
pub(crate) struct Events(Vec<NewEvent>);

impl Extend<NewEvent> for Events {
    fn extend<T: IntoIterator<Item = NewEvent>>(&mut self, events: T) {
        self.0.extend(events);
    }
}

impl FromIterator<NewEvent> for Events {
    fn from_iter<T: IntoIterator<Item = NewEvent>>(events: T) -> Self {
        Self(events.into_iter().collect())
    }
}

impl IntoIterator for Events {
    type Item = NewEvent;
    type IntoIter = std::vec::IntoIter<NewEvent>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

/// Returns the personal values of an event about somebody with this work e-mail.
fn work_email(email: Option<&WorkEmail>) -> Value {
    email.map_or(Value::Null, |email| json!({ "work_email": email.expose() }))
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

/// Records the events that a destination wants, in the order given, and returns their number. Without one, it runs no statement.
///
/// The transaction must hold the locks of the roster rows of the employees: they order the events of an employee.
///
/// # Errors
/// Returns the database's error; the transaction must be rolled back then.
pub(crate) async fn record(
    conn: &mut PgConnection,
    subscriptions: &Subscriptions,
    events: impl IntoIterator<Item = NewEvent>,
    now: DateTime<Utc>,
) -> Result<usize, sqlx::Error> {
    let wanted = events
        .into_iter()
        .filter(|event| subscriptions.wants(event.kind));
    let mut events: Vec<NewEvent> = wanted.collect();
    if events.is_empty() {
        return Ok(0);
    }
    for event in &mut events {
        if !subscriptions.wants_details(event.kind) {
            event.details = None;
        }
    }
    store::insert(conn, subscriptions, &events, now).await?;
    if subscriptions.notifies() {
        notification::store::send(conn, Topic::Events).await?;
    }
    Ok(events.len())
}
