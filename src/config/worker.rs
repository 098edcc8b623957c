//! Section `[worker]`. It has no variables of its own.

use std::time::Duration;

use serde::Deserialize;

use super::values::{ByteSize, ConfigDuration};
use super::{Provenance, SettingsError};

/// Processing of deliveries.
#[derive(Debug, Clone)]
pub struct WorkerSettings {
    /// Largest number of deliveries in a batch; at least 1.
    pub batch_size: i64,
    /// Number of batches processed at the same time; at least 1.
    pub concurrency: u32,
    /// Largest sum of the bodies in a batch, in bytes.
    pub batch_bytes: i64,
    /// How often the queue is read without a notification; at least 1 ms.
    pub poll_interval: Duration,
    /// Failed attempts after which a delivery is given up; at least 1.
    pub max_attempts: i32,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawWorker {
    batch_size: i64,
    concurrency: u32,
    batch_bytes: ByteSize,
    poll_interval: ConfigDuration,
    max_attempts: i32,
}

impl RawWorker {
    pub(super) fn build(&self, provenance: &Provenance) -> Result<WorkerSettings, SettingsError> {
        for (key, is_enough) in [
            ("worker.batch_size", self.batch_size >= 1),
            ("worker.concurrency", self.concurrency >= 1),
            ("worker.max_attempts", self.max_attempts >= 1),
        ] {
            provenance.require_minimum(key, is_enough, "1")?;
        }
        Ok(WorkerSettings {
            batch_size: self.batch_size,
            concurrency: self.concurrency,
            batch_bytes: i64::try_from(self.batch_bytes.0).unwrap_or(i64::MAX),
            poll_interval: provenance
                .require_duration("worker.poll_interval", self.poll_interval)?,
            max_attempts: self.max_attempts,
        })
    }
}
