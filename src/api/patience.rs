//! How long we wait for one client. A socket that gives up by itself when a request's head is slow to come, when nothing
//! comes at all, or when nobody reads the answer; hyper's own timer cannot tell an idle connection from a stuck one and
//! has none for writing. A request's body has its deadline where it is read, not here.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use hyper::body::{Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep};

use super::framing::Framing;

/// How long a client that we have answered early may go on sending. Closing under its hands would make its kernel throw
/// the answer away before it is read.
const LINGER: Duration = Duration::from_secs(1);

/// Whose turn it is on one connection, known to both its socket and its service.
#[derive(Debug, Default)]
pub(super) struct Exchange {
    /// Even: the client's, to send a request. Odd: ours, to answer.
    turn: AtomicUsize,
    ambiguous: AtomicBool,
}

impl Exchange {
    /// Takes the turn until the answer has been handed over.
    pub(super) fn take_turn(self: &Arc<Self>) -> Turn {
        self.turn.fetch_add(1, Ordering::Relaxed);
        Turn(Arc::clone(self))
    }

    /// Whether a head came that had both a `Content-Length` and a `Transfer-Encoding`.
    pub(super) fn is_ambiguous(&self) -> bool {
        self.ambiguous.load(Ordering::Relaxed)
    }
}

/// Our turn on a connection; dropping it gives the turn back to the client.
#[derive(Debug)]
pub(super) struct Turn(Arc<Exchange>);

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.turn.fetch_add(1, Ordering::Relaxed);
    }
}

/// An answer's body that holds our turn until the last of it has been handed to the connection.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) body: Body,
    pub(super) _turn: Turn,
}

impl hyper::body::Body for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The three waits that a client can run into.
#[derive(Debug, Clone, Copy)]
pub(super) struct Timeouts {
    /// For a request's head, from its first byte or from the start of the connection.
    pub(super) header: Duration,
    /// For the first byte of a further request.
    pub(super) idle: Duration,
    /// For an answer to be taken, from the moment the client's window was full.
    pub(super) write: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wait {
    Head,
    NextRequest,
}

/// A client's socket, with [`Timeouts`].
#[derive(Debug)]
pub(super) struct TimeoutStream {
    stream: TcpStream,
    patience: Timeouts,
    exchange: Arc<Exchange>,
    framing: Framing,
    waiting_for: Option<(usize, Wait)>,
    read_deadline: Pin<Box<Sleep>>,
    write_is_blocked: bool,
    write_deadline: Pin<Box<Sleep>>,
    is_shut: bool,
}

impl TimeoutStream {
    /// Starts waiting for the first request.
    pub(super) fn new(stream: TcpStream, patience: Timeouts, exchange: Arc<Exchange>) -> Self {
        Self {
            stream,
            patience,
            exchange,
            framing: Framing::new(),
            waiting_for: Some((0, Wait::Head)),
            read_deadline: Box::pin(sleep(patience.header)),
            write_is_blocked: false,
            write_deadline: Box::pin(sleep(patience.write)),
            is_shut: false,
        }
    }

    fn poll_read_deadline(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let turn = self.exchange.turn.load(Ordering::Relaxed);
        if !turn.is_multiple_of(2) || self.write_is_blocked {
            return Poll::Pending;
        }
        let wait = if turn > 0 && self.framing.at_rest() {
            Wait::NextRequest
        } else {
            Wait::Head
        };
        // A byte more of the same head does not buy more time.
        if self.waiting_for != Some((turn, wait)) {
            self.waiting_for = Some((turn, wait));
            let patience = match wait {
                Wait::Head => self.patience.header,
                Wait::NextRequest => self.patience.idle,
            };
            self.read_deadline.as_mut().reset(Instant::now() + patience);
        }
        self.read_deadline.as_mut().poll(cx)
    }

    fn bound_write(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if written.is_pending() {
            if !self.write_is_blocked {
                self.write_is_blocked = true;
                self.write_deadline
                    .as_mut()
                    .reset(Instant::now() + self.patience.write);
            }
            ready!(self.write_deadline.as_mut().poll(cx));
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        written
    }
}

impl AsyncRead for TimeoutStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        if let Poll::Ready(result) = Pin::new(&mut this.stream).poll_read(cx, buf) {
            if this.framing.follow(&buf.filled()[before..]) {
                this.exchange.ambiguous.store(true, Ordering::Relaxed);
            }
            return Poll::Ready(result);
        }
        ready!(this.poll_read_deadline(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncWrite for TimeoutStream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write(cx, bytes);
        this.bound_write(cx, written)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write_vectored(cx, slices);
        this.bound_write(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// hyper flushes once all it had has been written. Only that ends a blocked write: a client that takes a byte a second
    /// gets no more time than one that takes none.
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.write_is_blocked = false;
        ready!(Pin::new(&mut this.stream).poll_flush(cx))?;
        // After an answer hyper does not read again while its last read is still pending, so the wait for the next
        // request has to begin here.
        match this.poll_read_deadline(cx) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !this.is_shut {
            ready!(Pin::new(&mut this.stream).poll_shutdown(cx))?;
            this.is_shut = true;
            this.read_deadline.as_mut().reset(Instant::now() + LINGER);
        }
        if this.framing.at_rest() {
            return Poll::Ready(Ok(()));
        }
        let mut unread = [0; 4096];
        loop {
            let mut buf = ReadBuf::new(&mut unread);
            match Pin::new(&mut this.stream).poll_read(cx, &mut buf) {
                Poll::Ready(Ok(()))
                    if !buf.filled().is_empty() && !this.read_deadline.is_elapsed() => {}
                Poll::Ready(_) => return Poll::Ready(Ok(())),
                Poll::Pending => return this.read_deadline.as_mut().poll(cx).map(Ok),
            }
        }
    }
}
