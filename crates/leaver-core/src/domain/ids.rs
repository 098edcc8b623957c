//! Names and ids. All are opaque text to us, whatever they look like at their owner's.

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The configured name of a sender; it stands in the webhook's path, so it is short and plain.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct SourceName(String);

/// A source name with a character that does not belong in a URL path.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a source name: use 1 to 63 of a-z, 0-9, `-` and `_`")]
pub struct InvalidName(String);

impl SourceName {
    /// Accepts 1 to 63 of `a-z`, `0-9`, `-` and `_`.
    ///
    /// # Errors
    /// [`InvalidName`] for anything else.
    pub fn parse(text: &str) -> Result<Self, InvalidName> {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
        if (1..=63).contains(&text.len()) && text.chars().all(plain) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidName(text.chars().take(80).collect()))
        }
    }
}

/// The customer company that an employee belongs to. Employee ids and e-mails are unique only inside it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Tenant(String);

/// The HR system's own id of an employee: digits at BambooHR, a UUID at Merge.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EmployeeId(String);

/// The id of a row in the application's users table, as text, whatever the column's type is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AccountId(String);

macro_rules! opaque_text {
    ($($name:ident),*) => {$(
        impl $name {
            /// Takes the text as it is.
            pub fn new(text: impl Into<String>) -> Self {
                Self(text.into())
            }
        }
    )*};
}

macro_rules! reads_as_text {
    ($($name:ident),*) => {$(
        impl $name {
            /// The text itself.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}

opaque_text!(Tenant, EmployeeId, AccountId);
reads_as_text!(SourceName, Tenant, EmployeeId, AccountId);

/// One webhook request that we stored; a version 7 UUID, so ids sort by arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DeliveryId(pub Uuid);

impl fmt::Display for DeliveryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
