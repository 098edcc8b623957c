//! Senders that keep a ledger: they follow the retry rules of both providers in compressed time and record each answer.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use leaver::base::clock::{Clock, SystemClock};
use leaver_core::signature::{Key, Layout, Scheme};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;
use uuid::Uuid;

use super::Chance;
use crate::support::driving::{merge_record, terminated, working};
use crate::support::{BAMBOOHR_KEY, MERGE_KEY, employees};

/// After BambooHR has heard nothing or a 5xx, it comes again after so many minutes.
const BAMBOOHR_RETRIES: &[u32] = &[5, 10, 20, 40, 80];
/// Merge says less of itself; this is the least that its help pages promise.
const MERGE_RETRIES: &[u32] = &[5, 10];
/// Each provider gives up on an answer by then.
const ANSWER_WITHIN: Duration = Duration::from_secs(12);

/// What one person's HR system says.
#[derive(Clone, Debug)]
pub(crate) struct Delivery {
    pub(crate) source: &'static str,
    pub(crate) body: String,
    pub(crate) person: usize,
    /// True if it says that this person has left.
    pub(crate) leaves: bool,
}

/// The address of this person's account.
pub(crate) fn email(person: usize) -> String {
    format!("p{person}@example.com")
}

/// SQL that makes so many accounts with a session each.
pub(crate) fn people(count: usize) -> String {
    format!(
        "INSERT INTO users (email) SELECT 'p' || n || '@example.com' FROM generate_series(0, {}) AS n;
         INSERT INTO sessions (user_id) SELECT id FROM users;",
        count.saturating_sub(1)
    )
}

impl Delivery {
    /// The same for the same number: two of three people leave; half are of Merge.
    pub(crate) fn about(person: usize, n: usize) -> Self {
        let leaves = !person.is_multiple_of(3);
        let as_of = format!(
            "2020-02-01T{:02}:{:02}:{:02}Z",
            n / 3600 % 24,
            n / 60 % 60,
            n % 60
        );
        let id = person.to_string();
        let (source, body): (_, Value) = match (person.is_multiple_of(2), leaves) {
            (true, true) => (
                "bamboohr",
                employees(&[terminated(&id, &email(person), &as_of)]),
            ),
            (true, false) => (
                "bamboohr",
                employees(&[working(&id, &email(person), &as_of)]),
            ),
            (false, leaves) => {
                let (status, date) = if leaves {
                    ("INACTIVE", Some("2020-01-31T00:00:00Z"))
                } else {
                    ("ACTIVE", None)
                };
                (
                    "merge",
                    merge_record(&id, &email(person), &as_of, status, date),
                )
            }
        };
        Self {
            source,
            body: body.to_string(),
            person,
            leaves,
        }
    }

    /// As bytes on the wire, signed now.
    pub(crate) fn request(&self) -> Vec<u8> {
        let key = |key: &str| vec![Key::new(&key.into()).unwrap()];
        let scheme = match self.source {
            "merge" => Scheme::Merge {
                keys: key(MERGE_KEY),
            },
            _ => Scheme::BambooHr {
                keys: key(BAMBOOHR_KEY),
                layout: Layout::BodyThenTimestamp,
                timestamp_tolerance: chrono::TimeDelta::hours(3),
            },
        };
        let mut head = format!(
            "POST /webhooks/{} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: {}\r\n",
            self.source,
            self.body.len()
        );
        for (name, value) in scheme.sign(self.body.as_bytes(), SystemClock.now()) {
            head.extend([name.as_str(), ": ", value.to_str().unwrap(), "\r\n"]);
        }
        format!("{head}\r\n{}", self.body).into_bytes()
    }
}

/// The response that a sender got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    /// 200, with the ID of the delivery.
    Accepted(Uuid),
    /// Another status.
    Refused(u16),
    /// No complete response.
    Lost,
}

/// What became of one delivery, as its sender knows it.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) delivery: Delivery,
    pub(crate) replies: Vec<Reply>,
    pub(crate) slowest: Duration,
}

impl Line {
    /// The ids it was acknowledged with.
    pub(crate) fn acknowledged(&self) -> impl Iterator<Item = Uuid> {
        self.replies.iter().filter_map(|reply| match reply {
            Reply::Accepted(id) => Some(*id),
            _ => None,
        })
    }
}

/// Where the replicas can be reached at the moment, and how many answers they have given.
#[derive(Clone, Debug, Default)]
pub(crate) struct Endpoints {
    addresses: Arc<Mutex<Vec<Option<String>>>>,
    acknowledged: Arc<AtomicUsize>,
    rejected: Arc<AtomicUsize>,
}

impl Endpoints {
    /// A replica is here now, or nowhere.
    pub(crate) fn set(&self, replica: usize, address: Option<&str>) {
        let mut endpoints = self.addresses.lock().unwrap();
        if endpoints.len() <= replica {
            endpoints.resize(replica + 1, None);
        }
        endpoints[replica] = address.map(str::to_owned);
    }

    /// Returns the address of replica `turn`, or of the next one that is up.
    fn any(&self, turn: usize) -> Option<String> {
        let endpoints = self.addresses.lock().unwrap();
        let count = endpoints.len();
        let from = |offset: usize| endpoints[(turn + offset) % count].clone();
        (0..count).find_map(from)
    }
}

impl Endpoints {
    /// Waits until so many answers were 200 since this call.
    pub(crate) async fn wait_until_acknowledged(&self, more: usize) {
        Self::wait_until(&self.acknowledged, more).await;
    }

    /// Waits until some sender got 503 since this call.
    pub(crate) async fn wait_until_rejected(&self) {
        Self::wait_until(&self.rejected, 1).await;
    }

    async fn wait_until(count: &AtomicUsize, more: usize) {
        let target = count.load(Ordering::Relaxed) + more;
        let began = Instant::now();
        while count.load(Ordering::Relaxed) < target {
            assert!(
                began.elapsed() < Duration::from_secs(20),
                "not {target} answers"
            );
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    fn count(&self, reply: Reply) {
        match reply {
            Reply::Accepted(_) => self.acknowledged.fetch_add(1, Ordering::Relaxed),
            Reply::Refused(503) => self.rejected.fetch_add(1, Ordering::Relaxed),
            Reply::Refused(_) | Reply::Lost => 0,
        };
    }
}

/// How a crowd of senders goes about it.
pub(crate) struct Senders {
    pub(crate) connections: usize,
    /// How long a minute of the providers takes here.
    pub(crate) minute: Duration,
    pub(crate) seed: u64,
}

impl Senders {
    /// Sends everything, as often as the providers would, and gives the ledger. One in ten comes once more although it was
    /// acknowledged.
    pub(crate) fn send(
        self,
        endpoints: &Endpoints,
        deliveries: Vec<Delivery>,
    ) -> JoinSet<Vec<Line>> {
        let waiting = Arc::new(Mutex::new(deliveries));
        let mut senders = JoinSet::new();
        for sender in 0..self.connections {
            let (endpoints, waiting, minute) =
                (endpoints.clone(), Arc::clone(&waiting), self.minute);
            let mut chance = Chance::of(self.seed ^ (sender as u64) << 32);
            senders.spawn(async move {
                let mut lines = vec![];
                // Those to come again, and when.
                let mut later: Vec<(Instant, usize)> = vec![];
                let mut line = Client::default();
                loop {
                    let due = later.iter().position(|(at, _)| *at <= Instant::now());
                    let at = if let Some(due) = due {
                        later.swap_remove(due).1
                    } else if let Some(delivery) = next(&waiting) {
                        lines.push(Line {
                            delivery,
                            replies: vec![],
                            slowest: Duration::ZERO,
                        });
                        lines.len() - 1
                    } else if later.is_empty() {
                        return lines;
                    } else {
                        tokio::time::sleep(Duration::from_millis(5)).await;
                        continue;
                    };
                    let entry = &mut lines[at];
                    let began = Instant::now();
                    let endpoint = endpoints.any(sender + entry.replies.len());
                    let reply = line.ask(endpoint, &entry.delivery.request()).await;
                    entry.slowest = entry.slowest.max(began.elapsed());
                    entry.replies.push(reply);
                    endpoints.count(reply);
                    if !matches!(reply, Reply::Accepted(_)) {
                        // Changes in an HR system do not come faster because nobody takes them.
                        tokio::time::sleep(minute / 2).await;
                    }
                    let again = match reply {
                        Reply::Accepted(_) => chance.below(10) == 0,
                        // Both take it as final.
                        Reply::Refused(400..500) => false,
                        Reply::Refused(_) | Reply::Lost => true,
                    };
                    let retries = match entry.delivery.source {
                        "merge" => MERGE_RETRIES,
                        _ => BAMBOOHR_RETRIES,
                    };
                    if let Some(minutes) = retries.get(entry.replies.len() - 1).filter(|_| again) {
                        later.push((Instant::now() + minute * *minutes, at));
                    }
                }
            });
        }
        senders
    }
}

fn next(waiting: &Mutex<Vec<Delivery>>) -> Option<Delivery> {
    waiting.lock().unwrap().pop()
}

/// One kept connection, made anew when it has ended.
#[derive(Default)]
pub(crate) struct Client {
    stream: Option<(String, TcpStream)>,
}

impl Client {
    /// Asks once, over the kept connection where it leads to the same endpoint.
    pub(crate) async fn ask(&mut self, endpoint: Option<String>, request: &[u8]) -> Reply {
        let Some(endpoint) = endpoint else {
            return Reply::Lost;
        };
        let asked = timeout(ANSWER_WITHIN, async {
            let mut stream = match self.stream.take() {
                Some((to, stream)) if to == endpoint => stream,
                _ => TcpStream::connect(&endpoint).await?,
            };
            stream.write_all(request).await?;
            let answer = answer(&mut stream).await?;
            if !answer.contains("connection: close") {
                self.stream = Some((endpoint, stream));
            }
            std::io::Result::Ok(answer)
        });
        let Ok(Ok(answer)) = asked.await else {
            return Reply::Lost;
        };
        match answer.get(9..12).map(str::parse) {
            Some(Ok(200)) => {
                let id = answer.split_once(r#""delivery":""#).unwrap().1;
                Reply::Accepted(id[..36].parse().unwrap())
            }
            Some(Ok(status)) => Reply::Refused(status),
            _ => Reply::Lost,
        }
    }
}

/// Reads one whole answer; its body is one JSON object.
async fn answer(stream: &mut TcpStream) -> std::io::Result<String> {
    let mut text = String::new();
    let mut bytes = [0; 1024];
    while !text.ends_with('}') {
        let read = stream.read(&mut bytes).await?;
        if read == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        text.push_str(std::str::from_utf8(&bytes[..read]).unwrap());
    }
    Ok(text)
}
