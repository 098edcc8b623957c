//! The background jobs of the service: deliveries, scheduled access ends, housekeeping, reads of provider APIs, drift.

pub mod runner;
pub mod deliveries;
pub mod scheduled_ends;
pub(crate) mod housekeeping;
pub mod lineage;
pub mod sync;
mod traces;
pub mod drift;
pub mod source_silence;
pub mod provider_webhooks;
pub mod outbox;
