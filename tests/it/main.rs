//! All tests of the service as seen from outside, in one binary, so that it links once.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that fails may panic"
)]

mod accounts;
mod architecture;
mod archive;
mod backtest;
mod bulk_reads;
mod cases;
mod checking;
mod commands;
mod connections;
mod correctness;
mod databases;
mod demo;
mod documents;
mod draining;
mod drift;
mod duplicates;
mod embedded;
mod employees;
mod events;
mod faults;
mod fuzzing;
mod hardening;
mod holds;
mod hooks;
mod intake;
mod migrations;
mod monitoring;
mod older_queries;
mod packages;
mod printing;
mod privacy;
mod pull_clients;
mod pull_generated;
mod pull_reads;
mod pull_sync;
mod recipes;
mod rehire;
mod rights;
mod safeguard;
mod scale;
mod serving;
mod setup;
mod silence;
mod simulation;
mod support;
mod sweeps;
mod timer;
mod understanding;
mod webhooks;
mod wording;
mod worker;
