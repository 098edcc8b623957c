//! Health of the service: database, schema, worker, backlog, sources. Holds no secret and no personal data.

pub(crate) mod codes;
mod destinations;
mod gauges;
mod idle;
mod probe;
mod query;
pub(crate) mod reasons;
mod shared;
mod store;
mod writes;
#[cfg(test)]
#[expect(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up should fail"
)]
mod tests;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;

pub(crate) use self::probe::CACHE_FOR;
pub(crate) use self::probe::HealthProbe;
use self::query::DatabaseHealth;
use self::reasons::Reason;
use crate::base::liveness::{Liveness, Phase};
use crate::base::rejections::RejectionReport;
use crate::db::error::Cause;
use crate::ingest::inbox::queries::Backlog;
use crate::jobs::provider_webhooks::ProviderWebhook;
use crate::jobs::source_silence::SilenceThreshold;
use crate::reports::events::DestinationStatus;
use leaver_core::domain::SourceName;
use leaver_core::providers::ProviderConfig;
use leaver_core::safeguard::SourceMode;

/// The mode in which each source starts.
pub(crate) type StartModes = BTreeMap<SourceName, SourceMode>;

/// How the payloads of each source are parsed; it lists the linked accounts.
pub(crate) type ProviderConfigs = BTreeMap<SourceName, ProviderConfig>;

/// A worker without a sign of life for longer is stalled.
const STALLED_AFTER_SECONDS: i64 = 60;

/// The response of `/health`.
#[derive(Debug, Serialize)]
pub struct Health {
    /// Summary of everything below.
    pub status: HealthState,
    /// Everything that keeps `status` from being `ok`, the gravest first.
    pub reasons: Vec<Reason>,
    /// Version of this binary.
    pub version: &'static str,
    /// `enforce`: decisions are carried out. `shadow`: they are planned. `mixed`: the sources differ.
    pub mode: &'static str,
    /// `ok` or `unreachable`.
    pub database: &'static str,
    /// `ok`, or why deliveries cannot be stored, such as `read only`.
    pub storing: &'static str,
    /// `current`, or `pending` until the migrations are applied.
    pub schema: &'static str,
    /// `starting`, `running` or `stalled`.
    pub worker: &'static str,
    /// Deliveries in the inbox.
    pub backlog: Backlog,
    /// Scheduled access ends.
    pub schedule: Schedule,
    /// Number of open holds.
    pub holds: i64,
    /// When the oldest of them was opened.
    #[serde(skip)]
    pub oldest_hold_at: Option<DateTime<Utc>>,
    /// Number of scheduled access ends that are late.
    #[serde(skip)]
    pub overdue_ends: i64,
    /// Number of employees whose deactivation the database did not carry out.
    pub blocked: i64,
    /// Number of employees who left and for whom no account is found.
    pub without_account: i64,
    /// Number of employees to be read over their provider's API.
    pub pending_reads: i64,
    /// Number of these reads that failed and wait for more than a minute, or cannot succeed.
    #[serde(skip)]
    pub failing_reads: i64,
    /// State of the safeguard.
    pub safeguard: Safeguard,
    /// Result of the last drift check, if there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drift: Option<DriftHealth>,
    /// Each source, by name.
    pub sources: BTreeMap<String, SourceHealth>,
    /// Each destination of events, by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) destinations: BTreeMap<String, DestinationStatus>,
}

/// Summary of the service's health.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum HealthState {
    /// Everything works.
    Ok,
    /// The service works, and an operator should look at something.
    Degraded,
    /// The service does not work; `/health` answers 503.
    Unavailable,
}

/// Scheduled access ends.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Schedule {
    /// Number of them.
    pub pending: i64,
    /// Time of the next one.
    pub next_at: Option<DateTime<Utc>>,
}

/// State of the safeguard.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Safeguard {
    /// Open trips; empty while it stops nothing.
    pub tripped: Vec<TripHealth>,
}

/// An open trip of the safeguard.
#[derive(Clone, Debug, Serialize)]
pub struct TripHealth {
    /// The tenant.
    pub tenant: String,
    /// `deactivated` or `reactivated`: the changes that it holds.
    pub direction: String,
    /// The ID of the trip.
    pub trip: i64,
    /// Number of held changes.
    pub held: i64,
}

/// Result of the last drift check.
#[derive(Clone, Debug, Serialize)]
pub struct DriftHealth {
    /// Time of the check.
    pub checked_at: DateTime<Utc>,
    /// Number of active accounts whose employee has left.
    pub terminated_with_access: i64,
}

/// Deliveries and syncs of one source.
#[derive(Clone, Debug, Default, Serialize)]
pub struct SourceHealth {
    /// `enforce`: its changes are made. `shadow`: they are planned.
    pub mode: SourceMode,
    /// Time of the last authentic delivery.
    pub last_delivery_at: Option<DateTime<Utc>>,
    /// When it was first configured.
    #[serde(skip)]
    pub listening_since: Option<DateTime<Utc>>,
    /// Start of the silence, when it is longer than `max_silence`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub silent_since: Option<DateTime<Utc>>,
    /// End of the last complete sync.
    pub last_sync_at: Option<DateTime<Utc>>,
    /// The last sync, when it was incomplete.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_sync: Option<IncompleteSync>,
    /// How its employees are read, where there are several ways.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read: Option<ReadHealth>,
    /// State of BambooHR's webhooks that post to this source, as of the last check.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub webhooks: Vec<ProviderWebhook>,
}

/// Returns the mode in which a source starts.
fn start_mode(modes: &StartModes, source: &SourceName) -> SourceMode {
    modes.get(source).copied().unwrap_or_default()
}

/// Returns the mode of all sources, or `mixed`.
fn common_mode(modes: impl Iterator<Item = SourceMode>) -> &'static str {
    let modes: Vec<SourceMode> = modes.collect();
    let is_any = |mode: SourceMode| modes.contains(&mode);
    match (is_any(SourceMode::Enforce), is_any(SourceMode::Shadow)) {
        (true, true) => "mixed",
        (false, true) => SourceMode::Shadow.as_str(),
        (_, false) => SourceMode::Enforce.as_str(),
    }
}

impl SourceHealth {
    /// Makes the health of a source of which only the configuration is known.
    fn of(threshold: &SilenceThreshold, start_modes: &StartModes) -> Self {
        Self {
            mode: start_mode(start_modes, &threshold.source),
            ..Self::default()
        }
    }

    fn unhealthy_webhooks(&self) -> i64 {
        let unhealthy = self.webhooks.iter().filter(|hook| hook.problem.is_some());
        i64::try_from(unhealthy.count()).unwrap_or(i64::MAX)
    }
}

/// The way in which the last sync that met a changed employee read them.
#[derive(Clone, Debug, Serialize)]
pub struct ReadHealth {
    /// `report`, `dataset` or `single`.
    pub way: String,
    /// Why no better way was used.
    pub because: String,
}

/// A sync that did not read everything.
#[derive(Clone, Debug, Serialize)]
pub struct IncompleteSync {
    /// Always `incomplete`.
    pub state: &'static str,
    /// The error that it met.
    pub reason: String,
    /// Its start.
    pub started_at: DateTime<Utc>,
}

impl Health {
    /// `found` is `None` when the database did not answer. `stored` has the cause when deliveries cannot be stored.
    #[expect(
        clippy::too_many_arguments,
        reason = "each is a separate source of what is known"
    )]
    fn new(
        found: Option<DatabaseHealth>,
        stored: &Result<(), Cause>,
        is_migrated: bool,
        liveness: &Liveness,
        start_modes: &StartModes,
        silence_thresholds: &[SilenceThreshold],
        rejections: &RejectionReport,
        now: DateTime<Utc>,
    ) -> Self {
        let worker = match liveness.heartbeat_age_seconds(now) {
            None => "starting",
            Some(age) if age > STALLED_AFTER_SECONDS => "stalled",
            Some(_) => "running",
        };
        let is_reachable = found.is_some();
        let found = found.unwrap_or_else(|| DatabaseHealth {
            sources: silence_thresholds
                .iter()
                .map(|one| (one.source.to_string(), SourceHealth::of(one, start_modes)))
                .collect(),
            ..DatabaseHealth::default()
        });
        let database = if is_reachable { "ok" } else { "unreachable" };
        let mut reasons = reasons::of_service(&reasons::Service {
            not_stored: stored.as_ref().err(),
            is_migrated,
            is_stalled: worker == "stalled",
        });
        let phase = liveness.phase();
        let is_unavailable = !reasons.is_empty() || phase == Phase::Draining;
        reasons.extend(reasons::of_phase(phase));
        reasons.extend(reasons::of_database(&found));
        reasons.extend(reasons::of_requests(rejections, now));
        let status = match (is_unavailable, reasons.is_empty()) {
            (true, _) => HealthState::Unavailable,
            (false, false) => HealthState::Degraded,
            (false, true) => HealthState::Ok,
        };
        Self {
            status,
            reasons,
            mode: common_mode(found.sources.values().map(|source| source.mode)),
            version: env!("CARGO_PKG_VERSION"),
            database,
            storing: stored.as_ref().err().map_or("ok", Cause::name),
            schema: if is_migrated { "current" } else { "pending" },
            worker,
            backlog: found.backlog,
            schedule: found.schedule,
            holds: found.holds.count,
            oldest_hold_at: found.holds.oldest_at,
            overdue_ends: found.overdue.count,
            blocked: found.leavers.blocked,
            without_account: found.leavers.without_account,
            pending_reads: found.pending_reads,
            failing_reads: found.failing_reads.count,
            safeguard: Safeguard {
                tripped: found.trips,
            },
            drift: found.drift,
            sources: found.sources,
            destinations: found
                .destinations
                .into_iter()
                .map(|one| (one.name.clone(), one))
                .collect(),
        }
    }
}
