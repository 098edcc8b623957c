//! Whom a report of a period is about: everybody, or a source, a tenant or a person.

pub(crate) mod store;

use leaver_core::domain::EmployeeKey;

/// Which employees a report is about. An absent filter matches all. It may contain personal data, so it has no `Debug`.
#[derive(Clone, Default)]
pub(crate) struct Scope {
    /// The source.
    pub(crate) source: Option<String>,
    /// The tenant.
    pub(crate) tenant: Option<String>,
    /// The person.
    pub(crate) person: Option<PersonScope>,
}

/// One person.
#[derive(Clone)]
pub(crate) struct PersonScope {
    /// The records of the person in the roster.
    pub(crate) keys: Vec<EmployeeKey>,
    /// The employee ID as it was given: the roster may not have the person any more.
    pub(crate) employee_id: String,
}

impl Scope {
    /// Returns true if an employee is in the scope.
    pub(crate) fn contains(&self, source: &str, tenant: &str, employee_id: &str) -> bool {
        let is_person = |person: &PersonScope| {
            person.employee_id == employee_id
                || person.keys.iter().any(|key| {
                    key.source.as_str() == source
                        && key.tenant.as_str() == tenant
                        && key.employee_id.as_str() == employee_id
                })
        };
        self.source.as_deref().is_none_or(|wanted| wanted == source)
            && self.tenant.as_deref().is_none_or(|wanted| wanted == tenant)
            && self.person.as_ref().is_none_or(is_person)
    }

    /// Returns true if the key is in the scope.
    pub(crate) fn contains_key(&self, key: &EmployeeKey) -> bool {
        self.contains(
            key.source.as_str(),
            key.tenant.as_str(),
            key.employee_id.as_str(),
        )
    }
}
