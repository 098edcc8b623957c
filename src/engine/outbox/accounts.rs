//! Events about accounts.

use serde_json::json;

use super::{NewEvent, Subject};
use crate::engine::batches::{Change, Direction};
use crate::engine::origin::Origin;
use leaver_core::events::EventType;

/// Returns the events of changes that were seen in the database.
pub(crate) fn of_changes(changes: &[Change], origin: &Origin) -> Vec<NewEvent> {
    let event = |change: &Change| {
        let kind = match change.direction {
            Direction::Deactivated => EventType::AccountDeactivated,
            Direction::Reactivated => EventType::AccountReactivated,
        };
        let data = json!({
            "account_id": change.account.as_str(),
            "batch_id": change.batch,
            "cause": origin.cause.as_str(),
            "effective_at": change.effective_at,
            "provider_at": change.provider_at,
            "received_at": change.received_at,
        });
        NewEvent::new(kind, Subject::Employee(change.employee.clone()), data)
    };
    changes.iter().map(event).collect()
}
