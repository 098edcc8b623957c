//! Sends each event as a request, several at a time.

use std::collections::VecDeque;
use std::time::Instant;

use tokio::task::JoinSet;
use tokio::time::sleep_until;
use tokio_util::sync::CancellationToken;
use tracing::warn;
use uuid::Uuid;

use super::settle::{Carried, Tried};
use super::store::Claimed;
use super::{Batch, LAST_START, STOP_TIMEOUT, Sender};
use crate::base::failpoints::reach;
use crate::connect::destinations::Outgoing;
use crate::engine::Failure;

/// Requests at a time.
const PARALLEL: usize = 8;

/// Sends claimed events. Those that cannot be sent now are given back.
pub(super) async fn send(
    sender: &Sender,
    batch: Batch,
    stop: &CancellationToken,
) -> Result<(), Failure> {
    let began = Instant::now();
    let lease = batch.lease;
    let mut waiting: VecDeque<Claimed> = batch.events.into();
    let mut sending = JoinSet::new();
    let mut stops_at = None;
    let mut is_ending = false;
    loop {
        while !is_ending
            && !stop.is_cancelled()
            && sending.len() < PARALLEL
            && let Some(next) = waiting.pop_front()
        {
            sending.spawn(attempt(sender, next));
        }
        let joined = tokio::select! {
            joined = sending.join_next() => joined,
            () = stop.cancelled(), if stops_at.is_none() => {
                stops_at = Some(tokio::time::Instant::now() + STOP_TIMEOUT);
                is_ending = true;
                continue;
            }
            () = until(stops_at) => break,
        };
        let Some(joined) = joined else {
            break;
        };
        let mut tried = vec![];
        let mut next = Some(joined);
        while let Some(joined) = next {
            if let Ok(one) = joined {
                tried.push(one);
            } else {
                // The lease ends by itself, and the event is sent again.
                warn!(
                    destination = sender.name(),
                    "events.send: a bug ended an attempt; will retry"
                );
            }
            next = sending.try_join_next();
        }
        reach("events_sent", []);
        is_ending |= sender.settle(lease, &tried).await?;
        is_ending |= began.elapsed() > LAST_START;
    }
    let unsent: Vec<Uuid> = waiting.iter().map(|claimed| claimed.event.id).collect();
    sender.release(&unsent, lease).await
}

fn attempt(sender: &Sender, claimed: Claimed) -> impl Future<Output = Tried> + Send + 'static {
    let (client, now) = (sender.client.clone(), sender.engine.clock.now());
    async move {
        Tried {
            events: vec![Carried::from(&claimed)],
            result: client.send(Outgoing::Event(&claimed.event), now).await,
            delays_digest: false,
        }
    }
}

async fn until(time: Option<tokio::time::Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => std::future::pending().await,
    }
}
