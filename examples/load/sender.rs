//! Senders on keep-alive connections, each with one request in flight: unique BambooHR bodies, signed one by one.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use chrono::{DateTime, Utc};
use leaver::clock::{Clock, SystemClock};
use leaver::signature::{Key, Layout, Scheme};
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

/// How BambooHR would sign with our key.
pub(crate) fn scheme() -> anyhow::Result<Scheme> {
    Ok(Scheme::BambooHr {
        keys: vec![Key::new(&KEY.into())?],
        layout: Layout::BodyThenTimestamp,
        freshness: chrono::TimeDelta::hours(3),
    })
}

/// Sends for so long, and waits for the last answers.
pub(crate) async fn load(
    address: &str,
    connections: usize,
    time: Duration,
) -> anyhow::Result<Sent> {
    let shared = Arc::new(Shared {
        scheme: scheme()?,
        next: AtomicU64::new(0),
        run: Uuid::new_v4(),
    });
    let mut streams = Vec::with_capacity(connections);
    for _ in 0..connections {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        streams.push(stream);
    }
    let began = Instant::now();
    let mut senders = JoinSet::new();
    for stream in streams {
        senders.spawn(send(stream, Arc::clone(&shared), began + time));
    }
    let mut all = Sent::default();
    while let Some(sent) = senders.join_next().await {
        let sent = sent??;
        all.acknowledged.extend(sent.acknowledged);
        all.latencies.extend(sent.latencies);
        all.refused += sent.refused;
    }
    all.took = began.elapsed();
    all.latencies.sort_unstable();
    Ok(all)
}

struct Shared {
    scheme: Scheme,
    next: AtomicU64,
    run: Uuid,
}

impl Shared {
    /// A request as BambooHR sends it, about 1 kB, unlike any other. Each is about one of 5,000 employees.
    fn request(&self) -> Vec<u8> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let employee = number % 5_000;
        let now = SystemClock.now();
        let at = now.format("%Y-%m-%dT%H:%M:%S+0000");
        let mut body = format!(
            r#"{{"employees":[{{"id":"{employee}","action":"Updated","timestamp":"{at}","changedFields":["status","employmentHistoryStatus"],"fields":{{"status":"Active","employmentHistoryStatus":"Full-Time","hireDate":"2020-01-06","terminationDate":"0000-00-00","workEmail":"employee{employee}@example.com","firstName":"Load","lastName":"Number {number}","note":"{}-{number}""#,
            self.run
        );
        body.push_str(&(0..11).map(custom_field).collect::<String>());
        body.push_str("}}]}");
        request(&self.scheme, &body, now)
    }
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

async fn send(mut stream: TcpStream, shared: Arc<Shared>, until: Instant) -> anyhow::Result<Sent> {
    let mut sent = Sent::default();
    let mut answer = Vec::with_capacity(1024);
    while Instant::now() < until {
        let request = shared.request();
        let began = Instant::now();
        stream.write_all(&request).await?;
        let status = read_answer(&mut stream, &mut answer).await?;
        if status == 200 {
            sent.latencies.push(began.elapsed());
            sent.acknowledged.push(delivery(&answer)?);
        } else {
            sent.refused += 1;
        }
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
