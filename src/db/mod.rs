//! Access to Postgres: the connection pool, errors, transactions, advisory locks and the schema `leaver`.

pub(crate) mod advisory_lock;
pub mod backends;
pub mod connection;
pub(crate) mod employee_keys;
pub mod error;
pub mod pool;
pub mod schema;
pub(crate) mod transaction;
