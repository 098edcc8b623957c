//! Stores verified deliveries: `group_commit` inserts them, `inbox` is the table that the jobs claim them from.

pub mod group_commit;
pub mod inbox;
mod silence_threshold;

pub use self::silence_threshold::SilenceThreshold;
