//! Why health is not `ok`: a stable code, a sentence, and the command to run next.

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;

use super::query::DatabaseHealth;
use super::{SourceHealth, destinations};
use crate::base::liveness::Phase;
use crate::base::rejections::{RejectionReport, SignatureRecord};
use crate::db::error::Cause;
use crate::db::lineage::Restore;
use crate::db::replication::Replication;
use leaver_core::signature::Rejection;

/// How long a request without a route degrades health.
const UNROUTED_FOR: TimeDelta = TimeDelta::hours(1);
/// A source is degraded when its last good delivery is older and others were refused since.
const NO_GOOD_DELIVERY_FOR: TimeDelta = TimeDelta::hours(1);
/// How long the last refused signature degrades health. Afterwards it was a stray request.
const REFUSED_FOR: TimeDelta = TimeDelta::hours(24);

/// Ids of linked accounts that are named.
const MAX_IDS: usize = 5;

/// One cause of a status other than `ok`. Holds no personal data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reason {
    /// Stable name, for alerts.
    pub code: &'static str,
    /// The problem and its consequence.
    pub text: String,
    /// The command that shows or fixes it.
    pub command: String,
}

impl Reason {
    pub(super) fn new(
        code: &'static str,
        text: impl Into<String>,
        command: impl Into<String>,
    ) -> Self {
        Self {
            code,
            text: text.into(),
            command: command.into(),
        }
    }
}

/// Facts that decide whether the service works.
#[derive(Debug)]
pub(super) struct Service<'a> {
    /// Why deliveries cannot be stored.
    pub(super) not_stored: Option<&'a Cause>,
    /// True once the checks at start have passed.
    pub(super) is_migrated: bool,
    /// True if no worker has finished a round for a minute.
    pub(super) is_stalled: bool,
}

/// Lists why the service is unavailable.
pub(super) fn of_service(service: &Service<'_>) -> Vec<Reason> {
    let mut reasons = vec![];
    if let Some(cause) = service.not_stored {
        reasons.push(not_stored(cause));
    }
    if !service.is_migrated {
        reasons.push(Reason::new(
            "not_started",
            "the checks at start have not passed, such as pending migrations or an unreachable database; deliveries get 503",
            "leaver check",
        ));
    }
    // Without storing, no worker can finish a round, and a restart does not help.
    if service.is_stalled && service.not_stored.is_none() {
        reasons.push(Reason::new(
            "worker_stalled",
            "no worker has finished a round for a minute; deliveries are stored and not processed; the log names the cause, and \
             without one restart the service",
            "leaver deliveries --state pending",
        ));
    }
    reasons
}

/// Returns the reason of a service that is stopping.
pub(super) fn of_phase(phase: Phase) -> Option<Reason> {
    let text = match phase {
        Phase::Starting | Phase::Ready => return None,
        Phase::Leaving => {
            "the process is stopping; deliveries are stored until `server.drain_delay` is over, and `/health/ready` answers 503 so \
             that load balancers use other replicas"
        }
        Phase::Draining => {
            "the process is stopping; requests in flight are answered and new deliveries get 503"
        }
    };
    Some(Reason::new("draining", text, "leaver health"))
}

fn not_stored(cause: &Cause) -> Reason {
    if *cause == Cause::SharedSessions {
        return Reason::new("sessions_shared", cause.advice(), "leaver check");
    }
    let (code, text) = if cause.is_unreachable() {
        (
            "database_unreachable",
            "the database does not answer; deliveries get 503 and the providers send them again",
        )
    } else {
        (
            "not_stored",
            "deliveries cannot be stored; they get 503 and the providers send them again",
        )
    };
    let text = format!("{text}; {}: {}", cause.name(), cause.advice());
    Reason::new(code, text, "leaver check")
}

/// Lists what the database shows.
pub(super) fn of_database(found: &DatabaseHealth) -> Vec<Reason> {
    let mut reasons = vec![];
    if let Some(restore) = &found.restore {
        reasons.push(restored(restore));
    }
    for trip in &found.trips {
        let what = if trip.direction == "deactivated" {
            "people who left keep access"
        } else {
            "people who returned stay without access"
        };
        reasons.push(Reason::new(
            "safeguard_tripped",
            format!(
                "the safeguard holds {} of tenant {} until a person decides; {what} meanwhile",
                count(trip.held, "change"),
                trip.tenant
            ),
            format!("leaver safeguard release {}", trip.trip),
        ));
    }
    if found.leavers.blocked > 0 {
        reasons.push(Reason::new(
            "deactivations_blocked",
            format!(
                "the database did not carry out {}; these people left and still have access",
                count(found.leavers.blocked, "deactivation")
            ),
            "leaver drift",
        ));
    }
    if let Some(oldest_at) = found.overdue.oldest_at {
        reasons.push(Reason::new(
            "scheduled_ends_overdue",
            format!(
                "{} not carried out, the oldest was due at {}; the service may hang, or another session locks the \
                 accounts: look for long transactions in `pg_stat_activity`",
                count(found.overdue.count, "scheduled end"),
                minute(oldest_at)
            ),
            "leaver drift",
        ));
    }
    if let Some(drift) = &found.drift
        && drift.terminated_with_access > 0
    {
        reasons.push(Reason::new(
            "terminated_with_access",
            format!(
                "{} of people who left are active, at the check of {}",
                count(drift.terminated_with_access, "account"),
                minute(drift.checked_at)
            ),
            "leaver drift",
        ));
    }
    for unmapped in &found.unmapped {
        reasons.push(Reason::new(
            "fields_not_mapped",
            format!(
                "source {}: {} posted fields under unknown names only; set `sources.fields` to the posted names and replay",
                unmapped.source,
                count(unmapped.count, "delivery")
            ),
            format!("leaver deliveries --source {}", unmapped.source),
        ));
    }
    for unlisted in &found.unlisted {
        reasons.push(Reason::new(
            "linked_account_not_listed",
            format!(
                "source {}: {} without effect ({}); list those of your company in `linked_accounts` of the source and \
                 replay, and the others in `ignored_linked_accounts`",
                unlisted.source,
                count(i64::try_from(unlisted.accounts.len()).unwrap_or(i64::MAX), "linked account"),
                first_of(&unlisted.accounts)
            ),
            format!("leaver deliveries --source {}", unlisted.source),
        ));
    }
    if found.backlog.failed > 0 {
        reasons.push(Reason::new(
            "deliveries_failed",
            format!(
                "{} could not be processed; fix the cause and replay before `inbox.failed_retention` deletes the bodies",
                count(found.backlog.failed, "delivery")
            ),
            "leaver deliveries --state failed",
        ));
    }
    if found.failing_reads.count > 0 {
        let cause = found.failing_reads.reason.as_deref();
        reasons.push(Reason::new(
            "pending_reads_failing",
            format!(
                "{} cannot be read over the API: {}",
                count(found.failing_reads.count, "changed employee"),
                cause.unwrap_or("no cause is known")
            ),
            "leaver sync",
        ));
    }
    for (name, source) in &found.sources {
        reasons.extend(of_source(name, source));
    }
    let replication = found.replication.as_ref();
    if let Some(warning) = replication.and_then(Replication::failover_warning) {
        reasons.push(Reason::new(
            "standby_not_synchronous",
            warning,
            "leaver check",
        ));
    }
    reasons.extend(destinations::reasons(&found.destinations));
    reasons
}

fn restored(restore: &Restore) -> Reason {
    Reason::new(
        "restored",
        format!(
            "{}; rows were known until {}, and this was found at {}; run `leaver sync --full` and `leaver webhooks gaps`, then \
             `leaver restores acknowledge {}`",
            restore.description(),
            second(restore.known_until),
            second(restore.found_at),
            restore.id
        ),
        "leaver sync --full",
    )
}

fn of_source(name: &str, source: &SourceHealth) -> Vec<Reason> {
    let mut reasons = vec![];
    if let Some(since) = source.silent_since {
        reasons.push(Reason::new(
            "source_silent",
            format!(
                "source {name}: nothing has arrived since {}, longer than `max_silence`; the webhook may be gone, or its owner deactivated",
                minute(since)
            ),
            format!("leaver deliveries --source {name}"),
        ));
    }
    if let Some(sync) = &source.last_sync {
        reasons.push(Reason::new(
            "sync_incomplete",
            format!(
                "source {name}: the last read of the API was incomplete: {}",
                sync.reason
            ),
            format!("leaver sync --source {name}"),
        ));
    }
    let problems = source.webhooks.iter();
    for (id, problem) in problems.filter_map(|hook| Some((&hook.id, hook.problem.as_ref()?))) {
        reasons.push(Reason::new(
            "provider_webhook_problem",
            format!("source {name}: webhook {id}: {problem}"),
            format!("leaver webhooks show {id} --source {name}"),
        ));
    }
    reasons
}

/// Lists what the requests to this process show.
pub(super) fn of_requests(report: &RejectionReport, now: DateTime<Utc>) -> Vec<Reason> {
    let sources = report.sources.iter();
    let mut reasons: Vec<Reason> = sources
        .filter(|(_, record)| is_refusing_all(record, now))
        .map(|(name, record)| {
            let refused: u64 = record.refused.values().sum();
            Reason::new(
                "deliveries_refused",
                format!(
                    "source {name}: {} refused and none is accepted{}; {}",
                    count(i64::try_from(refused).unwrap_or(i64::MAX), "delivery"),
                    record
                        .accepted_at
                        .map_or(" since the start".to_owned(), |at| format!(
                            " since {}",
                            minute(at)
                        )),
                    likely_cause(record)
                ),
                "leaver check",
            )
        })
        .collect();
    if let Some(at) = report.unrouted_at
        && now - at < UNROUTED_FOR
    {
        reasons.push(Reason::new(
            "requests_unrouted",
            format!(
                "a webhook was posted to a path that is none of ours, last at {}, and got 404, which providers do not repeat; \
                 compare its URL with the source's name and `server.path_prefix`; the log has the path",
                minute(at)
            ),
            "leaver check",
        ));
    }
    reasons
}

/// Returns whether signatures were refused, and none was good since the start or for an hour.
fn is_refusing_all(record: &SignatureRecord, now: DateTime<Utc>) -> bool {
    let is_recent = record.refused_at.is_some_and(|at| now - at < REFUSED_FOR);
    let has_good = record
        .accepted_at
        .is_some_and(|at| now - at < NO_GOOD_DELIVERY_FOR);
    !record.refused.is_empty() && is_recent && !has_good
}

/// Describes the likely cause of the most frequent refusal.
fn likely_cause(record: &SignatureRecord) -> &'static str {
    let counts = record.refused.iter();
    // Of two that are equally frequent, the one that a real sender more probably caused.
    let most = counts.max_by_key(|(cause, count)| (**count, **cause == Rejection::WrongSignature));
    match most.map(|(cause, _)| cause) {
        Some(Rejection::MissingSignature | Rejection::MissingTimestamp) => {
            "a header of the signature is missing: a proxy drops it, or another program posts here"
        }
        Some(Rejection::MalformedSignature) => {
            "the signature has another provider's format: check `provider`, and that no proxy changes headers"
        }
        Some(Rejection::MalformedTimestamp) => {
            "the timestamp cannot be read: check that no proxy changes headers"
        }
        Some(Rejection::StaleTimestamp | Rejection::FutureTimestamp) => {
            "the timestamps are far from this machine's time: check its clock, `timestamp_tolerance` and `signature_layout`"
        }
        Some(Rejection::WrongSignature) | None => {
            "the secret is probably wrong, or was rotated: check `webhook_secrets` and `signature_layout`, and that no proxy rewrites bodies"
        }
    }
}

/// Names the first of these ids, and counts the others.
fn first_of(ids: &[String]) -> String {
    let (shown, others) = ids.split_at(ids.len().min(MAX_IDS));
    let shown = shown.join(", ");
    match others.len() {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

pub(super) fn minute(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M UTC").to_string()
}

fn second(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}

pub(super) fn count(number: i64, noun: &str) -> String {
    match (number, noun.strip_suffix('y')) {
        (1, _) => format!("1 {noun}"),
        (_, Some(stem)) => format!("{number} {stem}ies"),
        (_, None) => format!("{number} {noun}s"),
    }
}
