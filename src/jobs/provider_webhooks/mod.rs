//! BambooHR's own webhooks: how each one that points here does, and what their log says was sent that never
//! arrived. It asks nobody: what the API said comes in, what it means goes out.

pub mod gaps;
pub mod monitor;
pub mod store;

use chrono::{DateTime, Utc};
use serde::Serialize;

use leaver_core::domain::SourceName;

/// What is wrong with a webhook that was seen before and is not shown any more. A list shows only what the
/// key's user may see, so this says nothing of one that was never seen.
pub const LOST: &str = "BambooHR does not show it any more: it was deleted, or api.api_key is of another user now. \
    Make another with `leaver webhooks create`, or have this one forgotten with `leaver webhooks delete`";

/// What is wrong with a webhook that was seen here and posts to somewhere else now.
pub const MOVED: &str = "it posts to another address now: set its URL back in BambooHR, \
    or have it forgotten with `leaver webhooks delete`";

/// A webhook that points here, as the API last showed it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ProviderWebhook {
    /// Whose.
    #[serde(skip)]
    pub source: SourceName,
    /// BambooHR's id of it.
    pub id: String,
    /// As its maker called it.
    pub name: String,
    /// When it last fired, by BambooHR's account.
    pub last_sent_at: Option<DateTime<Utc>>,
    /// What BambooHR's log has of its last delivery: our HTTP status, or a word.
    pub last_status: Option<String>,
    /// What somebody should look at.
    pub problem: Option<String>,
    /// When the API last showed it.
    #[serde(skip)]
    pub observed_at: DateTime<Utc>,
    /// When it was last looked at.
    pub checked_at: DateTime<Utc>,
}

/// Whether a webhook with this URL posts to this source: its path ends like the source's own, whatever host
/// or proxy stands before us.
#[must_use]
pub fn targets_this_service(url: &str, source: &SourceName) -> bool {
    let path = url.split(['?', '#']).next().unwrap_or_default();
    path.trim_end_matches('/')
        .ends_with(&format!("/webhooks/{source}"))
}

/// What is wrong with a webhook that is there: fields that its owner may not see, and the status of a last
/// delivery that was not taken.
#[must_use]
pub fn problem(denied_fields: &str, not_taken: Option<&str>) -> Option<String> {
    let mut found = vec![];
    if !denied_fields.is_empty() {
        found.push(format!(
            "its owner may not see these fields, so their changes do not fire it ({denied_fields}): \
             let the BambooHR user who made it see them"
        ));
    }
    if let Some(status) = not_taken {
        found.push(format!(
            "its last delivery was not taken ({status}): see `leaver webhooks log` and `leaver webhooks gaps`"
        ));
    }
    (!found.is_empty()).then(|| found.join("; "))
}

#[cfg(test)]
#[expect(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up should fail"
)]
mod tests;
