//! Accepts connections and ends them. Ours instead of `axum::serve`, which lets a client that sends nothing, half a
//! request or a byte a second stay for ever, holds a shutdown open for it, and knows no upper bound. HTTP/1 only; what is
//! said on a connection is the router's matter.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::header::{CONNECTION, CONTENT_TYPE, TRANSFER_ENCODING};
use axum::http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::Service;

use super::patience::{Answer, Exchange, TimeoutStream, Timeouts};

/// A head beyond this is answered 431; proxies in front allow about as much.
const MAX_HEAD_BYTES: usize = 32 * 1024;
/// So are more headers than this. Left alone, hyper says so of the 101st, and a delivery would be lost that a proxy in front
/// has decorated.
const MAX_HEADERS: usize = 512;
/// What hyper may hold of one connection; its own default times a thousand connections would be 400 MB.
const MAX_BUFFER_BYTES: usize = 64 * 1024;
/// How many connections beyond the limit are told so at a time; further ones are closed without a word.
const MAX_TURNED_AWAY: usize = 64;
const TURNING_AWAY: Duration = Duration::from_millis(500);
const FULL: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
/// Out of descriptors or memory, accepting again at once would only spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How long connections that are cut may take to notice it.
const CUTTING: Duration = Duration::from_secs(1);

/// How many connections the kernel keeps until we accept them; beyond it a client waits for seconds without being told.
/// The kernel's own limit (`net.core.somaxconn`) may be less; the default of the library is 128.
const BACKLOG: u32 = 1024;

/// How many clients we serve, and how long we wait for each of them.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Connections at a time; one more is answered 503 and closed.
    pub max_connections: usize,
    /// From a connection's start, or a further request's first byte, to the end of the request's head.
    pub header_timeout: Duration,
    /// From an answer to the first byte of a further request.
    pub idle_timeout: Duration,
    /// From the stop until requests that are still being answered are cut.
    pub drain_deadline: Duration,
    /// From the moment a client stops reading until all that was written is taken.
    pub write_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_connections: 1024,
            header_timeout: Duration::from_secs(5),
            idle_timeout: Duration::from_secs(75),
            drain_deadline: Duration::from_secs(20),
            write_timeout: Duration::from_secs(10),
        }
    }
}

/// What became of the connections that were open when the stop came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drained {
    /// Ended by themselves.
    pub finished: usize,
    /// Cut at the drain deadline.
    pub cut: usize,
}

/// Listens on an address, with room for a burst of clients.
///
/// # Errors
/// When the address cannot be had.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    // A restart need not wait until the last connections of the process before are forgotten.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Serves `app` on `listener` until `stop`, and returns once every connection is gone.
pub async fn serve(
    listener: TcpListener,
    app: Router,
    limits: Limits,
    stop: CancellationToken,
) -> Drained {
    let open = TaskTracker::new();
    let cut = CancellationToken::new();
    let _cut_when_dropped = cut.clone().drop_guard();
    let room = Arc::new(Semaphore::new(
        limits.max_connections.min(Semaphore::MAX_PERMITS),
    ));
    let turning_away = Arc::new(Semaphore::new(MAX_TURNED_AWAY));
    let host = Host {
        // Builds the routes now instead of for each request.
        app: app.with_state(()),
        protocol: protocol(),
        patience: Timeouts {
            header: limits.header_timeout,
            idle: limits.idle_timeout,
            write: limits.write_timeout,
        },
        stop: stop.clone(),
        cut: cut.clone(),
    };

    while let Some((stream, peer)) = accept(&listener, &stop).await {
        if let Ok(permit) = Arc::clone(&room).try_acquire_owned() {
            open.spawn(host.clone().attend(stream, peer, permit));
        } else if let Ok(permit) = Arc::clone(&turning_away).try_acquire_owned() {
            tokio::spawn(turn_away(stream, permit));
        }
    }

    // A closed listener lets a load balancer see at once that it should go elsewhere.
    drop(listener);
    drain(&open, &cut, limits.drain_deadline).await
}

async fn accept(
    listener: &TcpListener,
    stop: &CancellationToken,
) -> Option<(TcpStream, SocketAddr)> {
    loop {
        let accepted = tokio::select! {
            biased;
            () = stop.cancelled() => return None,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok(accepted) => return Some(accepted),
            Err(error) if is_about_one_connection(&error) => {}
            Err(error) => {
                tracing::warn!(%error, "cannot accept connections");
                tokio::select! {
                    () = stop.cancelled() => return None,
                    () = sleep(ACCEPT_PAUSE) => {}
                }
            }
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

async fn turn_away(mut stream: TcpStream, _permit: OwnedSemaphorePermit) {
    let farewell = async {
        stream.write_all(FULL).await?;
        stream.shutdown().await?;
        // Closing before the request is read would take the answer back.
        let mut unread = [0; 1024];
        while stream.read(&mut unread).await? > 0 {}
        io::Result::Ok(())
    };
    // Whether the client took the answer is its own affair.
    let _ = timeout(TURNING_AWAY, farewell).await;
}

async fn drain(open: &TaskTracker, cut: &CancellationToken, deadline: Duration) -> Drained {
    let at_stop = open.len();
    open.close();
    if timeout(deadline, open.wait()).await.is_ok() {
        return Drained {
            finished: at_stop,
            cut: 0,
        };
    }
    let left = open.len();
    cut.cancel();
    if timeout(CUTTING, open.wait()).await.is_err() {
        tracing::error!(
            connections = open.len(),
            "connections did not end when they were cut"
        );
    }
    Drained {
        finished: at_stop.saturating_sub(left),
        cut: left,
    }
}

fn protocol() -> http1::Builder {
    let mut protocol = http1::Builder::new();
    protocol
        .header_read_timeout(None) // see `TimeoutStream`
        .max_buf_size(MAX_BUFFER_BYTES)
        .max_headers(MAX_HEADERS)
        .max_header_size(MAX_HEAD_BYTES);
    protocol
}

/// What every connection shares.
#[derive(Debug, Clone)]
struct Host {
    app: Router,
    protocol: http1::Builder,
    patience: Timeouts,
    stop: CancellationToken,
    cut: CancellationToken,
}

impl Host {
    async fn attend(self, stream: TcpStream, peer: SocketAddr, _permit: OwnedSemaphorePermit) {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%peer, %error, "cannot turn off write coalescing");
        }
        let Self {
            app,
            protocol,
            patience,
            stop,
            cut,
        } = self;
        let exchange = Arc::new(Exchange::default());
        let stream = TimeoutStream::new(stream, patience, Arc::clone(&exchange));
        let service =
            service_fn(move |request| answer(app.clone(), Arc::clone(&exchange), peer, request));
        let mut connection = pin!(protocol.serve_connection(TokioIo::new(stream), service));

        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = stop.cancelled() => {
                connection.as_mut().graceful_shutdown();
                tokio::select! {
                    ended = connection.as_mut() => ended,
                    () = cut.cancelled() => {
                        tracing::warn!(%peer, "connection cut: it outlived the drain deadline");
                        return;
                    }
                }
            }
            () = cut.cancelled() => return,
        };
        if let Err(error) = ended {
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            tracing::debug!(%peer, %error, cause, "connection ended early");
        }
    }
}

async fn answer(
    mut app: Router,
    exchange: Arc<Exchange>,
    peer: SocketAddr,
    mut request: Request<Incoming>,
) -> Result<Response<Answer>, Infallible> {
    let turn = exchange.take_turn();
    let response = if has_unclear_length(request.headers(), &exchange) {
        refusal()
    } else {
        request.extensions_mut().insert(ConnectInfo(peer));
        app.call(request.map(Body::new)).await?
    };
    Ok(response.map(|body| Answer { body, _turn: turn }))
}

/// Whether a proxy in front might see this request end elsewhere than we do. (hyper takes `Content-Length` away.)
fn has_unclear_length(headers: &HeaderMap, exchange: &Exchange) -> bool {
    let mut encodings = headers.get_all(TRANSFER_ENCODING).iter();
    let Some(encoding) = encodings.next() else {
        return false;
    };
    let is_plain =
        encoding.as_bytes().eq_ignore_ascii_case(b"chunked") && encodings.next().is_none();
    !is_plain || exchange.is_ambiguous()
}

fn refusal() -> Response<Body> {
    let mut response = Response::new(Body::from(r#"{"error":"unclear request length"}"#));
    *response.status_mut() = StatusCode::BAD_REQUEST;
    let headers = response.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
