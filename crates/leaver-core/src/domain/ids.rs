//! Names and ids. Their text is opaque: nothing is derived from its format.

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The configured name of a source. It is part of the webhook's path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct SourceName(String);

/// The text is not a source name.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a source name; use 1 to 63 of a-z, 0-9, `-` and `_`")]
pub struct InvalidName(String);

impl SourceName {
    /// Parses a name of 1 to 63 characters among `a-z`, `0-9`, `-` and `_`.
    ///
    /// # Errors
    /// Returns [`InvalidName`] for any other text.
    pub fn parse(text: &str) -> Result<Self, InvalidName> {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
        if (1..=63).contains(&text.len()) && text.chars().all(plain) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidName(text.chars().take(80).collect()))
        }
    }
}

/// The company that an employee belongs to. Employee ids and e-mails are unique only within a tenant.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Tenant(String);

/// The provider's id of an employee.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EmployeeId(String);

/// The id of a row in the application's users table, as text for any column type, and the row's tenant if the table has a
/// tenant column. The text form is the id alone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountId {
    id: String,
    tenant: Option<String>,
}

impl AccountId {
    /// Wraps the id of a table without a tenant column.
    pub fn new(id: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            tenant: None,
        }
    }

    /// Sets the tenant. Accounts of two tenants differ even if their ids are equal.
    #[must_use]
    pub fn in_tenant(self, tenant: Option<impl Into<String>>) -> Self {
        let tenant = tenant.map(Into::into);
        Self { tenant, ..self }
    }

    /// Returns the id.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.id
    }

    /// Returns the tenant; `None` if the table has no tenant column or the row no tenant.
    #[must_use]
    pub fn tenant(&self) -> Option<&str> {
        self.tenant.as_deref()
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.id)
    }
}

impl Serialize for AccountId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.id)
    }
}

macro_rules! opaque_text {
    ($($name:ident),*) => {$(
        impl $name {
            /// Wraps a text unchanged.
            pub fn new(text: impl Into<String>) -> Self {
                Self(text.into())
            }
        }
    )*};
}

macro_rules! reads_as_text {
    ($($name:ident),*) => {$(
        impl $name {
            /// Returns the text.
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

opaque_text!(Tenant, EmployeeId);
reads_as_text!(SourceName, Tenant, EmployeeId);

/// The id of a stored webhook request: a version 7 UUID, so ids sort by time of arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DeliveryId(pub Uuid);

impl fmt::Display for DeliveryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
