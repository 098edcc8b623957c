//! Sends unique, signed BambooHR requests over keep-alive connections, one request in flight per connection.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use chrono::{DateTime, Utc};
use leaver::base::clock::{Clock, SystemClock};
use leaver_core::signature::{Key, Layout, Scheme};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::KEY;

/// Responses to a load.
#[derive(Debug, Default)]
pub(crate) struct LoadResult {
    /// Ids of the deliveries with status 200.
    pub(crate) acknowledged: Vec<Uuid>,
    /// Response times of those, sorted once [`load`] returns.
    pub(crate) latencies: Vec<Duration>,
    /// Number of responses with another status.
    pub(crate) refused: u64,
    /// Time from the first request to the last response.
    pub(crate) elapsed: Duration,
}

impl LoadResult {
    /// Records one response. Fails if a response with status 200 has no delivery id.
    pub(crate) fn record(
        &mut self,
        status: u16,
        response: &[u8],
        latency: Duration,
    ) -> anyhow::Result<()> {
        if status == 200 {
            self.latencies.push(latency);
            self.acknowledged.push(delivery_id(response)?);
        } else {
            self.refused += 1;
        }
        Ok(())
    }

    /// Adds the responses of another connection.
    pub(crate) fn merge(&mut self, other: Self) {
        self.acknowledged.extend(other.acknowledged);
        self.latencies.extend(other.latencies);
        self.refused += other.refused;
    }
}

/// Returns count, median, 99th percentile and maximum in milliseconds, as JSON.
pub(crate) fn percentiles(mut times: Vec<Duration>) -> Value {
    times.sort_unstable();
    let at = |thousandths: usize| {
        let last = times.len().saturating_sub(1);
        let time = times.get(last * thousandths / 1000);
        time.map_or(f64::NAN, |time| time.as_secs_f64() * 1000.0)
    };
    json!({"count": times.len(), "p50_ms": at(500), "p99_ms": at(990), "max_ms": at(1000)})
}

/// Returns the signature scheme of BambooHR with the key of the load.
pub(crate) fn scheme() -> anyhow::Result<Scheme> {
    Ok(Scheme::BambooHr {
        keys: vec![Key::new(&KEY.into())?],
        layout: Layout::BodyThenTimestamp,
        timestamp_tolerance: chrono::TimeDelta::hours(3),
    })
}

/// Opens a connection with `TCP_NODELAY`.
pub(crate) async fn connect(address: &str) -> anyhow::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Sends for `time` on all connections, then waits for the last responses.
pub(crate) async fn load(
    address: &str,
    connections: usize,
    time: Duration,
) -> anyhow::Result<LoadResult> {
    let requests = Arc::new(Requests::new()?);
    let mut streams = Vec::with_capacity(connections);
    for _ in 0..connections {
        streams.push(connect(address).await?);
    }
    let began = Instant::now();
    let mut senders = JoinSet::new();
    for stream in streams {
        senders.spawn(send(stream, Arc::clone(&requests), began + time));
    }
    let mut all = LoadResult::default();
    while let Some(result) = senders.join_next().await {
        all.merge(result??);
    }
    all.elapsed = began.elapsed();
    all.latencies.sort_unstable();
    Ok(all)
}

/// Generates requests as BambooHR sends them. Each body is unique.
pub(crate) struct Requests {
    scheme: Scheme,
    next: AtomicU64,
    run: Uuid,
}

impl Requests {
    pub(crate) fn new() -> anyhow::Result<Self> {
        Ok(Self {
            scheme: scheme()?,
            next: AtomicU64::new(0),
            run: Uuid::new_v4(),
        })
    }

    /// Returns the number of requests so far.
    pub(crate) fn count(&self) -> u64 {
        self.next.load(Ordering::Relaxed)
    }

    /// Returns a request with this many of 5,000 employees: about 1 kB, and 600 B more for each further one.
    pub(crate) fn next(&self, employees: u64) -> Vec<u8> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let now = SystemClock.now();
        let entries: Vec<String> = (number..number + employees)
            .map(|employee| employee_entry(employee % 5_000, now))
            .collect();
        let body = format!(
            r#"{{"employees":[{}],"note":"{}-{number}"}}"#,
            entries.join(","),
            self.run
        );
        signed_request(&self.scheme, &body, now)
    }
}

/// Returns the entry of one employed person.
fn employee_entry(employee: u64, now: DateTime<Utc>) -> String {
    let at = now.format("%Y-%m-%dT%H:%M:%S+0000");
    let custom: String = (0..11).map(custom_field).collect();
    format!(
        r#"{{"id":"{employee}","action":"Updated","timestamp":"{at}","changedFields":["status","employmentHistoryStatus"],"fields":{{"status":"Active","employmentHistoryStatus":"Full-Time","hireDate":"2020-01-06","terminationDate":"0000-00-00","workEmail":"employee{employee}@example.com","firstName":"Load","lastName":"Number {employee}"{custom}}}}}"#
    )
}

/// Changes the body, so that the signature is wrong.
pub(crate) fn with_wrong_signature(mut request: Vec<u8>) -> Vec<u8> {
    if let Some(last) = request.last_mut() {
        *last = b' ';
    }
    request
}

/// Returns the bytes of a signed HTTP request.
pub(crate) fn signed_request(scheme: &Scheme, body: &str, now: DateTime<Utc>) -> Vec<u8> {
    let mut request = format!(
        "POST /webhooks/bamboohr HTTP/1.1\r\nHost: load\r\nContent-Type: application/json\r\nContent-Length: {}\r\n",
        body.len()
    )
    .into_bytes();
    for (name, value) in scheme.sign(body.as_bytes(), now) {
        request.extend_from_slice(name.as_str().as_bytes());
        request.extend_from_slice(b": ");
        request.extend_from_slice(value.as_bytes());
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(b"\r\n");
    request.extend_from_slice(body.as_bytes());
    request
}

/// Returns a field that the service ignores.
fn custom_field(number: usize) -> String {
    format!(r#","customField{number}":"a value that Leaver ignores.""#)
}

async fn send(
    mut stream: TcpStream,
    requests: Arc<Requests>,
    until: Instant,
) -> anyhow::Result<LoadResult> {
    let mut result = LoadResult::default();
    let mut response = Vec::with_capacity(1024);
    while Instant::now() < until {
        let request = requests.next(1);
        let began = Instant::now();
        stream.write_all(&request).await?;
        let status = read_response(&mut stream, &mut response).await?;
        result.record(status, &response, began.elapsed())?;
    }
    Ok(result)
}

/// Reads one whole response and returns its status. Fails if the server closes the connection before.
pub(crate) async fn read_response(
    stream: &mut TcpStream,
    response: &mut Vec<u8>,
) -> anyhow::Result<u16> {
    response.clear();
    loop {
        if stream.read_buf(response).await? == 0 {
            bail!("the server closed the connection");
        }
        let Some(end) = find(response, b"\r\n\r\n") else {
            continue;
        };
        let head = std::str::from_utf8(&response[..end])?.to_ascii_lowercase();
        let length = head.split("content-length: ").nth(1);
        let length = length.and_then(|rest| rest.lines().next()?.parse::<usize>().ok());
        if response.len() >= end + 4 + length.context("the response has no content-length")? {
            return Ok(head
                .get(9..12)
                .context("the response has no status")?
                .parse()?);
        }
    }
}

fn delivery_id(response: &[u8]) -> anyhow::Result<Uuid> {
    let name = br#""delivery":""#;
    let at = find(response, name).context("the response has no delivery id")? + name.len();
    let id = response
        .get(at..at + 36)
        .context("the delivery id is too short")?;
    Ok(Uuid::try_parse_ascii(id)?)
}

fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|window| window == part)
}
