//! Sends events to their destinations: one job for each.
//!
//! A claim leases events of one destination and commits. They are sent outside any transaction, and settled afterwards. If the
//! process ends meanwhile, the lease runs out, and they are sent again under the same id. An event of an employee is claimed
//! after the earlier ones of that employee are done or dead there; messages for people collect many events instead.

pub(crate) mod again;
mod job;
mod messages;
pub(crate) mod retention;
mod settle;
mod standing;
mod store;
mod webhooks;

use std::sync::Arc;
use std::time::Duration;

use anyhow::ensure;
use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{Connection, PgConnection};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub(crate) use self::job::start;
use self::settle::Lease;
use self::store::{ClaimLimit, Claimed};
use crate::base::failpoints::reach;
use crate::connect::destinations::{Client, Destination};
use crate::engine::{Engine, Failure};

/// Events that are claimed together.
const BATCH_SIZE: i64 = 50;
/// The same where many events make one message.
const MESSAGE_BATCH_SIZE: i64 = 10_000;
/// After this time another process may send claimed events.
const LEASE: TimeDelta = TimeDelta::seconds(60);
/// No attempt begins later after the claim: each takes up to 15 s, and must end before the lease.
const LAST_START: Duration = Duration::from_secs(40);
/// How long a stop waits for attempts in flight. What does not end meanwhile is sent again.
const STOP_TIMEOUT: Duration = Duration::from_secs(7);

/// Sends the events of one destination.
pub struct Sender {
    engine: Arc<Engine>,
    destination: Destination,
    client: Client,
    public_url: Option<String>,
}

/// The result of one round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Round {
    /// Events that were claimed.
    pub claimed: usize,
    /// Without one, when the next can be claimed.
    pub next_at: Option<DateTime<Utc>>,
}

/// Claimed events.
struct Batch {
    events: Vec<Claimed>,
    lease: Lease,
    last_digest_at: Option<DateTime<Utc>>,
}

/// The result of a claim.
enum Claim {
    Batch(Batch),
    Nothing { next_at: Option<DateTime<Utc>> },
}

impl Sender {
    /// Creates a sender. `public_url` is the URL of the service, for links in messages.
    ///
    /// # Errors
    /// Fails if a secret of the destination is missing, or if TLS cannot be set up.
    pub fn new(
        engine: Arc<Engine>,
        destination: &Destination,
        public_url: Option<String>,
    ) -> anyhow::Result<Self> {
        Ok(Self {
            engine,
            client: Client::new(destination)?,
            destination: destination.clone(),
            public_url,
        })
    }

    /// Returns the name of the destination.
    #[must_use]
    pub fn name(&self) -> &str {
        self.destination.name()
    }

    /// Replaces the secrets and the address. What is being sent goes on with the earlier ones.
    ///
    /// # Errors
    /// Fails like [`Sender::new`], and if the kind differs; the earlier ones stay then.
    pub fn replace(&self, destination: &Destination) -> anyhow::Result<()> {
        let is_same_kind = std::mem::discriminant(&self.destination.kind)
            == std::mem::discriminant(&destination.kind);
        ensure!(is_same_kind, "its `kind` changed; restart the service");
        self.client.replace(destination)
    }

    /// Claims a batch of events that are due, and sends them. Tests call this instead of the job.
    ///
    /// # Errors
    /// Returns the failure; events without a stored result are sent again when their lease has run out.
    pub async fn round(&self, stop: &CancellationToken) -> Result<Round, Failure> {
        let now = self.engine.clock.now();
        let claimed = self.claim(now);
        let batch = match self.engine.pool.with_silence_timeout(claimed).await? {
            Claim::Nothing { next_at } => {
                return Ok(Round {
                    claimed: 0,
                    next_at,
                });
            }
            Claim::Batch(batch) => batch,
        };
        reach("events_claimed", []);
        let mut claimed = batch.events.len();
        if self.destination.is_for_people() {
            messages::send(self, batch, stop).await?;
        } else {
            claimed = webhooks::send(self, batch, stop).await?;
        }
        Ok(Round {
            claimed,
            next_at: None,
        })
    }

    async fn claim(&self, now: DateTime<Utc>) -> Result<Claim, sqlx::Error> {
        let mut conn = self.engine.pool.acquire().await?;
        let outlook = standing::store::outlook(&mut conn, self.name()).await?;
        let next_at = outlook.opens_at();
        if next_at.is_none_or(|at| at > now) {
            return Ok(Claim::Nothing { next_at });
        }
        let lease = Lease {
            until: now + LEASE,
            is_probe: outlook.paused_at.is_some(),
        };
        let mut last_digest_at = outlook.last_digest_at;
        let events = if lease.is_probe {
            self.claim_probe(&mut conn, lease, now).await?
        } else if self.destination.is_for_people() {
            let claimed = self.claim_for_people(&mut conn, lease, now).await?;
            last_digest_at = claimed.1;
            claimed.0
        } else {
            store::claim(&mut conn, self.claim_limit(lease), now).await?
        };
        if !events.is_empty() {
            return Ok(Claim::Batch(Batch {
                events,
                lease,
                last_digest_at,
            }));
        }
        let next_at = if lease.is_probe {
            None
        } else {
            store::next_due(&mut conn, self.name(), now).await?
        };
        Ok(Claim::Nothing { next_at })
    }

    /// Claims what makes messages, and returns when a digest was last sent. Nothing while another process sends messages there:
    /// each would have a part of a trip, or a digest of its own.
    async fn claim_for_people(
        &self,
        conn: &mut PgConnection,
        lease: Lease,
        now: DateTime<Utc>,
    ) -> Result<(Vec<Claimed>, Option<DateTime<Utc>>), sqlx::Error> {
        let mut tx = conn.begin().await?;
        let state = standing::store::lock(&mut tx, self.name()).await?;
        let events = if store::is_leased(&mut tx, self.name(), now).await? {
            vec![]
        } else {
            store::claim(&mut tx, self.claim_limit(lease), now).await?
        };
        tx.commit().await?;
        Ok((events, state.last_digest_at))
    }

    /// Claims what a paused destination is tried with. One process at a time does so.
    async fn claim_probe(
        &self,
        conn: &mut PgConnection,
        lease: Lease,
        now: DateTime<Utc>,
    ) -> Result<Vec<Claimed>, sqlx::Error> {
        let mut tx = conn.begin().await?;
        let (name, next_at) = (self.name(), settle::next_probe(now));
        let Some(after) = standing::store::take_probe(&mut tx, name, now, next_at).await? else {
            return Ok(vec![]);
        };
        let mut limit = self.claim_limit(lease);
        // All events make one message, so there is none to begin after.
        let after = after.filter(|_| limit.is_ordered);
        if limit.is_ordered {
            limit.events = 1;
        }
        let mut events = store::claim_probe(&mut tx, limit, after, now).await?;
        if events.is_empty() && after.is_some() {
            events = store::claim_probe(&mut tx, limit, None, now).await?;
        }
        if events.is_empty() {
            // The probe is still due when there is an event.
            tx.rollback().await?;
        } else {
            tx.commit().await?;
        }
        Ok(events)
    }

    fn claim_limit(&self, lease: Lease) -> ClaimLimit<'_> {
        let is_for_people = self.destination.is_for_people();
        ClaimLimit {
            destination: self.name(),
            events: if is_for_people {
                MESSAGE_BATCH_SIZE
            } else {
                BATCH_SIZE
            },
            is_ordered: !is_for_people,
            has_details: self.destination.subscription.wants_details,
            leased_until: lease.until,
        }
    }

    /// Gives events back that were not sent.
    async fn release(&self, events: &[Uuid], lease: Lease) -> Result<(), Failure> {
        if events.is_empty() {
            return Ok(());
        }
        let pool = &self.engine.pool;
        let released = async {
            let mut conn = pool.acquire().await?;
            store::release(&mut conn, self.name(), events, lease.until).await
        };
        Ok(pool.with_silence_timeout(released).await?)
    }

    /// Returns the destinations that receive personal values.
    fn receivers_of_details(&self) -> Vec<String> {
        let subscriptions = self.engine.policies.subscriptions();
        let receivers = subscriptions.destinations_with_details();
        receivers.map(ToOwned::to_owned).collect()
    }
}
