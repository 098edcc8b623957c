//! The HR vendors whose webhooks we understand. A new one is a new case here, and the compiler then
//! names every room that it must visit.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Who built the sender: decides how a delivery is signed and how its body reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Provider {
    /// BambooHR itself.
    BambooHr,
    /// Merge, which stands in front of many HR systems.
    Merge,
}

/// A provider that we do not know.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a provider: use `bamboohr` or `merge`")]
pub struct UnknownProvider(String);

impl Provider {
    /// Reads the word that configuration and database use.
    ///
    /// # Errors
    /// [`UnknownProvider`] for any other word.
    pub fn parse(text: &str) -> Result<Self, UnknownProvider> {
        match text {
            "bamboohr" => Ok(Self::BambooHr),
            "merge" => Ok(Self::Merge),
            other => Err(UnknownProvider(other.to_owned())),
        }
    }

    /// The word that configuration and database use.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BambooHr => "bamboohr",
            Self::Merge => "merge",
        }
    }
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
