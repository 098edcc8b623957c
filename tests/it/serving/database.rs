//! A database that starts late, stops, or is not migrated.

use embedded_postgres::Embedded;
use serde_json::Value;

use super::{app, leaves_at};
use crate::support::database::{kept_in, start_postgres};
use crate::support::process::{RunningService, run};
use crate::support::{BAMBOOHR_KEY, MERGE_KEY, TestApp, USERS, scratch};

/// A Postgres that a test starts and stops, always with the same URL.
struct Restartable {
    home: tempfile::TempDir,
}

impl Restartable {
    fn new() -> Self {
        let home = scratch::folder();
        Self { home }
    }

    async fn start(&self) -> Embedded {
        start_postgres(kept_in(self.home.path())).await
    }

    /// Its URL, also before it runs.
    fn url(&self) -> String {
        let sockets = self.home.path().join("sock").display().to_string();
        format!(
            "postgres://postgres@localhost:5432/postgres?host={}&sslmode=disable",
            sockets.replace('/', "%2F")
        )
    }
}

async fn ready(service: &RunningService) -> bool {
    service.get("/health/ready").await.0 == 200
}

#[tokio::test]
async fn waits_for_its_database_and_survives_its_loss() {
    let postgres = Restartable::new();
    let first = postgres.start().await;
    let mut conn = sqlx::ConnectOptions::connect(&first.connect_options("postgres"))
        .await
        .unwrap();
    sqlx::raw_sql(USERS).execute(&mut conn).await.unwrap();
    tokio::task::spawn_blocking(move || first.stop())
        .await
        .unwrap()
        .unwrap();

    let url = postgres.url();
    let env = [
        ("DATABASE_URL", url.as_str()),
        ("BAMBOOHR_WEBHOOK_SECRET", BAMBOOHR_KEY),
        ("MERGE_WEBHOOK_SECRET", MERGE_KEY),
        ("LEAVER_LISTEN", "127.0.0.1:0"),
        ("LEAVER_ADMIN_LISTEN", "127.0.0.1:0"),
        ("LEAVER__SERVER__STORE_TIMEOUT", "2s"),
    ];
    let mut service = RunningService::start(&env);
    assert_eq!(service.get("/health/live").await.0, 200);
    assert_eq!(service.get("/health/ready").await.0, 503);
    let (status, _, health) = service.get("/health").await;
    let health: Value = serde_json::from_str(&health).unwrap();
    assert_eq!(
        (status, &health["status"]),
        (503, &Value::from("unavailable"))
    );
    assert_eq!(health["database"], "unreachable");
    assert_unavailable(&service).await;
    run(&["health", "--url", &service.url], &[]).findings(&["unavailable", "unreachable"]);

    let second = postgres.start().await;
    service.wait_until_ready();
    assert!(ready(&service).await);
    assert_eq!(service.get("/health").await.0, 200);
    let stored = post(&service).await;
    assert_eq!(stored.status(), 200);
    let known = metric(&service, "leaver_scheduled_access_ends").await;
    assert_eq!(known, "1");

    // The database stops while the service runs.
    tokio::task::spawn_blocking(move || second.stop())
        .await
        .unwrap()
        .unwrap();
    assert!(!ready(&service).await);
    assert_eq!(service.get("/health/live").await.0, 200);
    assert_unavailable(&service).await;
    assert_eq!(
        metric(&service, "leaver_scheduled_access_ends").await,
        known
    );

    let third = postgres.start().await;
    let mut well = false;
    for _ in 0..200 {
        well = ready(&service).await;
        if well {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert!(well, "not ready although the database runs again");
    service.stop();
    tokio::task::spawn_blocking(move || third.stop())
        .await
        .unwrap()
        .unwrap();
}

/// Asserts that a webhook is answered 503 with `Retry-After`.
async fn assert_unavailable(service: &RunningService) {
    let answer = post(service).await;
    assert_eq!(answer.status(), 503);
    let after = answer.headers()["retry-after"].to_str().unwrap();
    assert!(after.parse::<u32>().is_ok(), "{after}");
    let body: Value = answer.json().await.unwrap();
    assert!(body["error"].is_string(), "{body}");
}

/// Sends a Merge delivery: Dana leaves in a day.
async fn post(service: &RunningService) -> reqwest::Response {
    use leaver::base::clock::Clock;
    let now = leaver::base::clock::SystemClock.now();
    let body = leaves_at(Some(now + chrono::TimeDelta::days(1)));
    let key = leaver_core::signature::Key::new(&MERGE_KEY.into()).unwrap();
    let scheme = leaver_core::signature::Scheme::Merge { keys: vec![key] };
    let mut request = leaver::connect::client::new(std::time::Duration::from_secs(10))
        .unwrap()
        .post(format!("{}/webhooks/merge", service.url));
    for (name, value) in scheme.sign(body.as_bytes(), now) {
        request = request.header(name, value);
    }
    request.body(body).send().await.unwrap()
}

/// Waits until a metric without labels is not 0, for at most 4 s, and returns it.
async fn metric(service: &RunningService, name: &str) -> String {
    let mut value = String::new();
    for _ in 0..200 {
        let text = service.get("/metrics").await.2;
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(&format!("{name} ")));
        value = line.unwrap().to_owned();
        if value != "0" {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    value
}

#[tokio::test]
async fn waits_for_migrations_that_it_may_not_apply() {
    let app: TestApp = app().await;
    for with in [&["serve", "--no-migrate"][..], &["serve"]] {
        let more = [(
            "LEAVER__DATABASE__MIGRATE",
            if with.len() == 1 { "false" } else { "true" },
        )];
        let mut service =
            RunningService::start_command(crate::support::process::command(with, &app.env(&more)));
        if with.len() == 2 {
            service.process.wait_for("leaver migrate");
            assert_eq!(service.get("/health/ready").await.0, 503);
            assert_eq!(post(&service).await.status(), 503);
            let health: Value = serde_json::from_str(&service.get("/health").await.2).unwrap();
            assert_eq!(health["schema"], "pending");
            app.run(&["migrate"]).succeeded();
        }
        service.wait_until_ready();
        assert_eq!(post(&service).await.status(), 200);
        service.stop();
    }
}
