//! Authentication with the admin token, which is never logged.

use axum::http::HeaderMap;
use serde_json::json;

use super::*;
use crate::support::driving::working;
use crate::support::logs::Captured;

async fn ask_with(app: &TestApp, headers: &[&str]) -> Answer {
    let mut request = Request::get("/api/v1/employees?page_size=0");
    for value in headers {
        request = request.header(AUTHORIZATION, *value);
    }
    app.request(request.body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn every_wrong_token_gets_the_same_401() {
    let app = with_token().await;
    let right = format!("Bearer {TOKEN}");
    let mut told = vec![];
    for headers in [
        &[][..],
        &[""],
        &["Bearer"],
        &["Bearer "],
        &[TOKEN],
        &[&format!("Basic {TOKEN}")],
        &[&format!("Bearer {TOKEN}x")],
        &[&format!("Bearer {}", &TOKEN[1..])],
        &[&format!("Bearer {}", TOKEN.to_uppercase())],
        &[&format!("Bearer {TOKEN} {TOKEN}")],
        &["Bearer other-token-of-some-length", &right],
    ] {
        let answer = ask_with(&app, headers).await;
        assert_eq!(answer.status, 401, "{headers:?}");
        assert_eq!(answer.headers["www-authenticate"], "Bearer");
        assert_eq!(answer.headers["cache-control"], "no-store");
        told.push(answer.body);
    }
    told.dedup();
    assert_eq!(told.len(), 1, "{told:?}");
    // With the token, the query is validated.
    for right in [right.clone(), format!("bearer {TOKEN}")] {
        assert_eq!(ask_with(&app, &[&right]).await.status, 400);
    }
}

#[tokio::test]
async fn without_a_configured_token_the_route_is_404() {
    let app = TestApp::new().await;
    let nowhere = app.get("/api/v1/nowhere").await;
    // Each request has an id of its own.
    let without_id = |mut headers: HeaderMap| {
        headers.remove("x-request-id").unwrap();
        headers
    };
    for method in ["GET", "POST"] {
        let request = Request::builder()
            .method(method)
            .uri("/api/v1/employees")
            .header(AUTHORIZATION, format!("Bearer {TOKEN}"));
        let answer = app.request(request.body(Body::empty()).unwrap()).await;
        assert_eq!(
            (answer.status, &answer.body),
            (nowhere.status, &nowhere.body)
        );
        assert_eq!(
            without_id(answer.headers),
            without_id(nowhere.headers.clone())
        );
    }
    assert_eq!(nowhere.status, 404);
}

#[tokio::test]
async fn token_query_and_people_are_not_logged() {
    let (log, _guard) = Captured::start("trace");
    let mut app = with_token().await;
    app.bamboohr(&[working("7", DANA, "2026-11-22T11:00:00Z")])
        .await;
    let page = ask(&app, "?source=bamboohr&modified_after=2025-12-24").await;
    assert_eq!(page.body["results"][0]["work_email"], json!(DANA));
    ask(&app, "?source=Question").await;
    ask_with(&app, &["Bearer hush-and-wrong-token"]).await;
    let text = log.text();
    let line = text
        .lines()
        .find(|line| line.contains("employees.list: listed"));
    assert!(line.unwrap().contains("\"count\":1"), "{text}");
    assert!(text.contains("api.authorize: refused"), "{text}");
    for word in ["hush-", "2025-12-24", "Question", "page_size", "dana"] {
        assert!(!text.contains(word), "{word} in {text}");
    }
    let shown = format!("{:?} {:?}", app.settings, app.parts.state.admin_token);
    assert!(
        shown.contains("AdminToken") && !shown.contains("hush-"),
        "{shown}"
    );
}
