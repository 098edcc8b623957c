//! The codes of all reasons, for the metric that has one series for each.

/// Codes of reasons that come from this process or its connections.
pub(crate) const CODES_OF_PROCESS: [&str; 8] = [
    "draining",
    "database_unreachable",
    "not_stored",
    "sessions_shared",
    "not_started",
    "worker_stalled",
    "deliveries_refused",
    "requests_unrouted",
];

/// Codes of reasons that come from the database: all replicas have the same ones.
pub(crate) const CODES_OF_DATABASE: [&str; 16] = [
    "restored",
    "safeguard_tripped",
    "deactivations_blocked",
    "scheduled_ends_overdue",
    "terminated_with_access",
    "fields_not_mapped",
    "linked_account_not_listed",
    "deliveries_failed",
    "pending_reads_failing",
    "source_silent",
    "sync_incomplete",
    "provider_webhook_problem",
    "standby_not_synchronous",
    "destination_paused",
    "events_waiting",
    "events_dead",
];
