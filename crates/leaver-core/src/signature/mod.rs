//! Authenticates webhook requests.
//!
//! The raw bytes are verified before anything parses them. [`Scheme::verify`] is the only way to obtain a
//! [`VerifiedDelivery`]. What one provider signs, and in which headers, is in its folder under `providers`.

mod hmac;
pub(crate) use hmac::matches_any_key;
pub use hmac::{EmptyKey, Key};

mod headers;
pub(crate) use headers::{sensitive_value, single_header};

mod rejection;
pub use rejection::Rejection;

mod scheme;
pub use scheme::Scheme;

mod verified_delivery;
pub use verified_delivery::VerifiedDelivery;

pub use crate::providers::Layout;

#[cfg(test)]
#[expect(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up should fail"
)]
pub(crate) mod tests;

#[cfg(test)]
#[expect(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up should fail"
)]
mod vector_tests;
