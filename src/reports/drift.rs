//! Differences between the roster and current access. `jobs::drift` compares; the rows are serialised as they are.

pub use crate::jobs::drift::{
    AccountWithoutEmployee, DriftReport, EmployeeWithoutAccount, SourceCompleteness,
    TerminatedWithAccess,
};
