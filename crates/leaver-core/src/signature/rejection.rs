//! Why a delivery is refused. The sender is told none of this; it is for the log and a counter.

/// Why a delivery is refused at the door.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum Rejection {
    /// No signature header, or an empty one.
    #[error("no signature header: sent by somebody else, or dropped by a proxy on the way")]
    MissingSignature,
    /// A signature header that the provider would not send, or more than one.
    #[error("the signature header is not of this provider's form: check the source's provider")]
    MalformedSignature,
    /// No configured key made this signature over these bytes.
    #[error(
        "no configured key made this signature: check the source's webhook keys and \
         signature layout, and that no proxy rewrites the body"
    )]
    WrongSignature,
    /// No timestamp header, or an empty one, where the provider signs one.
    #[error("no timestamp header: sent by somebody else, or dropped by a proxy on the way")]
    MissingTimestamp,
    /// A timestamp header that is no time, or more than one.
    #[error("the timestamp header is neither unix seconds nor an ISO 8601 time")]
    MalformedTimestamp,
    /// Rightly signed, but longer ago than `timestamp_tolerance` allows.
    #[error(
        "the timestamp is too old: a late retry or a replay; check the source's `timestamp_tolerance`"
    )]
    StaleTimestamp,
    /// Rightly signed, but further ahead than `timestamp_tolerance` allows.
    #[error("the timestamp lies ahead: check this machine's clock")]
    FutureTimestamp,
}

impl Rejection {
    /// Returns the word in metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}
