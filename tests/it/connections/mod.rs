//! The HTTP server under slow, silent, hostile and many clients: raw TCP against a small router.

mod overload;
mod requests;
mod slow;
mod stop;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::ConnectInfo;
use axum::routing::{get, post};
use leaver::api::proxies::TrustedProxies;
use leaver::api::server::{Drained, ServerLimits, StopSignals, listen, serve};
use leaver::api::slots::Slots;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;

const HEADER: Duration = Duration::from_millis(300);
const IDLE: Duration = Duration::from_millis(900);
const WRITE: Duration = Duration::from_millis(300);
const DRAIN: Duration = Duration::from_millis(600);
/// Upper bound of every wait, also on a busy machine.
const DEADLINE: Duration = Duration::from_secs(4);
const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const LAST_GET: &str = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

struct TestServer {
    address: SocketAddr,
    slots: Arc<Slots>,
    signals: StopSignals,
    serving: JoinHandle<Drained>,
    /// One message for each `/slow` request that has reached its handler.
    arrived: mpsc::UnboundedReceiver<()>,
    /// Lets a `/slow` request finish.
    release: mpsc::UnboundedSender<()>,
}

impl TestServer {
    fn start() -> Self {
        Self::start_with(limits())
    }

    fn start_with(limits: ServerLimits) -> Self {
        let (arrival, arrived) = mpsc::unbounded_channel();
        let (release, released) = mpsc::unbounded_channel::<()>();
        let released = Arc::new(tokio::sync::Mutex::new(released));
        let slow = move || {
            arrival.send(()).unwrap();
            async move {
                released.lock().await.recv().await;
                "slow"
            }
        };
        let app = Router::new()
            .route("/", get(hello))
            .route(
                "/peer",
                get(async |ConnectInfo(peer): ConnectInfo<SocketAddr>| peer.to_string()),
            )
            .route("/length", post(async |body: Bytes| body.len().to_string()))
            .route("/unread", post(async || "not read"))
            .route("/large", get(async || Bytes::from(vec![b'x'; 32 << 20])))
            .route("/slow", get(slow))
            .route(
                "/panic",
                get(async || -> &'static str { panic!("this handler always panics") }),
            );
        let listener = listen("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = listener.local_addr().unwrap();
        let signals = StopSignals::default();
        let slots = Slots::public(
            limits.max_connections,
            TrustedProxies::default(),
            Arc::default(),
        );
        let serving = tokio::spawn(serve(
            listener,
            app,
            limits,
            Arc::clone(&slots),
            signals.clone(),
        ));
        Self {
            address,
            slots,
            signals,
            serving,
            arrived,
            release,
        }
    }

    async fn send(&self, bytes: impl AsRef<[u8]>) -> TcpStream {
        let mut client = TcpStream::connect(self.address).await.unwrap();
        client.write_all(bytes.as_ref()).await.unwrap();
        client
    }

    /// Sends a request that ends its connection, and returns everything that came back.
    async fn ask(&self, bytes: impl AsRef<[u8]>) -> String {
        read_all(&mut self.send(bytes).await).await
    }

    async fn assert_serves(&self) {
        let answer = self.ask(LAST_GET).await;
        assert!(
            answer.starts_with("HTTP/1.1 200") && answer.ends_with("hello"),
            "{answer:?}"
        );
    }

    async fn wait_for_arrival(&mut self) {
        within(self.arrived.recv()).await.unwrap();
    }

    /// Stops the server. Returns its report and how long it took.
    async fn stop(self) -> (Drained, Duration) {
        let began = Instant::now();
        self.signals.stop.cancel();
        let drained = within(self.serving).await.unwrap();
        (drained, began.elapsed())
    }
}

/// Takes 2 ms, as real handlers do; hyper reads ahead meanwhile.
async fn hello() -> &'static str {
    tokio::time::sleep(Duration::from_millis(2)).await;
    "hello"
}

fn limits() -> ServerLimits {
    ServerLimits {
        max_connections: 16,
        header_timeout: HEADER,
        idle_timeout: IDLE,
        drain_timeout: DRAIN,
        write_timeout: WRITE,
    }
}

async fn within<F: Future>(waited: F) -> F::Output {
    timeout(DEADLINE, waited)
        .await
        .expect("should not take that long")
}

/// Reads until the other side closes, by a reset too.
async fn read_all(client: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let _ = within(client.read_to_end(&mut bytes)).await;
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Reads one response whose body ends in `end`, and leaves the connection open.
async fn read_answer(client: &mut TcpStream, end: &str) -> String {
    let mut answer = String::new();
    while !answer.ends_with(end) {
        let mut bytes = [0; 1024];
        let read = within(client.read(&mut bytes)).await.unwrap();
        assert!(read > 0, "closed after {answer:?}");
        answer.push_str(std::str::from_utf8(&bytes[..read]).unwrap());
    }
    answer
}

/// Asserts that the server closes a connection without a response after `limit`, within a second.
async fn assert_closed_after(limit: Duration, mut client: TcpStream) {
    let began = Instant::now();
    assert_eq!(read_all(&mut client).await, "");
    let took = began.elapsed();
    assert!(
        took > limit / 2 && took < limit + Duration::from_secs(1),
        "took {took:?}"
    );
}
