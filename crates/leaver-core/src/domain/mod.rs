//! The types that every module shares: ids, providers, employees and accounts.
//!
//! They depend on no provider's format. Each newtype is validated where it is made.

mod ids;
pub use ids::{AccountId, DeliveryId, EmployeeId, InvalidName, SourceName, Tenant};

mod provider;
pub use provider::{Capabilities, Provider};

mod actor;
pub use actor::{Actor, CliUser, InvalidActor, ServicePart, TokenId, UserId};

mod operator;
pub use operator::Operator;

mod printable;
pub use printable::{is_unprintable, printable, printable_json, printable_lines};

mod email;
pub use email::WorkEmail;

mod email_domains;
pub use email_domains::{EmailDomains, InvalidDomains};

mod employee_change;
pub use employee_change::{
    ChangeKind, DateOrInstant, EmployeeChange, EmploymentStatus, Facts, Field, PostedText, Status,
};

mod employee;
pub use employee::{Blocked, Departure, Employee, EmployeeKey, Fact, ReadFailure, UnreadableFacts};

mod position;
pub use position::{HashedText, Position, PositionFact};

mod moment;
pub use moment::{is_older, is_same_moment};

mod account;
pub use account::Account;

#[cfg(test)]
#[expect(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up should fail"
)]
mod tests;
