//! What was done, why and by whom. Only ever appended to, in the transaction that did it.

pub mod store;

use leaver_core::domain::{AccountId, DeliveryId, EmployeeKey};

/// One line of the record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEntry {
    /// What was done.
    pub action: AuditAction,
    /// Why, for a person; no name and no address.
    pub reason: String,
    /// To whom.
    pub employee: EmployeeKey,
    /// To which account, when there is one.
    pub account: Option<AccountId>,
    /// Which delivery caused it.
    pub delivery: Option<DeliveryId>,
    /// Who did it.
    pub actor: Actor,
}

/// What can be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum AuditAction {
    /// An account was switched off and its sessions ended.
    Deactivated,
    /// An account was switched on again.
    Reactivated,
    /// An end of access was noted for later.
    Scheduled,
    /// A noted end of access was withdrawn.
    Unscheduled,
    /// A decision was left to a person.
    HoldOpened,
    /// A person said yes.
    Approved,
    /// A person said no.
    Rejected,
}

impl AuditAction {
    /// Returns the word in the table.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// Who does things.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Actor {
    /// The service, on what a delivery said.
    System,
    /// The service, when the time had come.
    Timer,
    /// The service, on what a read of everybody who changed said.
    Sync,
    /// The service, on finding access that should have ended.
    Drift,
    /// A person at the command line, by the name they go by there.
    Person(String),
}

impl Actor {
    /// The word in the table.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::System => "system",
            Self::Timer => "timer",
            Self::Sync => "sync",
            Self::Drift => "drift",
            Self::Person(name) => name,
        }
    }
}
