//! The test application: the service without a socket, over a database of its own, with jobs that a test drives.

pub(crate) mod logs;
pub(crate) mod process;
pub(crate) mod driving;
pub(crate) mod apis;
pub(crate) mod hooks;
pub(crate) mod contract;
pub(crate) mod generated;
pub(crate) mod proxy;
pub(crate) mod database;
pub(crate) mod scratch;

use std::collections::BTreeMap;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use chrono::{DateTime, TimeDelta, Utc};
use http_body_util::BodyExt;
use leaver::base::clock::{Clock, FixedClock};
use leaver::base::liveness::Phase;
use leaver::config::{Environment, Settings};
use leaver::jobs::deliveries::{LoopState, Round};
use leaver::service::Components;
use serde_json::Value;
use sqlx::Row;
use sqlx::postgres::PgConnectOptions;
use tower::ServiceExt;

use self::database::{Database, Session, migrated_database};

/// The key of the source `bamboohr`.
pub(crate) const BAMBOOHR_KEY: &str = "5f0c9a3e7b1d42868e94c0d7a2f63b15";
/// The key of the source `merge`.
pub(crate) const MERGE_KEY: &str = "example-merge-signature-key-A";
/// JSON's content type.
pub(crate) const JSON: &str = "application/json";
/// A form's content type.
pub(crate) const FORM: &str = "application/x-www-form-urlencoded";

/// Makes commits of this database's sessions not wait for the disk, from their next connection on.
pub(crate) const UNSYNCED: &str = "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET synchronous_commit = off', current_database()); END $$";

/// The users table that most tests have.
pub(crate) const USERS: &str = "
    CREATE TABLE users (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, email text NOT NULL,
                        hashed_password text, is_active boolean NOT NULL DEFAULT true);
    CREATE INDEX ON users (lower(email));
    CREATE TABLE sessions (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, user_id bigint NOT NULL);";

/// The service's two halves over a database of their own, with a clock that stands still.
pub(crate) struct TestApp {
    pub(crate) parts: Components,
    pub(crate) settings: Settings,
    pub(crate) clock: FixedClock,
    pub(crate) options: PgConnectOptions,
    pub(crate) database: Arc<Database>,
    pub(crate) memory: LoopState,
    pub(crate) session: Session,
}

/// Builds a service whose health is never cached.
pub(crate) fn parts(
    settings: &Settings,
    options: PgConnectOptions,
    clock: &FixedClock,
) -> Components {
    Components::with_health_cache(settings, options, Arc::new(clock.clone()), Duration::ZERO)
}

/// What a webhook was answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: axum::http::HeaderMap,
    pub(crate) body: Value,
}

/// A moment in RFC 3339.
pub(crate) fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
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
    /// With the usual users table and both sources.
    pub(crate) async fn new() -> Self {
        Self::with(&[], USERS).await
    }

    /// With settings (as environment variables, `LEAVER__...`) and SQL that makes the application's tables.
    pub(crate) async fn with(settings: &[(&str, &str)], tables: &str) -> Self {
        let mut env = BTreeMap::from([
            ("BAMBOOHR_WEBHOOK_SECRET", BAMBOOHR_KEY),
            ("MERGE_WEBHOOK_SECRET", MERGE_KEY),
            (
                "LEAVER__ACCOUNTS__END_SESSIONS",
                r#"["DELETE FROM sessions WHERE user_id::text = ANY($1)"]"#,
            ),
        ]);
        env.extend(settings.iter().copied());
        let settings = Settings::load(None, &Environment::of(env)).unwrap();
        Self::over(settings, tables).await
    }

    /// With a configuration file, the variables it names, and SQL that makes the application's tables.
    pub(crate) async fn configured(file: &str, env: &[(&str, &str)], tables: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("leaver.toml");
        std::fs::write(&path, file).unwrap();
        let env = Environment::of(env.iter().copied());
        let settings = Settings::load(Some(&path), &env).unwrap();
        Self::over(settings, tables).await
    }

    async fn over(settings: Settings, tables: &str) -> Self {
        let (options, database) = migrated_database(tables).await;
        let session = Session::open(&options).await;
        let clock = FixedClock::at(at("2026-11-22T12:00:00Z"));
        let parts = parts(&settings, options.clone(), &clock);
        parts.liveness.enter(Phase::Ready);
        Self {
            parts,
            settings,
            clock,
            options,
            database: Arc::new(database),
            memory: LoopState::default(),
            session,
        }
    }

    /// Adds users, each with two sessions where there is a table of them; gives back their ids.
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

    /// Sends any request: webhooks to the router of `server.listen`, all others to that of `server.admin_listen`.
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

    /// A GET.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.request(Request::get(path).body(Body::empty()).unwrap())
            .await
    }

    /// A webhook, signed as the source's provider signs, now.
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

    /// Sends a signed webhook; it must be stored.
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

    /// Sends a signed JSON webhook and has it settled.
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
        panic!("the worker does not come to rest");
    }

    /// Runs what is due by the timer.
    pub(crate) async fn run_due(&mut self) {
        self.parts.scheduled_ends.run_due().await.unwrap();
    }

    /// Moves the clock on.
    pub(crate) fn advance(&self, by: TimeDelta) {
        self.clock.set(self.clock.now() + by);
    }

    /// Returns whether a user is active, and how many sessions are open.
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

    /// The record, as `action employee_id`, in order.
    pub(crate) async fn audit(&mut self) -> Vec<String> {
        let rows = sqlx::query(
            "SELECT action || ' ' || employee_id AS line FROM leaver.audit ORDER BY id",
        )
        .fetch_all(&mut self.conn)
        .await
        .unwrap();
        rows.iter().map(|row| row.get("line")).collect()
    }
}

/// One BambooHR employee with posted values, as of a time.
pub(crate) fn employee(id: &str, as_of: &str, changed: &[&str], fields: &Value) -> Value {
    serde_json::json!({"id": id, "action": "Updated", "timestamp": as_of, "changedFields": changed, "fields": fields})
}

/// A BambooHR delivery of these.
pub(crate) fn employees(entries: &[Value]) -> Value {
    serde_json::json!({ "employees": entries })
}

/// A Merge `Employee.changed` delivery.
pub(crate) fn merge_changed(data: &Value) -> Value {
    serde_json::json!({
        "hook": {"id": "9a8b7c6d-0000-4000-8000-000000000001", "event": "Employee.changed", "target": "https://leaver.example/webhooks/merge"},
        "linked_account": {"id": "5b0f3a9e-1c2d-4e3f-8a4b-6c7d8e9f0a1b", "integration": "Workday", "category": "hris", "account_type": "PRODUCTION"},
        "data": data,
    })
}
