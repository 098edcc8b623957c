//! The toy provider's bodies: `{"person": "7", "gone_on": "2026-11-20"}`.

use serde_json::Value;

use super::super::json_keep::Keep;
use super::super::values::employee_id;
use super::super::{Changes, InvalidEntry, ParseError, Parsed, Tenancy, dates, json};
use crate::domain::{ChangeKind, DateOrInstant, EmployeeChange, Facts, Field, Status};

const BODY: Keep = Keep::Members(&[("person", Keep::Scalar), ("gone_on", Keep::Scalar)]);

/// Parses a body that is not blank.
pub(super) fn parse(body: &[u8], tenancy: &Tenancy) -> Result<Parsed, ParseError> {
    let object = json::object(body, &BODY)?;
    let tenant = match tenancy.tenant_of(None, false) {
        Ok(tenant) => tenant,
        Err(ignored) => return Ok(Parsed::Ignored(ignored)),
    };
    let text = |name| object.get(name).and_then(Value::as_str);
    let gone_on = text("gone_on").and_then(dates::day);
    let mut changes = Changes::default();
    match employee_id(text("person").unwrap_or_default()) {
        Ok(employee_id) => changes.changes.push(EmployeeChange {
            tenant: tenant.clone(),
            employee_id,
            kind: ChangeKind::Updated,
            as_of: None,
            facts: Facts {
                status: Field::Value(gone_on.map_or(Status::Active, |_| Status::Inactive)),
                termination_date: gone_on
                    .map_or(Field::Empty, |day| Field::Value(DateOrInstant::Day(day))),
                ..Facts::default()
            },
            notification_only: false,
            linked_account: None,
        }),
        Err(cause) => changes
            .bad_entries
            .push(InvalidEntry { position: 0, cause }),
    }
    Ok(Parsed::Changes(changes))
}
