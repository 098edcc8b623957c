//! The shape of the configuration as it is written, and what its words mean to the rules.

use serde::Deserialize;

use super::LogFormat;
use super::sources::RawSource;
use super::values::{self, ByteSize, ConfigDuration};
use leaver_core::decision::policy::{Cutoff, DriftMode, OnUncertain, Rehire};

/// The layers put together, before anything is checked beyond its shape.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Raw {
    pub(super) server: RawServer,
    pub(super) database: RawDatabase,
    pub(super) accounts: RawAccounts,
    pub(super) policy: RawPolicy,
    pub(super) inbox: RawInbox,
    pub(super) worker: RawWorker,
    pub(super) log: RawLog,
    #[serde(default)]
    pub(super) sources: Vec<RawSource>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawServer {
    pub(super) listen: String,
    pub(super) max_body: ByteSize,
    pub(super) max_in_flight: ByteSize,
    pub(super) body_timeout: ConfigDuration,
    pub(super) store_timeout: ConfigDuration,
    pub(super) header_timeout: ConfigDuration,
    pub(super) idle_timeout: ConfigDuration,
    pub(super) write_timeout: ConfigDuration,
    pub(super) max_connections: usize,
    pub(super) drain_timeout: ConfigDuration,
    pub(super) admin_token: values::SecretRef,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawDatabase {
    pub(super) url: values::SecretRef,
    pub(super) migrate: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawAccounts {
    pub(super) table: String,
    pub(super) id_column: String,
    pub(super) email_column: String,
    pub(super) active_column: String,
    pub(super) tenant_column: String,
    pub(super) end_sessions: Vec<String>,
    pub(super) protected: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawPolicy {
    pub(super) timezone: values::Zone,
    pub(super) cutoff: values::CutoffText,
    pub(super) inactive_without_date: values::ResponseWord,
    pub(super) rehire: values::RehireWord,
    pub(super) drift: values::RemedyWord,
    pub(super) silence_alarm: values::SilenceText,
    pub(super) deleted: RawDeleted,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawDeleted {
    pub(super) bamboohr: values::ResponseWord,
    pub(super) merge: values::ResponseWord,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawInbox {
    pub(super) keep: ConfigDuration,
    pub(super) retention: ConfigDuration,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawWorker {
    pub(super) batch: i64,
    pub(super) batches: u32,
    pub(super) batch_size: ByteSize,
    pub(super) poll: ConfigDuration,
    pub(super) max_attempts: i32,
    pub(super) drift_check: ConfigDuration,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawLog {
    pub(super) filter: String,
    pub(super) format: LogFormat,
}

impl From<values::ResponseWord> for OnUncertain {
    fn from(word: values::ResponseWord) -> Self {
        match word {
            values::ResponseWord::Hold => Self::Hold,
            values::ResponseWord::Deactivate => Self::Deactivate,
            values::ResponseWord::Ignore => Self::Ignore,
        }
    }
}

impl From<values::RehireWord> for Rehire {
    fn from(word: values::RehireWord) -> Self {
        match word {
            values::RehireWord::Hold => Self::Hold,
            values::RehireWord::Reactivate => Self::Reactivate,
            values::RehireWord::Ignore => Self::Ignore,
        }
    }
}

impl From<values::RemedyWord> for DriftMode {
    fn from(word: values::RemedyWord) -> Self {
        match word {
            values::RemedyWord::Report => Self::Report,
            values::RemedyWord::Fix => Self::Fix,
        }
    }
}

impl From<values::CutoffText> for Cutoff {
    fn from(text: values::CutoffText) -> Self {
        text.0
    }
}
