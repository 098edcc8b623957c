//! Senders without retries: each keeps its connection or opens one for every request, and counts its answers.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::faults::ledger::Delivery;

/// Pause of a sender after each answer.
const PAUSE: Duration = Duration::from_millis(15);
/// Time limit for an answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// One response: its status, and whether it ends the connection.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: String,
    pub(super) closes: bool,
    pub(super) text: String,
}

/// Reads one response with a `Content-Length`. Returns the reason if there is none.
pub(super) async fn read_answer(stream: &mut TcpStream) -> Result<Answer, String> {
    let mut text = String::new();
    let mut bytes = [0; 4096];
    loop {
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let head = head.to_ascii_lowercase();
            let length = head.split_once("content-length: ").map(|(_, rest)| rest);
            let length = length.and_then(|rest| rest.lines().next()?.parse::<usize>().ok());
            if length.is_some_and(|length| body.len() >= length) {
                return Ok(Answer {
                    status: head.get(9..12).unwrap_or_default().to_owned(),
                    closes: head.contains("connection: close"),
                    text,
                });
            }
        }
        match timeout(ANSWER_WITHIN, stream.read(&mut bytes)).await {
            Ok(Ok(0)) => return Err(format!("closed after {text:?}")),
            Ok(Ok(read)) => text.push_str(&String::from_utf8_lossy(&bytes[..read])),
            Ok(Err(error)) => return Err(format!("{error} after {text:?}")),
            Err(_) => return Err(format!("nothing after {text:?}")),
        }
    }
}

/// Sends a request on this connection, or on a new one.
pub(super) async fn ask(
    kept: Option<TcpStream>,
    address: &str,
    request: &[u8],
) -> Result<(Answer, TcpStream), String> {
    let mut stream = match kept {
        Some(stream) => stream,
        None => TcpStream::connect(address)
            .await
            .map_err(|error| format!("cannot connect: {error}"))?,
    };
    stream
        .write_all(request)
        .await
        .map_err(|error| format!("cannot write: {error}"))?;
    Ok((read_answer(&mut stream).await?, stream))
}

/// Senders that run until they are stopped.
pub(super) struct Load {
    shared: Arc<Shared>,
    senders: JoinSet<()>,
}

struct Shared {
    address: String,
    people: usize,
    is_over: AtomicBool,
    sent: AtomicUsize,
    outcomes: Mutex<BTreeMap<String, usize>>,
}

impl Load {
    /// Starts so many senders that keep their connections, and as many that open one for every request.
    pub(super) fn start(address: &str, senders_of_each_kind: usize, people: usize) -> Self {
        let shared = Arc::new(Shared {
            address: address.to_owned(),
            people,
            is_over: AtomicBool::new(false),
            sent: AtomicUsize::new(0),
            outcomes: Mutex::default(),
        });
        let mut senders = JoinSet::new();
        for n in 0..2 * senders_of_each_kind {
            senders.spawn(Arc::clone(&shared).send(n % 2 == 0));
        }
        Self { shared, senders }
    }

    /// Waits until so many more requests have an answer.
    pub(super) async fn wait_for_more(&self, count: usize) {
        let until = self.answered() + count;
        while self.answered() < until {
            sleep(PAUSE).await;
        }
    }

    fn answered(&self) -> usize {
        self.shared.outcomes.lock().unwrap().values().sum()
    }

    /// Stops the senders. Returns how often each outcome was met; `200` is the good one.
    pub(super) async fn stop(self) -> BTreeMap<String, usize> {
        self.shared.is_over.store(true, Ordering::Relaxed);
        self.senders.join_all().await;
        let outcomes = self.shared.outcomes.lock().unwrap();
        outcomes.clone()
    }
}

impl Shared {
    async fn send(self: Arc<Self>, keeps_connection: bool) {
        let mut kept = None;
        while !self.is_over.load(Ordering::Relaxed) {
            let n = self.sent.fetch_add(1, Ordering::Relaxed);
            let request = Delivery::about(n % self.people, n).request();
            let outcome = match ask(kept.take(), &self.address, &request).await {
                Ok((answer, stream)) => {
                    if keeps_connection && !answer.closes {
                        kept = Some(stream);
                    }
                    answer.status
                }
                Err(reason) => reason,
            };
            *self.outcomes.lock().unwrap().entry(outcome).or_default() += 1;
            sleep(PAUSE).await;
        }
    }
}
