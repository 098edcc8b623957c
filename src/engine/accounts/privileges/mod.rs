//! Privileges on the accounts table.

pub(crate) mod store;

pub(crate) use self::store::{Rights, rights};
