//! Stores the results of attempts: done, due again or dead, and whether the destination is paused.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use sqlx::Connection;
use tokio::time::sleep;
use tracing::{debug, info, warn};
use uuid::Uuid;

use super::standing::{self, State};
use super::store::{self, Claimed};
use super::{Sender, retention};
use crate::connect::destinations::SendError;
use crate::db::error::error_chain;
use crate::engine::Failure;
use crate::engine::outbox::{self, NewEvent, Subject};
use leaver_core::events::EventType;
use leaver_core::events::retry::{
    Attempt, PAUSE_AFTER, PROBE_INTERVAL, Standing, bounded, next_wait,
};

/// An event that an attempt carried.
#[derive(Clone, Copy, Debug)]
pub(super) struct Carried {
    /// Its id.
    pub(super) id: Uuid,
    /// Failed attempts before this one.
    pub(super) attempts: i32,
    /// When it happened.
    pub(super) occurred_at: DateTime<Utc>,
}

impl From<&Claimed> for Carried {
    fn from(claimed: &Claimed) -> Self {
        Self {
            id: claimed.event.id,
            attempts: claimed.attempts,
            occurred_at: claimed.event.timestamp,
        }
    }
}

/// An attempt: one request, or one message.
#[derive(Debug)]
pub(super) struct Tried {
    /// The events that it carried.
    pub(super) events: Vec<Carried>,
    /// When it began.
    pub(super) began_at: DateTime<Utc>,
    /// The status of the response, or why it failed.
    pub(super) result: Result<u16, SendError>,
    /// True if the next digest waits after it.
    pub(super) delays_digest: bool,
}

/// The lease of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lease {
    /// Its end, which identifies it.
    pub(super) until: DateTime<Utc>,
    /// True if the destination is paused, and this is the attempt at it.
    pub(super) is_probe: bool,
}

/// The new state of an event at a destination.
#[derive(Clone, Debug)]
pub(super) struct Settled {
    /// The event.
    pub(super) event: Uuid,
    /// `done`, `due` or `dead`.
    pub(super) state: &'static str,
    /// Failed attempts.
    pub(super) attempts: i32,
    /// When it is due again.
    pub(super) next_at: DateTime<Utc>,
    /// Status of the response.
    pub(super) status: Option<i32>,
    /// Why the attempt failed.
    pub(super) error: Option<String>,
}

/// The effect of results on the pause of a destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    None,
    Paused,
    Resumed,
}

/// Waits before results are stored again after a failure. Without them, what was delivered is sent again.
const STORE_AGAIN: [Duration; 4] = [
    Duration::from_millis(100),
    Duration::from_millis(500),
    Duration::from_secs(2),
    Duration::from_secs(5),
];

impl Sender {
    /// Stores results, and returns whether nothing is to be sent now: the destination is paused, or wants to wait. A failure to
    /// store is repeated for some seconds, since the destination has the events already.
    ///
    /// # Errors
    /// Returns the last failure; the events are sent again when their lease has run out.
    pub(super) async fn settle(&self, lease: Lease, tried: &[Tried]) -> Result<bool, Failure> {
        let mut waits = STORE_AGAIN.iter();
        loop {
            let now = self.engine.clock.now();
            let work = self.store(lease, tried, now);
            let stored: Result<_, sqlx::Error> = self.engine.pool.with_silence_timeout(work).await;
            match (stored, waits.next()) {
                (Ok((settled, state, turn)), _) => {
                    self.report(tried, &settled, &state, turn, now);
                    self.clear_details(&settled).await;
                    return Ok(state.is_closed(now));
                }
                (Err(error), None) => return Err(error.into()),
                (Err(error), Some(wait)) => {
                    let error = error_chain(&error);
                    debug!(
                        destination = self.name(),
                        error, "events.settle: cannot store results; will retry"
                    );
                    sleep(*wait).await;
                }
            }
        }
    }

    /// Deletes personal values that no destination needs any more. Housekeeping repeats what fails here.
    async fn clear_details(&self, settled: &[Settled]) {
        if !self.destination.subscription.wants_details {
            return;
        }
        // After the commit: of two destinations that end at the same time, the later one sees both.
        let finished = settled.iter().filter(|one| one.state != "due");
        let ids: Vec<Uuid> = finished.map(|one| one.event).collect();
        let receivers = self.receivers_of_details();
        let pool = &self.engine.pool;
        let cleared = async {
            let mut conn = pool.acquire().await?;
            retention::store::clear_details_of(&mut conn, &ids, &receivers).await
        };
        let cleared: Result<_, sqlx::Error> = pool.with_silence_timeout(cleared).await;
        if let Err(error) = cleared {
            let error = error_chain(&error);
            debug!(
                destination = self.name(),
                error, "events.settle: cannot delete personal values; will retry"
            );
        }
    }

    async fn store(
        &self,
        lease: Lease,
        tried: &[Tried],
        now: DateTime<Utc>,
    ) -> Result<(Vec<Settled>, State, Turn), sqlx::Error> {
        let name = self.name();
        let mut conn = self.engine.pool.acquire().await?;
        let mut tx = conn.begin().await?;
        let mut state = standing::store::lock(&mut tx, name).await?;
        let (settled, turn) = apply(tried, &mut state, lease, now);
        store::settle(&mut tx, name, &settled, lease.until, now).await?;
        standing::store::save(&mut tx, name, &state).await?;
        match turn {
            Turn::None => {}
            Turn::Resumed => standing::store::make_due(&mut tx, name, now).await?,
            Turn::Paused => {
                let others = self.engine.policies.subscriptions().without(name);
                let event = paused_event(name, &state);
                outbox::record(&mut tx, &others, vec![event], now).await?;
            }
        }
        tx.commit().await?;
        Ok((settled, state, turn))
    }

    /// Counts and logs results, and wakes the senders of the event about a pause.
    fn report(
        &self,
        tried: &[Tried],
        settled: &[Settled],
        state: &State,
        turn: Turn,
        now: DateTime<Utc>,
    ) {
        let (name, metrics) = (self.name(), &self.engine.metrics);
        for carried in tried.iter().filter(|tried| tried.result.is_ok()) {
            for event in &carried.events {
                let delay = (now - event.occurred_at).to_std().unwrap_or_default();
                metrics.event_sent(name, delay);
            }
        }
        for one in settled {
            let (event, attempts, next_at) = (one.event, one.attempts, one.next_at);
            let error = one.error.as_deref().unwrap_or_default();
            match one.state {
                "done" => debug!(destination = name, %event, "events.send: sent"),
                "dead" => {
                    metrics.event_failed(name);
                    metrics.event_dead(name);
                    warn!(
                        destination = name,
                        %event,
                        attempts,
                        error,
                        "events.send: failed for the last time; `leaver events retry` sends it again"
                    );
                }
                _ if state.paused_at.is_some() => {
                    metrics.event_failed(name);
                    debug!(destination = name, %event, error, "events.send: failed");
                }
                _ => {
                    metrics.event_failed(name);
                    info!(destination = name, %event, attempts, %next_at, error, "events.send: failed; will retry");
                }
            }
        }
        match turn {
            Turn::None => {}
            Turn::Paused => {
                let reason = state.paused_because.as_deref().unwrap_or_default();
                warn!(
                    destination = name,
                    reason,
                    "events.pause: paused; its events wait, and one is tried every 5 minutes"
                );
                self.engine.notify_jobs(false, false, true);
            }
            Turn::Resumed => info!(destination = name, "events.resume: resumed"),
        }
    }
}

/// Applies results in their order to the state of the destination, and decides about each event.
fn apply(
    tried: &[Tried],
    state: &mut State,
    lease: Lease,
    now: DateTime<Utc>,
) -> (Vec<Settled>, Turn) {
    let was_paused = state.paused_at.is_some();
    let mut standing = Standing {
        failures: u32::try_from(state.failures).unwrap_or_default(),
        is_paused: was_paused,
    };
    let mut settled = vec![];
    for one in tried {
        // Requests that were in flight when an earlier one failed met the same fault.
        let is_same_fault = state.last_failed_at.is_some_and(|at| one.began_at < at);
        let attempt = match &one.result {
            Ok(_) => Attempt::Delivered,
            Err(error) if error.pauses_at_once() => Attempt::Refused,
            Err(SendError::Status { status: 429, .. }) => Attempt::Postponed,
            Err(_) if is_same_fault => Attempt::Postponed,
            Err(_) => Attempt::Failed,
        };
        let (status, retry_after) = match &one.result {
            Ok(status) => (Some(*status), None),
            Err(SendError::Gone) => (Some(410), None),
            Err(SendError::Status {
                status,
                retry_after,
            }) => (Some(*status), *retry_after),
            Err(_) => (None, None),
        };
        let counts = standing.count(attempt);
        let status = status.map(i32::from);
        let error = one.result.as_ref().err().map(ToString::to_string);
        state.last_status = status;
        if let Some(error) = &error {
            state.last_failed_at = Some(now);
            state.last_error = Some(error.clone());
        } else {
            state.last_delivered_at = Some(now);
            if one.delays_digest {
                state.last_digest_at = Some(now);
            }
        }
        if let Some(asked) = retry_after {
            state.wait_until = state.wait_until.max(Some(now + bounded(asked)));
        }
        // The events of a message stay together.
        let chance = fastrand::f64();
        for event in &one.events {
            let failed = event.attempts + i32::from(counts && error.is_some());
            let failures = u32::try_from(failed).unwrap_or(u32::MAX);
            let wait = if counts {
                next_wait(failures, retry_after, chance)
            } else {
                Some(Duration::ZERO)
            };
            let (new_state, next_at) = match (&error, wait) {
                (None, _) => ("done", now),
                (Some(_), Some(wait)) => ("due", now + wait),
                (Some(_), None) => ("dead", now),
            };
            settled.push(Settled {
                event: event.id,
                state: new_state,
                attempts: failed,
                next_at,
                status,
                error: error.clone(),
            });
        }
    }
    // Rows are locked in the order of ids everywhere.
    settled.sort_by_key(|one| one.event);
    state.failures = i32::try_from(standing.failures).unwrap_or(i32::MAX);
    let turn = match (was_paused, standing.is_paused) {
        (false, true) => {
            state.paused_at = Some(now);
            state.paused_because = Some(reason(state));
            state.probe_at = Some(next_probe(now));
            Turn::Paused
        }
        (true, false) => {
            state.resume();
            Turn::Resumed
        }
        (true, true) if lease.is_probe => {
            let first = tried.first().and_then(|one| one.events.first());
            state.probed_event = first.map(|event| event.id).or(state.probed_event);
            Turn::None
        }
        _ => Turn::None,
    };
    (settled, turn)
}

/// Returns when a paused destination is tried again.
pub(super) fn next_probe(now: DateTime<Utc>) -> DateTime<Utc> {
    now + TimeDelta::from_std(PROBE_INTERVAL).unwrap_or(TimeDelta::minutes(5))
}

fn reason(state: &State) -> String {
    let error = state.last_error.as_deref().unwrap_or("unknown");
    let failures = u32::try_from(state.failures).unwrap_or_default();
    if state.last_status == Some(410) || failures < PAUSE_AFTER {
        return error.to_owned();
    }
    format!(
        "{} attempts failed in a row; the last one: {error}",
        state.failures
    )
}

fn paused_event(name: &str, state: &State) -> NewEvent {
    let data = json!({
        "destination": name,
        "reason": state.paused_because,
        "status": state.last_status,
        "failures": state.failures,
        "paused_at": state.paused_at,
    });
    NewEvent::new(EventType::DestinationPaused, Subject::Service, data)
}
