//! Reads the whole roster page by page, to compare it with the accounts.

pub(crate) mod store;

use std::collections::BTreeSet;

use leaver_core::domain::{AccountId, WorkEmail};

/// The accounts that an employee in the roster claims.
#[derive(Clone, Debug, Default)]
pub(crate) struct ClaimedAccounts {
    /// Ids of linked accounts, each with the tenant if accounts have one.
    account_ids: BTreeSet<(String, Option<String>)>,
    /// Work e-mails, each with the tenant if accounts have one.
    work_emails: BTreeSet<(String, Option<String>)>,
}

impl ClaimedAccounts {
    /// Returns whether an employee is linked to the account.
    pub(crate) fn has_link(&self, account: &AccountId) -> bool {
        let tenant = account.tenant().map(str::to_owned);
        self.account_ids
            .contains(&(account.as_str().to_owned(), tenant))
    }

    /// Returns whether an employee of the account's tenant has this work e-mail.
    pub(crate) fn has_email(&self, account: &AccountId, email: &WorkEmail) -> bool {
        let tenant = account.tenant().map(str::to_owned);
        self.work_emails
            .contains(&(email.expose().to_owned(), tenant))
    }
}
