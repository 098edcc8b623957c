//! BambooHR's webhooks that post here: whether each one works, and which deliveries in their logs never arrived. The
//! functions in this file are pure; [`monitor`] reads the API.

pub mod gaps;
pub mod monitor;
pub mod store;

use chrono::{DateTime, Utc};
use serde::Serialize;

use leaver_core::domain::SourceName;

/// The problem of a webhook that is no longer in the list.
// The list shows only what the key's user may see, so a webhook that was never seen may exist all the same.
pub(crate) const WEBHOOK_MISSING: &str = "BambooHR does not list it any more; it was deleted, or `api.api_key` belongs to another user. \
    Create another with `leaver webhooks create`, or remove this one with `leaver webhooks delete`";

/// The problem of a webhook whose URL was changed.
pub(crate) const WEBHOOK_REPOINTED: &str = "it posts to another address now; restore its URL in BambooHR, \
    or remove it with `leaver webhooks delete`";

/// A webhook that posts here, as the API last showed it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ProviderWebhook {
    /// The source that it posts to.
    #[serde(skip)]
    pub source: SourceName,
    /// BambooHR's id.
    pub id: String,
    /// The name given in BambooHR.
    pub name: String,
    /// When BambooHR last sent something.
    pub last_sent_at: Option<DateTime<Utc>>,
    /// The result of the last delivery in BambooHR's log: an HTTP status such as `200`, or a text such as
    /// `Webhook Not Found`.
    pub last_status: Option<String>,
    /// The problem that an operator has to fix.
    pub problem: Option<String>,
    /// When the API last listed it.
    #[serde(skip)]
    pub observed_at: DateTime<Utc>,
    /// When it was last checked.
    pub checked_at: DateTime<Utc>,
}

/// Returns true if a webhook with this URL posts to this source. The path must end like the source's own; the host is
/// ignored, since a proxy may stand in front.
#[must_use]
pub fn targets_this_service(url: &str, source: &SourceName) -> bool {
    let path = url.split(['?', '#']).next().unwrap_or_default();
    path.trim_end_matches('/')
        .ends_with(&format!("/webhooks/{source}"))
}

/// Describes what is wrong with an existing webhook: fields hidden from its owner, and the status of a last delivery
/// that was not accepted.
#[must_use]
pub fn problem(denied_fields: &str, refused_status: Option<&str>) -> Option<String> {
    let mut problems = vec![];
    if !denied_fields.is_empty() {
        problems.push(format!(
            "its owner may not see these fields, so their changes do not send it ({denied_fields}); \
             let the BambooHR user who made it see them"
        ));
    }
    if let Some(status) = refused_status {
        problems.push(format!(
            "its last delivery was not accepted ({status}); see `leaver webhooks log` and `leaver webhooks gaps`"
        ));
    }
    (!problems.is_empty()).then(|| problems.join("; "))
}

#[cfg(test)]
#[expect(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up should fail"
)]
mod tests;
