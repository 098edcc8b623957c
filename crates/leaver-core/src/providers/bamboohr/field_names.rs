//! The names under which a webhook posts fields.

/// The names under which a webhook posts the fields that the rules need.
///
/// Customers choose the names, so they are configuration. Case and surrounding spaces are ignored. If several names
/// of one fact are posted, the first one in the list with a value counts. Other names are ignored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldNames {
    /// `Active` or `Inactive`.
    pub status: Vec<String>,
    /// The current row of the employment status table.
    pub employment_status: Vec<String>,
    /// The last day of employment.
    pub termination_date: Vec<String>,
    /// The first day of the current employment.
    pub hire_date: Vec<String>,
    /// The work e-mail address.
    pub work_email: Vec<String>,
}

impl Default for FieldNames {
    /// Returns BambooHR's aliases, its English labels, and the labels of table fields as clients receive them.
    ///
    /// Source: <https://documentation.bamboohr.com/docs/list-of-field-names>, read on 22 November 2026.
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
    /// Returns whether the rules need the field of this name.
    pub(super) fn contains(&self, name: &str) -> bool {
        self.fact(name).is_some()
    }

    /// Returns the fact that is posted under this name, by its key in the configuration.
    pub(super) fn fact(&self, name: &str) -> Option<&'static str> {
        [
            ("status", &self.status),
            ("employment_status", &self.employment_status),
            ("termination_date", &self.termination_date),
            ("hire_date", &self.hire_date),
            ("work_email", &self.work_email),
        ]
        .into_iter()
        .find_map(|(fact, names)| is_among(name, names).then_some(fact))
    }
}

/// Returns whether a name is in the list.
pub(super) fn is_among(name: &str, names: &[String]) -> bool {
    names.iter().any(|listed| same_name(listed, name))
}

/// Returns whether two names are equal except for case and surrounding spaces.
pub(super) fn same_name(one: &str, other: &str) -> bool {
    let (one, other) = (one.trim(), other.trim());
    if one.is_ascii() && other.is_ascii() {
        one.eq_ignore_ascii_case(other)
    } else {
        one.to_lowercase() == other.to_lowercase()
    }
}
