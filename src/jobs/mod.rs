//! The background work of the service: deliveries, scheduled access ends, housekeeping, reads of provider APIs, drift.

pub mod deliveries;
pub mod drift;
pub mod housekeeping;
pub mod provider_webhooks;
pub mod scheduled_ends;
pub mod source_silence;
pub mod sync;
mod engine_failure;

pub use engine_failure::EngineFailure;
