//! The names under which a webhook posts fields.

use crate::domain::PositionFact;

/// Names that a message lists.
const MAX_LISTED: usize = 10;
/// Characters of a name that a message shows.
const MAX_NAME_CHARS: usize = 60;

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
    /// The job title.
    pub job_title: Vec<String>,
    /// The department.
    pub department: Vec<String>,
    /// The id of the supervisor.
    pub manager: Vec<String>,
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
            job_title: list(&[
                "jobTitle",
                "Job Title",
                "Job Information - Job Title",
                "Job Information: Job Title",
            ]),
            department: list(&[
                "department",
                "Department",
                "Job Information - Department",
                "Job Information: Department",
            ]),
            manager: list(&["supervisorId", "Supervisor ID", "supervisor", "Supervisor"]),
        }
    }
}

impl FieldNames {
    /// Returns whether the rules need the field of this name.
    pub(super) fn contains(&self, name: &str) -> bool {
        self.fact(name).is_some()
    }

    /// Returns the facts that are posted under none of these names, by their keys in the configuration.
    #[must_use]
    pub fn missing_among(&self, posted: &[String]) -> Vec<&'static str> {
        let facts = self.lists().into_iter();
        facts
            .filter(|(_, names)| !posted.iter().any(|name| is_among(name, names)))
            .map(|(fact, _)| fact)
            .collect()
    }

    /// Returns the fact that is posted under this name, by its key in the configuration.
    pub(super) fn fact(&self, name: &str) -> Option<&'static str> {
        self.lists()
            .into_iter()
            .find_map(|(fact, names)| is_among(name, names).then_some(fact))
    }

    /// Returns whether two names are those of one fact.
    pub(super) fn is_same_fact(&self, one: &str, other: &str) -> bool {
        if let Some(fact) = self.fact(other) {
            return self.fact(one) == Some(fact);
        }
        let fact = self.position_fact(other);
        fact.is_some() && self.position_fact(one) == fact
    }

    /// Returns the names of a fact about the position.
    pub(super) fn position(&self, fact: PositionFact) -> &[String] {
        match fact {
            PositionFact::JobTitle => &self.job_title,
            PositionFact::Department => &self.department,
            PositionFact::Manager => &self.manager,
        }
    }

    /// Returns the fact about the position that is posted under this name.
    pub(super) fn position_fact(&self, name: &str) -> Option<PositionFact> {
        let mut facts = PositionFact::ALL.iter().copied();
        facts.find(|fact| is_among(name, self.position(*fact)))
    }

    fn lists(&self) -> [(&'static str, &[String]); 5] {
        [
            ("status", &self.status),
            ("employment_status", &self.employment_status),
            ("termination_date", &self.termination_date),
            ("hire_date", &self.hire_date),
            ("work_email", &self.work_email),
        ]
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

/// Aliases of standard fields that the rules do not need. Their labels are the same words with spaces.
///
/// Source: <https://documentation.bamboohr.com/docs/list-of-field-names>, read on 22 November 2026.
const OTHER_FIELDS: [&str; 26] = [
    "firstName",
    "middleName",
    "lastName",
    "preferredName",
    "displayName",
    "jobTitle",
    "department",
    "division",
    "location",
    "supervisor",
    "supervisorId",
    "supervisorEId",
    "homePhone",
    "mobilePhone",
    "workPhone",
    "workPhoneExtension",
    "homeEmail",
    "address1",
    "address2",
    "city",
    "state",
    "zipcode",
    "country",
    "employeeNumber",
    "payRate",
    "payType",
];

/// Returns whether a name is that of a standard field that the rules do not need.
pub(super) fn is_other_field(name: &str) -> bool {
    let compact: String = name.chars().filter(|c| !c.is_whitespace()).collect();
    OTHER_FIELDS
        .iter()
        .any(|other| other.eq_ignore_ascii_case(&compact))
}

/// Joins names for a message: at most 10, each cut to 60 characters, without control characters; others are counted.
pub(super) fn list_names<'n>(names: impl ExactSizeIterator<Item = &'n str>) -> String {
    let others = names.len().saturating_sub(MAX_LISTED);
    let plain = |name: &str| -> String {
        let printable = name.chars().filter(|c| !c.is_control());
        printable.take(MAX_NAME_CHARS).collect()
    };
    let mut listed: Vec<String> = names.take(MAX_LISTED).map(plain).collect();
    if others > 0 {
        listed.push(format!("and {others} more"));
    }
    listed.join(", ")
}
