//! BambooHR's webhooks that post here: whether each one works, and which deliveries in their logs never arrived. The
//! functions in this file are pure; [`monitor`] reads the API.

pub mod gaps;
pub mod monitor;
pub mod store;

use chrono::{DateTime, Utc};
use serde::Serialize;

use leaver_core::domain::SourceName;
use leaver_core::providers::FieldNames;

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

/// Returns true if a webhook with this URL posts to this source. With `webhook_url` the two must be equal, apart from
/// case of the host, default port, query and a slash at the end. Without it the path must end like the source's own; the
/// host is ignored, since a proxy may stand in front.
#[must_use]
pub fn targets_this_service(url: &str, source: &SourceName, webhook_url: Option<&str>) -> bool {
    match webhook_url {
        Some(ours) => comparable(url) == comparable(ours),
        None => has_webhook_path(url, source),
    }
}

/// Returns true if the path of a URL ends like the source's own, on any host.
#[must_use]
pub(crate) fn has_webhook_path(url: &str, source: &SourceName) -> bool {
    without_query(url).ends_with(&format!("/webhooks/{source}"))
}

fn without_query(url: &str) -> &str {
    let path = url.trim().split(['?', '#']).next().unwrap_or_default();
    path.trim_end_matches('/')
}

/// Returns scheme and host in lower case without a default port, and the path as it is.
fn comparable(url: &str) -> (String, String) {
    let url = without_query(url);
    let after_scheme = url.find("://").map_or(0, |at| at + 3);
    let path_at = url[after_scheme..]
        .find('/')
        .map_or(url.len(), |at| after_scheme + at);
    let mut host = url[..path_at].to_ascii_lowercase();
    for (scheme, port) in [("https://", ":443"), ("http://", ":80")] {
        if host.starts_with(scheme) && host.ends_with(port) {
            host.truncate(host.len() - port.len());
        }
    }
    (host, url[path_at..].to_owned())
}

/// Describes posted names of which the rules need others: without a status among them no leaver is detected.
#[must_use]
pub(crate) fn mapping_problem(posted: &[String], names: &FieldNames) -> Option<String> {
    let missing = names.missing_among(posted);
    let is_unusable = missing.contains(&"status") && missing.contains(&"employment_status");
    (!posted.is_empty() && is_unusable).then(|| {
        format!(
            "it posts no field under a name that is known as status or employment status ({}); set `sources.fields` to the names that it posts",
            shown(posted)
        )
    })
}

/// Joins the first names for a message, and counts the others.
pub(crate) fn shown(names: &[String]) -> String {
    let (first, others) = names.split_at(names.len().min(10));
    match others.len() {
        0 => first.join(", "),
        others => format!("{} and {others} more", first.join(", ")),
    }
}

/// Describes what is wrong with an existing webhook: unknown posted names, fields hidden from its owner, and the status
/// of a last delivery that was not accepted.
#[must_use]
pub fn problem(
    denied_fields: &str,
    refused_status: Option<&str>,
    mapping_problem: Option<String>,
) -> Option<String> {
    let mut problems = vec![];
    problems.extend(mapping_problem);
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
