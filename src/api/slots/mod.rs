//! The connections that a listener serves at a time. When no slot is free, the client that has been waited for longest is
//! closed, one whose signature was not verified first (ADR 0011).

mod peers;
mod rejected;
mod table;

use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use axum::http::HeaderMap;
use strum::VariantArray;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use self::peers::{KnownPeers, Peer};
use self::rejected::{Reason, Rejected};
use self::table::{BodyEviction, Eviction, GRACE, Phase, SHORT_GRACE, Table, TableLimits, Trust};
use super::proxies::TrustedProxies;
use crate::base::metrics::Metrics;

/// The slots of one listener.
#[derive(Debug)]
pub struct Slots {
    listener: &'static str,
    proxies: TrustedProxies,
    metrics: Arc<Metrics>,
    table: Mutex<Table>,
    rejected: Mutex<Rejected>,
    freed: Notify,
}

/// The slot of an open connection; dropping it frees it.
#[derive(Debug)]
pub(crate) struct Slot {
    slots: Arc<Slots>,
    id: u64,
    evicted: CancellationToken,
}

/// Result of closing another client for the memory of its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FreedMemory {
    /// Its memory is free as soon as its connection has ended.
    Now,
    /// A client can be closed soon.
    Later,
    /// No client is to be closed.
    Never,
}

impl Slots {
    /// Creates this many slots for `server.listen`. The headers of these proxies name their clients.
    #[must_use]
    pub fn public(slots: usize, proxies: TrustedProxies, metrics: Arc<Metrics>) -> Arc<Self> {
        Self::new("public", slots, proxies, metrics)
    }

    /// Creates this many slots for `server.admin_listen`. A share of them is reserved for clients on this machine, such as
    /// the container's health check.
    #[must_use]
    pub fn admin(slots: usize, proxies: TrustedProxies, metrics: Arc<Metrics>) -> Arc<Self> {
        Self::new("admin", slots, proxies, metrics)
    }

    fn new(
        listener: &'static str,
        slots: usize,
        proxies: TrustedProxies,
        metrics: Arc<Metrics>,
    ) -> Arc<Self> {
        let reasons = Reason::VARIANTS.iter().map(|reason| reason.as_str());
        metrics.create_listener(listener, reasons);
        let known = KnownPeers::new(listener == "admin");
        Arc::new(Self {
            listener,
            proxies,
            metrics,
            table: Mutex::new(Table::new(TableLimits::of(slots), known)),
            rejected: Mutex::default(),
            freed: Notify::new(),
        })
    }

    /// Takes a slot for a new connection, if need be that of another client. Returns `None` if no slot is free and no client
    /// has been waited for long enough, less long if there is no time for the new connection to wait.
    pub(crate) fn admit(
        self: &Arc<Self>,
        address: IpAddr,
        may_wait: bool,
        now: Instant,
    ) -> Option<Slot> {
        let is_proxy = self.proxies.contains(address);
        let grace = if may_wait { GRACE } else { SHORT_GRACE };
        let admitted = self
            .table()
            .admit(Peer::from(address), is_proxy, grace, now);
        let (id, evicted, eviction) = admitted?;
        self.end(eviction);
        Some(Slot {
            slots: Arc::clone(self),
            id,
            evicted,
        })
    }

    /// Returns the number of open connections.
    #[must_use]
    pub fn open(&self) -> usize {
        self.table().len()
    }

    /// Waits until a slot is freed.
    pub(crate) async fn freed(&self) {
        self.freed.notified().await;
    }

    /// Closes a client, since the process has no descriptor for another connection. Returns false if none can be closed.
    pub(crate) fn free_descriptor(&self, now: Instant) -> bool {
        let eviction = self.table().evict_longest(now);
        let is_freed = eviction.is_some();
        self.end(eviction);
        is_freed
    }

    /// Counts a client that got no slot.
    pub(crate) fn reject(&self) {
        self.count(Reason::NoSlot);
    }

    /// Closes idle clients while most slots are taken, and logs how many were rejected. Called every second.
    pub(crate) fn maintain(&self, now: Instant) {
        let evictions = self.table().evict_idle(now);
        self.end(evictions);
        let open = self.open();
        self.metrics.set_open_connections(self.listener, open);
        let line = lock(&self.rejected).line(now);
        if let Some((clients, reasons)) = line {
            warn!(
                listener = self.listener,
                clients,
                open,
                "api.slots: clients were closed or got 503 so that others are served: {reasons}; \
                 if they are senders, raise `server.max_connections` or set `server.trusted_proxies`"
            );
        }
    }

    fn end(&self, evictions: impl IntoIterator<Item = Eviction>) {
        for (reason, evicted) in evictions {
            evicted.cancel();
            self.count(reason);
        }
    }

    fn count(&self, reason: Reason) {
        self.metrics
            .record_rejected_client(self.listener, reason.as_str());
        lock(&self.rejected).count(reason);
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        lock(&self.table)
    }
}

/// No code that can panic leaves the values half changed.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Slot {
    /// Waits until the slot was taken by another client. The connection must end then.
    pub(crate) async fn evicted(&self) {
        self.evicted.cancelled().await;
    }

    /// Records that the client has sent nothing yet.
    pub(crate) fn wait(&self) {
        self.change(|entry| entry.phase = Phase::Waiting);
    }

    /// Records the head of a request that came from `address`, directly or through a trusted proxy.
    pub(crate) fn start_request(
        &self,
        address: IpAddr,
        headers: &HeaderMap,
        has_body: bool,
        now: Instant,
    ) {
        let client = Peer::from(self.client(address, headers));
        let mut table = self.slots.table();
        table.set_client(self.id, client);
        let Some(entry) = table.entry(self.id) else {
            return;
        };
        entry.since = now;
        entry.phase = if has_body {
            Phase::Receiving
        } else {
            Phase::Busy
        };
        let eviction = (entry.proxy.is_some() && has_body && entry.trust == Trust::Unknown)
            .then(|| table.enforce_peer_limit(client, GRACE, now))
            .flatten();
        drop(table);
        self.slots.end(eviction);
    }

    /// Returns the address of the client of a request that came from `address`, directly or through a trusted proxy.
    pub(crate) fn client(&self, address: IpAddr, headers: &HeaderMap) -> IpAddr {
        let client = self.slots.proxies.client(address, headers);
        client.to_canonical()
    }

    /// Records that the body has been read and that the service is at work. Returns false if the slot was taken before.
    pub(crate) fn start_work(&self) -> bool {
        self.change(|entry| {
            entry.phase = Phase::Busy;
            entry.bytes = 0;
        })
    }

    /// Records a response. The client has to take it, or to send its next request.
    pub(crate) fn end_request(&self, now: Instant) {
        self.change(|entry| {
            entry.phase = Phase::Waiting;
            entry.since = now;
            entry.bytes = 0;
            if let Some(proxy) = entry.proxy {
                entry.peer = proxy;
                entry.trust = entry.trust.max(Trust::Known);
            }
        });
    }

    /// Records a good signature.
    pub(crate) fn verified(&self) {
        self.slots.table().verified(self.id);
    }

    /// Returns whether good signatures have come from the client.
    pub(crate) fn is_known(&self) -> bool {
        let mut table = self.slots.table();
        let trust = table.entry(self.id).map(|entry| entry.trust);
        trust.is_some_and(|trust| trust > Trust::Unknown)
    }

    /// Records how much memory the body takes.
    pub(crate) fn set_body_bytes(&self, bytes: usize) {
        self.change(|entry| entry.bytes = bytes);
    }

    /// Closes a client whose body is received for longer and that is trusted no more.
    pub(crate) fn evict_body(&self, now: Instant) -> FreedMemory {
        let eviction = self.slots.table().evict_body(self.id, now);
        match eviction {
            BodyEviction::Now(eviction) => {
                self.slots.end([eviction]);
                FreedMemory::Now
            }
            BodyEviction::Later => FreedMemory::Later,
            BodyEviction::None => FreedMemory::Never,
        }
    }

    /// Changes the entry. Returns false if the slot was taken.
    fn change(&self, change: impl FnOnce(&mut table::Entry)) -> bool {
        let mut table = self.slots.table();
        table.entry(self.id).map(change).is_some()
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if self.slots.table().remove(self.id) {
            self.slots.freed.notify_one();
        }
    }
}
