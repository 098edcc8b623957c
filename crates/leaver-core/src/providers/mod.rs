//! Takes the vendor's accent off: a body, or an API's answer, becomes what it says of employees. The only
//! room that knows a vendor's JSON or form. It judges nobody; an entry that cannot be read never sinks the others.

mod parse_error;
pub use parse_error::{EntryError, Ignored, InvalidEntry, InvalidResponse, ParseError};

mod field_names;
pub use field_names::FieldNames;

mod bamboohr;
mod bamboohr_form;
mod bamboohr_facts;
mod merge;

mod merge_api;
pub use merge_api::{
    Connection, ConnectionStatus, EmployeePage, ModelSync, SyncPage, SyncStatus, merge_connection,
    merge_page, merge_record, merge_sync_page,
};

mod bamboohr_api;
pub use bamboohr_api::{
    BAMBOOHR_FIELDS, ChangedAction, ChangedEmployee, ChangedSince, EmployeeRead, bamboohr_changed,
    bamboohr_employee, bamboohr_record, bamboohr_removal,
};

mod bamboohr_hooks;
pub use bamboohr_hooks::{
    Hook, HookConfig, LogEntry, LogTime, MonitorField, NewHook, RefusedFields, bamboohr_hook,
    bamboohr_hooks, bamboohr_log, bamboohr_monitor_fields, bamboohr_new_hook,
    bamboohr_refused_fields,
};

mod responses;
pub use responses::error_in_success;

mod dates;
mod json;

use std::collections::HashMap;

use crate::domain::{EmployeeChange, EmployeeId, Provider, Status, Tenant, WorkEmail};

/// How one source speaks.
#[derive(Clone, Debug)]
pub struct ProviderConfig {
    /// Whose bodies these are.
    pub provider: Provider,
    /// The names under which BambooHR posts what we need; Merge's are fixed.
    pub fields: FieldNames,
    /// Whose employees a body is about. BambooHR's bodies do not say, so there it is one tenant.
    pub tenancy: Tenancy,
}

/// Whose employees a body is about.
#[derive(Clone, Debug)]
pub enum Tenancy {
    /// Everybody belongs to this tenant. Merge's test accounts still do not.
    One(Tenant),
    /// Merge's `linked_account.id` decides; an account that is not in the list is not ours.
    ByLinkedAccount(HashMap<String, Tenant>),
}

impl Tenancy {
    fn tenant_of(&self, linked_account: Option<&str>, is_test: bool) -> Result<&Tenant, Ignored> {
        match self {
            Self::One(_) if is_test => Err(Ignored::TestAccount),
            Self::One(tenant) => Ok(tenant),
            Self::ByLinkedAccount(tenants) => linked_account
                .and_then(|id| tenants.get(id))
                .ok_or(Ignored::UnknownLinkedAccount),
        }
    }
}

/// What a readable body means to us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Parsed {
    /// It says something of employees.
    Changes(Changes),
    /// It says nothing of employees of ours.
    Ignored(Ignored),
}

/// What a body says of employees.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// The entries that could be read, in the body's order.
    pub changes: Vec<EmployeeChange>,
    /// The entries that could not.
    pub bad_entries: Vec<InvalidEntry>,
}

impl Changes {
    /// True when every change says itself when its facts were true, so that nothing depends on when
    /// the body arrived. Also true when there is no change.
    #[must_use]
    pub fn has_event_times(&self) -> bool {
        self.changes.iter().all(|change| change.as_of.is_some())
    }
}

/// Reads a body as this dialect's provider writes them.
///
/// # Errors
/// [`ParseError`] when nothing at all can be made of the body; it will not change by trying again.
pub fn normalize(
    provider_config: &ProviderConfig,
    content_type: Option<&str>,
    body: &[u8],
) -> Result<Parsed, ParseError> {
    if body.trim_ascii().is_empty() {
        return Ok(Parsed::Ignored(Ignored::Empty));
    }
    let changes = match provider_config.provider {
        Provider::BambooHr => bamboohr::read(content_type, body)?
            .and_then(|reading| bamboohr_facts::changes(reading, provider_config)),
        Provider::Merge => merge::changes(&merge::read(body)?, &provider_config.tenancy),
    };
    Ok(changes.map_or_else(Parsed::Ignored, Parsed::Changes))
}

/// An id that the database can hold and index.
fn employee_id(text: &str) -> Result<EmployeeId, EntryError> {
    match text.trim() {
        "" => Err(EntryError::NoId),
        id if id.len() > 200 || id.contains(char::is_control) => Err(EntryError::UnusableId),
        id => Ok(EmployeeId::new(id)),
    }
}

/// A provider's own word for a status, cut short enough to show.
fn unknown_status(text: &str) -> Status {
    Status::Unknown(text.chars().filter(|c| !c.is_control()).take(40).collect())
}

/// An address that the database can hold and index; longer ones than SMTP allows tie nobody to an account.
fn work_email(text: &str) -> Option<WorkEmail> {
    let plausible = text.len() <= 320 && !text.trim().contains(char::is_control);
    plausible.then(|| WorkEmail::parse(text)).flatten()
}

#[cfg(test)]
#[expect(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up should fail"
)]
mod tests;

#[cfg(test)]
#[expect(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up should fail"
)]
mod bamboohr_tests;

#[cfg(test)]
#[expect(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up should fail"
)]
mod merge_tests;

#[cfg(test)]
#[expect(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up should fail"
)]
mod vector_tests;

#[cfg(test)]
#[expect(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up should fail"
)]
mod api_tests;

#[cfg(test)]
#[expect(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up should fail"
)]
mod bamboohr_hooks_tests;
