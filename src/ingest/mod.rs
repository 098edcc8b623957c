//! Stores verified deliveries: `group_commit` inserts them, `inbox` is the table from which the jobs claim them.

pub mod group_commit;
pub mod inbox;
mod silence_threshold;
pub(crate) mod store_signs;

pub use self::silence_threshold::SilenceThreshold;
