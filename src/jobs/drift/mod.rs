//! Compares what the roster knows with who has access now. It decides as everybody does, and finds what nothing new
//! was said of: access that somebody gave back by hand, accounts of nobody, employees without an account.
//!
//! It only reports, unless it is told to fix; then the worker looks at those employees anew.

pub mod store;
mod compare;
mod monitor;

use chrono::{DateTime, Utc};
use serde::Serialize;

pub use self::compare::compare;
pub use self::monitor::DriftMonitor;
use leaver_core::domain::{AccountId, EmployeeId, EmployeeKey, SourceName, Tenant};

/// What a comparison found.
#[derive(Debug, Serialize)]
pub struct Drift {
    /// When it began.
    pub checked_at: DateTime<Utc>,
    /// The reads it rests on, source by source.
    pub reads: Vec<SourceCompleteness>,
    /// Whether every source has been read completely, so that what is not there means something.
    pub rests_on_complete_reads: bool,
    /// Accounts that are on although the employee has left.
    pub terminated_with_access: Vec<TerminatedWithAccess>,
    /// The same, where a person was asked and said that access stays.
    pub accepted: Vec<TerminatedWithAccess>,
    /// Accounts that were on although the employee had left, and that are off now.
    pub fixed: Vec<TerminatedWithAccess>,
    /// Accounts that are on and that no employee in the roster has.
    pub active_without_employee: Vec<AccountWithoutEmployee>,
    /// Employees without an account.
    pub unmatched: Vec<EmployeeWithoutAccount>,
}

/// How far a source, or a linked account of it, has been read.
#[derive(Debug, Serialize)]
pub struct SourceCompleteness {
    /// The source.
    pub source: SourceName,
    /// Merge's linked account; empty at BambooHR.
    pub account: String,
    /// Whether the last read was complete, and everybody was read at some time.
    pub complete: bool,
    /// When the last complete read ended.
    pub last_complete_at: Option<DateTime<Utc>>,
    /// When the last complete read of everybody began.
    pub everybody_read_at: Option<DateTime<Utc>>,
    /// Why it is not complete.
    pub reason: Option<String>,
}

/// An account that is on although its employee has left.
#[derive(Clone, Debug, Serialize)]
pub struct TerminatedWithAccess {
    /// Who told us.
    pub source: SourceName,
    /// The company.
    pub tenant: Tenant,
    /// The HR system's id.
    pub employee_id: EmployeeId,
    /// The account; none when the work e-mail fits several.
    pub account_id: Option<AccountId>,
    /// The work e-mail, for whoever has to do something about it.
    pub work_email: Option<String>,
    /// Why access should have ended.
    pub reason: String,
    /// The open question that a person has to answer first.
    pub hold: Option<i64>,
    /// Why it could not be ended again, when that was tried.
    pub failure: Option<String>,
}

impl TerminatedWithAccess {
    /// Whom it is about.
    #[must_use]
    pub fn key(&self) -> EmployeeKey {
        EmployeeKey {
            source: self.source.clone(),
            tenant: self.tenant.clone(),
            employee_id: self.employee_id.clone(),
        }
    }
}

/// An account that is on and that nobody in the roster has.
#[derive(Debug, Serialize)]
pub struct AccountWithoutEmployee {
    /// The account.
    pub account_id: AccountId,
    /// Its e-mail.
    pub email: Option<String>,
    /// Whether it stands in `accounts.protected`.
    pub protected: bool,
}

/// An employee without an account.
#[derive(Debug, Serialize)]
pub struct EmployeeWithoutAccount {
    /// Who told us.
    pub source: SourceName,
    /// The company.
    pub tenant: Tenant,
    /// The HR system's id.
    pub employee_id: EmployeeId,
    /// The work e-mail, if one is known.
    pub work_email: Option<String>,
    /// Whether the employee has left, so that an account under another e-mail would matter.
    pub left: bool,
}
