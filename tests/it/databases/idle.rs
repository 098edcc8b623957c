//! A service at rest lets its database rest, and still reacts at once.

use std::time::Duration;

use chrono::TimeDelta;
use leaver::jobs::deliveries::notify::Listener;
use leaver::jobs::runner::run;
use sqlx::{AssertSqlSafe, Row};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::support::apis::{
    StandIn, bamboohr_company, bamboohr_employee, merge_company, merge_employee,
};
use crate::support::apis_setup::{SINGLE_COMPANY, source_with_api};
use crate::support::database::{Session, postgres};
use crate::support::driving::merge_record;
use crate::support::event_receiver::webhook;
use crate::support::events::BUS_KEY;
use crate::support::{TestApp, at};

/// How long the suite counts transactions; `make rest` counts for ten minutes. The longest wait of a job is 30 s, and a time
/// that is no multiple of it counts some jobs once too often.
const USUAL: Duration = Duration::from_mins(1);
/// After this the waits have grown to their full length.
const WARM_UP: Duration = Duration::from_secs(35);

fn measured_for() -> Duration {
    let seconds = std::env::var_os("REST_SECONDS");
    seconds.map_or(USUAL, |text| {
        Duration::from_secs(text.to_str().unwrap().parse().unwrap())
    })
}

/// Returns the transactions of a database so far, without those of the session that counts.
async fn transactions(database: &str) -> i64 {
    let mut conn = Session::open(&postgres().await.connect_options("postgres")).await;
    let sql = format!(
        "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = '{database}'"
    );
    let row = sqlx::query(AssertSqlSafe(sql));
    row.fetch_one(&mut conn.conn).await.unwrap().get(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn two_replicas_at_rest_make_under_one_transaction_a_second() {
    let hr = StandIn::start(bamboohr_company(vec![bamboohr_employee(1)])).await;
    let merge = StandIn::start(merge_company(vec![merge_employee(1)])).await;
    let sources = [
        SINGLE_COMPANY.to_owned(),
        source_with_api("bamboohr", "bamboohr", &hr),
        source_with_api("merge", "merge", &merge).replace("SECRET", "SECRET_TWO"),
        // It waits for events that do not occur.
        webhook("bus", "http://127.0.0.1:9/", "drift.found"),
    ];
    let variables = [
        ("SECRET", "a key of sixteen bytes or more"),
        ("SECRET_TWO", "another key of sixteen bytes"),
        ("API_KEY", "an API key of the tests"),
        ("TOKEN", "a token of the tests"),
        BUS_KEY,
    ];
    let mut app = TestApp::builder()
        .config_file(&sources.concat(), &variables)
        .build()
        .await;
    let replicas = [app.serve(&[]), app.serve(&[])];
    let synced = "SELECT count(*) FROM leaver.sync_state WHERE last_completed_at IS NOT NULL";
    app.wait_for_count(2, synced).await;
    sleep(WARM_UP).await;

    let (began, before) = (Instant::now(), transactions(app.database_name()).await);
    sleep(measured_for()).await;
    let made = transactions(app.database_name()).await - before;
    let seconds = began.elapsed().as_secs_f64();
    let rate = f64::from(i32::try_from(made).unwrap()) / seconds;
    crate::faults::say(&format!(
        "{made} transactions of two replicas in {seconds:.0} s at rest: {rate:.2} a second"
    ));
    assert!(rate < 1.0, "{rate} transactions a second at rest");
    drop(replicas);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_at_rest_is_processed_within_50_ms() {
    const PEOPLE: usize = 21;
    let mut app = TestApp::new().await;
    let emails: Vec<String> = (0..PEOPLE).map(|n| format!("p{n}@example.com")).collect();
    let emails: Vec<&str> = emails.iter().map(String::as_str).collect();
    app.add_users(&emails).await;
    let service = app.serve(&[]);
    for (n, email) in emails.iter().enumerate() {
        let record = merge_record(
            &format!("m{n}"),
            email,
            "2026-11-22T11:00:00Z",
            "INACTIVE",
            Some("2026-11-20T00:00:00Z"),
        );
        let file = app.file("leaver.json", &record.to_string());
        service.send(&app, "merge", &file).succeeded();
        app.wait_until_processed().await;
    }
    let median = app
        .count(
            "SELECT round(extract(epoch FROM percentile_cont(0.5) WITHIN GROUP (ORDER BY processed_at - received_at)) * 1000)::bigint
             FROM leaver.deliveries WHERE state = 'processed'",
        )
        .await;
    crate::faults::say(&format!(
        "median from receipt to the end of processing: {median} ms"
    ));
    assert_eq!(app.active().await.len(), 0);
    assert!(median < 50, "{median} ms");
}

#[tokio::test]
async fn an_end_that_another_replica_schedules_soon_is_kept() {
    let mut app = TestApp::new().await;
    app.add_users(&["dana@example.com"]).await;
    app.set_clock("2026-11-22T12:00:00Z");
    let other = app.beside(&["merge"], &[]).await;
    let stop = CancellationToken::new();
    let notifications = other.parts.engine.notifications.clone();
    let listener = Listener::new(other.parts.engine.pool.clone(), notifications.clone());
    let ends = other.parts.scheduled_ends.clone();
    let jobs = [
        tokio::spawn({
            let stop = stop.clone();
            async move { run(listener, &stop).await }
        }),
        tokio::spawn({
            let stop = stop.clone();
            async move { run(ends, &stop).await }
        }),
    ];
    let is_listening = || {
        notifications
            .is_listening
            .load(std::sync::atomic::Ordering::Relaxed)
    };
    while !is_listening() {
        sleep(Duration::from_millis(5)).await;
    }
    // Its waits have grown: 1, 2, 4 and then 8 s.
    sleep(Duration::from_millis(7_500)).await;
    let ends_at = "2026-11-22T12:01:00Z";
    let record = merge_record(
        "m1",
        "dana@example.com",
        "2026-11-22T11:00:00Z",
        "ACTIVE",
        Some(ends_at),
    );
    app.deliver("merge", &record).await;
    assert_eq!(app.access_ends_at("m1").await, Some(at(ends_at)));
    app.advance(TimeDelta::seconds(60));
    let ended = app.wait_for_count(0, "SELECT count(*) FROM users WHERE is_active");
    // The promised two seconds, and some for a slow machine. Without a message it would take up to 30.
    timeout(Duration::from_secs(3), ended).await.unwrap();
    stop.cancel();
    for job in jobs {
        job.await.unwrap();
    }
}
