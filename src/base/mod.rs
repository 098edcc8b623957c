//! Small parts that every module may use: clock, liveness, metrics, backoff, fail points, log throttling.

pub mod backoff;
pub mod clock;
pub mod failpoints;
pub(crate) mod halves;
pub mod liveness;
pub mod log_throttle;
pub mod metrics;
pub mod panics;
