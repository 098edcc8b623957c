//! Differences between the roster and current access. `jobs::drift` compares; the rows are serialised as they are.

pub(crate) use crate::jobs::drift::{
    AccountWithoutEmployee, EmployeeWithoutAccount, Finding, SourceCompleteness,
};
pub(crate) use crate::jobs::drift::{DriftReport, TerminatedWithAccess};
