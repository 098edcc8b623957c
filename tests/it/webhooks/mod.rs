//! What a sender is answered: the table in the documentation to the letter. Both providers take a 4xx as
//! final, so these are promises.

mod forged;
mod put_off;

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

use crate::support::{FORM, JSON, TestApp, USERS};

const BODY: &str = r#"{"employees":[{"id":"1","action":"Updated","changedFields":["status"],"fields":{"status":"Active"},"timestamp":"2026-11-22T11:00:00+0000"}]}"#;

/// What a sender does next while we read its body.
enum Step {
    Says(&'static [u8]),
    NeverGoesOn,
    MustNotBeAsked,
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
            Some(Step::Says(bytes)) => {
                Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(bytes)))))
            }
            Some(Step::NeverGoesOn) => {
                self.0.push_front(Step::NeverGoesOn);
                Poll::Pending
            }
            Some(Step::MustNotBeAsked) => panic!("the body is read on"),
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
async fn a_stored_delivery_is_answered_with_its_id_and_a_repetition_with_the_same() {
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
async fn the_exact_bytes_wait_in_the_database_until_somebody_works() {
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
        "the receiving half looks into no body"
    );
    app.work().await;
    let left = app
        .count("SELECT count(*) FROM leaver.deliveries WHERE state = 'pending'")
        .await;
    assert_eq!(left, 0);
}

#[tokio::test]
async fn an_unknown_source_is_not_found_whatever_its_name_and_the_method() {
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
                .body(sender([Step::MustNotBeAsked]))
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
        "/webhooks/bamboohr/",
        "/webhooks/bamboohr/x",
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
async fn only_post_is_for_webhooks() {
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
async fn a_declared_length_over_the_limit_is_refused_before_a_byte_is_read() {
    let mut app = TestApp::new().await;
    for length in ["10485761", "99999999999", "18446744073709551615"] {
        let body = sender([Step::MustNotBeAsked]);
        let answer = app
            .request(post("bamboohr", &[("content-length", length)], body))
            .await;
        assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE, "{length}");
    }
    assert_eq!(deliveries(&mut app).await, 0);
}

#[tokio::test]
async fn an_undeclared_length_is_refused_as_soon_as_it_passes_the_limit() {
    let mut app = TestApp::with(&[("LEAVER__SERVER__MAX_BODY", "1KiB")], USERS).await;
    let steps = [
        Step::Says(&[b' '; 1000]),
        Step::Says(&[b' '; 25]),
        Step::MustNotBeAsked,
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
async fn no_authentic_body_and_no_header_beside_it_is_ever_the_senders_fault() {
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
