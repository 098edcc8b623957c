//! Small parts that every module may use: clock, liveness, metrics, backoff, fail points, log throttling,
//! traces.

pub(crate) mod backoff;
pub mod build;
pub mod clock;
pub(crate) mod descriptors;
pub(crate) mod failpoints;
pub(crate) mod halves;
pub mod liveness;
pub(crate) mod log_throttle;
pub mod metrics;
pub(crate) mod panics;
pub(crate) mod process;
pub(crate) mod progress;
pub(crate) mod rejections;
pub mod traces;
