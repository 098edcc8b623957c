//! An event about one leaver, as Merge sends it.

use serde_json::json;
use uuid::Uuid;

use crate::providers::Tenancy;
use crate::providers::example::Departure;

/// Returns the event of a configured linked account; `None` if none is configured.
pub(in crate::providers) fn departure(
    tenancy: &Tenancy,
    departure: &Departure<'_>,
) -> Option<String> {
    let Tenancy::ByLinkedAccount(accounts) = tenancy else {
        return None;
    };
    let account = accounts.keys().min()?;
    let number: u128 = departure.employee_id.parse().ok()?;
    let event = json!({
        "hook": {"event": "Employee.changed"},
        "linked_account": {"id": account, "category": "hris", "account_type": "PRODUCTION"},
        "data": {
            "id": Uuid::from_u128(number).to_string(),
            "work_email": departure.email,
            "employment_status": "INACTIVE",
            "termination_date": format!("{}T00:00:00Z", departure.last_day),
            "modified_at": departure.now.to_rfc3339(),
            "remote_was_deleted": false,
        },
    });
    Some(event.to_string())
}
