//! The names under which BambooHR posts what we need. Customers choose them, so they are configuration.

/// The names under which BambooHR's webhook posts what we need. They match in any case; a name that is
/// not listed is never guessed at. Of several posted names of one fact, the first with a value counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldNames {
    /// `Active` or `Inactive`.
    pub status: Vec<String>,
    /// The row of the employment status table that is in force.
    pub employment_status: Vec<String>,
    /// The last day.
    pub termination_date: Vec<String>,
    /// The first day of the latest employment.
    pub hire_date: Vec<String>,
    /// The work e-mail.
    pub work_email: Vec<String>,
}

impl Default for FieldNames {
    /// BambooHR's aliases, its English labels, and the labels of table fields as real clients receive them.
    fn default() -> Self {
        let list = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        Self {
            status: list(&["status", "Status"]),
            employment_status: list(&[
                "employmentHistoryStatus",
                "Employment Status",
                "Employment Status - Employment Status",
                "Employment Status: Employment Status",
            ]),
            termination_date: list(&["terminationDate", "Termination Date"]),
            hire_date: list(&["hireDate", "Hire Date"]),
            work_email: list(&["workEmail", "Work Email"]),
        }
    }
}

impl FieldNames {
    /// Whether a posted or changed name is one that we need.
    pub(super) fn include(&self, name: &str) -> bool {
        [
            &self.status,
            &self.employment_status,
            &self.termination_date,
            &self.hire_date,
            &self.work_email,
        ]
        .iter()
        .any(|names| is_among(name, names))
    }
}

pub(super) fn is_among(name: &str, names: &[String]) -> bool {
    names.iter().any(|listed| are_same(listed, name))
}

/// Whether two names differ in case and surrounding space at most.
pub(super) fn are_same(one: &str, other: &str) -> bool {
    let (one, other) = (one.trim(), other.trim());
    if one.is_ascii() && other.is_ascii() {
        one.eq_ignore_ascii_case(other)
    } else {
        one.to_lowercase() == other.to_lowercase()
    }
}
