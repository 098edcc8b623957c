//! Compares the roster with the accounts. It finds what no change reports: access that was given back by hand,
//! orphaned accounts, employees without an account.
//!
//! It applies the same rules as the engine and only reports, unless the mode is `fix`: then the engine evaluates the
//! employees found again. Memory does not grow with the size of a company: rows are counted, and only the first of each group
//! are kept.

pub mod store;
mod compare;
mod news;
mod completeness;
mod fix;
mod monitor;
mod orphans;
mod outdated;
mod report;
mod siblings;

pub use self::compare::{compare, compare_each};
pub use self::monitor::DriftMonitor;
pub use self::report::{
    AccountWithoutEmployee, Counts, DriftReport, EmployeeWithoutAccount, Finding, MAX_LISTED,
    SourceCompleteness, TerminatedWithAccess,
};
