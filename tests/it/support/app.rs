//! The application under test: a database of its own, the service in this process without a socket, and the program.

use std::ops::{Deref, DerefMut};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use chrono::TimeDelta;
use http_body_util::BodyExt;
use leaver::base::clock::{Clock, FixedClock};
use leaver::config::Settings;
use leaver::jobs::deliveries::{LoopState, Round};
use leaver::service::Components;
use serde_json::Value;
use sqlx::Row;
use sqlx::postgres::PgConnectOptions;
use tempfile::TempDir;
use tower::ServiceExt;

use super::JSON;
use super::builder::TestAppBuilder;
use super::database::{Database, Session};
use super::process::{CommandOutput, RunningService, run};

/// A database of its own, the service over it in this process, and what the program needs to run on it. The jobs of the
/// service in this process run only when a test calls them, and its clock stands still.
pub(crate) struct TestApp {
    pub(crate) parts: Components,
    pub(crate) settings: Settings,
    pub(crate) clock: FixedClock,
    pub(crate) options: PgConnectOptions,
    /// URL of the database.
    pub(crate) url: String,
    pub(super) variables: Vec<(String, String)>,
    pub(super) files: Arc<Files>,
    pub(crate) memory: LoopState,
    pub(crate) session: Session,
}

/// What is removed with the last replica.
pub(super) struct Files {
    pub(super) folder: TempDir,
    /// `None` on the test's own server.
    pub(super) _database: Option<Database>,
}

/// Builds a service whose health is never cached.
pub(crate) fn parts(
    settings: &Settings,
    options: PgConnectOptions,
    clock: &FixedClock,
) -> Components {
    Components::with_health_cache(settings, options, Arc::new(clock.clone()), Duration::ZERO)
}

/// A response, with its body as JSON, or as a string if it is not JSON.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: axum::http::HeaderMap,
    pub(crate) body: Value,
}

impl Deref for TestApp {
    type Target = Session;

    fn deref(&self) -> &Session {
        &self.session
    }
}

impl DerefMut for TestApp {
    fn deref_mut(&mut self) -> &mut Session {
        &mut self.session
    }
}

impl TestApp {
    /// Returns the usual app: both sources, the tables [`USERS`](super::USERS), a migrated database.
    pub(crate) async fn new() -> Self {
        Self::builder().build().await
    }

    /// Returns a builder of other apps.
    pub(crate) fn builder() -> TestAppBuilder {
        TestAppBuilder::new()
    }

    /// Returns the name of the database.
    pub(crate) fn database_name(&self) -> &str {
        self.options.get_database().unwrap()
    }

    /// Inserts users with two sessions each, and returns their ids.
    pub(crate) async fn add_users(&mut self, emails: &[&str]) -> Vec<i64> {
        let mut ids = vec![];
        for email in emails {
            let row = sqlx::query("INSERT INTO users (email) VALUES ($1) RETURNING id")
                .bind(*email)
                .fetch_one(&mut self.conn)
                .await
                .unwrap();
            let id: i64 = row.get("id");
            sqlx::query("INSERT INTO sessions (user_id) VALUES ($1), ($1)")
                .bind(id)
                .execute(&mut self.conn)
                .await
                .unwrap();
            ids.push(id);
        }
        ids
    }

    /// Sends any request: webhooks to the router of `server.listen`, all others to the router of `server.admin_listen`.
    pub(crate) async fn request(&self, request: Request<Body>) -> Answer {
        let state = Arc::clone(&self.parts.state);
        let router = if request.uri().path().starts_with("/webhooks") {
            leaver::api::router(state)
        } else {
            leaver::api::admin_router(state)
        };
        Self::answer(router, request).await
    }

    /// Sends a GET to the router of `server.listen`.
    pub(crate) async fn get_public(&self, path: &str) -> Answer {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let router = leaver::api::router(Arc::clone(&self.parts.state));
        Self::answer(router, request).await
    }

    async fn answer(router: Router, request: Request<Body>) -> Answer {
        let answer = router.oneshot(request).await.unwrap();
        let (parts, body) = answer.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let body = serde_json::from_slice(&bytes)
            .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&bytes).into_owned()));
        Answer {
            status: parts.status,
            headers: parts.headers,
            body,
        }
    }

    /// Sends a GET to the router of `server.admin_listen`.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.request(Request::get(path).body(Body::empty()).unwrap())
            .await
    }

    /// Returns a webhook that is signed as the source's provider signs, now.
    pub(crate) fn signed(
        &self,
        source: &str,
        content_type: &str,
        body: impl Into<Vec<u8>>,
    ) -> Request<Body> {
        let body = body.into();
        let configured = self
            .settings
            .sources
            .iter()
            .find(|configured| configured.name.as_str() == source)
            .unwrap();
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(format!("/webhooks/{source}"))
            .header("content-type", content_type);
        for (name, value) in configured.scheme.sign(&body, self.clock.now()) {
            request = request.header(name, value);
        }
        request.body(Body::from(body)).unwrap()
    }

    /// Sends a signed webhook, and asserts that it is stored.
    pub(crate) async fn send(
        &self,
        source: &str,
        content_type: &str,
        body: impl Into<Vec<u8>>,
    ) -> Answer {
        let answer = self.request(self.signed(source, content_type, body)).await;
        assert_eq!(answer.status, StatusCode::OK, "{:?}", answer.body);
        answer
    }

    /// Sends a signed JSON webhook and processes it.
    pub(crate) async fn deliver(&mut self, source: &str, body: &Value) -> Answer {
        let answer = self.send(source, JSON, body.to_string()).await;
        self.work().await;
        answer
    }

    /// Runs the worker until nothing is due.
    pub(crate) async fn work(&mut self) {
        for _ in 0..1_000 {
            match self.parts.deliveries.round(&mut self.memory).await {
                Round::Idle => return,
                Round::Outage => panic!("the worker cannot reach the database"),
                Round::Processed(_) | Round::Postponed | Round::BatchSplit => {}
            }
        }
        panic!("the worker does not become idle");
    }

    /// Executes the scheduled ends that are due.
    pub(crate) async fn run_due(&mut self) {
        self.parts.scheduled_ends.run_due().await.unwrap();
    }

    /// Advances the clock.
    pub(crate) fn advance(&self, by: TimeDelta) {
        self.clock.set(self.clock.now() + by);
    }

    /// Returns whether a user is active, and the number of their sessions.
    pub(crate) async fn user(&mut self, email: &str) -> (bool, i64) {
        let row = sqlx::query(
            "SELECT is_active, (SELECT count(*) FROM sessions s WHERE s.user_id = u.id) AS sessions
             FROM users u WHERE email = $1",
        )
        .bind(email)
        .fetch_one(&mut self.conn)
        .await
        .unwrap();
        (row.get("is_active"), row.get("sessions"))
    }

    /// Returns the audit log without reads of the roster, as `action employee_id`, in order.
    pub(crate) async fn audit(&mut self) -> Vec<String> {
        let rows = sqlx::query(
            "SELECT action || ' ' || employee_id AS line FROM leaver.audit
             WHERE action <> 'roster_read' ORDER BY id",
        )
        .fetch_all(&mut self.conn)
        .await
        .unwrap();
        rows.iter().map(|row| row.get("line")).collect()
    }

    /// Returns the program's environment variables, with others in addition or instead.
    pub(crate) fn env<'a>(&'a self, more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
        let mut env = vec![
            ("DATABASE_URL", self.url.as_str()),
            ("LEAVER_LISTEN", "127.0.0.1:0"),
            ("LEAVER_ADMIN_LISTEN", "127.0.0.1:0"),
        ];
        let variables = self.variables.iter();
        env.extend(variables.map(|(name, value)| (name.as_str(), value.as_str())));
        env.retain(|(name, _)| more.iter().all(|(other, _)| name != other));
        env.extend(more);
        env
    }

    /// Runs a command of the program to its end.
    #[track_caller]
    pub(crate) fn run(&self, args: &[&str]) -> CommandOutput {
        self.run_with(args, &[])
    }

    /// Runs a command of the program to its end, with these variables in addition or instead.
    #[track_caller]
    pub(crate) fn run_with(&self, args: &[&str], more: &[(&str, &str)]) -> CommandOutput {
        run(args, &self.env(more))
    }

    /// Starts the service as a process, and waits until it is ready.
    #[track_caller]
    pub(crate) fn serve(&self, more: &[(&str, &str)]) -> RunningService {
        let mut service = RunningService::start(&self.env(more));
        service.wait_until_ready();
        service
    }

    /// Writes a file into the folder of this app.
    pub(crate) fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.files.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }
}
