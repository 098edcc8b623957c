//! One connection: hyper with limits on every wait, and the end of the connection when its slot is taken.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, HttpBody};
use axum::extract::ConnectInfo;
use axum::http::header::{CONNECTION, CONTENT_TYPE, TRANSFER_ENCODING};
use axum::http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use axum::response::IntoResponse;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tower::Service;

use super::error::ApiError;
use super::hygiene::{has_one_host, set_response_headers};
use super::server::{REJECT_DEADLINE, StopSignals};
use super::slots::Slot;
use super::timeouts::{ConnectionState, TimeoutStream};

/// Larger request headers are answered 431. Common proxies allow about as much.
const MAX_HEAD_BYTES: usize = 32 * 1024;
/// More headers are answered 431. hyper's default is 100, and a delivery with headers added by proxies would be lost.
const MAX_HEADERS: usize = 512;
/// hyper's buffer for one connection. Its default of 400 KB is 400 MB for a thousand connections.
const MAX_BUFFER_BYTES: usize = 64 * 1024;

/// How long a connection without a request may send its first one after the stop. Its client may have connected, and written
/// the request, before the stop.
const FIRST_REQUEST_GRACE: Duration = Duration::from_millis(250);

/// Builds the parser of requests.
pub(super) fn protocol(idle_timeout: Duration) -> http1::Builder {
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
pub(super) struct ConnectionContext {
    pub(super) app: Router,
    pub(super) protocol: http1::Builder,
    pub(super) header_timeout: Duration,
    pub(super) write_timeout: Duration,
    /// Responses at a time to clients that have no slot.
    pub(super) rejections: Arc<Semaphore>,
    pub(super) signals: StopSignals,
    pub(super) abort: CancellationToken,
}

impl ConnectionContext {
    /// Serves requests until the connection ends, the service stops, or the slot is taken.
    pub(super) async fn serve_connection(self, stream: TcpStream, peer: SocketAddr, slot: Slot) {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%peer, %error, "cannot turn off write coalescing");
        }
        let Self {
            app,
            protocol,
            header_timeout,
            write_timeout,
            rejections,
            signals,
            abort,
        } = self;
        let state = Arc::new(ConnectionState::new(Arc::new(slot)));
        let stream = TimeoutStream::new(stream, header_timeout, write_timeout, Arc::clone(&state));
        let service = service_fn({
            let (state, signals) = (Arc::clone(&state), signals.clone());
            move |request: Request<Incoming>| {
                let has_body = !request.body().is_end_stream();
                state.start_request(peer, request.headers(), has_body);
                let (app, state) = (app.clone(), Arc::clone(&state));
                let signals = signals.clone();
                async move {
                    let mut response = respond(app, peer, state.slot(), request).await;
                    if signals.ends_connections() {
                        close_after(&mut response);
                    }
                    state.end_request();
                    Ok::<_, Infallible>(response)
                }
            }
        });
        let mut connection = pin!(protocol.serve_connection(TokioIo::new(stream), service));

        let ended = tokio::select! {
            // A request that has arrived is read before the connection counts as idle.
            biased;
            ended = connection.as_mut() => ended,
            () = signals.stop.cancelled() => {
                let first_request = timeout(FIRST_REQUEST_GRACE, connection.as_mut());
                if !state.has_had_request() && let Ok(ended) = first_request.await {
                    ended
                } else {
                    connection.as_mut().graceful_shutdown();
                    tokio::select! {
                        ended = connection.as_mut() => ended,
                        () = abort.cancelled() => {
                            tracing::warn!(%peer, "connection aborted after `server.drain_timeout`");
                            return;
                        }
                    }
                }
            }
            () = state.slot().evicted() => {
                // Its slot has another client now. The few that get a response are limited, and so is their time.
                if state.is_in_request() && let Ok(_permit) = rejections.try_acquire() {
                    connection.as_mut().graceful_shutdown();
                    let _ = timeout(REJECT_DEADLINE, connection).await;
                }
                return;
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
    slot: &Arc<Slot>,
    mut request: Request<Incoming>,
) -> Response<Body> {
    let encoding = transfer_encoding(request.headers());
    let mut response = if encoding == TransferEncoding::Unsupported {
        bad_request(r#"{"error":"unsupported transfer encoding"}"#)
    } else if !has_one_host(&request) {
        bad_request(r#"{"error":"needs exactly one Host header"}"#)
    } else {
        let client = slot.client(peer.ip(), request.headers());
        // The port is the one of the connection, also behind a proxy.
        let client = ConnectInfo(SocketAddr::new(client, peer.port()));
        request.extensions_mut().insert(client);
        request.extensions_mut().insert(Arc::clone(slot));
        tokio::select! {
            biased;
            response = app.call(request.map(Body::new)) => response.unwrap_or_else(|never| match never {}),
            () = slot.evicted() => ApiError::Overloaded.into_response(),
        }
    };
    // hyper drops a `Content-Length` beside a `Transfer-Encoding`, so we cannot see it. A proxy in front may have used
    // it, and then the bytes behind this request are part of its body. RFC 9112, section 6.1, requires to close the
    // connection after such a request; we close it after each one with a `Transfer-Encoding`.
    if encoding != TransferEncoding::None {
        close_after(&mut response);
    }
    set_response_headers(response.headers_mut());
    response
}

/// Adds the header that closes the connection after this response.
fn close_after(response: &mut Response<Body>) {
    let headers = response.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
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
