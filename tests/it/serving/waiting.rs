//! A database that comes late, goes, or is not migrated.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;

use embedded_postgres::{DataDir, Embedded, Options};
use serde_json::Value;

use super::{leaves_at, place};
use crate::support::process::{Place, Served, leaver};
use crate::support::{BAMBOOHR_KEY, MERGE_KEY, USERS};

/// A Postgres that a test starts and stops as it likes, always in the same place.
struct Comes {
    home: tempfile::TempDir,
}

impl Comes {
    fn new() -> Self {
        let home = tempfile::Builder::new()
            .permissions(Permissions::from_mode(0o711))
            .tempdir();
        Self {
            home: home.unwrap(),
        }
    }

    async fn start(&self) -> Embedded {
        let options = Options {
            bin_dir: std::env::var_os("PG_BINDIR").map(Into::into),
            search_path: std::env::var_os("PATH"),
            home: DataDir::Persistent(self.home.path().to_path_buf()),
        };
        tokio::task::spawn_blocking(move || Embedded::start(&options))
            .await
            .unwrap()
            .unwrap()
    }

    /// Where it is, or will be.
    fn url(&self) -> String {
        let sockets = self.home.path().join("sock").display().to_string();
        format!(
            "postgres://postgres@localhost:5432/postgres?host={}&sslmode=disable",
            sockets.replace('/', "%2F")
        )
    }
}

async fn ready(service: &Served) -> bool {
    service.get("/health/ready").await.0 == 200
}

#[tokio::test]
async fn a_service_without_its_database_stays_up_and_gets_ready_when_it_comes() {
    let comes = Comes::new();
    let first = comes.start().await;
    let mut conn = sqlx::ConnectOptions::connect(&first.connect_options("postgres"))
        .await
        .unwrap();
    sqlx::raw_sql(USERS).execute(&mut conn).await.unwrap();
    tokio::task::spawn_blocking(move || first.stop())
        .await
        .unwrap()
        .unwrap();

    let url = comes.url();
    let env = [
        ("DATABASE_URL", url.as_str()),
        ("BAMBOOHR_WEBHOOK_SECRET", BAMBOOHR_KEY),
        ("MERGE_WEBHOOK_SECRET", MERGE_KEY),
        ("LEAVER_LISTEN", "127.0.0.1:0"),
        ("LEAVER__SERVER__STORE_TIMEOUT", "2s"),
    ];
    let mut service = Served::start(&env);
    assert_eq!(service.get("/health/live").await.0, 200);
    assert_eq!(service.get("/health/ready").await.0, 503);
    let (status, _, health) = service.get("/health").await;
    let health: Value = serde_json::from_str(&health).unwrap();
    assert_eq!(
        (status, &health["status"]),
        (503, &Value::from("unavailable"))
    );
    assert_eq!(health["database"], "unreachable");
    assert_asked_to_come_again(&service).await;
    leaver(&["health", "--url", &service.url], &[]).findings(&["unavailable", "unreachable"]);

    let second = comes.start().await;
    service.wait_until_ready();
    assert!(ready(&service).await);
    assert_eq!(service.get("/health").await.0, 200);
    let stored = post(&service).await;
    assert_eq!(stored.status(), 200);
    let known = metric(&service, "leaver_scheduled").await;
    assert_eq!(known, "1");

    // And it goes again, while the service runs.
    tokio::task::spawn_blocking(move || second.stop())
        .await
        .unwrap()
        .unwrap();
    assert!(!ready(&service).await);
    assert_eq!(service.get("/health/live").await.0, 200);
    assert_asked_to_come_again(&service).await;
    assert_eq!(metric(&service, "leaver_scheduled").await, known);

    let third = comes.start().await;
    let mut well = false;
    for _ in 0..200 {
        well = ready(&service).await;
        if well {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert!(well, "not ready after the database is back");
    service.stop();
    tokio::task::spawn_blocking(move || third.stop())
        .await
        .unwrap()
        .unwrap();
}

/// A webhook is not taken, and its sender is told when to come again.
async fn assert_asked_to_come_again(service: &Served) {
    let answer = post(service).await;
    assert_eq!(answer.status(), 503);
    let after = answer.headers()["retry-after"].to_str().unwrap();
    assert!(after.parse::<u32>().is_ok(), "{after}");
    let body: Value = answer.json().await.unwrap();
    assert!(body["error"].is_string(), "{body}");
}

/// Merge says that Dana leaves in a day.
async fn post(service: &Served) -> reqwest::Response {
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

/// A metric without labels, once the worker had time to do what it counts.
async fn metric(service: &Served, name: &str) -> String {
    let mut value = String::new();
    for _ in 0..100 {
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
async fn pending_migrations_are_waited_for_when_it_may_not_apply_them() {
    let place: Place = place().await;
    for with in [&["serve", "--no-migrate"][..], &["serve"]] {
        let more = [(
            "LEAVER__DATABASE__MIGRATE",
            if with.len() == 1 { "false" } else { "true" },
        )];
        let mut service = Served::of(crate::support::process::command(with, &place.env(&more)));
        if with.len() == 2 {
            service.process.wait_for("leaver migrate");
            assert_eq!(service.get("/health/ready").await.0, 503);
            assert_eq!(post(&service).await.status(), 503);
            let health: Value = serde_json::from_str(&service.get("/health").await.2).unwrap();
            assert_eq!(health["schema"], "pending");
            place.leaver(&["migrate"]).good();
        }
        service.wait_until_ready();
        assert_eq!(post(&service).await.status(), 200);
        service.stop();
    }
}
