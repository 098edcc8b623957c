//! Decisions that wait for a person: one open question per employee, asked again only when the facts it
//! rests on have changed.

pub mod resolve;
pub mod store;

use chrono::{DateTime, Utc};
use serde::Serialize;

use leaver_core::decision::HoldRequest;
use leaver_core::domain::{DeliveryId, EmployeeKey};

/// A question to be put to a person.
#[derive(Clone, Debug)]
pub struct NewHold {
    /// About whom.
    pub employee: EmployeeKey,
    /// What is asked.
    pub question: HoldRequest,
    /// Why it is not simply done.
    pub reason: String,
    /// Which delivery raised it.
    pub delivery: Option<DeliveryId>,
}

/// A question as a person sees it.
#[derive(Clone, Debug, Serialize)]
pub struct Hold {
    /// Its number, for `approve` and `reject`.
    pub id: i64,
    /// When it was raised.
    pub opened_at: DateTime<Utc>,
    /// Who told us.
    pub source: String,
    /// The company.
    pub tenant: String,
    /// The HR system's id of the employee.
    pub employee_id: String,
    /// The account; none when the person must name it.
    pub account_id: Option<String>,
    /// deactivate or reactivate.
    pub requested_action: String,
    /// Why it is not simply done.
    pub reason: String,
    /// open, approved, rejected or withdrawn.
    pub state: String,
    /// Which delivery raised it.
    pub delivery_id: Option<uuid::Uuid>,
}

/// How a question stands: it waits, or a person has said no.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HoldStatus {
    /// Its number.
    pub id: i64,
    /// Whether somebody said no; else it is open.
    pub rejected: bool,
    /// The facts that it rests on.
    pub facts_fingerprint: String,
}
