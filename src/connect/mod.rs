//! Reads the providers' APIs, for what webhooks do not tell and what they lost.
//!
//! [`MergeApi`] and [`BambooHrApi`] are the clients, over one [`Transport`] with timeouts, retries and rate limits. They
//! return what `leaver_core::providers` parses from a response and conclude nothing: a failed or incomplete read never
//! means that somebody left.

mod error;
pub use error::ReadError;

mod address;
pub use address::{BambooHrAddress, InvalidAddress, MergeAddress};

mod limits;
pub use limits::ClientLimits;

mod http;
pub use http::Transport;

mod rate_limit;
mod retry;

mod merge;
pub use merge::{EmployeePages, LinkedAccount, MergeApi};

mod bamboohr;
pub use bamboohr::{
    BambooHrApi, MONITORED_FIELDS, WebhookError, WebhookKind, WebhookRequest, history_begins,
};

pub mod client;

#[cfg(test)]
#[expect(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up should fail"
)]
mod tests;
