//! A time in which the policies differ.

use chrono::{DateTime, Utc};

use super::{Both, Standing};
use crate::domain::EmployeeKey;

/// A time in which an employee's access differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The employee.
    pub key: EmployeeKey,
    /// When it begins.
    pub from: DateTime<Utc>,
    /// When it ends, or `None` if it lasts.
    pub until: Option<DateTime<Utc>>,
    /// The access under each policy.
    pub standings: Both<Standing>,
    /// Why, under each policy. Contains no name and no e-mail.
    pub reasons: Both<String>,
}
