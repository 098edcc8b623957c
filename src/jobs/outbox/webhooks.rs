//! Sends each event as a request, several at a time. While requests are in flight, more events are claimed, so that a slow one
//! keeps nobody.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use tokio::task::{JoinError, JoinSet};
use tokio::time::{sleep, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::warn;
use uuid::Uuid;

use super::settle::{Carried, Lease, Tried};
use super::store::Claimed;
use super::{Batch, Claim, LAST_START, STOP_TIMEOUT, Sender};
use crate::base::failpoints::reach;
use crate::connect::destinations::Outgoing;
use crate::engine::Failure;

/// Requests at a time.
const PARALLEL: usize = 8;
/// How often more events are claimed while the requests in flight take long.
const CLAIM_AGAIN: Duration = Duration::from_millis(200);

/// A claimed event that is not sent yet.
struct Waiting {
    claimed: Claimed,
    lease: Lease,
    /// No attempt begins later.
    until: Instant,
}

/// Sends claimed events, and those that become due meanwhile. Those that cannot be sent now are given back. Returns their number.
pub(super) async fn send(
    sender: &Sender,
    batch: Batch,
    stop: &CancellationToken,
) -> Result<usize, Failure> {
    let is_probe = batch.lease.is_probe;
    let mut sent = batch.events.len();
    let mut waiting: VecDeque<Waiting> = wait(batch).collect();
    let mut sending = JoinSet::new();
    let mut stops_at = None;
    let mut is_ending = false;
    let mut failed = None;
    loop {
        if !is_ending {
            start(sender, &mut waiting, &mut sending);
        }
        let can_claim = !is_ending && !is_probe && waiting.is_empty();
        let joined = tokio::select! {
            joined = sending.join_next() => joined,
            () = stop.cancelled(), if stops_at.is_none() => {
                stops_at = Some(tokio::time::Instant::now() + STOP_TIMEOUT);
                is_ending = true;
                continue;
            }
            () = until_end(stops_at) => break,
            () = sleep(CLAIM_AGAIN), if can_claim && sending.len() < PARALLEL => {
                sent += claim(sender, &mut waiting, &mut failed).await;
                is_ending |= failed.is_some();
                continue;
            }
        };
        let Some(joined) = joined else {
            break;
        };
        let mut tried = vec![];
        add(sender, joined, &mut tried);
        while let Some(joined) = sending.try_join_next() {
            add(sender, joined, &mut tried);
        }
        // Others are sent while the results are stored, unless they can meet the same fault.
        let has_failed = tried.iter().any(|(_, one)| one.result.is_err());
        if !is_ending && !has_failed {
            start(sender, &mut waiting, &mut sending);
        }
        reach("events_sent", []);
        for (lease, tried) in by_lease(tried) {
            match sender.settle(lease, &tried).await {
                Ok(is_closed) => is_ending |= is_closed,
                Err(failure) => {
                    is_ending = true;
                    failed = Some(failure);
                }
            }
        }
        if !is_ending && !is_probe && waiting.is_empty() {
            sent += claim(sender, &mut waiting, &mut failed).await;
            is_ending |= failed.is_some();
        }
    }
    for (lease, unsent) in leases_of(waiting) {
        sender.release(&unsent, lease).await?;
    }
    failed.map_or(Ok(sent), Err)
}

/// Begins attempts, up to the number of requests at a time.
fn start(sender: &Sender, waiting: &mut VecDeque<Waiting>, sending: &mut JoinSet<(Lease, Tried)>) {
    let now = Instant::now();
    while sending.len() < PARALLEL
        && waiting.front().is_some_and(|next| now <= next.until)
        && let Some(next) = waiting.pop_front()
    {
        sending.spawn(attempt(sender, next));
    }
}

fn wait(batch: Batch) -> impl Iterator<Item = Waiting> {
    let (lease, until) = (batch.lease, Instant::now() + LAST_START);
    batch.events.into_iter().map(move |claimed| Waiting {
        claimed,
        lease,
        until,
    })
}

/// Claims more events, and returns their number. A failure is kept.
async fn claim(
    sender: &Sender,
    waiting: &mut VecDeque<Waiting>,
    failed: &mut Option<Failure>,
) -> usize {
    let claimed = sender.claim(sender.engine.clock.now());
    match sender.engine.pool.with_silence_timeout(claimed).await {
        Ok(Claim::Batch(batch)) => {
            let count = batch.events.len();
            waiting.extend(wait(batch));
            count
        }
        Ok(Claim::Nothing { .. }) => 0,
        Err(error) => {
            *failed = Some(error.into());
            0
        }
    }
}

/// Adds the result of a task.
fn add(
    sender: &Sender,
    joined: Result<(Lease, Tried), JoinError>,
    tried: &mut Vec<(Lease, Tried)>,
) {
    if let Ok(one) = joined {
        tried.push(one);
    } else {
        // The lease ends by itself, and the event is sent again.
        warn!(
            destination = sender.name(),
            "events.send: a bug ended an attempt; will retry"
        );
    }
}

/// Groups results by their lease, in their order.
fn by_lease(tried: Vec<(Lease, Tried)>) -> Vec<(Lease, Vec<Tried>)> {
    let mut groups: Vec<(Lease, Vec<Tried>)> = vec![];
    for (lease, one) in tried {
        match groups.iter_mut().find(|(other, _)| *other == lease) {
            Some((_, group)) => group.push(one),
            None => groups.push((lease, vec![one])),
        }
    }
    groups
}

/// Groups events that were not sent by their lease.
fn leases_of(waiting: VecDeque<Waiting>) -> Vec<(Lease, Vec<Uuid>)> {
    let mut groups: Vec<(Lease, Vec<Uuid>)> = vec![];
    for one in waiting {
        let id = one.claimed.event.id;
        match groups.iter_mut().find(|(other, _)| *other == one.lease) {
            Some((_, group)) => group.push(id),
            None => groups.push((one.lease, vec![id])),
        }
    }
    groups
}

fn attempt(
    sender: &Sender,
    next: Waiting,
) -> impl Future<Output = (Lease, Tried)> + Send + 'static {
    let (client, now) = (sender.client.clone(), sender.engine.clock.now());
    let Waiting { claimed, lease, .. } = next;
    async move {
        let tried = Tried {
            events: vec![Carried::from(&claimed)],
            began_at: now,
            result: client.send(Outgoing::Event(&claimed.event), now).await,
            delays_digest: false,
        };
        (lease, tried)
    }
}

async fn until_end(time: Option<tokio::time::Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => std::future::pending().await,
    }
}
