//! The types of events.

use std::collections::BTreeSet;

use strum::VariantArray;

/// The type of an event.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    strum::IntoStaticStr,
    strum::EnumString,
    strum::VariantArray,
)]
pub enum EventType {
    /// An employee was observed for the first time.
    #[strum(serialize = "employee.created")]
    EmployeeCreated,
    /// A value of an employee changed.
    #[strum(serialize = "employee.updated")]
    EmployeeUpdated,
    /// The job title changed.
    #[strum(serialize = "employee.position_changed")]
    EmployeePositionChanged,
    /// The department changed.
    #[strum(serialize = "employee.department_changed")]
    EmployeeDepartmentChanged,
    /// The manager changed.
    #[strum(serialize = "employee.manager_changed")]
    EmployeeManagerChanged,
    /// An end of employment in the future became known, or moved.
    #[strum(serialize = "employee.termination_scheduled")]
    EmployeeTerminationScheduled,
    /// A scheduled end of employment was withdrawn.
    #[strum(serialize = "employee.termination_cancelled")]
    EmployeeTerminationCancelled,
    /// The employment ended.
    #[strum(serialize = "employee.terminated")]
    EmployeeTerminated,
    /// The person is employed again.
    #[strum(serialize = "employee.rehired")]
    EmployeeRehired,
    /// The HR system deleted the record.
    #[strum(serialize = "employee.deleted")]
    EmployeeDeleted,
    /// An account was deactivated and its sessions ended.
    #[strum(serialize = "account.deactivated")]
    AccountDeactivated,
    /// An account was reactivated, by newer facts or by a person's decision.
    #[strum(serialize = "account.reactivated")]
    AccountReactivated,
    /// The database did not carry out a change. It is tried again.
    #[strum(serialize = "account.blocked")]
    AccountBlocked,
    /// An undo gave an account back what a change had taken.
    #[strum(serialize = "account.restored")]
    AccountRestored,
    /// A hold was opened: a person decides.
    #[strum(serialize = "hold.opened")]
    HoldOpened,
    /// A hold was approved, rejected or withdrawn.
    #[strum(serialize = "hold.closed")]
    HoldClosed,
    /// The safeguard stopped the changes of a tenant.
    #[strum(serialize = "safeguard.tripped")]
    SafeguardTripped,
    /// A person released or rejected a trip.
    #[strum(serialize = "safeguard.released")]
    SafeguardReleased,
    /// A drift check found terminated employees with access.
    #[strum(serialize = "drift.found")]
    DriftFound,
    /// A source sent nothing for longer than `max_silence`.
    #[strum(serialize = "source.silent")]
    SourceSilent,
    /// A source cannot be read, or its webhooks have a problem.
    #[strum(serialize = "source.unhealthy")]
    SourceUnhealthy,
    /// A destination failed repeatedly. Its events wait.
    #[strum(serialize = "destination.paused")]
    DestinationPaused,
}

/// A pattern that stands for no type of event.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no type of event; write one such as \"account.deactivated\", a group such as \"account.*\", or \"*\""
)]
pub struct InvalidPattern(pub String);

impl EventType {
    /// All types.
    pub const ALL: &'static [Self] = Self::VARIANTS;

    /// Returns the name, such as `account.deactivated`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// Returns the types that a pattern stands for: a name, a group such as `account.*`, or `*`.
    ///
    /// # Errors
    /// Returns the pattern if it stands for none.
    pub fn matching(pattern: &str) -> Result<BTreeSet<Self>, InvalidPattern> {
        let is_match = |kind: &&Self| match pattern.strip_suffix('*') {
            Some("") => true,
            Some(group) => group.ends_with('.') && kind.as_str().starts_with(group),
            None => kind.as_str() == pattern,
        };
        let found: BTreeSet<Self> = Self::ALL.iter().filter(is_match).copied().collect();
        if found.is_empty() {
            return Err(InvalidPattern(pattern.to_owned()));
        }
        Ok(found)
    }

    /// Returns whether it is about the facts of an employee.
    #[must_use]
    pub fn is_about_facts(self) -> bool {
        self.as_str().starts_with("employee.")
    }
}
