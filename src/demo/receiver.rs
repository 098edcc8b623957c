//! A receiver of events on this machine, as another system would run one. It verifies each signature.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use chrono::{DateTime, TimeDelta, Utc};
use secrecy::SecretString;
use serde_json::Value;
use tokio::net::TcpListener;
use uuid::Uuid;

use super::deliver::milliseconds;
use super::example::User;
use crate::base::clock::{Clock, SystemClock};
use crate::cli::output::{self, Table};
use crate::connect::destinations::{Destination, DestinationKind, WebhookSettings};
use leaver_core::events::signing::{self, SigningKey};
use leaver_core::events::{EventType, Subscription};

/// Time limit for the arrival of all events.
const TIMEOUT: Duration = Duration::from_secs(15);

/// A receiver, which runs until the program ends.
pub(super) struct Receiver {
    key: SigningKey,
    url: reqwest::Url,
    received: Arc<Mutex<Vec<Received>>>,
}

/// An event whose signature was verified.
#[derive(Clone)]
struct Received {
    kind: String,
    account: String,
    took: TimeDelta,
}

#[derive(Clone)]
struct Shared {
    key: SigningKey,
    received: Arc<Mutex<Vec<Received>>>,
}

impl Receiver {
    /// Starts it on a free port, with a new key.
    pub(super) async fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await;
        let listener = listener.context("no free port for the receiver of events")?;
        let url = format!("http://{}/", listener.local_addr()?).parse()?;
        let key = new_key()?;
        let received = Arc::default();
        let shared = Shared {
            key: key.clone(),
            received: Arc::clone(&received),
        };
        let router = Router::new().route("/", post(receive)).with_state(shared);
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(Self { key, url, received })
    }

    /// Returns it as a destination.
    pub(super) fn destination(&self) -> Destination {
        Destination {
            subscription: Subscription {
                destination: "demo".to_owned(),
                types: [EventType::AccountDeactivated].into(),
                wants_details: false,
            },
            kind: DestinationKind::Webhook(WebhookSettings {
                url: self.url.clone(),
                keys: vec![self.key.clone()],
                is_full: false,
            }),
        }
    }

    /// Prints the events once there is one for each of so many accounts. Returns whether there are as many.
    pub(super) async fn show(&self, users: &[User], count: usize) -> bool {
        let deadline = Instant::now() + TIMEOUT;
        while self.received().len() < count && Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let mut received = self.received();
        received.sort_by(|a, b| a.account.cmp(&b.account));
        let columns = [
            ("event", 0),
            ("account", 0),
            ("email", 0),
            ("signature", 1),
            ("after", 2),
        ];
        let mut table = Table::with(columns);
        for event in &received {
            let user = users
                .iter()
                .find(|user| user.id.to_string() == event.account);
            table.add_row([
                event.kind.clone(),
                event.account.clone(),
                user.map_or_else(String::new, |user| user.email.clone()),
                "verified".to_owned(),
                milliseconds(event.took.to_std().unwrap_or_default()),
            ]);
        }
        output::line!(
            "Events that Leaver posted to a receiver, signed as Standard Webhooks 1.0 describes:\n{table}\n"
        );
        received.len() == count
    }

    fn received(&self) -> Vec<Received> {
        let received = self.received.lock();
        received.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn new_key() -> anyhow::Result<SigningKey> {
    let bytes = [Uuid::new_v4(), Uuid::new_v4()].map(Uuid::into_bytes);
    let secret = SecretString::from(signing::symmetric_secret(&bytes.concat()));
    Ok(SigningKey::parse(&secret)?)
}

async fn receive(State(shared): State<Shared>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let Some(received) = verified(&shared.key, &headers, &body) else {
        return StatusCode::UNAUTHORIZED;
    };
    let mut all = shared
        .received
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    all.push(received);
    StatusCode::NO_CONTENT
}

/// Signs the body again and compares. Returns the event if the signatures are equal.
fn verified(key: &SigningKey, headers: &HeaderMap, body: &[u8]) -> Option<Received> {
    let header = |name: &str| headers.get(name)?.to_str().ok();
    let sent_at = DateTime::from_timestamp(header(signing::TIMESTAMP)?.parse().ok()?, 0)?;
    let keys = std::slice::from_ref(key);
    let expected = signing::sign(keys, header(signing::ID)?.parse().ok()?, sent_at, body);
    if header(signing::SIGNATURE)? != expected.signature {
        return None;
    }
    let event: Value = serde_json::from_slice(body).ok()?;
    let happened_at: DateTime<Utc> = event["timestamp"].as_str()?.parse().ok()?;
    Some(Received {
        kind: event["type"].as_str()?.to_owned(),
        account: event["data"]["account_id"].as_str()?.to_owned(),
        took: SystemClock.now() - happened_at,
    })
}
