//! Limits of the role and the database.

use std::time::Duration;

use tokio::task::JoinSet;
use uuid::Uuid;

use super::{Watch, post};
use crate::faults::ledger::{Delivery, people};
use crate::support::process::{self, RunningService, WAIT_LIMIT};
use crate::support::{TestApp, USERS};

/// An app, and a role of its own with this limit. Roles are of the whole server.
struct Limited {
    app: TestApp,
    role: String,
    url: String,
}

impl Limited {
    async fn to(connections: u32) -> Self {
        let mut app = TestApp::builder()
            .tables(&(USERS.to_owned() + &people(200)))
            .build()
            .await;
        let role = format!("limited_{}", Uuid::new_v4().simple());
        let database = app.database_name().to_owned();
        app.sql(&format!(
            "CREATE ROLE {role} LOGIN CONNECTION LIMIT {connections};
             GRANT SELECT, UPDATE ON users TO {role};
             GRANT SELECT, DELETE ON sessions TO {role};
             GRANT USAGE ON SCHEMA leaver TO {role};
             GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA leaver TO {role};
             GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA leaver TO {role};
             GRANT USAGE ON ALL SEQUENCES IN SCHEMA leaver TO {role};
             GRANT CONNECT ON DATABASE {database} TO {role};"
        ))
        .await;
        let url = app.url.replacen("//postgres@", &format!("//{role}@"), 1);
        assert!(url.contains(&role), "{url}");
        Self { app, role, url }
    }

    fn serve(&self) -> RunningService {
        self.app.serve(&[("DATABASE_URL", &self.url)])
    }

    /// Drops the role, which other tests must not meet.
    async fn end(mut self) {
        let role = &self.role;
        self.app
            .sql(&format!("DROP OWNED BY {role}; DROP ROLE {role}"))
            .await;
    }
}

/// Sends so many deliveries from 20 senders, and returns the answers that were not 200.
async fn refusals(address: &str, from: usize, count: usize) -> Vec<u16> {
    let mut senders = JoinSet::new();
    for sender in 0..20 {
        let address = address.to_owned();
        senders.spawn(async move {
            let mut refused = vec![];
            for n in (from..from + count).filter(|n| n % 20 == sender) {
                let status = post(&address, &Delivery::about(n % 200, n)).await;
                refused.extend((status != 200).then_some(status));
            }
            refused
        });
    }
    senders.join_all().await.into_iter().flatten().collect()
}

#[tokio::test]
async fn a_role_with_eight_connections_takes_every_webhook() {
    let limited = Limited::to(8).await;
    let mut service = limited.serve();
    service.wait_until_ready();
    let app = &limited.app;
    let watch = Watch::start(&app.options, app.database_name()).await;
    let sending = refusals(service.address(), 0, 1_000);
    let (refused, readiness) = tokio::join!(sending, async {
        let mut statuses = vec![];
        for _ in 0..10 {
            statuses.push(service.get("/health/ready").await.0);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        statuses
    });
    assert_eq!(refused, Vec::<u16>::new());
    assert_eq!(readiness, [200; 10]);
    let mut limited = limited;
    limited.app.wait_until_processed().await;
    let highest = watch.end().await;
    assert!((5..=8).contains(&highest), "{highest}");
    assert!(service.process.err().contains("allows fewer connections"));
    service.stop();
    limited.end().await;
}

#[tokio::test]
async fn a_role_with_four_connections_is_refused_at_start() {
    let limited = Limited::to(4).await;
    let listen = ("LEAVER_LISTEN", "127.0.0.1:0");
    let admin = ("LEAVER_ADMIN_LISTEN", "127.0.0.1:0");
    let url = ("DATABASE_URL", &*limited.url);
    let ended = limited.app.run_with(&["serve"], &[url, listen, admin]);
    assert_ne!(ended.code, Some(0));
    let role = &limited.role;
    for words in [
        &*format!("role {role} allows 4 connections"),
        "at least 8",
        "`database.max_connections` = 12",
        "CONNECTION LIMIT 12",
    ] {
        assert!(ended.err.contains(words), "{words}: {}", ended.err);
    }
    let check = ["check"];
    let env = limited.app.env(&[("DATABASE_URL", &limited.url)]);
    let check = process::run(&check, &env);
    assert!(check.out.contains("allows 4 connections"), "{}", check.out);
    assert_eq!(check.code, Some(1));
    limited.end().await;
}

#[tokio::test]
async fn receiving_keeps_its_share_when_the_limit_is_lowered() {
    let mut limited = Limited::to(12).await;
    let mut service = limited.serve();
    service.wait_until_ready();
    let role = limited.role.clone();
    limited
        .app
        .sql(&format!(
            "ALTER ROLE {role} CONNECTION LIMIT 8;
             SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{role}'"
        ))
        .await;
    // Senders retry, as providers do.
    let began = std::time::Instant::now();
    while !refusals(service.address(), 0, 20).await.is_empty() {
        assert!(began.elapsed() < WAIT_LIMIT);
    }
    assert_eq!(
        refusals(service.address(), 100, 400).await,
        Vec::<u16>::new()
    );
    limited.app.wait_until_processed().await;
    service.stop();
    limited.end().await;
}

#[tokio::test]
async fn check_compares_the_limits_and_counts_replicas() {
    let mut limited = Limited::to(30).await;
    let role = limited.role.clone();
    let check = |limited: &Limited, more: &[(&str, &str)]| {
        let more = [&[("DATABASE_URL", &*limited.url)], more].concat();
        let found = process::run(&["check", "--json"], &limited.app.env(&more)).json();
        let lines = found.as_array().unwrap().clone();
        let line = lines
            .into_iter()
            .find(|line| line["check"] == "database.max_connections");
        let line = line.unwrap();
        let text = |name: &str| line[name].as_str().unwrap().to_owned();
        (text("status"), text("message"))
    };
    let (status, message) = check(&limited, &[]);
    assert_eq!(status, "ok", "{message}");
    assert!(message.contains(&format!("role {role} allows 30, so 2 replicas")));

    let mut service = limited.serve();
    service.wait_until_ready();
    let (_, message) = check(&limited, &[("LEAVER__DATABASE__MAX_CONNECTIONS", "20")]);
    assert!(message.contains("so 1 replica can"), "{message}");
    assert!(message.contains("of Leaver now"), "{message}");
    service.stop();

    let database = limited.app.database_name().to_owned();
    limited
        .app
        .sql(&format!("ALTER DATABASE {database} CONNECTION LIMIT 10"))
        .await;
    let (status, message) = check(&limited, &[]);
    assert_eq!(status, "warning", "{message}");
    for words in ["allows 10 connections", "10 of 12", "ALTER DATABASE"] {
        assert!(message.contains(words), "{words}: {message}");
    }
    let (status, _) = check(&limited, &[("LEAVER__DATABASE__MAX_CONNECTIONS", "500")]);
    assert_eq!(status, "warning");
    limited.end().await;
}
