//! Time limits that hyper does not have: for the headers of a request once it has begun, for writing a response, and for a
//! client that still sends when its connection is closed. hyper limits how long a connection may be idle, and the handlers
//! limit the body.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::http::HeaderMap;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep};

use super::slots::Slot;

/// Time that a client gets to close its side after we have closed ours.
const LINGER_TIMEOUT: Duration = Duration::from_secs(1);

/// The state of the request on a socket.
#[derive(Debug)]
pub(super) struct ConnectionState {
    slot: Arc<Slot>,
    is_in_request: AtomicBool,
    has_had_request: AtomicBool,
    /// True once the first request has begun or the slot waits for it.
    is_first_wait_over: AtomicBool,
    /// True if a request began since the socket last looked: hyper need not read while it is handled.
    has_read_headers: AtomicBool,
    /// True if the client may be in the middle of a request, so that closing has to linger.
    may_send_more: AtomicBool,
}

impl ConnectionState {
    /// The state of a new socket.
    pub(super) fn new(slot: Arc<Slot>) -> Self {
        Self {
            slot,
            is_in_request: AtomicBool::new(false),
            has_had_request: AtomicBool::new(false),
            is_first_wait_over: AtomicBool::new(false),
            has_read_headers: AtomicBool::new(false),
            may_send_more: AtomicBool::new(true),
        }
    }

    /// Returns the slot of the connection.
    pub(super) fn slot(&self) -> &Arc<Slot> {
        &self.slot
    }

    /// Returns whether a request has no response yet.
    pub(super) fn is_in_request(&self) -> bool {
        self.is_in_request.load(Ordering::Relaxed)
    }

    /// Returns whether the headers of the first request were read.
    pub(super) fn has_had_request(&self) -> bool {
        self.has_had_request.load(Ordering::Relaxed)
    }

    /// Records that the headers of a request were read.
    pub(super) fn start_request(&self, peer: SocketAddr, headers: &HeaderMap, has_body: bool) {
        self.is_first_wait_over.store(true, Ordering::Relaxed);
        self.may_send_more.store(has_body, Ordering::Relaxed);
        self.has_read_headers.store(true, Ordering::Relaxed);
        self.is_in_request.store(true, Ordering::Relaxed);
        self.has_had_request.store(true, Ordering::Relaxed);
        let now = std::time::Instant::now();
        self.slot.start_request(peer.ip(), headers, has_body, now);
    }

    /// Records that the response is made. What the client sends from now on belongs to the next request.
    pub(super) fn end_request(&self) {
        self.is_in_request.store(false, Ordering::Relaxed);
        self.slot.end_request(std::time::Instant::now());
    }

    /// Records that the client has to act. Until a new connection was read for the first time, it does not.
    fn wait_for_client(&self) {
        if !self.is_first_wait_over.swap(true, Ordering::Relaxed) {
            self.slot.wait();
        }
    }
}

/// A client's socket that fails slow headers and blocked writes, and closes without losing the last response.
#[derive(Debug)]
pub(super) struct TimeoutStream {
    stream: TcpStream,
    header_timeout: Duration,
    /// Runs while the headers of a request are being received.
    header_deadline: Option<Pin<Box<Sleep>>>,
    write_timeout: Duration,
    write_is_blocked: bool,
    is_shut_down: bool,
    /// For a blocked write, and after the shutdown for lingering.
    deadline: Pin<Box<Sleep>>,
    state: Arc<ConnectionState>,
}

impl TimeoutStream {
    /// Wraps a new socket, whose client has to send the headers of its first request within `header_timeout`.
    pub(super) fn new(
        stream: TcpStream,
        header_timeout: Duration,
        write_timeout: Duration,
        state: Arc<ConnectionState>,
    ) -> Self {
        Self {
            stream,
            header_timeout,
            header_deadline: Some(Box::pin(sleep(header_timeout))),
            write_timeout,
            write_is_blocked: false,
            is_shut_down: false,
            deadline: Box::pin(sleep(write_timeout)),
            state,
        }
    }

    /// Limits the headers from their first byte on, however slowly the others follow.
    fn limit_headers(
        &mut self,
        cx: &mut Context<'_>,
        has_read: bool,
        is_pending: bool,
    ) -> io::Result<()> {
        if self.state.has_read_headers.swap(false, Ordering::Relaxed) {
            self.header_deadline = None;
        }
        if self.state.is_in_request() {
            return Ok(());
        }
        if is_pending {
            self.state.wait_for_client();
        }
        if has_read && self.header_deadline.is_none() {
            self.header_deadline = Some(Box::pin(sleep(self.header_timeout)));
        }
        let Some(deadline) = &mut self.header_deadline else {
            return Ok(());
        };
        if is_pending && deadline.as_mut().poll(cx).is_ready() {
            // There is no response to lose, so the slot of this connection is free at once.
            self.state.may_send_more.store(false, Ordering::Relaxed);
            return Err(io::ErrorKind::TimedOut.into());
        }
        Ok(())
    }

    fn limit_write(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if written.is_ready() {
            return written;
        }
        if !self.write_is_blocked {
            self.write_is_blocked = true;
            let deadline = Instant::now() + self.write_timeout;
            self.deadline.as_mut().reset(deadline);
        }
        ready!(self.deadline.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for TimeoutStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let filled = buf.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        let has_read = buf.filled().len() > filled;
        self.limit_headers(cx, has_read, read.is_pending())?;
        read
    }
}

impl AsyncWrite for TimeoutStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.limit_write(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.limit_write(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // hyper flushes once its whole buffer is written. Only that ends a blocked write: a client that takes a byte a
        // second gets no more time than one that takes none.
        self.write_is_blocked = false;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    /// Closes our side, then discards what the client still sends until it closes its own, for at most 1 s. Data that
    /// arrives on a closed socket makes its kernel reset the connection, and the client may lose the response
    /// (RFC 9112, section 9.6).
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if !this.is_shut_down {
            ready!(Pin::new(&mut this.stream).poll_shutdown(cx))?;
            this.is_shut_down = true;
            let deadline = Instant::now() + LINGER_TIMEOUT;
            this.deadline.as_mut().reset(deadline);
        }
        if !this.state.may_send_more.load(Ordering::Relaxed) {
            return Poll::Ready(Ok(()));
        }
        let mut discarded = [0; 4096];
        loop {
            let mut buf = ReadBuf::new(&mut discarded);
            match Pin::new(&mut this.stream).poll_read(cx, &mut buf) {
                Poll::Ready(Ok(())) if !buf.filled().is_empty() && !this.deadline.is_elapsed() => {}
                Poll::Ready(_) => return Poll::Ready(Ok(())),
                Poll::Pending => return this.deadline.as_mut().poll(cx).map(Ok),
            }
        }
    }
}
