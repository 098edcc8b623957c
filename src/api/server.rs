//! Accepts connections and limits them. `axum::serve` has no limit on connections and no timeouts: a client that
//! sends nothing, half a request or a byte a second would stay for ever and delay a shutdown. HTTP/1 only.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::connection::{ConnectionContext, protocol};
use super::slots::Slots;

/// Most clients without a slot that are answered 503 at a time; more of them are closed without a response.
const MAX_REJECTIONS: usize = 64;
/// Time limit for such a response.
pub(super) const REJECT_DEADLINE: Duration = Duration::from_millis(500);
/// Most new connections that wait for a slot at a time; more of them are answered 503 at once.
const MAX_QUEUED: usize = 256;
/// For so many slots, one new connection may wait for a slot, and one client may be answered 503 without.
const SLOTS_PER_WAITING: usize = 4;
/// Descriptors for files, and for connections to the database and to provider APIs.
const OTHER_DESCRIPTORS: u64 = 64;
/// How long a new connection waits for a slot.
const QUEUE_DEADLINE: Duration = Duration::from_millis(500);
/// After this time in the queue, a connection also takes the slot of a client that has not been waited for long. Otherwise
/// clients with a request every 200 ms would keep all slots.
const QUEUE_GRACE: Duration = Duration::from_millis(100);
/// A queued connection tries again after this pause: a client may have been waited for long enough to be closed.
const QUEUE_PAUSE: Duration = Duration::from_millis(25);
/// Interval of [`Slots::maintain`].
const MAINTENANCE_INTERVAL: Duration = Duration::from_secs(1);
const RESPONSE_503: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nConnection: close\r\nContent-Length: 0\r\n\
Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n\r\n";
/// Pause after a failed accept: without descriptors or memory, the next one fails at once too.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Time that aborted connections get to end.
const ABORT_GRACE: Duration = Duration::from_secs(1);
/// Pause after a client was closed for its descriptor, until the descriptor is free.
const DESCRIPTOR_PAUSE: Duration = Duration::from_millis(5);
/// Connections that the kernel queues until they are accepted. `net.core.somaxconn` may lower it; tokio's default is 128.
const BACKLOG: u32 = 4096;

/// Limits of one listener.
#[derive(Debug, Clone)]
pub struct ServerLimits {
    /// Connections at a time. One more takes the slot of a client that is waited for, or is answered 503.
    pub max_connections: usize,
    /// From a connection's start, or the first byte of a later request, to the end of that request's headers.
    pub header_timeout: Duration,
    /// From a response to the end of the next request's headers.
    pub idle_timeout: Duration,
    /// From the stop until requests in flight are aborted.
    pub drain_timeout: Duration,
    /// From a blocked write until everything written so far is taken.
    pub write_timeout: Duration,
}

impl ServerLimits {
    /// Lowers the number of connections to what a process with this many descriptors can have on two listeners. Returns
    /// true if it did.
    pub fn fit_descriptors(&mut self, descriptors: u64) -> bool {
        // A listener has its slots, and half as many connections that wait for a slot or get 503.
        let available = descriptors - OTHER_DESCRIPTORS.min(descriptors / 2);
        let slots = usize::try_from(available / 3).unwrap_or(usize::MAX).max(1);
        let is_lowered = slots < self.max_connections;
        self.max_connections = self.max_connections.min(slots);
        is_lowered
    }

    /// Returns how many connections wait for a slot at a time, at most `limit`.
    fn waiting(&self, limit: usize) -> Arc<Semaphore> {
        let count = (self.max_connections / SLOTS_PER_WAITING).clamp(1, limit);
        Arc::new(Semaphore::new(count))
    }
}

impl Default for ServerLimits {
    fn default() -> Self {
        Self {
            max_connections: 1024,
            header_timeout: Duration::from_secs(5),
            idle_timeout: Duration::from_secs(75),
            drain_timeout: Duration::from_secs(20),
            write_timeout: Duration::from_secs(10),
        }
    }
}

/// The two steps in which a listener ends.
#[derive(Debug, Clone, Default)]
pub struct StopSignals {
    /// From here on, connections are accepted and each ends after its next response.
    pub leaving: CancellationToken,
    /// From here on, the listener is closed, idle connections end, and requests in flight are answered.
    pub stop: CancellationToken,
}

impl StopSignals {
    /// Returns whether a connection ends after its next response.
    pub(super) fn ends_connections(&self) -> bool {
        self.leaving.is_cancelled() || self.stop.is_cancelled()
    }
}

/// How the connections ended that were open at the stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drained {
    /// Ended by themselves.
    pub finished: usize,
    /// Aborted after the drain timeout.
    pub aborted: usize,
}

/// Binds an address, with a queue for a burst of clients.
///
/// # Errors
/// Returns the system's error when the address is in use or not of this machine.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    // Otherwise a restart fails while the kernel keeps the previous process's connections in TIME_WAIT.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Serves `app` on `listener` until the signal `stop`, and returns once every connection has ended. The slots are of this
/// listener only.
pub async fn serve(
    listener: TcpListener,
    app: Router,
    limits: ServerLimits,
    slots: Arc<Slots>,
    signals: StopSignals,
) -> Drained {
    let connections = TaskTracker::new();
    let abort = CancellationToken::new();
    let _abort_when_dropped = abort.clone().drop_guard();
    let stop = signals.stop.clone();
    let context = ConnectionContext {
        // Builds the routes now instead of for each request.
        app: app.with_state(()),
        protocol: protocol(limits.idle_timeout),
        header_timeout: limits.header_timeout,
        write_timeout: limits.write_timeout,
        rejections: limits.waiting(MAX_REJECTIONS),
        signals,
        abort: abort.clone(),
    };
    tokio::spawn(maintain(Arc::clone(&slots), abort.clone()));
    let admission = Admission {
        queue: limits.waiting(MAX_QUEUED),
        slots,
        context,
        connections,
    };
    while let Some((stream, peer)) = accept(&listener, &admission.slots, &stop).await {
        admission.admit(stream, peer);
    }
    admit_queued(listener, &admission);
    drain(&admission.connections, &abort, limits.drain_timeout).await
}

/// Admits the connections that the kernel has accepted, which the end of the listener would reset, and closes the listener. A
/// load balancer sees that at once and sends new connections elsewhere.
fn admit_queued(listener: TcpListener, admission: &Admission) {
    let Ok(listener) = listener.into_std() else {
        return;
    };
    for _ in 0..BACKLOG {
        let Ok((stream, peer)) = listener.accept() else {
            return;
        };
        let stream = stream
            .set_nonblocking(true)
            .and_then(|()| TcpStream::from_std(stream));
        if let Ok(stream) = stream {
            admission.admit(stream, peer);
        }
    }
}

/// Gives new connections their slots.
struct Admission {
    slots: Arc<Slots>,
    queue: Arc<Semaphore>,
    context: ConnectionContext,
    connections: TaskTracker,
}

impl Admission {
    /// Serves a connection in the background. Without a free slot it waits for one, or is answered 503.
    fn admit(&self, stream: TcpStream, peer: SocketAddr) {
        let place = Arc::clone(&self.queue).try_acquire_owned();
        let slot = self.slots.admit(peer.ip(), place.is_ok(), Instant::now());
        if let Some(slot) = slot {
            let context = self.context.clone();
            self.connections
                .spawn(context.serve_connection(stream, peer, slot));
        } else if let Ok(place) = place {
            let new = NewConnection { stream, peer };
            tokio::spawn(new.wait_for_slot(
                Arc::clone(&self.slots),
                self.context.clone(),
                self.connections.clone(),
                place,
            ));
        } else {
            reject(stream, &self.slots, &self.context.rejections);
        }
    }
}

async fn maintain(slots: Arc<Slots>, abort: CancellationToken) {
    while abort
        .run_until_cancelled(sleep(MAINTENANCE_INTERVAL))
        .await
        .is_some()
    {
        slots.maintain(Instant::now());
    }
}

/// A connection without a slot.
struct NewConnection {
    stream: TcpStream,
    peer: SocketAddr,
}

impl NewConnection {
    /// Serves the connection once it has a slot. Answers 503 if it gets none.
    async fn wait_for_slot(
        self,
        slots: Arc<Slots>,
        context: ConnectionContext,
        connections: TaskTracker,
        place: OwnedSemaphorePermit,
    ) {
        let queued_at = Instant::now();
        let slot = async {
            loop {
                let _ = timeout(QUEUE_PAUSE, slots.freed()).await;
                let may_wait = queued_at.elapsed() < QUEUE_GRACE;
                if let Some(slot) = slots.admit(self.peer.ip(), may_wait, Instant::now()) {
                    return slot;
                }
            }
        };
        let slot = context
            .signals
            .stop
            .run_until_cancelled(timeout(QUEUE_DEADLINE, slot));
        let slot = slot.await;
        drop(place);
        if let Some(Ok(slot)) = slot {
            connections.spawn(context.serve_connection(self.stream, self.peer, slot));
        } else {
            reject(self.stream, &slots, &context.rejections);
        }
    }
}

async fn accept(
    listener: &TcpListener,
    slots: &Slots,
    stop: &CancellationToken,
) -> Option<(TcpStream, SocketAddr)> {
    loop {
        let accepted = tokio::select! {
            biased;
            () = stop.cancelled() => return None,
            accepted = listener.accept() => accepted,
        };
        let error = match accepted {
            Ok(accepted) => return Some(accepted),
            Err(error) if is_about_one_connection(&error) => continue,
            Err(error) => error,
        };
        // Without descriptors or memory, a client that is waited for gives its own to the next one.
        let pause = if slots.free_descriptor(Instant::now()) {
            DESCRIPTOR_PAUSE
        } else {
            tracing::warn!(%error, "cannot accept connections");
            ACCEPT_PAUSE
        };
        tokio::select! {
            () = stop.cancelled() => return None,
            () = sleep(pause) => {}
        }
    }
}

fn is_about_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset
    )
}

/// Answers 503 in the background, if not too many are answered already.
fn reject(stream: TcpStream, slots: &Slots, rejections: &Arc<Semaphore>) {
    slots.reject();
    if let Ok(permit) = Arc::clone(rejections).try_acquire_owned() {
        tokio::spawn(respond_503(stream, permit));
    }
}

async fn respond_503(mut stream: TcpStream, _permit: OwnedSemaphorePermit) {
    let response = async {
        stream.write_all(RESPONSE_503).await?;
        stream.shutdown().await?;
        // Closing before the request is read would reset the connection, and the client might lose the response.
        let mut discarded = [0; 1024];
        while stream.read(&mut discarded).await? > 0 {}
        io::Result::Ok(())
    };
    // A client that does not take the response loses nothing of ours.
    let _ = timeout(REJECT_DEADLINE, response).await;
}

async fn drain(
    connections: &TaskTracker,
    abort: &CancellationToken,
    drain_timeout: Duration,
) -> Drained {
    let at_stop = connections.len();
    connections.close();
    if timeout(drain_timeout, connections.wait()).await.is_ok() {
        return Drained {
            finished: at_stop,
            aborted: 0,
        };
    }
    let left = connections.len();
    abort.cancel();
    if timeout(ABORT_GRACE, connections.wait()).await.is_err() {
        tracing::error!(
            connections = connections.len(),
            "aborted connections did not end"
        );
    }
    Drained {
        finished: at_stop.saturating_sub(left),
        aborted: left,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_listeners_fit_into_few_descriptors() {
        for (descriptors, expected) in [(64, 10), (1_024, 320), (3_136, 1_024), (u64::MAX, 1_024)] {
            let mut limits = ServerLimits::default();
            assert_eq!(limits.fit_descriptors(descriptors), expected < 1_024);
            assert_eq!(limits.max_connections, expected);
        }
    }
}
