//! The job that processes deliveries. Several workers may run, in one process or in many.

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::Notify;

use super::{Deliveries, LoopState, Round};
use crate::base::backoff::DATABASE;
use crate::jobs::runner::idle::Now;
use crate::jobs::runner::{Job, Next};

/// Processes deliveries, round by round.
pub struct DeliveryWorker {
    deliveries: Arc<Deliveries>,
    state: LoopState,
    outages: u32,
    notified_at: Option<Instant>,
    /// True after a notification. Another worker may begin the shared wait by a query from before it.
    must_query: bool,
}

impl DeliveryWorker {
    /// Creates a worker.
    #[must_use]
    pub fn new(deliveries: Arc<Deliveries>) -> Self {
        Self {
            deliveries,
            state: LoopState::default(),
            outages: 0,
            notified_at: None,
            must_query: false,
        }
    }
}

impl Job for DeliveryWorker {
    const NAME: &'static str = "deliveries";

    fn notified(&mut self) {
        self.must_query = true;
        self.deliveries.idle().end();
    }

    fn wakes_on(&self) -> Option<Arc<Notify>> {
        let notifications = &self.deliveries.engine.notifications;
        Some(Arc::clone(&notifications.deliveries_arrived))
    }

    async fn tick(&mut self) -> Next {
        let liveness = Arc::clone(&self.deliveries.liveness);
        liveness.delivery_rounds.record(self.round()).await
    }
}

impl DeliveryWorker {
    async fn round(&mut self) -> Next {
        let deliveries = &self.deliveries;
        let engine = &deliveries.engine;
        let poll_interval = deliveries.config.poll_interval;
        let is_listening = &engine.notifications.is_listening;
        let now = Now::of(&*engine.clock);
        if !std::mem::take(&mut self.must_query) {
            let idle = deliveries.idle();
            if idle.is_idle(poll_interval, is_listening, now) {
                return Next::Poll(idle.tick_after(poll_interval, now));
            }
        }
        let lock = if deliveries.liveness.is_overloaded() {
            Some(deliveries.overload_lock.lock().await)
        } else {
            None
        };
        let round = deliveries.round(&mut self.state).await;
        drop(lock);
        let now = Now::of(&*engine.clock);
        if round != Round::Outage {
            deliveries.liveness.deliveries_ticked(engine.clock.now());
        }
        if round == Round::Idle {
            self.outages = 0;
            let mut idle = deliveries.idle();
            idle.begin(self.state.next_attempt_at, now);
            return Next::Poll(idle.tick_after(poll_interval, now));
        }
        deliveries.idle().end();
        match round {
            Round::Outage => {
                self.outages = self.outages.saturating_add(1);
                engine.pool.renew();
                // Notifications do not shorten it: the database is needed, not another delivery.
                Next::Pause(DATABASE.random_wait(self.outages))
            }
            Round::Processed(count) => {
                deliveries
                    .notify_replicas(&mut self.notified_at, count)
                    .await;
                Next::Again
            }
            Round::Postponed | Round::BatchSplit | Round::Idle => Next::Again,
        }
    }
}
