//! A delivery about one leaver, as BambooHR posts it.

use serde_json::{Map, Value, json};

use super::FieldNames;
use crate::providers::example::Departure;

/// Returns the delivery, with the first configured name of each field.
pub(in crate::providers) fn departure(names: &FieldNames, departure: &Departure<'_>) -> String {
    let values = [
        (&names.status, "Inactive"),
        (&names.employment_status, "Terminated"),
        (&names.termination_date, departure.last_day.as_str()),
        (&names.work_email, departure.email),
    ];
    let fields: Map<String, Value> = values
        .into_iter()
        .filter_map(|(names, value)| Some((names.first()?.clone(), json!(value))))
        .collect();
    json!({"employees": [{
        "id": departure.employee_id,
        "action": "Updated",
        "timestamp": departure.now.format("%Y-%m-%dT%H:%M:%S+0000").to_string(),
        "changedFields": [names.status.first()],
        "fields": fields,
    }]})
    .to_string()
}
