//! Reads the whole roster page by page, to compare it with the accounts.

pub(crate) mod store;

use std::collections::BTreeSet;

/// The accounts that an employee in the roster claims.
#[derive(Clone, Debug, Default)]
pub(crate) struct ClaimedAccounts {
    /// Ids of linked accounts.
    pub account_ids: BTreeSet<String>,
    /// Work e-mails.
    pub work_emails: BTreeSet<String>,
}
