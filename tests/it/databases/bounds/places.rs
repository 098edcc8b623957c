//! The place of a connection that was given up.

use std::time::Duration;

use leaver::db::pool::Pool;
use sqlx::ConnectOptions;
use tokio::time::timeout;

use super::Watch;
use crate::support::TestApp;

fn pool(app: &TestApp, connections: u32) -> Pool {
    let options = app.options.clone().application_name("leaver");
    Pool::new(&options, connections, Duration::from_secs(35))
}

/// Starts a statement that hangs, and gives its connection up.
async fn give_up(pool: &Pool, sql: &'static str) {
    let mut conn = pool.acquire().await.unwrap();
    let hanging = sqlx::raw_sql(sql).execute(&mut *conn);
    assert!(timeout(Duration::from_millis(300), hanging).await.is_err());
}

#[tokio::test]
async fn a_backend_that_hangs_is_ended_before_its_place_is_used() {
    let mut app = TestApp::new().await;
    let watch = Watch::start(&app.options, app.database_name()).await;
    let pool = pool(&app, 2);
    let mut lock = app.options.connect().await.unwrap();
    sqlx::raw_sql("BEGIN; LOCK TABLE public.users")
        .execute(&mut lock)
        .await
        .unwrap();
    give_up(&pool, "SELECT pg_sleep(600)").await;
    give_up(&pool, "SELECT count(*) FROM public.users").await;
    for _ in 0..2 {
        // The check of a connection that returns takes up to 5 s.
        let mut free = pool.acquire().await;
        while free.is_err() {
            free = pool.acquire().await;
        }
    }
    let hanging = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
        AND application_name = 'leaver' AND state = 'active'";
    app.wait_for_count(0, hanging).await;
    // The one that ends others has a connection beside those of the pool.
    assert!(watch.end().await <= 3);
}

#[tokio::test]
async fn connections_are_used_again_and_closed_in_order() {
    let mut app = TestApp::new().await;
    let pool = pool(&app, 2);
    let pid = "SELECT pg_backend_pid()";
    let mut first = pool.acquire().await.unwrap();
    let before: i32 = sqlx::query_scalar(pid)
        .fetch_one(&mut *first)
        .await
        .unwrap();
    drop(first);
    let mut second = pool.acquire().await.unwrap();
    let other: i32 = sqlx::query_scalar(pid)
        .fetch_one(&mut *second)
        .await
        .unwrap();
    drop(second);
    let mut third = pool.acquire().await.unwrap();
    let again: i32 = sqlx::query_scalar(pid)
        .fetch_one(&mut *third)
        .await
        .unwrap();
    drop(third);
    assert!(again == before || again == other);
    pool.close().await;
    let left = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
        AND application_name = 'leaver' AND query NOT LIKE '%pg_terminate_backend%'
        AND query NOT LIKE '%unnest%'";
    app.wait_for_count(0, left).await;
}
