//! How long a source may send nothing, from the configuration. Health reports it, and a background job warns of it.

use std::time::Duration;

use leaver_core::domain::SourceName;

/// How long a source may send nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SilenceThreshold {
    /// The source.
    pub source: SourceName,
    /// A longer silence is reported; `None` reports none.
    pub after: Option<Duration>,
}
