//! A receiver of events that records each request, and answers as a test says.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Response};
use serde_json::Value;
use tokio::net::TcpListener;

/// A request.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    pub(crate) id: String,
    pub(crate) body: Value,
    /// The status that it got.
    pub(crate) status: u16,
}

impl Received {
    /// Returns the provider's id of the employee.
    pub(crate) fn person(&self) -> &str {
        self.body["employee_id"].as_str().unwrap_or_default()
    }

    /// Returns the type.
    pub(crate) fn kind(&self) -> &str {
        self.body["type"].as_str().unwrap()
    }

    pub(crate) fn sequence(&self) -> i64 {
        self.body["sequence"].as_i64().unwrap()
    }
}

/// Keys of the destinations [`BUS_KEY`](super::events::BUS_KEY) and `ops`.
pub(crate) const RECEIVER_KEYS: [(&str, &str); 2] = [
    super::events::BUS_KEY,
    (
        "OPS_WHSEC",
        "whsec_bGVhdmVyLXRlc3RzLXNpZ24tZXZlbnRzLXdpdGgtdGhhdA==",
    ),
];

/// Returns the section of the webhook `bus` or `ops`, which wants these events.
pub(crate) fn webhook(name: &str, url: &str, events: &str) -> String {
    let secret = format!("env:{}_WHSEC", name.to_uppercase());
    format!(
        "[[destinations]]\nname = \"{name}\"\nkind = \"webhook\"\nurl = \"{url}\"\nsecrets = [\"{secret}\"]\nevents = [\"{events}\"]\n"
    )
}

type Script = Box<dyn Fn(&Value) -> (u16, Option<u64>) + Send>;

struct Shared {
    script: Mutex<Script>,
    requests: Mutex<Vec<Received>>,
}

/// A receiver. Without a script it answers 200.
pub(crate) struct Receiver {
    pub(crate) url: String,
    shared: Arc<Shared>,
}

impl Receiver {
    pub(crate) async fn start() -> Self {
        let shared = Arc::new(Shared {
            script: Mutex::new(Box::new(|_| (200, None))),
            requests: Mutex::default(),
        });
        let router = Router::new()
            .fallback(receive)
            .with_state(Arc::clone(&shared));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/events", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, shared }
    }

    /// Answers each request with this status from now on.
    pub(crate) fn answers(&self, status: u16) {
        self.answers_by(move |_| (status, None));
    }

    /// Answers by the body: a status, and the seconds of `Retry-After`.
    pub(crate) fn answers_by(
        &self,
        script: impl Fn(&Value) -> (u16, Option<u64>) + Send + 'static,
    ) {
        *self.shared.script.lock().unwrap() = Box::new(script);
    }

    /// Returns the requests so far.
    pub(crate) fn requests(&self) -> Vec<Received> {
        self.shared.requests.lock().unwrap().clone()
    }

    /// Returns the requests that were accepted.
    pub(crate) fn accepted(&self) -> Vec<Received> {
        let mut requests = self.requests();
        requests.retain(|request| request.status < 300);
        requests
    }
}

async fn receive(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let body: Value = serde_json::from_slice(&body).unwrap();
    let (status, retry_after) = (shared.script.lock().unwrap())(&body);
    let id = headers.get("webhook-id").map(|id| id.to_str().unwrap());
    let id = id.unwrap_or_default().to_owned();
    shared
        .requests
        .lock()
        .unwrap()
        .push(Received { id, body, status });
    let mut response = Response::builder().status(status);
    if let Some(seconds) = retry_after {
        response = response.header("retry-after", seconds);
    }
    // The response of Slack's incoming webhooks.
    response.body(Body::from("ok")).unwrap()
}
