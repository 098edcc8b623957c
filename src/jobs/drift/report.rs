//! The result of a comparison: counts of all rows, and the first rows of each group.

use chrono::{DateTime, Utc};
use serde::Serialize;

use leaver_core::domain::{AccountId, EmployeeId, EmployeeKey, SourceName, Tenant};
use leaver_core::safeguard::SourceMode;

/// Most rows of a group that a report lists. The counts include the others.
pub const MAX_LISTED: usize = 500;

/// The result of a comparison.
#[derive(Debug, Serialize)]
pub struct DriftReport {
    /// When it began.
    pub checked_at: DateTime<Utc>,
    /// How completely each source was read.
    pub reads: Vec<SourceCompleteness>,
    /// True if every source was read completely at some time, so that a missing employee is meaningful.
    pub rests_on_complete_reads: bool,
    /// All rows of each group, listed or not.
    pub counts: Counts,
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
    /// Employees without an account: the first who left, and the first of the others.
    pub unmatched: Vec<EmployeeWithoutAccount>,
}

/// The number of rows in each group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Active accounts of terminated employees.
    pub terminated_with_access: usize,
    /// Those of them whose source is in shadow mode, so that ending the access is only planned.
    pub planned: usize,
    /// Active accounts of employees who may have left, for which a hold is open.
    pub held: usize,
    /// Active accounts that keep access by a person's decision.
    pub accepted: usize,
    /// Accounts that this comparison deactivated.
    pub fixed: usize,
    /// Active accounts without an employee in the roster.
    pub active_without_employee: usize,
    /// Employees who left, and for whom no account is found.
    pub leavers_without_account: usize,
    /// Other employees without an account.
    pub employees_without_account: usize,
}

/// A row of the report, with its group.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "group", rename_all = "snake_case")]
pub enum Finding {
    /// An active account of a terminated employee.
    TerminatedWithAccess(TerminatedWithAccess),
    /// An active account of an employee who may have left, for which a hold is open.
    Held(TerminatedWithAccess),
    /// An active account that keeps access by a person's decision.
    Accepted(TerminatedWithAccess),
    /// An account that this comparison deactivated.
    Fixed(TerminatedWithAccess),
    /// An active account without an employee in the roster.
    ActiveWithoutEmployee(AccountWithoutEmployee),
    /// An employee without an account.
    Unmatched(EmployeeWithoutAccount),
}

impl DriftReport {
    /// Counts a row, and lists it if it is among the first of its group.
    pub(super) fn add(&mut self, finding: Finding) {
        let counts = &mut self.counts;
        match finding {
            Finding::TerminatedWithAccess(row) => {
                counts.planned += usize::from(row.planned);
                let count = &mut counts.terminated_with_access;
                list(count, &mut self.terminated_with_access, row);
            }
            Finding::Held(row) => list(&mut counts.held, &mut self.held, row),
            Finding::Accepted(row) => list(&mut counts.accepted, &mut self.accepted, row),
            Finding::Fixed(row) => list(&mut counts.fixed, &mut self.fixed, row),
            Finding::ActiveWithoutEmployee(row) => {
                let count = &mut counts.active_without_employee;
                list(count, &mut self.active_without_employee, row);
            }
            // Each kind has a limit of its own, so that employees who work there do not displace those who left.
            Finding::Unmatched(row) if row.left => {
                list(
                    &mut counts.leavers_without_account,
                    &mut self.unmatched,
                    row,
                );
            }
            Finding::Unmatched(row) => {
                list(
                    &mut counts.employees_without_account,
                    &mut self.unmatched,
                    row,
                );
            }
        }
    }

    /// Removes the listed rows. The counts stay.
    pub(crate) fn clear_lists(&mut self) {
        self.terminated_with_access.clear();
        self.held.clear();
        self.accepted.clear();
        self.fixed.clear();
        self.active_without_employee.clear();
        self.unmatched.clear();
    }

    /// Returns the listed employees who left, and for whom no account is found.
    pub fn leavers_without_account(&self) -> impl Iterator<Item = &EmployeeWithoutAccount> {
        self.unmatched.iter().filter(|unmatched| unmatched.left)
    }

    /// Counts the active accounts of terminated employees that somebody has to look at: all but those whose source is in
    /// shadow mode.
    #[must_use]
    pub fn unplanned_access(&self) -> usize {
        self.counts.terminated_with_access - self.counts.planned
    }

    /// Returns true if no leaver has access, and an account was found for each.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.counts.terminated_with_access == 0 && self.counts.leavers_without_account == 0
    }
}

fn list<T>(count: &mut usize, rows: &mut Vec<T>, row: T) {
    *count += 1;
    if *count <= MAX_LISTED {
        rows.push(row);
    }
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
#[derive(Clone, Debug, Serialize)]
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
#[derive(Clone, Debug, Serialize)]
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
