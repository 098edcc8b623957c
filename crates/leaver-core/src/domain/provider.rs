//! The HR vendors whose webhooks we understand. A new one is a new case here, and the compiler then
//! names every room that it must visit.

use serde::{Deserialize, Serialize};
use strum::{Display, IntoStaticStr};

/// Who built the sender: decides how a delivery is signed and how its body reads.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, Display, IntoStaticStr,
)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum Provider {
    /// BambooHR itself.
    BambooHr,
    /// Merge, which stands in front of many HR systems.
    Merge,
}

impl Provider {
    /// Returns the word in the configuration and in the database.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}
