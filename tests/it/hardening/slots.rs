//! Connections and bodies without a good signature take nothing from senders that were verified (ADR 0011).

use std::net::SocketAddr;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::support::driving::merge_record;
use crate::support::process::{RunningService, WAIT_LIMIT};
use crate::support::{JSON, TestApp};

/// Time within which a sender must have its response.
const PROMPTLY: Duration = Duration::from_secs(1);
/// Other addresses of this machine.
const ATTACKER: [u8; 4] = [127, 0, 0, 66];
const SENDER: [u8; 4] = [127, 0, 0, 1];

/// Connects from an address of this machine.
async fn connect(from: [u8; 4], to: &str) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::from((from, 0)))?;
    socket.connect(to.parse().unwrap()).await
}

/// A request to the source `merge` that declares a body of this length, with a wrong signature and without the body.
fn forged_head(length: usize, more: &str) -> String {
    format!(
        "POST /webhooks/merge HTTP/1.1\r\nHost: a\r\n{more}Content-Length: {length}\r\n\
         X-Merge-Webhook-Signature: {}=\r\n\r\n",
        "A".repeat(43)
    )
}

/// A signed Merge delivery about an employee, padded to a length.
fn signed(app: &TestApp, n: usize, length: usize, more: &str) -> Vec<u8> {
    let mut record = merge_record(
        &n.to_string(),
        "p@example.com",
        "2026-01-01T00:00:00Z",
        "ACTIVE",
        None,
    );
    record["padding"] = "x".repeat(length).into();
    let request = app.signed("merge", JSON, record.to_string());
    let mut head = format!("POST /webhooks/merge HTTP/1.1\r\nHost: a\r\n{more}");
    for (name, value) in request.headers() {
        head.extend([name.as_str(), ": ", value.to_str().unwrap(), "\r\n"]);
    }
    let body = record.to_string();
    format!("{head}Content-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

/// Sends a request over a new connection. Returns the status, or what went wrong, and the time it took.
async fn ask(from: [u8; 4], to: &str, request: &[u8]) -> (String, Duration) {
    let began = Instant::now();
    let answer = timeout(WAIT_LIMIT, async {
        let mut stream = connect(from, to).await?;
        stream.write_all(request).await?;
        let mut bytes = [0; 12];
        stream.read_exact(&mut bytes).await?;
        std::io::Result::Ok(String::from_utf8_lossy(&bytes[9..]).into_owned())
    });
    let status = match answer.await {
        Ok(answer) => answer.unwrap_or_else(|error| error.to_string()),
        Err(_) => "no response".to_owned(),
    };
    (status, began.elapsed())
}

/// Clients that each keep one connection open, send the same bytes each time, and connect again when it is closed. They have a
/// thread of their own, so that a sender's time is that of the service.
struct Attack {
    stop: CancellationToken,
    thread: JoinHandle<()>,
}

impl Attack {
    fn start(from: [u8; 4], to: &str, requests: Vec<Vec<u8>>) -> Self {
        let stop = CancellationToken::new();
        let (to, stopped) = (to.to_owned(), stop.clone());
        let run = async move {
            let mut clients = JoinSet::new();
            for request in requests {
                clients.spawn(keep_connected(from, to.clone(), request));
            }
            stopped.cancelled().await;
            clients.shutdown().await;
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let thread = std::thread::spawn(move || runtime.block_on(run));
        Self { stop, thread }
    }

    fn end(self) {
        self.stop.cancel();
        self.thread.join().unwrap();
    }
}

async fn keep_connected(from: [u8; 4], to: String, request: Vec<u8>) {
    loop {
        if let Ok(mut stream) = connect(from, &to).await {
            let _ = stream.write_all(&request).await;
            // Ends when the service closes the connection.
            while stream.read(&mut [0; 512]).await.is_ok_and(|read| read > 0) {}
        }
        // A flood of new connections would measure the processor.
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
}

/// The value of a metric, or 0.
async fn metric(service: &RunningService, name: &str) -> f64 {
    let text = service.get("/metrics").await.2;
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.map_or(0.0, |value| value.trim().parse().unwrap())
}

/// Waits until a metric is at least so much.
async fn wait_for_metric(service: &RunningService, name: &str, least: f64) {
    let began = Instant::now();
    while metric(service, name).await < least {
        assert!(began.elapsed() < WAIT_LIMIT, "{name} is below {least}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

const OPEN: &str = "leaver_connections_open{listener=\"public\"} ";

/// 1,024 clients: idle ones after a request, silent ones, half heads, half bodies.
fn idle_silent_and_half() -> Vec<Vec<u8>> {
    let half_body = format!("{}{}", forged_head(200_000, ""), "x".repeat(100_000));
    let kinds: [&[u8]; 4] = [
        b"GET /health/live HTTP/1.1\r\nHost: a\r\n\r\n",
        b"",
        b"POST /webhooks/merge HTTP/1.1\r\nHost: a\r\nX-",
        half_body.as_bytes(),
    ];
    (0..1_024).map(|n| kinds[n % 4].to_vec()).collect()
}

/// Attacks with 1,024 clients from an address, of which so many have a slot at least, while a sender that was verified before sends over new connections.
async fn attack_beside_a_sender(attacker: [u8; 4], open: f64) {
    let app = TestApp::builder().unmigrated().build().await;
    let mut service = app.serve(&[]);
    let began = Instant::now();
    let to = service.address().to_owned();
    assert_eq!(ask(SENDER, &to, &signed(&app, 0, 0, "")).await.0, "200");
    let attack = Attack::start(attacker, &to, idle_silent_and_half());
    wait_for_metric(&service, OPEN, open).await;
    for n in 1..=40 {
        let (status, took) = ask(SENDER, &to, &signed(&app, n, 0, "")).await;
        assert_eq!(status, "200", "delivery {n}");
        assert!(took < PROMPTLY, "delivery {n} took {took:?}");
    }
    assert_eq!(service.get("/health").await.0, 200);
    let health = app.run_with(&["health", "--url", &service.admin_url], &[]);
    health.succeeded();
    service.process.wait_for("api.slots:");
    attack.end();
    let log = service.stop().err;
    let lines: Vec<_> = log.lines().filter(|it| it.contains("api.slots:")).collect();
    let minutes = usize::try_from(began.elapsed().as_secs() / 60).unwrap();
    assert!(lines.len() <= 1 + minutes, "{lines:#?}");
    assert!(!log.contains("127.0.0.66"), "{log}");
}

#[tokio::test]
async fn a_verified_sender_is_served_beside_1024_attackers() {
    attack_beside_a_sender(ATTACKER, 250.0).await;
}

#[tokio::test]
async fn a_sender_at_the_attackers_address_is_served_too() {
    attack_beside_a_sender(SENDER, 1_000.0).await;
}

#[tokio::test]
async fn half_bodies_free_their_memory_for_a_verified_sender() {
    let app = TestApp::builder().unmigrated().build().await;
    let service = app.serve(&[
        ("LEAVER__SERVER__MAX_BODY", "1MiB"),
        ("LEAVER__SERVER__MAX_IN_FLIGHT_BYTES", "8MiB"),
    ]);
    let to = service.address().to_owned();
    assert_eq!(ask(SENDER, &to, &signed(&app, 0, 0, "")).await.0, "200");
    for (attacker, length) in [(ATTACKER, 700_000), (SENDER, 0)] {
        let half = format!("{}{}", forged_head(1 << 20, ""), "x".repeat(900_000));
        let attack = Attack::start(attacker, &to, vec![half.into_bytes(); 30]);
        let closed = "leaver_clients_rejected_total{listener=\"public\",reason=\"memory\"} ";
        let before = metric(&service, closed).await;
        wait_for_metric(&service, closed, before + 1.0).await;
        for n in 1..=10 {
            let (status, took) = ask(SENDER, &to, &signed(&app, n, length, "")).await;
            assert_eq!(status, "200", "delivery {n}");
            assert!(took < PROMPTLY, "delivery {n} took {took:?}");
        }
        attack.end();
    }
    service.stop();
}

#[tokio::test]
async fn forged_large_bodies_take_nothing_from_a_sender() {
    let app = TestApp::builder().unmigrated().build().await;
    let service = app.serve(&[
        ("LEAVER__SERVER__MAX_BODY", "4MiB"),
        ("LEAVER__SERVER__MAX_IN_FLIGHT_BYTES", "24MiB"),
    ]);
    let to = service.address().to_owned();
    assert_eq!(ask(SENDER, &to, &signed(&app, 0, 0, "")).await.0, "200");
    let whole = format!("{}{}", forged_head(4 << 20, ""), "x".repeat(4 << 20));
    let attack = Attack::start(ATTACKER, &to, vec![whole.into_bytes(); 12]);
    let refused =
        "leaver_webhook_signature_failures_total{source=\"merge\",reason=\"wrong_signature\"} ";
    wait_for_metric(&service, refused, 1.0).await;
    for n in 1..=20 {
        let (status, took) = ask(SENDER, &to, &signed(&app, n, 100_000, "")).await;
        assert_eq!(status, "200", "delivery {n}");
        assert!(took < PROMPTLY, "delivery {n} took {took:?}");
    }
    attack.end();
    service.stop();
}

#[tokio::test]
async fn clients_with_frequent_requests_keep_no_sender_out() {
    let app = TestApp::builder().unmigrated().build().await;
    let service = app.serve(&[("LEAVER__SERVER__MAX_CONNECTIONS", "32")]);
    let to = service.address().to_owned();
    assert_eq!(ask(SENDER, &to, &signed(&app, 0, 0, "")).await.0, "200");
    let mut clients = JoinSet::new();
    for _ in 0..32 {
        let to = to.clone();
        clients.spawn(async move {
            loop {
                let Ok(mut stream) = connect(SENDER, &to).await else {
                    continue;
                };
                let request = b"GET /health/live HTTP/1.1\r\nHost: a\r\n\r\n";
                while stream.write_all(request).await.is_ok()
                    && stream.read(&mut [0; 512]).await.is_ok_and(|read| read > 0)
                {
                    tokio::time::sleep(Duration::from_millis(150)).await;
                }
            }
        });
    }
    wait_for_metric(&service, OPEN, 32.0).await;
    for n in 1..=20 {
        let (status, took) = ask(SENDER, &to, &signed(&app, n, 0, "")).await;
        assert_eq!(status, "200", "delivery {n}");
        assert!(took < PROMPTLY, "delivery {n} took {took:?}");
    }
    clients.shutdown().await;
    service.stop();
}

/// A size of `/proc/PID/status`, in KiB.
fn size(service: &RunningService, name: &str) -> usize {
    let path = format!("/proc/{}/status", service.process.id());
    let text = std::fs::read_to_string(path).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let value = line.unwrap().trim_start_matches(':').trim();
    value.strip_suffix(" kB").unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_declared_length_takes_no_memory() {
    let app = TestApp::builder().unmigrated().build().await;
    let service = app.serve(&[]);
    let to = service.address().to_owned();
    // So that each thread has its own memory before.
    for n in 0..20 {
        ask(SENDER, &to, &signed(&app, n, 0, "")).await;
    }
    let before = size(&service, "VmSize");
    let attack = Attack::start(
        ATTACKER,
        &to,
        vec![forged_head(10 << 20, "").into_bytes(); 400],
    );
    wait_for_metric(&service, OPEN, 200.0).await;
    let taken = size(&service, "VmSize").saturating_sub(before);
    assert!(taken < 64 * 1024, "{taken} KiB");
    attack.end();
    service.stop();
}

#[tokio::test]
async fn many_health_requests_leave_readiness_at_200() {
    let app = TestApp::builder().unmigrated().build().await;
    let service = app.serve(&[]);
    for url in [&service.url, &service.admin_url] {
        let to = url.strip_prefix("http://").unwrap();
        for count in [150, 1_500] {
            let mut requests = JoinSet::new();
            for _ in 0..count {
                let to = to.to_owned();
                requests.spawn(async move {
                    let request = b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n";
                    ask(ATTACKER, &to, request).await.0
                });
            }
            let mut answered = 0;
            while !requests.is_empty() {
                let request = b"GET /health/ready HTTP/1.1\r\nHost: a\r\n\r\n";
                assert_eq!(ask(SENDER, to, request).await.0, "200", "of {count}");
                while let Some(status) = requests.try_join_next() {
                    answered += usize::from(status.unwrap() == "200");
                }
            }
            assert!(answered >= count.min(150), "{answered} of {count}");
        }
    }
    service.stop();
}

#[tokio::test]
async fn the_health_check_works_while_all_slots_are_busy() {
    let mut app = TestApp::builder().unmigrated().build().await;
    let service = app.serve(&[("LEAVER__SERVER__MAX_CONNECTIONS", "8")]);
    let to = service.address().to_owned();
    assert_eq!(ask(SENDER, &to, &signed(&app, 0, 0, "")).await.0, "200");
    app.sql("BEGIN; LOCK TABLE leaver.deliveries IN EXCLUSIVE MODE")
        .await;
    let mut senders = JoinSet::new();
    for n in 1..=8 {
        let (to, request) = (to.clone(), signed(&app, n, 0, ""));
        senders.spawn(async move { ask(SENDER, &to, &request).await.0 });
    }
    wait_for_metric(&service, OPEN, 8.0).await;
    assert_eq!(ask(SENDER, &to, &signed(&app, 9, 0, "")).await.0, "503");
    app.run_with(&["health", "--url", &service.admin_url], &[])
        .succeeded();
    app.sql("COMMIT").await;
    assert_eq!(senders.join_all().await, vec!["200"; 8]);
    service.stop();
}

#[tokio::test]
async fn a_sender_behind_a_proxy_is_known_by_its_own_address() {
    let app = TestApp::builder().unmigrated().build().await;
    let service = app.serve(&[
        ("LEAVER__SERVER__MAX_CONNECTIONS", "64"),
        ("LEAVER__SERVER__TRUSTED_PROXIES", "[\"127.0.0.1\"]"),
    ]);
    let to = service.address().to_owned();
    let of_sender = "X-Forwarded-For: 203.0.113.7\r\n";
    assert_eq!(
        ask(SENDER, &to, &signed(&app, 0, 0, of_sender)).await.0,
        "200"
    );
    let half = forged_head(1_000, "X-Forwarded-For: 203.0.113.7, 198.51.100.1\r\n");
    let attack = Attack::start(SENDER, &to, vec![half.into_bytes(); 80]);
    let at_limit = "leaver_clients_rejected_total{listener=\"public\",reason=\"peer_limit\"} ";
    wait_for_metric(&service, at_limit, 1.0).await;
    for n in 1..=10 {
        let (status, took) = ask(SENDER, &to, &signed(&app, n, 0, of_sender)).await;
        assert_eq!(status, "200", "delivery {n}");
        assert!(took < PROMPTLY, "delivery {n} took {took:?}");
    }
    attack.end();
    service.stop();
}
