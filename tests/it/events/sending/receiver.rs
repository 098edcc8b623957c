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
pub(super) struct Received {
    pub(super) id: String,
    pub(super) body: Value,
    /// The status that it got.
    pub(super) status: u16,
}

impl Received {
    /// Returns the provider's id of the employee.
    pub(super) fn person(&self) -> &str {
        self.body["employee_id"].as_str().unwrap_or_default()
    }

    /// Returns the type.
    pub(super) fn kind(&self) -> &str {
        self.body["type"].as_str().unwrap()
    }

    pub(super) fn sequence(&self) -> i64 {
        self.body["sequence"].as_i64().unwrap()
    }
}

type Script = Box<dyn Fn(&Value) -> (u16, Option<u64>) + Send>;

struct Shared {
    script: Mutex<Script>,
    requests: Mutex<Vec<Received>>,
}

/// A receiver. Without a script it answers 204.
pub(super) struct Receiver {
    pub(super) url: String,
    shared: Arc<Shared>,
}

impl Receiver {
    pub(super) async fn start() -> Self {
        let shared = Arc::new(Shared {
            script: Mutex::new(Box::new(|_| (204, None))),
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
    pub(super) fn answers(&self, status: u16) {
        self.answers_by(move |_| (status, None));
    }

    /// Answers by the body: a status, and the seconds of `Retry-After`.
    pub(super) fn answers_by(
        &self,
        script: impl Fn(&Value) -> (u16, Option<u64>) + Send + 'static,
    ) {
        *self.shared.script.lock().unwrap() = Box::new(script);
    }

    /// Returns the requests so far.
    pub(super) fn requests(&self) -> Vec<Received> {
        self.shared.requests.lock().unwrap().clone()
    }

    /// Returns the requests that were accepted.
    pub(super) fn accepted(&self) -> Vec<Received> {
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
    let id = headers["webhook-id"].to_str().unwrap().to_owned();
    shared
        .requests
        .lock()
        .unwrap()
        .push(Received { id, body, status });
    let mut response = Response::builder().status(status);
    if let Some(seconds) = retry_after {
        response = response.header("retry-after", seconds);
    }
    response.body(Body::empty()).unwrap()
}
