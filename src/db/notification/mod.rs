//! Messages between the processes on one database, over one channel.
//!
//! `NOTIFY` serialises commits of the whole database, so there is none per delivery.

pub(crate) mod store;

/// The channel. A process listens to all topics.
pub(crate) const CHANNEL: &str = "leaver";

/// Work for which other processes look after a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::IntoStaticStr, strum::EnumString)]
#[strum(serialize_all = "snake_case")]
pub enum Topic {
    /// Deliveries are due.
    Deliveries,
    /// An access end is due soon.
    Schedule,
    /// Reads of employees are due.
    Reads,
    /// Events are due.
    Events,
}
