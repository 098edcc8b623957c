//! Selects the changes of an undo.

use std::fmt;

use chrono::{DateTime, SecondsFormat, Utc};
use uuid::Uuid;

/// Selects the changes of an undo.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Selection {
    /// Those of a delivery.
    Delivery(Uuid),
    /// Those of a batch.
    Batch(Uuid),
    /// Those that led to a trip, and those of its release.
    Trip(i64),
    /// Those of a time, except for undos. Both ends are included.
    Since {
        /// The first moment.
        from: DateTime<Utc>,
        /// The last moment; `None` for now.
        until: Option<DateTime<Utc>>,
    },
}

impl fmt::Display for Selection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |at: &DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::AutoSi, true);
        match self {
            Self::Delivery(id) => write!(f, "delivery {id}"),
            Self::Batch(id) => write!(f, "batch {id}"),
            Self::Trip(id) => write!(f, "trip {id}"),
            Self::Since { from, until: None } => write!(f, "changes since {}", text(from)),
            Self::Since {
                from,
                until: Some(until),
            } => write!(f, "changes from {} to {}", text(from), text(until)),
        }
    }
}
