//! Events for other systems: their types, which destination wants which, the form in which they are sent, and signatures.

pub mod employment;
mod envelope;
mod event_type;
pub mod messages;
mod reason;
pub mod retry;
pub mod signing;
mod subscription;

pub use self::envelope::Event;
pub use self::event_type::{EventType, InvalidPattern};
pub use self::reason::without_values;
pub use self::subscription::{Subscription, Subscriptions};

#[cfg(test)]
#[expect(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up should fail"
)]
mod tests;
