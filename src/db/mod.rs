//! Access to Postgres: the connection pool, errors, transactions, advisory locks, messages between processes and the schema `leaver`.

pub(crate) mod advisory_lock;
pub mod backends;
pub mod connection;
pub(crate) mod employee_keys;
pub mod error;
pub(crate) mod notification;
pub mod lineage;
pub mod pool;
pub mod replication;
pub mod schema;
pub(crate) mod transaction;
