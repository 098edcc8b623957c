//! Compares the roster with the accounts. It finds what no change reports: access that was given back by hand,
//! orphaned accounts, employees without an account.
//!
//! It applies the same rules as the engine and only reports, unless the mode is `fix`: then the engine evaluates the
//! employees found again.

pub mod store;
mod compare;
mod completeness;
mod monitor;
mod outdated;

use chrono::{DateTime, Utc};
use serde::Serialize;

pub use self::compare::compare;
pub use self::monitor::DriftMonitor;
use leaver_core::domain::{AccountId, EmployeeId, EmployeeKey, SourceName, Tenant};
use leaver_core::safeguard::SourceMode;

/// The result of a comparison.
#[derive(Debug, Serialize)]
pub struct DriftReport {
    /// When it began.
    pub checked_at: DateTime<Utc>,
    /// How completely each source was read.
    pub reads: Vec<SourceCompleteness>,
    /// True if every source was read completely at some time, so that a missing employee is meaningful.
    pub rests_on_complete_reads: bool,
    /// Active accounts of terminated employees.
    pub terminated_with_access: Vec<TerminatedWithAccess>,
    /// Active accounts of employees who may have left, for which a hold is open.
    pub held: Vec<TerminatedWithAccess>,
    /// Active accounts of either group where a person rejected the hold, so access stays.
    pub accepted: Vec<TerminatedWithAccess>,
    /// Accounts of terminated employees that this comparison deactivated.
    pub fixed: Vec<TerminatedWithAccess>,
    /// Active accounts without an employee in the roster.
    pub active_without_employee: Vec<AccountWithoutEmployee>,
    /// Employees without an account.
    pub unmatched: Vec<EmployeeWithoutAccount>,
    /// Employees whose stored state is outdated, such as a hold on an account that somebody deactivated by hand.
    #[serde(skip)]
    pub outdated: Vec<EmployeeKey>,
    /// Employees who are stored as leavers without an account, and who have one now.
    #[serde(skip)]
    pub found_now: Vec<EmployeeKey>,
}

/// How completely a source, or one of its linked accounts, was read.
#[derive(Debug, Serialize)]
pub struct SourceCompleteness {
    /// The source.
    pub source: SourceName,
    /// The mode: its changes are made, or only planned.
    pub mode: SourceMode,
    /// Merge's linked account; empty for BambooHR.
    pub account: String,
    /// True if the last read was complete, and everybody was read at some time.
    pub complete: bool,
    /// When the last complete read ended.
    pub last_complete_at: Option<DateTime<Utc>>,
    /// When the last complete read of everybody began.
    pub everybody_read_at: Option<DateTime<Utc>>,
    /// Why it is incomplete.
    pub reason: Option<String>,
}

/// A terminated employee with an active account.
#[derive(Clone, Debug, Serialize)]
pub struct TerminatedWithAccess {
    /// The source.
    pub source: SourceName,
    /// The tenant.
    pub tenant: Tenant,
    /// The employee's id in the HR system.
    pub employee_id: EmployeeId,
    /// The account; `None` if the work e-mail matches several.
    pub account_id: Option<AccountId>,
    /// The work e-mail.
    pub work_email: Option<String>,
    /// Why access should have ended.
    pub reason: String,
    /// The hold that a person has to resolve first.
    pub hold: Option<i64>,
    /// True if the source is in shadow mode, so that ending the access is only planned.
    pub planned: bool,
    /// Why access could not be ended, if that was tried.
    pub failure: Option<String>,
    /// Since when the database has not carried out the deactivation, if it was tried.
    pub blocked_since: Option<DateTime<Utc>>,
}

impl DriftReport {
    /// Returns the employees who left, and for whom no account is found.
    pub fn leavers_without_account(&self) -> impl Iterator<Item = &EmployeeWithoutAccount> {
        self.unmatched.iter().filter(|unmatched| unmatched.left)
    }

    /// Counts the active accounts of terminated employees that somebody has to look at: all but those whose source is in
    /// shadow mode.
    #[must_use]
    pub fn unplanned_access(&self) -> usize {
        let found = self.terminated_with_access.iter();
        found.filter(|found| !found.planned).count()
    }

    /// Returns true if no leaver has access, and an account was found for each.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.terminated_with_access.is_empty() && self.leavers_without_account().next().is_none()
    }
}

impl TerminatedWithAccess {
    /// Returns the employee's key.
    #[must_use]
    pub fn key(&self) -> EmployeeKey {
        EmployeeKey {
            source: self.source.clone(),
            tenant: self.tenant.clone(),
            employee_id: self.employee_id.clone(),
        }
    }
}

/// An active account without an employee in the roster.
#[derive(Debug, Serialize)]
pub struct AccountWithoutEmployee {
    /// The account.
    pub account_id: AccountId,
    /// Its tenant; `None` if the accounts table has no tenant column.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// Its e-mail.
    pub email: Option<String>,
    /// True if it is listed in `accounts.protected`.
    pub protected: bool,
}

/// An employee without an account.
#[derive(Debug, Serialize)]
pub struct EmployeeWithoutAccount {
    /// The source.
    pub source: SourceName,
    /// The tenant.
    pub tenant: Tenant,
    /// The employee's id in the HR system.
    pub employee_id: EmployeeId,
    /// The work e-mail, if known.
    pub work_email: Option<String>,
    /// True if the employee left, or may have left. An account under another e-mail would still give access.
    pub left: bool,
    /// Time since which the service has recorded it, if the employee left.
    pub since: Option<DateTime<Utc>>,
}
