//! Small things that every module may use: the clock, liveness, metrics, fail points, log throttling.

pub mod clock;
pub mod failpoints;
pub mod liveness;
pub mod log_throttle;
pub mod metrics;
