//! Reads the providers' APIs, for what webhooks do not tell and what they lost.
//!
//! Here are the clients: [`MergeApi`] and [`BambooHrApi`], over one [`Transport`] that knows patience and
//! manners, the [`Reader`] of what is due, the
//! [`Syncer`] of whole companies and the [`HookWatch`] over BambooHR's webhooks. The clients give back what the payload room makes of an answer, and conclude nothing: whoever calls
//! them decides what a failed or incomplete read means, and absence never means that somebody left.

mod error;
pub use error::ReadError;

mod address;
pub use address::{BadAddress, BambooHrAddress, MergeAddress};

mod limits;
pub use limits::Limits;

mod http;
pub use http::Transport;

mod budget;
mod retry;

mod merge;
pub use merge::{EmployeePages, LinkedAccount, MergeApi};

mod bamboohr;
pub use bamboohr::{BambooHrApi, history_begins};

mod hooks;
pub use hooks::{HookError, HookKind, MONITORED, WantedHook};

mod watch;
pub use watch::{HookWatch, Look};

mod gaps;
pub use gaps::{Fate, Gap, GapReport, HookGaps};

mod gather;
mod sync;
pub use sync::{Company, CompanyApi, SyncReport, Syncer, Wish};

mod reader;
pub use reader::Reader;

#[cfg(test)]
#[expect(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up should fail"
)]
mod tests;
