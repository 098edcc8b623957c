//! What is known of one employee now.

use chrono::{DateTime, NaiveDate, Utc};

use super::{
    AccountId, DateOrInstant, DeliveryId, EmployeeId, EmploymentStatus, SourceName, Status, Tenant,
    WorkEmail,
};

/// Which employee: an id means something only inside its source and tenant.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EmployeeKey {
    /// Who told us.
    pub source: SourceName,
    /// The company.
    pub tenant: Tenant,
    /// The HR system's id.
    pub employee_id: EmployeeId,
}

/// A slice of keys, column by column, as statements over many employees take them.
#[derive(Clone, Debug, Default)]
pub struct KeyColumns {
    /// Who told us.
    pub sources: Vec<String>,
    /// The companies.
    pub tenants: Vec<String>,
    /// The HR systems' ids.
    pub employee_ids: Vec<String>,
}

impl KeyColumns {
    /// Of these keys, in the order given.
    #[must_use]
    pub fn of<'a>(keys: impl IntoIterator<Item = &'a EmployeeKey>) -> Self {
        let mut columns = Self::default();
        for key in keys {
            columns.sources.push(key.source.to_string());
            columns.tenants.push(key.tenant.to_string());
            columns.employee_ids.push(key.employee_id.to_string());
        }
        columns
    }
}

/// One fact: its value (none when the sender says there is none) and two times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact<T> {
    /// What is so; `None` says that there is no such value, which is a fact too.
    pub value: Option<T>,
    /// When it was so, by the sender's account. Facts with a later one win.
    pub as_of: DateTime<Utc>,
    /// When we learned it.
    pub observed_at: DateTime<Utc>,
}

/// A roster entry: everything the rules may look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Employee {
    /// Who it is.
    pub key: EmployeeKey,
    /// Whether the person works there.
    pub status: Option<Fact<Status>>,
    /// True while the present status came about by a change that we were told of or saw ourselves.
    pub status_changed: bool,
    /// BambooHR's employment status.
    pub employment_status: Option<Fact<EmploymentStatus>>,
    /// First day of employment.
    pub hire_date: Option<Fact<NaiveDate>>,
    /// End of employment.
    pub termination_date: Option<Fact<DateOrInstant>>,
    /// The address that ties the employee to an account.
    pub work_email: Option<Fact<WorkEmail>>,
    /// Whether the HR system has removed the record.
    pub deleted: Option<Fact<bool>>,
    /// A change without values happened at this time, and nothing newer told us the values.
    pub values_pending_since: Option<DateTime<Utc>>,
    /// The link to an account.
    pub account_id: Option<AccountId>,
    /// When the timer will look at this employee.
    pub access_ends_at: Option<DateTime<Utc>>,
    /// When we switched the account off, while it is still off by our doing.
    pub deactivated_at: Option<DateTime<Utc>>,
    /// The delivery that brought the newest facts.
    pub last_delivery_id: Option<DeliveryId>,
    /// When a value last changed, by our clock. A confirmation of the same value does not change it.
    pub modified_at: Option<DateTime<Utc>>,
}

impl Employee {
    /// An employee of whom nothing is known.
    #[must_use]
    pub fn unknown(key: EmployeeKey) -> Self {
        Self {
            key,
            status: None,
            status_changed: false,
            employment_status: None,
            hire_date: None,
            termination_date: None,
            work_email: None,
            deleted: None,
            values_pending_since: None,
            account_id: None,
            access_ends_at: None,
            deactivated_at: None,
            last_delivery_id: None,
            modified_at: None,
        }
    }

    /// Whether both say the same of the person, whenever it was said. What we did about it does not count.
    #[must_use]
    pub fn has_same_values(&self, other: &Self) -> bool {
        fn same<T: PartialEq>(one: Option<&Fact<T>>, other: Option<&Fact<T>>) -> bool {
            one.map(|fact| &fact.value) == other.map(|fact| &fact.value)
        }
        same(self.status.as_ref(), other.status.as_ref())
            && self.status_changed == other.status_changed
            && same(
                self.employment_status.as_ref(),
                other.employment_status.as_ref(),
            )
            && same(self.hire_date.as_ref(), other.hire_date.as_ref())
            && same(
                self.termination_date.as_ref(),
                other.termination_date.as_ref(),
            )
            && same(self.work_email.as_ref(), other.work_email.as_ref())
            && same(self.deleted.as_ref(), other.deleted.as_ref())
            && self.values_pending_since == other.values_pending_since
    }

    /// Returns true if a list of employees shows the same values for both. An unknown value equals an empty one, and
    /// the marks for rules and reads do not count.
    #[must_use]
    pub fn has_same_listed_values(&self, other: &Self) -> bool {
        fn value<T>(fact: Option<&Fact<T>>) -> Option<&T> {
            fact.and_then(|fact| fact.value.as_ref())
        }
        value(self.status.as_ref()) == value(other.status.as_ref())
            && value(self.employment_status.as_ref()) == value(other.employment_status.as_ref())
            && value(self.hire_date.as_ref()) == value(other.hire_date.as_ref())
            && value(self.termination_date.as_ref()) == value(other.termination_date.as_ref())
            && value(self.work_email.as_ref()) == value(other.work_email.as_ref())
            && value(self.deleted.as_ref()) == value(other.deleted.as_ref())
    }

    /// The present status, when one is known.
    #[must_use]
    pub fn status(&self) -> Option<&Status> {
        self.status.as_ref()?.value.as_ref()
    }

    /// The present work e-mail, when one is known.
    #[must_use]
    pub fn work_email(&self) -> Option<&WorkEmail> {
        self.work_email.as_ref()?.value.as_ref()
    }

    /// The known end of employment, with the time we learned of it.
    #[must_use]
    pub fn termination_date(&self) -> Option<(DateOrInstant, DateTime<Utc>)> {
        let fact = self.termination_date.as_ref()?;
        Some((fact.value?, fact.observed_at))
    }
}
