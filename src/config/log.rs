//! Section `[log]`. Variables: `LEAVER_LOG`, `LEAVER_LOG_FORMAT`.

use serde::Deserialize;

/// Filter and format of the log.
#[derive(Debug, Clone)]
pub struct Log {
    /// A tracing filter.
    pub filter: String,
    /// Format of a line.
    pub format: LogFormat,
}

/// Format of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Text for people.
    Text,
    /// One JSON object per line.
    Json,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawLog {
    filter: String,
    format: LogFormat,
}

impl RawLog {
    pub(super) fn build(self) -> Log {
        Log {
            filter: self.filter,
            format: self.format,
        }
    }
}
