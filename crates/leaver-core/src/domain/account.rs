//! A row of the application's users table.

use super::{AccountId, WorkEmail};

/// One account of the application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The id of the row.
    pub id: AccountId,
    /// The e-mail of the row, if it has one.
    pub email: Option<WorkEmail>,
    /// True if the account is enabled.
    pub is_active: bool,
    /// True if only a person may end its access, by its id or the predicate of protected accounts.
    pub is_protected: bool,
    /// True if the row is inactive by a status that Leaver does not write. Such an account is not given back.
    pub has_other_inactive_status: bool,
}
