//! Stand-ins for the providers' APIs, made from their contracts: companies of any size, scripted answers, and a log of
//! the requests.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, Response};
use chrono::{DateTime, Utc};
use http_body_util::BodyExt;
use hyper::body::Frame;
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;
use tokio::time::{Instant, sleep};

use super::hooks::Hooks;

/// A request that a stand-in received.
#[derive(Clone, Debug)]
pub(crate) struct ApiRequest {
    pub(crate) method: Method,
    pub(crate) path: String,
    /// Percent-encoded, as received.
    pub(crate) raw_query: String,
    /// Decoded, in the order of the request.
    pub(crate) query: Vec<(String, String)>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) at: Instant,
}

impl ApiRequest {
    /// Returns the value of a parameter.
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        let found = self.query.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    /// Returns the text of a header, or an empty one.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    /// Returns the body as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// A response of a stand-in.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) delay: Duration,
    /// The connection breaks in the middle of the body.
    pub(crate) breaks_off: bool,
}

impl Answer {
    /// JSON with status 200.
    pub(crate) fn json(body: &Value) -> Self {
        Self::text(200, "application/json", &body.to_string())
    }

    /// A bare status.
    pub(crate) fn status(status: u16) -> Self {
        Self::text(status, "application/json", "")
    }

    pub(crate) fn text(status: u16, content_type: &str, body: &str) -> Self {
        let headers = vec![("content-type".to_owned(), content_type.to_owned())];
        Self {
            status,
            headers,
            body: body.into(),
            delay: Duration::ZERO,
            breaks_off: false,
        }
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Delays the response.
    pub(crate) fn after(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// Breaks the connection after the body so far.
    pub(crate) fn broken_off(mut self) -> Self {
        self.breaks_off = true;
        self
    }
}

/// A body that fails after its first piece.
struct BrokenOff(Option<Bytes>);

impl HttpBody for BrokenOff {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let frame = self.0.take().map(Frame::data);
        Poll::Ready(Some(
            frame.ok_or_else(|| std::io::ErrorKind::BrokenPipe.into()),
        ))
    }
}

type Usual = Box<dyn Fn(&ApiRequest) -> Answer + Send + Sync>;

/// A stand-in for an API, on its own port. It stops with the test's runtime.
pub(crate) struct StandIn {
    /// `http://127.0.0.1:PORT`.
    pub(crate) url: String,
    inner: Arc<Inner>,
}

struct Inner {
    usual: Usual,
    script: Mutex<BTreeMap<String, VecDeque<Option<Answer>>>>,
    requests: Mutex<Vec<ApiRequest>>,
}

impl StandIn {
    /// Starts one with these responses, which a script can replace.
    pub(crate) async fn start(
        usual: impl Fn(&ApiRequest) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let inner = Arc::new(Inner {
            usual: Box::new(usual),
            script: Mutex::default(),
            requests: Mutex::default(),
        });
        let router = Router::new()
            .fallback(answer)
            .with_state(Arc::clone(&inner));
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, inner }
    }

    /// Starts one with one response to everything.
    pub(crate) async fn always(answer: Answer) -> Self {
        Self::start(move |_| answer.clone()).await
    }

    /// Sets the next responses for a path. `None` is the usual response.
    pub(crate) fn script(
        &self,
        path: &str,
        answers: impl IntoIterator<Item = impl Into<Option<Answer>>>,
    ) {
        let mut script = self.inner.script.lock().unwrap();
        let answers = answers.into_iter().map(Into::into);
        script.entry(path.to_owned()).or_default().extend(answers);
    }

    /// Waits until it has received this many requests.
    pub(crate) async fn wait_until_requested(&self, times: usize) {
        let began = Instant::now();
        while self.inner.requests.lock().unwrap().len() < times {
            assert!(
                began.elapsed() < Duration::from_secs(20),
                "not {times} requests"
            );
            sleep(Duration::from_millis(2)).await;
        }
    }

    /// Returns all requests so far.
    pub(crate) fn requests(&self) -> Vec<ApiRequest> {
        self.inner.requests.lock().unwrap().clone()
    }
}

async fn answer(State(inner): State<Arc<Inner>>, request: Request) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let raw_query = parts.uri.query().unwrap_or_default().to_owned();
    let request = ApiRequest {
        method: parts.method,
        path: parts.uri.path().to_owned(),
        query: form_urlencoded::parse(raw_query.as_bytes())
            .into_owned()
            .collect(),
        raw_query,
        headers: parts.headers,
        body: body.collect().await.unwrap().to_bytes(),
        at: Instant::now(),
    };
    inner.requests.lock().unwrap().push(request.clone());
    let scripted = {
        let mut script = inner.script.lock().unwrap();
        script
            .get_mut(&request.path)
            .and_then(VecDeque::pop_front)
            .flatten()
    };
    let answer = scripted.unwrap_or_else(|| (inner.usual)(&request));
    sleep(answer.delay).await;
    let mut response = Response::builder().status(answer.status);
    for (name, value) in &answer.headers {
        response = response.header(name, value);
    }
    let body = Bytes::from(answer.body);
    let body = if answer.breaks_off {
        Body::new(BrokenOff(Some(body)))
    } else {
        Body::from(body)
    };
    response.body(body).unwrap()
}

/// Path of Merge's employees.
pub(crate) const MERGE_EMPLOYEES: &str = "/api/hris/v1/employees";

/// Returns Merge's ID of the `n`th employee.
pub(crate) fn merge_id(n: usize) -> String {
    format!("00000000-0000-4000-8000-{n:012}")
}

/// Returns Merge's record of the `n`th employee, by the contract.
pub(crate) fn merge_employee(n: usize) -> Value {
    json!({"id": merge_id(n), "remote_id": n.to_string(), "employee_number": n.to_string(),
        "first_name": "Dana", "last_name": format!("Ruiz {n}"), "work_email": format!("dana.{n}@widgets.example"),
        "personal_email": null, "employment_status": "ACTIVE", "hire_date": "2020-01-05T00:00:00Z",
        "start_date": "2020-01-05T00:00:00Z", "termination_date": null, "remote_was_deleted": false,
        "created_at": "2026-01-05T08:00:00.000000Z", "modified_at": "2026-11-20T08:00:00.000000Z",
        "groups": [], "employments": [], "manager": null, "custom_fields": null, "remote_data": null})
}

/// Returns the responses of Merge for a company with these employees, in pages.
pub(crate) fn merge_company(employees: Vec<Value>) -> impl Fn(&ApiRequest) -> Answer + Send + Sync {
    move |request| match request.path.strip_prefix("/api/hris/v1/") {
        Some("employees") => merge_page(&employees, request),
        Some("sync-status") => {
            Answer::json(&json!({"next": null, "previous": null, "results": [merge_sync("DONE")]}))
        }
        Some("account-details") => Answer::json(&merge_account("COMPLETE")),
        _ => Answer::status(404),
    }
}

/// Returns Merge's sync status of employees.
pub(crate) fn merge_sync(status: &str) -> Value {
    json!({"model_name": "Employee", "model_id": "hris.Employee", "status": status, "last_sync_result": "DONE",
        "last_sync_start": "2026-11-22T03:00:00Z", "last_sync_finished": "2026-11-22T03:20:00Z",
        "next_sync_start": "2026-11-23T03:00:00Z", "is_initial_sync": false})
}

/// Returns Merge's details of a linked account.
pub(crate) fn merge_account(status: &str) -> Value {
    json!({"id": "5b0f3a9e-1c2d-4e3f-8a4b-6c7d8e9f0a1b", "integration": "BambooHR", "integration_slug": "bamboohr", "category": "hris",
        "end_user_origin_id": "tenant-042", "end_user_organization_name": "Widgets",
        "end_user_email_address": "hr@widgets.example", "status": status, "account_type": "PRODUCTION"})
}

fn merge_page(employees: &[Value], request: &ApiRequest) -> Answer {
    let size = request
        .parameter("page_size")
        .map_or(30, |size| size.parse().unwrap());
    let after = request
        .parameter("modified_after")
        .unwrap_or_default()
        .to_owned();
    let wanted: Vec<&Value> = employees
        .iter()
        .filter(|one| {
            one["modified_at"]
                .as_str()
                .is_some_and(|at| at > after.as_str())
        })
        .filter(|one| {
            one["remote_was_deleted"] != true
                || request.parameter("include_deleted_data") == Some("true")
        })
        .collect();
    // The cursor has characters that a client must encode.
    let begin: usize = request.parameter("cursor").map_or(0, |cursor| {
        cursor.trim_matches(['c', '+', '=']).parse().unwrap()
    });
    let end = wanted.len().min(begin + size);
    let next = (end < wanted.len()).then(|| format!("c+{end}=="));
    Answer::json(&json!({"next": next, "previous": null, "results": wanted[begin..end]}))
}

/// Returns BambooHR's record of the `n`th employee.
pub(crate) fn bamboohr_employee(n: usize) -> Value {
    json!({"id": n.to_string(), "status": "Active", "employmentHistoryStatus": "Full-Time",
        "terminationDate": "0000-00-00", "hireDate": "2020-01-05", "workEmail": format!("dana.{n}@widgets.example"),
        "firstName": "Dana", "lastName": "Ruiz", "payRate": "100 USD"})
}

/// Returns the responses of BambooHR for a company with these employees, with the requested fields only.
pub(crate) fn bamboohr_company(
    employees: Vec<Value>,
) -> impl Fn(&ApiRequest) -> Answer + Send + Sync {
    move |request| {
        let path = request
            .path
            .strip_prefix("/api/v1/employees/")
            .unwrap_or_default();
        if path == "changed" {
            let since = request.parameter("since").unwrap_or_default();
            let changed = bamboohr_changed(&employees, since);
            return Answer::text(200, "application/json", &changed);
        }
        let Some(found) = employees.iter().find(|one| one["id"] == path) else {
            return Answer::status(404);
        };
        let fields = request.parameter("fields").unwrap_or("firstName,lastName");
        let mut answer = Map::from_iter([("id".to_owned(), found["id"].clone())]);
        for field in fields.split(',') {
            if let Some(value) = found.get(field) {
                answer.insert(field.to_owned(), value.clone());
            }
        }
        Answer::json(&Value::Object(answer))
    }
}

/// Returns the responses of BambooHR for a company with these employees and webhooks.
pub(crate) fn bamboohr_with_hooks(
    employees: Vec<Value>,
    hooks: &Arc<Hooks>,
) -> impl Fn(&ApiRequest) -> Answer + Send + Sync + use<> {
    let (company, hooks) = (bamboohr_company(employees), Arc::clone(hooks));
    move |request| match request.path.strip_prefix("/api/v1/webhooks") {
        Some(rest) => hooks.answer(request, rest.trim_start_matches('/')),
        None => company(request),
    }
}

/// Returns the employees changed since then, at `_changed` or else at 11:00. PHP writes no employees as `[]`.
fn bamboohr_changed(employees: &[Value], since: &str) -> String {
    let since: Option<DateTime<Utc>> = since.parse().ok();
    let mut text = String::new();
    for one in employees {
        let at = one["_changed"]
            .as_str()
            .unwrap_or("2026-11-22T11:00:00+00:00");
        if since.is_some_and(|since| at.parse::<DateTime<Utc>>().unwrap() <= since) {
            continue;
        }
        let comma = if text.is_empty() { "" } else { "," };
        let id = one["id"].as_str().unwrap();
        write!(
            text,
            r#"{comma}"{id}":{{"id":"{id}","action":"Updated","lastChanged":"{at}"}}"#
        )
        .unwrap();
    }
    if text.is_empty() {
        return r#"{"latest":"","employees":[]}"#.to_owned();
    }
    format!(r#"{{"latest":"2026-11-22T11:00:00+00:00","employees":{{{text}}}}}"#)
}
