//! Senders on keep-alive connections, each with one request in flight: unique BambooHR bodies, signed one by one.

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

/// What came of a load.
#[derive(Debug, Default)]
pub(crate) struct Sent {
    /// What was answered with 200.
    pub(crate) acknowledged: Vec<Uuid>,
    /// How long each of those took, sorted.
    pub(crate) latencies: Vec<Duration>,
    /// Any other answer.
    pub(crate) refused: u64,
    /// From the first request to the last answer.
    pub(crate) took: Duration,
}

impl Sent {
    /// One answer more.
    pub(crate) fn answered(
        &mut self,
        status: u16,
        answer: &[u8],
        took: Duration,
    ) -> anyhow::Result<()> {
        if status == 200 {
            self.latencies.push(took);
            self.acknowledged.push(delivery(answer)?);
        } else {
            self.refused += 1;
        }
        Ok(())
    }

    /// What came of another connection.
    pub(crate) fn add(&mut self, other: Self) {
        self.acknowledged.extend(other.acknowledged);
        self.latencies.extend(other.latencies);
        self.refused += other.refused;
    }
}

/// How long these took.
pub(crate) fn percentiles(mut times: Vec<Duration>) -> Value {
    times.sort_unstable();
    let at = |thousandths: usize| {
        let last = times.len().saturating_sub(1);
        let time = times.get(last * thousandths / 1000);
        time.map_or(f64::NAN, |time| time.as_secs_f64() * 1000.0)
    };
    json!({"count": times.len(), "p50_ms": at(500), "p99_ms": at(990), "max_ms": at(1000)})
}

/// How BambooHR would sign with our key.
pub(crate) fn scheme() -> anyhow::Result<Scheme> {
    Ok(Scheme::BambooHr {
        keys: vec![Key::new(&KEY.into())?],
        layout: Layout::BodyThenTimestamp,
        freshness: chrono::TimeDelta::hours(3),
    })
}

/// A connection that sends at once what it is given.
pub(crate) async fn connect(address: &str) -> anyhow::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Sends for so long, and waits for the last answers.
pub(crate) async fn load(
    address: &str,
    connections: usize,
    time: Duration,
) -> anyhow::Result<Sent> {
    let letters = Arc::new(Letters::new()?);
    let mut streams = Vec::with_capacity(connections);
    for _ in 0..connections {
        streams.push(connect(address).await?);
    }
    let began = Instant::now();
    let mut senders = JoinSet::new();
    for stream in streams {
        senders.spawn(send(stream, Arc::clone(&letters), began + time));
    }
    let mut all = Sent::default();
    while let Some(sent) = senders.join_next().await {
        all.add(sent??);
    }
    all.took = began.elapsed();
    all.latencies.sort_unstable();
    Ok(all)
}

/// Requests as BambooHR sends them, each unlike any other.
pub(crate) struct Letters {
    scheme: Scheme,
    next: AtomicU64,
    run: Uuid,
}

impl Letters {
    pub(crate) fn new() -> anyhow::Result<Self> {
        Ok(Self {
            scheme: scheme()?,
            next: AtomicU64::new(0),
            run: Uuid::new_v4(),
        })
    }

    /// How many were made.
    pub(crate) fn count(&self) -> u64 {
        self.next.load(Ordering::Relaxed)
    }

    /// One about so many of 5,000 employees, some 1 kB and 600 B for each further one.
    pub(crate) fn request(&self, employees: u64) -> Vec<u8> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let now = SystemClock.now();
        let entries: Vec<String> = (number..number + employees)
            .map(|employee| entry(employee % 5_000, now))
            .collect();
        let body = format!(
            r#"{{"employees":[{}],"note":"{}-{number}"}}"#,
            entries.join(","),
            self.run
        );
        request(&self.scheme, &body, now)
    }
}

/// About one employee, who works.
fn entry(employee: u64, now: DateTime<Utc>) -> String {
    let at = now.format("%Y-%m-%dT%H:%M:%S+0000");
    let custom: String = (0..11).map(custom_field).collect();
    format!(
        r#"{{"id":"{employee}","action":"Updated","timestamp":"{at}","changedFields":["status","employmentHistoryStatus"],"fields":{{"status":"Active","employmentHistoryStatus":"Full-Time","hireDate":"2020-01-06","terminationDate":"0000-00-00","workEmail":"employee{employee}@example.com","firstName":"Load","lastName":"Number {employee}"{custom}}}}}"#
    )
}

/// The same with a body that was not signed.
pub(crate) fn tampered(mut request: Vec<u8>) -> Vec<u8> {
    if let Some(last) = request.last_mut() {
        *last = b' ';
    }
    request
}

/// A signed request, as it goes over the wire.
pub(crate) fn request(scheme: &Scheme, body: &str, now: DateTime<Utc>) -> Vec<u8> {
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

/// What is not for us.
fn custom_field(number: usize) -> String {
    format!(r#","customField{number}":"something that is not for us""#)
}

async fn send(
    mut stream: TcpStream,
    letters: Arc<Letters>,
    until: Instant,
) -> anyhow::Result<Sent> {
    let mut sent = Sent::default();
    let mut answer = Vec::with_capacity(1024);
    while Instant::now() < until {
        let request = letters.request(1);
        let began = Instant::now();
        stream.write_all(&request).await?;
        let status = read_answer(&mut stream, &mut answer).await?;
        sent.answered(status, &answer, began.elapsed())?;
    }
    Ok(sent)
}

/// The status of an answer that has come whole.
pub(crate) async fn read_answer(
    stream: &mut TcpStream,
    answer: &mut Vec<u8>,
) -> anyhow::Result<u16> {
    answer.clear();
    loop {
        if stream.read_buf(answer).await? == 0 {
            bail!("the server closed the connection");
        }
        let Some(end) = find(answer, b"\r\n\r\n") else {
            continue;
        };
        let head = std::str::from_utf8(&answer[..end])?.to_ascii_lowercase();
        let length = head.split("content-length: ").nth(1);
        let length = length.and_then(|rest| rest.lines().next()?.parse::<usize>().ok());
        if answer.len() >= end + 4 + length.context("an answer without a length")? {
            return Ok(head
                .get(9..12)
                .context("an answer without a status")?
                .parse()?);
        }
    }
}

fn delivery(answer: &[u8]) -> anyhow::Result<Uuid> {
    let name = br#""delivery":""#;
    let at = find(answer, name).context("an answer without an id")? + name.len();
    let id = answer.get(at..at + 36).context("an id cut short")?;
    Ok(Uuid::try_parse_ascii(id)?)
}

fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|window| window == part)
}
