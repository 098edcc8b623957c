//! A row of the application's users table, as far as we look at it.

use super::{AccountId, WorkEmail};

/// One account of the application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The row's id.
    pub id: AccountId,
    /// The row's e-mail, when it has one.
    pub email: Option<WorkEmail>,
    /// Whether the person can use the application.
    pub is_active: bool,
}
