//! Responses to webhooks. Both providers treat a 4xx as final, so each status is a promise.

mod signatures;
mod unavailable;

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use hyper::body::Frame;
use leaver::base::clock::Clock;
use serde_json::json;

use crate::support::{FORM, JSON, TestApp};

const BODY: &str = r#"{"employees":[{"id":"1","action":"Updated","changedFields":["status"],"fields":{"status":"Active"},"timestamp":"2026-11-22T11:00:00+0000"}]}"#;

/// What happens next while the body is read.
enum Step {
    Sends(&'static [u8]),
    Hangs,
    MustNotBeRead,
}

struct Sender(VecDeque<Step>);

impl hyper::body::Body for Sender {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.0.pop_front() {
            None => Poll::Ready(None),
            Some(Step::Sends(bytes)) => {
                Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(bytes)))))
            }
            Some(Step::Hangs) => {
                self.0.push_front(Step::Hangs);
                Poll::Pending
            }
            Some(Step::MustNotBeRead) => panic!("the body is read further"),
        }
    }
}

fn sender(steps: impl IntoIterator<Item = Step>) -> Body {
    Body::new(Sender(steps.into_iter().collect()))
}

fn post(source: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> Request<Body> {
    let mut request = Request::post(format!("/webhooks/{source}"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(body.into()).unwrap()
}

async fn deliveries(app: &mut TestApp) -> i64 {
    app.count("SELECT count(*) FROM leaver.deliveries").await
}

#[tokio::test]
async fn a_duplicate_is_answered_with_the_first_id() {
    let mut app = TestApp::new().await;
    for (source, body) in [("bamboohr", BODY), ("merge", r#"{"test":true}"#)] {
        let first = app.send(source, JSON, body).await;
        let stored = app
            .text("SELECT id::text FROM leaver.deliveries ORDER BY id DESC LIMIT 1")
            .await;
        assert_eq!(first.headers["content-type"], JSON);
        assert_eq!(
            first.body,
            json!({"received": true, "delivery": stored, "duplicate": false})
        );
        let again = app.send(source, JSON, body).await;
        assert_eq!(
            again.body,
            json!({"received": true, "delivery": stored, "duplicate": true})
        );
    }
    assert_eq!(deliveries(&mut app).await, 2);
}

#[tokio::test]
async fn stores_the_exact_bytes_and_does_not_parse_them() {
    let mut app = TestApp::new().await;
    let body: Vec<u8> = (0..=255).chain([0, 13, 10, 0]).collect();
    app.send("bamboohr", "application/json; charset=x", body.clone())
        .await;

    let row: (Vec<u8>, bool, String, Option<String>, i32, DateTime<Utc>) = sqlx::query_as(
        "SELECT body, sha256(body) = digest, state, content_type, body_bytes, received_at FROM leaver.deliveries",
    )
    .fetch_one(&mut app.conn)
    .await
    .unwrap();
    assert_eq!(
        row,
        (
            body,
            true,
            "pending".to_owned(),
            Some("application/json; charset=x".to_owned()),
            260,
            app.clock.now()
        )
    );
    assert_eq!(
        app.count("SELECT count(*) FROM leaver.employees").await,
        0,
        "a stored body is not parsed before the worker runs"
    );
    app.work().await;
    let left = app
        .count("SELECT count(*) FROM leaver.deliveries WHERE state = 'pending'")
        .await;
    assert_eq!(left, 0);
}

#[tokio::test]
async fn answers_404_to_unknown_sources() {
    let mut app = TestApp::new().await;
    let long = "a".repeat(300);
    for name in [
        "bamboo",
        "BambooHR",
        "bamboohr2",
        "%20",
        "%00",
        "%FF",
        "a%2Fb",
        "..",
        &long,
    ] {
        for method in [Method::POST, Method::GET, Method::PUT] {
            let request = Request::builder()
                .method(&method)
                .uri(format!("/webhooks/{name}"))
                .body(sender([Step::MustNotBeRead]))
                .unwrap();
            let answer = app.request(request).await;
            assert_eq!(answer.status, StatusCode::NOT_FOUND, "{method} {name}");
            assert_eq!(answer.body, json!({"error": "unknown source"}), "{name}");
        }
    }
    for path in [
        "/",
        "/webhooks",
        "/webhooks/",
        "/webhooks/bamboohr/x",
        "/webhooks/bamboohr//",
    ] {
        let request = Request::post(path).body(Body::empty()).unwrap();
        assert_eq!(
            app.request(request).await.status,
            StatusCode::NOT_FOUND,
            "{path}"
        );
    }
    assert_eq!(deliveries(&mut app).await, 0);
}

#[tokio::test]
async fn answers_405_to_other_methods() {
    let mut app = TestApp::new().await;
    for method in [
        "GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND",
    ] {
        let mut request = app.signed("bamboohr", JSON, BODY);
        *request.method_mut() = method.parse().unwrap();
        let answer = app.request(request).await;
        assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{method}");
        assert_eq!(answer.headers["allow"], "POST", "{method}");
    }
    assert_eq!(deliveries(&mut app).await, 0);
}

#[tokio::test]
async fn answers_413_to_a_declared_length_without_reading() {
    let mut app = TestApp::new().await;
    for length in ["10485761", "99999999999", "18446744073709551615"] {
        let body = sender([Step::MustNotBeRead]);
        let answer = app
            .request(post("bamboohr", &[("content-length", length)], body))
            .await;
        assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE, "{length}");
    }
    assert_eq!(deliveries(&mut app).await, 0);
}

#[tokio::test]
async fn answers_413_when_a_body_exceeds_the_limit() {
    let mut app = TestApp::builder()
        .settings(&[("LEAVER__SERVER__MAX_BODY", "1KiB")])
        .build()
        .await;
    let steps = [
        Step::Sends(&[b' '; 1000]),
        Step::Sends(&[b' '; 25]),
        Step::MustNotBeRead,
    ];
    let answer = app.request(post("bamboohr", &[], sender(steps))).await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);

    app.send("bamboohr", JSON, vec![b' '; 1024]).await;
    let over = app.signed("bamboohr", JSON, vec![b' '; 1025]);
    assert_eq!(
        app.request(over).await.status,
        StatusCode::PAYLOAD_TOO_LARGE
    );
    assert_eq!(deliveries(&mut app).await, 1);
}

#[tokio::test]
async fn accepts_each_signed_body_with_any_headers() {
    let mut app = TestApp::new().await;
    let noise: Vec<u8> = (0..1_048_576_u32)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 13).to_le_bytes()[0])
        .collect();
    let deep = [vec![b'['; 100_000], vec![b']'; 100_000]].concat();
    let objects = br#"{"employees":"#.repeat(50_000);
    let bodies: [&[u8]; 14] = [
        b"",
        b" ",
        b"null",
        b"[]",
        b"{}",
        b"{",
        b"\"text\"",
        b"\0\0\0",
        b"\xff\xfe",
        BODY.as_bytes(),
        b"employees[1][status]=Inactive",
        &noise,
        &deep,
        &objects,
    ];
    let types = [
        JSON,
        FORM,
        "text/plain",
        "multipart/form-data; boundary=x",
        "nonsense",
        "",
    ];
    let beside = [
        ("content-encoding", "gzip"),
        ("accept", "image/png"),
        ("expect", "nothing"),
        ("if-match", "\"x\""),
        ("range", "bytes=0-1"),
        ("accept-encoding", "br;q=bad"),
    ];
    for source in ["bamboohr", "merge"] {
        for (n, body) in bodies.iter().enumerate() {
            let forms = if body.len() > 1_000 { 1 } else { types.len() };
            for (content_type, (name, value)) in types.iter().zip(beside).take(forms) {
                let mut request = app.signed(source, content_type, *body);
                request.headers_mut().insert(name, value.parse().unwrap());
                let answer = app.request(request).await;
                assert_eq!(
                    answer.status,
                    StatusCode::OK,
                    "{source}: body {n} as {content_type}"
                );
            }
        }
        let mut bare = app.signed(source, JSON, "no content type");
        bare.headers_mut().remove("content-type");
        assert_eq!(app.request(bare).await.status, StatusCode::OK);
    }
    app.work().await;
    let unexplained = app
        .count("SELECT count(*) FROM leaver.deliveries WHERE state = 'pending' OR (state <> 'processed' AND reason IS NULL)")
        .await;
    assert_eq!(unexplained, 0);
    assert_eq!(deliveries(&mut app).await, 2 * 15);
}
