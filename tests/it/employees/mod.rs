//! The employee list over HTTP, and what counts as a change.

mod asking;
mod changed;
mod paging;
mod token;

use axum::body::Body;
use axum::http::Request;
use axum::http::header::AUTHORIZATION;
use serde_json::Value;

use crate::support::{Answer, TestApp};

const DANA: &str = "dana@example.com";

/// Admin token; tests search the log for its first characters.
const TOKEN: &str = "hush-6b1f0c2ad94e47c8";

/// Starts the service with an admin token.
async fn with_token() -> TestApp {
    TestApp::builder()
        .settings(&[("LEAVER_ADMIN_TOKEN", TOKEN)])
        .build()
        .await
}

/// Requests the list with the token.
async fn ask(app: &TestApp, query: &str) -> Answer {
    let request = Request::get(format!("/api/v1/employees{query}"))
        .header(AUTHORIZATION, format!("Bearer {TOKEN}"));
    app.request(request.body(Body::empty()).unwrap()).await
}

/// Returns the employee IDs of a page; expects a 200.
fn ids(page: &Answer) -> Vec<String> {
    assert_eq!(page.status, 200, "{page:?}");
    let rows = page.body["results"].as_array().unwrap();
    let id = |row: &Value| row["employee_id"].as_str().unwrap().to_owned();
    rows.iter().map(id).collect()
}
