//! A database that accepts bytes and never answers, without closing the connection, while jobs run. The jobs recover
//! with all their connections.

use std::sync::Arc;
use std::time::Duration;

use leaver::db::pool::Pool;
use leaver::engine::Engine;
use leaver::jobs::deliveries::notify::Listener;
use leaver::jobs::deliveries::{Deliveries, DeliveryWorker};
use leaver::jobs::runner::run;
use leaver::jobs::scheduled_ends::ScheduledEnds;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::support::driving::terminated;
use crate::support::proxy::{Mode, Proxy};
use crate::support::{TestApp, employees};

const CONNECTIONS: u32 = 5;
/// In place of the half minute that Postgres may take for a statement of ours.
const SILENCE: Duration = Duration::from_secs(1);

/// So many connections of the working half, through the proxy.
fn pool(app: &TestApp, proxy: &Proxy) -> Pool {
    let options = proxy.to(app.database_name()).application_name("leaver");
    Pool::new(&options, CONNECTIONS, SILENCE)
}

/// The app's worker over other connections.
fn worker(app: &TestApp, pool: Pool) -> Arc<Deliveries> {
    let own = &app.parts.engine;
    let mut engine = Engine::new(
        pool,
        Arc::clone(&own.clock),
        own.mapping.clone(),
        Arc::clone(&own.policies),
        Arc::clone(&own.metrics),
    );
    engine.notifications = own.notifications.clone();
    let config = app.parts.deliveries.config.clone();
    let liveness = Arc::clone(&app.parts.liveness);
    Arc::new(Deliveries::new(Arc::new(engine), config, liveness))
}

/// All of them can be had at once, and answer.
async fn are_all_there(pool: &Pool) {
    let began = Instant::now();
    let mut lent = vec![];
    while lent.len() < CONNECTIONS as usize {
        match pool.acquire().await {
            Ok(connection) => lent.push(connection),
            Err(error) => assert!(
                began.elapsed() < Duration::from_secs(20),
                "{} of {CONNECTIONS}: {error}",
                lent.len()
            ),
        }
    }
    for mut connection in lent {
        let one = sqlx::query_scalar::<_, i32>("SELECT 1").fetch_one(&mut *connection);
        assert_eq!(one.await.unwrap(), 1);
    }
}

#[tokio::test]
async fn dead_connections_free_their_places_in_the_pool() {
    let app = TestApp::new().await;
    let proxy = Proxy::start().await;
    let pool = pool(&app, &proxy);
    for round in 1..=2 {
        let mut lent = vec![];
        for _ in 0..CONNECTIONS {
            lent.push(pool.acquire().await.unwrap());
        }
        proxy.set(Mode::BlackHole);
        // A returned connection is pinged, and none of these pings is answered.
        drop(lent);
        proxy
            .wait_until_swallowed(round * CONNECTIONS as usize)
            .await;
        proxy.set(Mode::Pass);
        are_all_there(&pool).await;
    }
}

#[tokio::test]
async fn a_query_without_an_answer_fails_as_an_outage() {
    let app = TestApp::new().await;
    let proxy = Proxy::start().await;
    let pool = pool(&app, &proxy);
    let mut connection = pool.acquire().await.unwrap();
    proxy.set(Mode::BlackHole);
    let answer = pool.with_silence_timeout(sqlx::query("SELECT 1").execute(&mut *connection));
    let silent = timeout(Duration::from_secs(20), answer).await.unwrap();
    let silent = silent.unwrap_err();
    assert!(
        leaver::db::error::classify(&silent) == leaver::db::error::Class::Outage,
        "{silent}"
    );
}

#[tokio::test]
async fn work_that_is_heard_now_and_then_may_last() {
    let app = TestApp::new().await;
    let proxy = Proxy::start().await;
    let pool = pool(&app, &proxy);
    let lasting = async {
        let mut connection = pool.acquire().await?;
        for _ in 0..3 {
            sqlx::query("SELECT pg_sleep(0.6)")
                .execute(&mut *connection)
                .await?;
        }
        Ok::<_, sqlx::Error>(())
    };
    pool.with_silence_timeout(lasting).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_working_half_goes_on_with_all_its_connections() {
    let mut app = TestApp::new().await;
    let proxy = Proxy::start().await;
    let pool = pool(&app, &proxy);
    let worker = worker(&app, pool.clone());
    let (work, stop) = (TaskTracker::new(), CancellationToken::new());
    for _ in 0..2 {
        let (worker, stop) = (DeliveryWorker::new(Arc::clone(&worker)), stop.clone());
        work.spawn(async move { run(worker, &stop).await });
    }
    let engine = Arc::clone(&worker.engine);
    let listener = Listener::new(engine.pool.clone(), engine.notifications.clone());
    let timer = ScheduledEnds::new(engine, Arc::clone(&app.parts.liveness));
    let (stop_timer, stop_listener) = (stop.clone(), stop.clone());
    work.spawn(async move { run(timer, &stop_timer).await });
    work.spawn(async move { run(listener, &stop_listener).await });

    let on = "SELECT count(*) FROM users WHERE is_active";
    for round in 0..3 {
        let emails = [0, 1].map(|n| format!("p{round}-{n}@example.com"));
        app.add_users(&emails.each_ref().map(String::as_str)).await;
        // Both loops have a batch in hand, and wait for the application.
        app.sql("BEGIN; LOCK TABLE users IN ACCESS EXCLUSIVE MODE")
            .await;
        for (n, email) in emails.iter().enumerate() {
            let id = format!("{round}{n}");
            let left = employees(&[terminated(&id, email, "2026-11-22T09:00:00Z")]);
            app.store("bamboohr", &left).await;
            let waiting = format!(
                "SELECT least(count(*), {0}) FROM pg_locks WHERE NOT granted AND relation = 'users'::regclass",
                n + 1
            );
            app.wait_for_count(i64::try_from(n + 1).unwrap(), &waiting)
                .await;
        }
        proxy.set(Mode::BlackHole);
        let accepted = proxy.accepted();
        app.sql("COMMIT").await;
        // Each worker has given up its dead connection and opened another, which is dead too.
        proxy.wait_until_accepted(accepted + 2).await;
        proxy.set(Mode::Pass);
        let healed = Instant::now();
        app.wait_for_count(0, on).await;
        assert!(healed.elapsed() < Duration::from_secs(10), "round {round}");
    }
    are_all_there(&pool).await;
    stop.cancel();
    work.close();
    work.wait().await;
    let attempts = "SELECT COALESCE(sum(attempts), 0)::bigint FROM leaver.deliveries";
    assert_eq!(app.count(attempts).await, 0, "nobody is to blame");
}
