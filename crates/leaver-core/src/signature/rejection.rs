//! Why a request is rejected. The log and a counter report the cause; the response does not.

/// Why a request is rejected.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Hash,
    thiserror::Error,
    strum::IntoStaticStr,
    strum::VariantNames,
)]
#[strum(serialize_all = "snake_case")]
pub enum Rejection {
    /// There is no signature header, or it is empty.
    #[error("the signature header is missing; another sender, or a proxy that drops headers")]
    MissingSignature,
    /// The signature header has another format than the provider's, or occurs more than once.
    #[error("the signature header is malformed; check the source's `provider`")]
    MalformedSignature,
    /// No configured key makes this signature for these bytes.
    #[error(
        "no configured key made this signature; check `webhook_secrets` and `signature_layout`, \
         and that no proxy rewrites the body"
    )]
    WrongSignature,
    /// There is no timestamp header, or it is empty, although the provider signs one.
    #[error("the timestamp header is missing; another sender, or a proxy that drops headers")]
    MissingTimestamp,
    /// The timestamp header is not a time, or occurs more than once.
    #[error("the timestamp header is neither unix seconds nor an ISO 8601 time")]
    MalformedTimestamp,
    /// The signature is right, but the timestamp is older than the tolerance.
    #[error("the timestamp is too old; a late retry or a replay, see `timestamp_tolerance`")]
    StaleTimestamp,
    /// The signature is right, but the timestamp is further ahead than the tolerance.
    #[error("the timestamp is in the future; check this machine's clock")]
    FutureTimestamp,
}

impl Rejection {
    /// All values of the metric label `reason`.
    pub const REASONS: &'static [&'static str] = <Self as strum::VariantNames>::VARIANTS;

    /// Returns the value of the metric label `reason`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}
