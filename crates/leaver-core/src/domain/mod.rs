//! The words that every room shares: who sent something, whom it is about, what is known of them.
//!
//! Nothing here does I/O, reads a clock or knows a vendor's spelling. A value that exists is valid:
//! each newtype has one way in, its `parse`.

mod ids;
pub use ids::{AccountId, DeliveryId, EmployeeId, InvalidName, SourceName, Tenant};

mod provider;
pub use provider::Provider;

mod email;
pub use email::WorkEmail;

mod employee_change;
pub use employee_change::{
    ChangeKind, DateOrInstant, EmployeeChange, EmploymentStatus, Facts, Field, Status,
};

mod employee;
pub use employee::{Employee, EmployeeKey, Fact, KeyColumns};

mod account;
pub use account::Account;

#[cfg(test)]
#[expect(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up should fail"
)]
mod tests;
