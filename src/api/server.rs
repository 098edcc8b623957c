//! Accepts connections and limits them. `axum::serve` has no limit on connections and no timeouts: a client that
//! sends nothing, half a request or a byte a second would stay for ever and delay a shutdown. HTTP/1 only.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, HttpBody};
use axum::extract::ConnectInfo;
use axum::http::header::{CONNECTION, CONTENT_TYPE, TRANSFER_ENCODING};
use axum::http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::Service;

use super::hygiene::{has_one_host, set_response_headers};
use super::timeouts::{ConnectionState, TimeoutStream};

/// Larger request headers are answered 431. Common proxies allow about as much.
const MAX_HEAD_BYTES: usize = 32 * 1024;
/// More headers are answered 431. hyper's default is 100, and a delivery with headers added by proxies would be lost.
const MAX_HEADERS: usize = 512;
/// hyper's buffer for one connection. Its default of 400 KB is 400 MB for a thousand connections.
const MAX_BUFFER_BYTES: usize = 64 * 1024;
/// Connections beyond the limit that are answered 503 at a time; more of them are closed without a response.
const MAX_REJECTIONS: usize = 64;
const REJECT_DEADLINE: Duration = Duration::from_millis(500);
const RESPONSE_503: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nConnection: close\r\nContent-Length: 0\r\n\
Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n\r\n";
/// Pause after a failed accept: without descriptors or memory, the next one fails at once too.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Time that aborted connections get to end.
const ABORT_GRACE: Duration = Duration::from_secs(1);
/// Connections that the kernel queues until they are accepted. `net.core.somaxconn` may lower it; tokio's default is 128.
const BACKLOG: u32 = 1024;

/// Limits of one listener.
#[derive(Debug, Clone)]
pub struct ServerLimits {
    /// Connections at a time; one more is answered 503 and closed.
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

/// Serves `app` on `listener` until `stop`, and returns once every connection has ended.
pub async fn serve(
    listener: TcpListener,
    app: Router,
    limits: ServerLimits,
    stop: CancellationToken,
) -> Drained {
    let connections = TaskTracker::new();
    let abort = CancellationToken::new();
    let _abort_when_dropped = abort.clone().drop_guard();
    let permits = Arc::new(Semaphore::new(
        limits.max_connections.min(Semaphore::MAX_PERMITS),
    ));
    let rejections = Arc::new(Semaphore::new(MAX_REJECTIONS));
    let context = ConnectionContext {
        // Builds the routes now instead of for each request.
        app: app.with_state(()),
        protocol: protocol(limits.idle_timeout),
        header_timeout: limits.header_timeout,
        write_timeout: limits.write_timeout,
        stop: stop.clone(),
        abort: abort.clone(),
    };

    while let Some((stream, peer)) = accept(&listener, &stop).await {
        if let Ok(permit) = Arc::clone(&permits).try_acquire_owned() {
            connections.spawn(context.clone().serve_connection(stream, peer, permit));
        } else if let Ok(permit) = Arc::clone(&rejections).try_acquire_owned() {
            tokio::spawn(reject(stream, permit));
        }
    }

    // A load balancer sees the closed listener at once and sends new connections elsewhere.
    drop(listener);
    drain(&connections, &abort, limits.drain_timeout).await
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

async fn reject(mut stream: TcpStream, _permit: OwnedSemaphorePermit) {
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

fn protocol(idle_timeout: Duration) -> http1::Builder {
    let mut protocol = http1::Builder::new();
    protocol
        .timer(TokioTimer::new())
        // hyper counts from the last response, so this is the idle timeout; `TimeoutStream` limits the headers.
        .header_read_timeout(idle_timeout)
        .max_buf_size(MAX_BUFFER_BYTES)
        .max_headers(MAX_HEADERS)
        .max_header_size(MAX_HEAD_BYTES);
    protocol
}

/// State that all connections share.
#[derive(Debug, Clone)]
struct ConnectionContext {
    app: Router,
    protocol: http1::Builder,
    header_timeout: Duration,
    write_timeout: Duration,
    stop: CancellationToken,
    abort: CancellationToken,
}

impl ConnectionContext {
    async fn serve_connection(
        self,
        stream: TcpStream,
        peer: SocketAddr,
        _permit: OwnedSemaphorePermit,
    ) {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%peer, %error, "cannot turn off write coalescing");
        }
        let Self {
            app,
            protocol,
            header_timeout,
            write_timeout,
            stop,
            abort,
        } = self;
        let state = Arc::new(ConnectionState::default());
        let stream = TimeoutStream::new(stream, header_timeout, write_timeout, Arc::clone(&state));
        let service = service_fn(move |request: Request<Incoming>| {
            state.start_request(!request.body().is_end_stream());
            let (app, state) = (app.clone(), Arc::clone(&state));
            async move {
                let response = respond(app, peer, request).await;
                state.end_request();
                response
            }
        });
        let mut connection = pin!(protocol.serve_connection(TokioIo::new(stream), service));

        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = stop.cancelled() => {
                connection.as_mut().graceful_shutdown();
                tokio::select! {
                    ended = connection.as_mut() => ended,
                    () = abort.cancelled() => {
                        tracing::warn!(%peer, "connection aborted after `server.drain_timeout`");
                        return;
                    }
                }
            }
            () = abort.cancelled() => return,
        };
        if let Err(error) = ended {
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            tracing::debug!(%peer, %error, cause, "connection ended early");
        }
    }
}

async fn respond(
    mut app: Router,
    peer: SocketAddr,
    mut request: Request<Incoming>,
) -> Result<Response<Body>, Infallible> {
    let encoding = transfer_encoding(request.headers());
    let mut response = if encoding == TransferEncoding::Unsupported {
        bad_request(r#"{"error":"unsupported transfer encoding"}"#)
    } else if !has_one_host(&request) {
        bad_request(r#"{"error":"needs exactly one Host header"}"#)
    } else {
        request.extensions_mut().insert(ConnectInfo(peer));
        app.call(request.map(Body::new)).await?
    };
    // hyper drops a `Content-Length` beside a `Transfer-Encoding`, so we cannot see it. A proxy in front may have used
    // it, and then the bytes behind this request are part of its body. RFC 9112, section 6.1, requires to close the
    // connection after such a request; we close it after each one with a `Transfer-Encoding`.
    if encoding != TransferEncoding::None {
        let headers = response.headers_mut();
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    set_response_headers(response.headers_mut());
    Ok(response)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TransferEncoding {
    None,
    Chunked,
    Unsupported,
}

fn transfer_encoding(headers: &HeaderMap) -> TransferEncoding {
    let mut encodings = headers.get_all(TRANSFER_ENCODING).iter();
    match (encodings.next(), encodings.next()) {
        (None, _) => TransferEncoding::None,
        (Some(one), None) if one.as_bytes().eq_ignore_ascii_case(b"chunked") => {
            TransferEncoding::Chunked
        }
        _ => TransferEncoding::Unsupported,
    }
}

fn bad_request(body: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::BAD_REQUEST;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
