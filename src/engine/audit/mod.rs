//! The audit log: what was done, why and by whom. Entries are only ever added, in the transaction of the change.

mod reads;
pub(crate) mod store;

pub(crate) use self::reads::record_read;
pub(crate) use leaver_core::domain::Actor;
use leaver_core::domain::{AccountId, DeliveryId, EmployeeKey};

/// One entry of the audit log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AuditEntry {
    /// The action.
    pub action: AuditAction,
    /// Why, in a sentence for people. Holds no name and no address.
    pub reason: String,
    /// The employee.
    pub employee: EmployeeKey,
    /// The account, if there is one.
    pub account: Option<AccountId>,
    /// The delivery that caused it.
    pub delivery: Option<DeliveryId>,
    /// Who did it.
    pub actor: Actor,
}

/// The action.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, strum::IntoStaticStr, strum::VariantNames)]
#[strum(serialize_all = "snake_case")]
pub enum AuditAction {
    /// The account was deactivated and its sessions ended.
    Deactivated,
    /// The account was reactivated.
    Reactivated,
    /// The end of access was scheduled or moved.
    Scheduled,
    /// A scheduled end of access was cancelled.
    Unscheduled,
    /// A hold was opened: a person decides.
    HoldOpened,
    /// A person approved a hold.
    Approved,
    /// A person rejected a hold.
    Rejected,
    /// The database did not carry out a deactivation.
    Blocked,
    /// The account was inactive before; its sessions were ended.
    SessionsEnded,
    /// The safeguard stopped changes.
    Tripped,
    /// A person released a trip.
    Released,
    /// A person permitted a number of changes ahead.
    Granted,
    /// A person undid changes.
    Undone,
    /// A person accepted that a planned change is not made.
    Accepted,
    /// A person changed the mode of a source.
    ModeChanged,
    /// Somebody read the roster.
    RosterRead,
}

impl AuditAction {
    /// Returns the value in `leaver.audit`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}
