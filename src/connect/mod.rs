//! Clients of the providers' APIs, used to read what webhooks leave out or lost.
//!
//! [`MergeApi`] and [`BambooHrApi`] share one [`Transport`] with timeouts, retries and rate limits. They return what
//! `leaver_core::providers` parses from a response and draw no conclusion: a failed or incomplete read never means
//! that somebody left. [`ProviderClient`] is the only place that chooses between the providers.

mod error;
pub use error::ReadError;

mod address;
pub use address::{BambooHrAddress, MergeAddress};

mod limits;
pub use limits::ClientLimits;

mod http;
pub use http::Transport;

pub(crate) mod failure;
mod probe;
pub(crate) use probe::{Findings, Probe};

mod rate_limit;
mod retry;
mod trace;

mod bamboohr;
pub use bamboohr::{
    BambooHrApi, MONITORED_FIELDS, ReadWay, Way, WebhookError, WebhookKind, WebhookRequest,
    history_begins,
};

pub(crate) use bamboohr::withheld;

mod merge;
pub use merge::{LinkedAccount, MergeApi};

mod provider_client;
pub(crate) use provider_client::ProviderClient;
pub(crate) use provider_client::{EmployeeBatch, EmployeeBatches, Selection, SyncedAccount};

pub mod client;
pub mod destinations;

#[cfg(test)]
#[expect(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up should fail"
)]
mod tests;
