//! A job counts as alive only after a round that succeeded.

use std::sync::Arc;

use chrono::TimeDelta;
use leaver::base::clock::Clock;
use leaver::config::{Environment, Settings};
use leaver::service::Service;
use sqlx::postgres::PgConnectOptions;

use super::*;
use crate::support::BAMBOOHR_KEY;

#[tokio::test]
async fn a_worker_that_only_fails_is_not_alive() {
    let server = Server::start().await;
    let app = server.app(&[]).await;
    let env = [
        ("BAMBOOHR_WEBHOOK_SECRET", BAMBOOHR_KEY),
        ("LEAVER_LISTEN", "127.0.0.1:0"),
        ("LEAVER_ADMIN_LISTEN", "127.0.0.1:0"),
    ];
    let settings = Settings::load(None, &Environment::of(env)).unwrap();
    let options: PgConnectOptions = server.url(server::PASSWORD).parse().unwrap();
    let service = Service::start(&settings, options, Arc::new(app.clock.clone())).unwrap();
    let url = format!("http://{}/health", service.admin_address().unwrap());
    wait_until_worker_is(&url, "running").await;
    server
        .sql(&["ALTER ROLE service SET default_transaction_read_only = on"])
        .await;
    server.end_sessions().await;
    let began = std::time::Instant::now();
    while get(&url).await["storing"] != "read only" {
        assert!(began.elapsed() < WAIT_LIMIT);
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    app.clock.set(app.clock.now() + TimeDelta::minutes(2));
    let health = wait_until_worker_is(&url, "stalled").await;
    let codes: Vec<&Value> = health["reasons"]
        .as_array()
        .unwrap()
        .iter()
        .map(|reason| &reason["code"])
        .collect();
    assert_eq!(codes, ["not_stored"], "a restart would not help");
    server
        .sql(&["ALTER ROLE service RESET default_transaction_read_only"])
        .await;
    wait_until_worker_is(&url, "running").await;
    service.stop().await;
}

async fn get(url: &str) -> Value {
    let client = leaver::connect::client::new(WAIT_LIMIT).unwrap();
    client.get(url).send().await.unwrap().json().await.unwrap()
}

async fn wait_until_worker_is(url: &str, state: &str) -> Value {
    let began = std::time::Instant::now();
    loop {
        let health = get(url).await;
        if health["worker"] == state {
            return health;
        }
        assert!(began.elapsed() < WAIT_LIMIT, "{health}");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}
