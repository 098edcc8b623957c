//! Linked accounts of Merge that deliver, and those that were deleted.
//!
//! A source without `linked_accounts` is one company: the first linked account that delivers. Once it is deleted, the next one
//! that delivers takes its place. The deliveries of others have no effect until they are listed.

pub(crate) mod store;

use chrono::{DateTime, Utc};

use leaver_core::domain::SourceName;

/// A linked account that delivered to a source, or was deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LinkedAccount {
    /// The source.
    pub source: SourceName,
    /// Merge's id.
    pub id: String,
    /// When its first delivery arrived.
    pub first_seen_at: DateTime<Utc>,
    /// Since when it is the company of a source without `linked_accounts`; `None` if it never was.
    pub company_since: Option<DateTime<Utc>>,
    /// When Merge reported that it was deleted.
    pub deleted_at: Option<DateTime<Utc>>,
}

/// Returns the linked account that is the company of a source without `linked_accounts`.
pub(crate) fn company<'a>(
    accounts: &'a [LinkedAccount],
    source: &SourceName,
) -> Option<&'a LinkedAccount> {
    accounts.iter().find(|account| {
        account.source == *source && account.company_since.is_some() && account.deleted_at.is_none()
    })
}
