//! Who changed: when a change counts as one, and the list over HTTP.

mod asking;
mod changed;
mod paging;
mod token;

use axum::body::Body;
use axum::http::Request;
use axum::http::header::AUTHORIZATION;
use serde_json::Value;

use crate::support::{Answer, TestApp, USERS};

const DANA: &str = "dana@example.com";

/// The administrator's token, which is searched for where it must not be.
const TOKEN: &str = "hush-6b1f0c2ad94e47c8";

/// The service with a token.
async fn with_token() -> TestApp {
    TestApp::with(&[("LEAVER_ADMIN_TOKEN", TOKEN)], USERS).await
}

/// The list, as the administrator's program asks for it.
async fn ask(app: &TestApp, query: &str) -> Answer {
    let request = Request::get(format!("/api/v1/employees{query}"))
        .header(AUTHORIZATION, format!("Bearer {TOKEN}"));
    app.request(request.body(Body::empty()).unwrap()).await
}

/// The ids on a page that must have been given.
fn ids(page: &Answer) -> Vec<String> {
    assert_eq!(page.status, 200, "{page:?}");
    let rows = page.body["results"].as_array().unwrap();
    let id = |row: &Value| row["employee_id"].as_str().unwrap().to_owned();
    rows.iter().map(id).collect()
}
