//! A stand-in for Slack, made from its documentation: `chat.postMessage` and incoming webhooks
//! (<https://docs.slack.dev/reference/methods/chat.postMessage>, read 2026-11-27).

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Response, Uri};
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// A request: path, `Authorization`, body.
#[derive(Clone, Debug)]
pub(super) struct Posted {
    pub(super) path: String,
    pub(super) authorization: Option<String>,
    pub(super) body: Value,
}

impl Posted {
    /// Returns the text of the message.
    pub(super) fn text(&self) -> &str {
        self.body["text"].as_str().unwrap()
    }
}

/// An answer: status, `Retry-After`, body.
pub(super) type Scripted = (u16, Option<&'static str>, String);

#[derive(Default)]
struct Shared {
    next: Mutex<VecDeque<Scripted>>,
    posted: Mutex<Vec<Posted>>,
}

/// The stand-in. Without a script it accepts each message.
pub(super) struct Slack {
    pub(super) url: String,
    shared: Arc<Shared>,
}

impl Slack {
    pub(super) async fn start() -> Self {
        let shared = Arc::new(Shared::default());
        let router = Router::new()
            .fallback(answer)
            .with_state(Arc::clone(&shared));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, shared }
    }

    /// Answers the next request like this.
    pub(super) fn answers(&self, answer: Scripted) {
        self.shared.next.lock().unwrap().push_back(answer);
    }

    /// Refuses the next request with an error of the API.
    pub(super) fn refuses(&self, error: &str) {
        self.answers((
            200,
            None,
            json!({ "ok": false, "error": error }).to_string(),
        ));
    }

    /// Returns the requests so far.
    pub(super) fn posted(&self) -> Vec<Posted> {
        self.shared.posted.lock().unwrap().clone()
    }

    /// Returns the one request that came.
    #[track_caller]
    pub(super) fn only(&self) -> Posted {
        let mut posted = self.posted();
        assert_eq!(posted.len(), 1, "{posted:#?}");
        posted.remove(0)
    }
}

async fn answer(
    State(shared): State<Arc<Shared>>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let body: Value = serde_json::from_slice(&body).unwrap();
    let path = uri.path().to_owned();
    let is_api = path == "/api/chat.postMessage";
    // As documented for a message that was posted.
    let posted = json!({
        "ok": true, "channel": body["channel"], "ts": "1503435956.000247",
        "message": { "text": body["text"], "type": "message", "subtype": "bot_message", "ts": "1503435956.000247" },
    });
    let usual = if is_api {
        posted.to_string()
    } else {
        "ok".to_owned()
    };
    let authorization = headers.get("authorization");
    let authorization = authorization.map(|value| value.to_str().unwrap().to_owned());
    shared.posted.lock().unwrap().push(Posted {
        path,
        authorization,
        body,
    });
    let next = shared.next.lock().unwrap().pop_front();
    let (status, retry_after, body) = next.unwrap_or((200, None, usual));
    let mut response = Response::builder().status(status);
    if let Some(wait) = retry_after {
        response = response.header("retry-after", wait);
    }
    response.body(Body::from(body)).unwrap()
}
