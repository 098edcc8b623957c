//! The merged layers as text and numbers. Each section's file checks its values.

use serde::Deserialize;

use super::accounts::RawAccounts;
use super::database::RawDatabase;
use super::destinations::RawDestination;
use super::drift::RawDrift;
use super::events::RawEvents;
use super::inbox::RawInbox;
use super::log::RawLog;
use super::observations::RawObservations;
use super::pending_reads::RawPendingReads;
use super::policy::RawPolicy;
use super::safeguard::RawSafeguard;
use super::server::RawServer;
use super::sources::RawSource;
use super::traces::RawTraces;
use super::worker::RawWorker;

/// All sections. Only key names and types have been checked.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Raw {
    pub(super) server: RawServer,
    pub(super) database: RawDatabase,
    pub(super) accounts: RawAccounts,
    pub(super) policy: RawPolicy,
    pub(super) drift: RawDrift,
    pub(super) safeguard: RawSafeguard,
    pub(super) pending_reads: RawPendingReads,
    pub(super) inbox: RawInbox,
    pub(super) observations: RawObservations,
    pub(super) events: RawEvents,
    pub(super) worker: RawWorker,
    pub(super) log: RawLog,
    pub(super) traces: RawTraces,
    #[serde(default)]
    pub(super) sources: Vec<RawSource>,
    #[serde(default)]
    pub(super) destinations: Vec<RawDestination>,
}
