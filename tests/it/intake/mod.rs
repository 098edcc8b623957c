//! Group commit: deliveries that arrive together are stored together, and every request gets a response in time.

mod outage;
mod stop;

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::{Request, StatusCode};
use chrono::TimeDelta;
use http_body_util::BodyExt;
use leaver::base::clock::Clock;
use leaver::base::liveness::Liveness;
use leaver::base::metrics::{Format, Metrics};
use leaver::db::backends::Backends;
use leaver::ingest::group_commit::{GroupCommit, QueueLimits, StoreError};
use leaver_core::signature::VerifiedDelivery;
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tower::ServiceExt;

use crate::support::{FORM, JSON, TestApp};

const LOCKED: &str = "BEGIN; LOCK TABLE leaver.deliveries IN EXCLUSIVE MODE";

/// Sends a request in the background. Returns status and body of the response.
fn sending(app: &TestApp, request: Request<Body>) -> JoinHandle<(StatusCode, Value)> {
    let router = leaver::api::router(Arc::clone(&app.parts.state));
    tokio::spawn(async move {
        let answer = router.oneshot(request).await.unwrap();
        let status = answer.status();
        let bytes = answer.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice(&bytes).unwrap())
    })
}

fn metric(app: &TestApp, name: &str) -> f64 {
    let text = app.parts.state.metrics.text(Format::OpenMetrics).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.unwrap().trim().parse().unwrap()
}

/// Waits until this many deliveries are pending in memory.
async fn waiting(app: &TestApp, count: u32) {
    let began = Instant::now();
    while (metric(app, "leaver_insert_queue_length ") - f64::from(count)).abs() > 0.1 {
        assert!(
            began.elapsed() < Duration::from_secs(10),
            "still not {count}"
        );
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Waits until this many senders wait for their response.
async fn senders_wait(app: &TestApp, count: usize) {
    let began = Instant::now();
    while app.parts.liveness.waiting_senders() != count {
        assert!(
            began.elapsed() < Duration::from_secs(10),
            "still not {count}"
        );
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// An app whose flushers all wait for a lock. [`TestApp::sql`] with `COMMIT` releases it.
async fn blocked() -> (TestApp, Vec<JoinHandle<(StatusCode, Value)>>) {
    let mut app = TestApp::new().await;
    // Prepares a connection and a statement.
    app.send("bamboohr", JSON, "{}").await;
    app.sql(LOCKED).await;
    let mut held = vec![];
    for n in 0.. {
        held.push(sending(
            &app,
            app.signed("bamboohr", JSON, format!("{{\"held\":{n}}}")),
        ));
        let began = Instant::now();
        while began.elapsed() < Duration::from_millis(100) && !held[n].is_finished() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        if metric(&app, "leaver_insert_queue_length ") > 0.5 {
            break;
        }
    }
    (app, held)
}

#[tokio::test]
async fn deliveries_during_a_flush_share_the_next_one() {
    let (mut app, mut sent) = blocked().await;
    let flushes = metric(&app, "leaver_insert_batch_rows_count ");
    let blocked = sent.len() - 1;
    for n in 0..99 {
        let body = format!("{{\"n\":{n}}}");
        sent.push(sending(&app, app.signed("bamboohr", JSON, body)));
    }
    waiting(&app, 100).await;
    assert!(app.parts.liveness.is_overloaded());
    app.sql("COMMIT").await;
    for answer in sent {
        let (status, body) = answer.await.unwrap();
        assert_eq!(
            (status, &body["duplicate"]),
            (StatusCode::OK, &json!(false))
        );
    }
    // One flush per blocked flusher, and one for all others.
    let flushes = metric(&app, "leaver_insert_batch_rows_count ") - flushes;
    assert!(
        (flushes - f64::from(u32::try_from(blocked).unwrap() + 1)).abs() < 0.1,
        "{flushes}"
    );
    let stored = app.count("SELECT count(*) FROM leaver.deliveries").await;
    assert_eq!(usize::try_from(stored).unwrap(), 1 + blocked + 100);
    assert!(!app.parts.liveness.is_overloaded());
    assert!(metric(&app, "leaver_insert_duration_seconds_count ") >= flushes);
}

#[tokio::test]
async fn a_refused_row_fails_alone() {
    let mut app = TestApp::new().await;
    app.sql("ALTER TABLE leaver.deliveries ADD CONSTRAINT bad CHECK (body <> 'bad')")
        .await;
    app.sql(LOCKED).await;
    let mut good = vec![];
    for n in 0..40 {
        let body = format!("{{\"n\":{n}}}");
        good.push(sending(&app, app.signed("bamboohr", JSON, body)));
    }
    let bad = sending(&app, app.signed("bamboohr", JSON, "bad"));
    for n in 40..60 {
        let body = format!("{{\"n\":{n}}}");
        good.push(sending(&app, app.signed("bamboohr", JSON, body)));
    }
    senders_wait(&app, 61).await;
    app.sql("COMMIT").await;
    for answer in good {
        assert_eq!(answer.await.unwrap().0, StatusCode::OK);
    }
    let (status, body) = bad.await.unwrap();
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(body, json!({"error": "cannot store now"}));
    assert_eq!(
        app.count("SELECT count(*) FROM leaver.deliveries").await,
        60
    );
}

#[tokio::test]
async fn duplicates_in_a_batch_are_one_row_signed_later() {
    let (mut app, held) = blocked().await;
    let mut same = vec![];
    for _ in 0..4 {
        app.advance(TimeDelta::seconds(1));
        same.push(sending(
            &app,
            app.signed("bamboohr", FORM, "employees[1][status]=Active"),
        ));
        waiting(&app, 1 + u32::try_from(same.len()).unwrap()).await;
    }
    app.sql("COMMIT").await;
    let mut answers = vec![];
    for answer in same {
        let (status, body) = answer.await.unwrap();
        assert_eq!(status, StatusCode::OK);
        answers.push((body["delivery"].clone(), body["duplicate"].clone()));
    }
    let id = answers[0].0.clone();
    let expected: Vec<_> = [false, true, true, true]
        .map(|dup| (id.clone(), json!(dup)))
        .into();
    assert_eq!(answers, expected);
    for answer in held {
        assert_eq!(answer.await.unwrap().0, StatusCode::OK);
    }
    let noted =
        "SELECT count(*) FROM leaver.deliveries WHERE resigned_at = signed_at + interval '3 s'";
    assert_eq!(app.count(noted).await, 1);
}

#[tokio::test]
async fn a_blocked_duplicate_does_not_delay_new_deliveries() {
    let mut app = TestApp::new().await;
    app.send("bamboohr", FORM, "employees[1][status]=Active")
        .await;
    app.sql("BEGIN; SELECT FROM leaver.deliveries FOR UPDATE")
        .await;
    app.advance(TimeDelta::seconds(1));
    let again = sending(
        &app,
        app.signed("bamboohr", FORM, "employees[1][status]=Active"),
    );
    for n in 0..10 {
        app.send("bamboohr", JSON, format!("{{\"n\":{n}}}")).await;
    }
    assert!(!again.is_finished());
    app.sql("COMMIT").await;
    assert_eq!(again.await.unwrap().1["duplicate"], json!(true));
}

#[tokio::test]
async fn a_delivery_is_stored_though_its_sender_disconnects() {
    let (mut app, mut held) = blocked().await;
    let gone = held.pop().unwrap();
    gone.abort();
    assert!(gone.await.unwrap_err().is_cancelled());
    app.sql("COMMIT").await;
    app.parts.state.intake.close().await;
    let stored = app.count("SELECT count(*) FROM leaver.deliveries").await;
    assert_eq!(usize::try_from(stored).unwrap(), 1 + held.len() + 1);
}

#[tokio::test]
async fn bodies_beyond_the_memory_budget_get_a_503_at_once() {
    let env = [
        ("LEAVER__SERVER__MAX_BODY", "1KiB"),
        ("LEAVER__SERVER__MAX_IN_FLIGHT_BYTES", "2KiB"),
    ];
    let mut app = TestApp::builder().settings(&env).build().await;
    app.sql(LOCKED).await;
    let body = |n: u8| vec![n; 1000];
    let inside = [0, 1].map(|n| sending(&app, app.signed("bamboohr", JSON, body(n))));
    senders_wait(&app, 2).await;
    for declares in [true, false] {
        let mut request = app.signed("bamboohr", JSON, body(2));
        if declares {
            request.headers_mut().insert("content-length", 1000.into());
        }
        let began = Instant::now();
        let answer = app.request(request).await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(answer.headers.contains_key("retry-after"));
        assert!(began.elapsed() < Duration::from_secs(1));
    }
    let full = r#"leaver_webhook_requests_total{source="bamboohr",outcome="overloaded"} "#;
    assert!((metric(&app, full) - 2.0).abs() < 0.1);
    app.sql("COMMIT").await;
    for answer in inside {
        assert_eq!(answer.await.unwrap().0, StatusCode::OK);
    }
    app.send("bamboohr", JSON, body(2)).await;
}

/// An authenticated delivery.
fn verified(app: &TestApp, body: &str) -> VerifiedDelivery {
    let source = &app.settings.sources[0];
    let now = app.clock.now();
    let headers = source
        .scheme
        .sign(body.as_bytes(), now)
        .into_iter()
        .collect();
    let body = body.to_owned().into();
    source
        .scheme
        .verify(&source.name, &headers, body, now)
        .unwrap()
}

#[tokio::test]
async fn a_full_queue_refuses_at_once_and_recovers() {
    let mut app = TestApp::new().await;
    let limits = QueueLimits {
        max_pending: 3,
        max_bytes: 1 << 20,
        store_timeout: Duration::from_secs(8),
    };
    let intake = GroupCommit::open(
        &Backends::new(&app.options, 12),
        limits,
        Arc::new(Notify::new()),
        Arc::new(Metrics::default()),
        Arc::new(Liveness::default()),
        Arc::default(),
    );
    let store = |n: usize| {
        let (intake, delivery) = (intake.clone(), verified(&app, &format!("{{\"n\":{n}}}")));
        let (now, reservation) = (app.clock.now(), intake.budget().reserve());
        tokio::spawn(async move { intake.store(delivery, now, reservation).await })
    };
    let mut other = sqlx::ConnectOptions::connect(&app.options).await.unwrap();
    sqlx::raw_sql(LOCKED).execute(&mut other).await.unwrap();
    let mut inside = vec![];
    let refused = loop {
        let storing = store(inside.len());
        tokio::time::sleep(Duration::from_millis(50)).await;
        if storing.is_finished() {
            break storing.await.unwrap();
        }
        inside.push(storing);
    };
    assert_eq!(refused, Err(StoreError::Full));
    assert!(
        inside.len() >= 4,
        "{} are in flushers, and 3 are pending",
        inside.len()
    );
    sqlx::raw_sql("COMMIT").execute(&mut other).await.unwrap();
    for storing in inside {
        assert!(!storing.await.unwrap().unwrap().duplicate);
    }
    assert!(store(1_000).await.unwrap().is_ok());
    intake.close().await;
    assert_eq!(store(1_001).await.unwrap(), Err(StoreError::Full));
    assert_eq!(
        app.count("SELECT count(*) FROM leaver.deliveries WHERE body_bytes = 10")
            .await,
        1
    );
}
