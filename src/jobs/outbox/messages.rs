//! Sends events as messages for people: many events make one.

use std::collections::{HashMap, HashSet};
use std::time::Instant;

use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::settle::{Carried, Tried};
use super::{Batch, LAST_START, STOP_TIMEOUT, Sender, store};
use crate::base::failpoints::reach;
use crate::connect::destinations::Outgoing;
use crate::engine::Failure;
use leaver_core::events::Event;
use leaver_core::events::messages::{Message, Rules, plan};

/// Messages with which a paused destination is tried at a time.
const MAX_PROBES: usize = 3;

/// Sends claimed events. Those that cannot be sent now are given back, and those of a later digest wait.
pub(super) async fn send(
    sender: &Sender,
    batch: Batch,
    stop: &CancellationToken,
) -> Result<(), Failure> {
    let (began, lease) = (Instant::now(), batch.lease);
    let carried = batch.events.iter().map(Carried::from);
    let carried: HashMap<Uuid, Carried> = carried.map(|event| (event.id, event)).collect();
    let events: Vec<Event> = batch.events.into_iter().map(|one| one.event).collect();
    let plan = plan(
        &events,
        &Rules {
            has_names: sender.destination.subscription.wants_details,
            public_url: sender.public_url.clone(),
            last_digest_at: batch.last_digest_at,
            now: sender.engine.clock.now(),
        },
    );
    let mut unsent: HashSet<Uuid> = carried.keys().copied().collect();
    if let Some(until) = plan.wait_until.filter(|_| !plan.wait.is_empty()) {
        let pool = &sender.engine.pool;
        let postponed = async {
            let mut conn = pool.acquire().await?;
            store::postpone(&mut conn, sender.name(), &plan.wait, until, lease.until).await
        };
        pool.with_silence_timeout::<_, sqlx::Error>(postponed)
            .await?;
        unsent.retain(|id| !plan.wait.contains(id));
    }
    let (mut probes, mut failed) = (1, None);
    for message in plan.messages {
        if stop.is_cancelled() || began.elapsed() > LAST_START {
            break;
        }
        let Some(tried) = attempt(sender, &message, &carried, stop).await else {
            // It may have arrived. It is sent again when the lease has run out.
            unsent.retain(|id| !message.events.contains(id));
            break;
        };
        reach("events_sent", []);
        let has_failed = tried.result.is_err();
        let is_closed = sender.settle(lease, &[tried]).await;
        unsent.retain(|id| !message.events.contains(id));
        match is_closed {
            // While it is paused, one message that is always refused must not keep the others.
            Ok(true) if lease.is_probe && has_failed && probes < MAX_PROBES => probes += 1,
            Ok(true) => break,
            Ok(false) => {}
            Err(failure) => {
                failed = Some(failure);
                break;
            }
        }
    }
    let unsent: Vec<Uuid> = unsent.into_iter().collect();
    sender.release(&unsent, lease).await?;
    failed.map_or(Ok(()), Err)
}

/// Makes one attempt. Returns `None` if it does not end soon after a stop.
async fn attempt(
    sender: &Sender,
    message: &Message,
    carried: &HashMap<Uuid, Carried>,
    stop: &CancellationToken,
) -> Option<Tried> {
    let now = sender.engine.clock.now();
    let mut sent = std::pin::pin!(sender.client.send(Outgoing::Message(message), now));
    let result = tokio::select! {
        result = &mut sent => result,
        () = stop.cancelled() => timeout(STOP_TIMEOUT, sent).await.ok()?,
    };
    let events = message.events.iter();
    Some(Tried {
        began_at: now,
        events: events.filter_map(|id| carried.get(id).copied()).collect(),
        result,
        delays_digest: message.delays_digest,
    })
}
