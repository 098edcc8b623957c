//! What can be seen of Leaver from outside, in one binary, so that it links once.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that fails may panic"
)]

mod commands;
mod accounts;
mod connections;
mod demo;
mod duplicates;
mod embedded;
mod serving;
mod privacy;
mod scale;
mod support;
mod understanding;
mod holds;
mod rehire;
mod rights;
mod support;
mod timer;
mod webhooks;
mod worker;
