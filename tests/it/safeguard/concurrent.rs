//! The limits are exact while several workers of several replicas process deliveries at the same time.

use leaver::base::clock::{Clock as _, SystemClock};
use leaver::jobs::deliveries::{LoopState, Round};
use std::sync::Arc;

use super::{app_with_limits, inactive, limits, reported};
use crate::support::{JSON, TestApp};
use chrono::TimeDelta;

const ROUNDS: usize = 20;
const DELIVERIES: usize = 16;
const PEOPLE: usize = 7;
const LIMIT: i64 = 30;
/// Each delivery passes as a whole, or not at all.
const PASSING: i64 = 28;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_never_exceed_a_limit() {
    let limit = u32::try_from(LIMIT).unwrap();
    let mut app = app_with_limits((limit, 1), (limit, 1)).await;
    add_people(&mut app).await;
    app.clock.set(SystemClock.now());
    let batches = [("LEAVER__WORKER__BATCH_SIZE", "1")];
    let services = [app.serve(&batches), app.serve(&batches)];
    for round in 0..ROUNDS {
        store_round(&app, round).await;
        let pending = "SELECT count(*) FROM leaver.deliveries WHERE state = 'pending'";
        app.wait_for_count(0, pending).await;
        let changed = app.count("SELECT count(*) FROM leaver.changes").await;
        let rounds = i64::try_from(round + 1).unwrap();
        assert_eq!(changed, rounds * PASSING, "round {round}");
        assert_eq!(inactive(&mut app).await, changed, "round {round}");
        app.sql(
            "UPDATE leaver.holds SET state = 'rejected' WHERE state = 'open';
             UPDATE leaver.trips SET state = 'rejected', closed_at = clock_timestamp() WHERE state = 'open'",
        )
        .await;
    }
    for service in services {
        service.stop();
    }
}

/// Adds the people of all rounds.
async fn add_people(app: &mut TestApp) {
    let people = ROUNDS * DELIVERIES * PEOPLE;
    app.sql(&format!(
        "INSERT INTO users (email) SELECT 'person' || n || '@example.com' FROM generate_series(0, {people} - 1) n"
    ))
    .await;
}

/// Stores the deliveries of a round.
async fn store_round(app: &TestApp, round: usize) {
    for n in 0..DELIVERIES {
        let first = (round * DELIVERIES + n) * PEOPLE;
        let body = reported(app, first..first + PEOPLE, false);
        app.send("bamboohr", JSON, body.to_string()).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_together_never_exceed_a_limit() {
    let limit = u32::try_from(LIMIT).unwrap();
    let mut app = app_with_limits((limit, 1), (limit, 1)).await;
    add_people(&mut app).await;
    let limits = limits((limit, 1), (limit, 1));
    let mut settings: Vec<(&str, &str)> = limits.iter().map(|(n, v)| (*n, v.as_str())).collect();
    settings.push(("LEAVER__WORKER__BATCH_SIZE", "1"));
    settings.push(("LEAVER__WORKER__CONCURRENCY", "8"));
    settings.push(("LEAVER__DATABASE__MAX_CONNECTIONS", "24"));
    let replicas = [
        app.beside(&["bamboohr"], &settings).await,
        app.beside(&["bamboohr"], &settings).await,
    ];
    for round in 0..ROUNDS {
        app.advance(TimeDelta::hours(25));
        store_round(&app, round).await;
        let mut working = tokio::task::JoinSet::new();
        for replica in &replicas {
            for _ in 0..4 {
                let deliveries = Arc::clone(&replica.parts.deliveries);
                working.spawn(async move {
                    let mut state = LoopState::default();
                    loop {
                        match deliveries.round(&mut state).await {
                            Round::Idle => break,
                            Round::Outage => panic!("the worker cannot reach the database"),
                            _ => {}
                        }
                    }
                });
            }
        }
        while let Some(done) = working.join_next().await {
            done.unwrap();
        }
        app.work().await;
        let since = app.clock.now() - TimeDelta::minutes(1);
        let changed = app
            .count(&format!(
                "SELECT count(*) FROM leaver.changes WHERE at > '{}'",
                since.to_rfc3339()
            ))
            .await;
        assert_eq!(changed, PASSING, "round {round}");
        let all = i64::try_from(DELIVERIES * PEOPLE).unwrap();
        let held = "SELECT count(*) FROM leaver.holds WHERE state = 'open'";
        assert_eq!(app.count(held).await, all - changed, "round {round}");
        let now = app.clock.now().to_rfc3339();
        app.sql(&format!(
            "UPDATE leaver.holds SET state = 'rejected' WHERE state = 'open';
             UPDATE leaver.trips SET state = 'rejected', closed_at = '{now}' WHERE state = 'open'"
        ))
        .await;
    }
    let users = "SELECT count(*) FROM users WHERE NOT is_active";
    let rounds = i64::try_from(ROUNDS).unwrap();
    assert_eq!(app.count(users).await, rounds * PASSING);
}

#[tokio::test]
async fn no_default_of_the_database_hides_what_committed() {
    let mut app = TestApp::new().await;
    let alter = format!(
        "ALTER DATABASE {} SET default_transaction_isolation = 'repeatable read'",
        app.database_name()
    );
    app.sql(&alter).await;
    let mut conn = app.parts.engine.pool.acquire().await.unwrap();
    let level: String = sqlx::query_scalar("SELECT current_setting('transaction_isolation')")
        .fetch_one(&mut *conn)
        .await
        .unwrap();
    assert_eq!(level, "read committed");
}
