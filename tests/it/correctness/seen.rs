//! Checks that nothing disappears: requests without a route, refused deliveries, unmapped fields, and health's reasons.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use chrono::TimeDelta;
use http_body_util::BodyExt;
use leaver::jobs::provider_webhooks::monitor::{CheckOutcome, WebhookMonitor};
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::support::apis::{StandIn, bamboohr_with_hooks};
use crate::support::apis_setup::source_with_api;
use crate::support::driving::working;
use crate::support::hooks::Hooks;
use crate::support::logs::Captured;
use crate::support::{BAMBOOHR_KEY, FORM, JSON, TestApp, employee, employees};

const THEN: &str = "2026-11-22T11:00:00Z";

async fn health(app: &TestApp) -> Value {
    app.get("/health").await.body
}

/// Health's status and the codes of its reasons.
async fn codes(app: &TestApp) -> (String, Vec<String>) {
    let health = health(app).await;
    let reasons = health["reasons"].as_array().unwrap();
    let code = |reason: &Value| {
        assert!(reason["command"].as_str().unwrap().starts_with("leaver "));
        assert!(!reason["text"].as_str().unwrap().is_empty());
        reason["code"].as_str().unwrap().to_owned()
    };
    (
        health["status"].as_str().unwrap().to_owned(),
        reasons.iter().map(code).collect(),
    )
}

fn degraded(code: &str) -> (String, Vec<String>) {
    ("degraded".to_owned(), vec![code.to_owned()])
}

fn ok() -> (String, Vec<String>) {
    ("ok".to_owned(), vec![])
}

async fn metrics(app: &TestApp) -> String {
    app.get("/metrics").await.body.as_str().unwrap().to_owned()
}

/// Sends to the router of `server.listen`, and returns the status.
async fn post(app: &TestApp, path: &str, signed: bool) -> StatusCode {
    let body = employees(&[working("1", "ana@example.com", THEN)]).to_string();
    let mut request = if signed {
        app.signed("bamboohr", JSON, body)
    } else {
        Request::post("/").body(Body::from(body)).unwrap()
    };
    *request.uri_mut() = path.parse().unwrap();
    let router = leaver::api::router(Arc::clone(&app.parts.state));
    let answer = router.oneshot(request).await.unwrap();
    let status = answer.status();
    answer.into_body().collect().await.unwrap();
    status
}

#[tokio::test]
async fn health_lists_reasons_and_counts() {
    let mut app = TestApp::new().await;
    let healthy = health(&app).await;
    assert_eq!(healthy["status"], "ok");
    for (member, value) in [
        ("reasons", json!([])),
        ("mode", json!("enforce")),
        ("blocked", json!(0)),
        ("without_account", json!(0)),
        ("pending_reads", json!(0)),
        ("safeguard", json!({"tripped": []})),
    ] {
        assert_eq!(healthy[member], value, "{member}");
    }
    app.bamboohr(&[
        working("1", "a@example.com", THEN),
        working("2", "b@example.com", THEN),
    ])
    .await;
    app.sql(
        "UPDATE leaver.employees SET without_account_since = now();
         UPDATE leaver.employees SET blocked_since = now(), blocked_retry_at = now(), blocked_reason = 'x'
         WHERE employee_id = '1'",
    )
    .await;
    assert_eq!(codes(&app).await, degraded("deactivations_blocked"));
    let health = health(&app).await;
    assert_eq!(
        (&health["blocked"], &health["without_account"]),
        (&json!(1), &json!(2))
    );
    let metrics = metrics(&app).await;
    for line in [
        "leaver_deactivations_blocked 1",
        "leaver_leavers_without_account 2",
        "leaver_pending_reads 0",
    ] {
        assert!(metrics.contains(line), "no {line}");
    }
}

#[tokio::test]
async fn a_failing_read_degrades_at_once_or_after_a_minute() {
    let mut app = TestApp::new().await;
    let insert = |failed_since: &str, reason: &str| {
        format!(
            "DELETE FROM leaver.pending_reads;
             INSERT INTO leaver.pending_reads
                 (source, tenant, employee_id, since, attempts, next_attempt_at, failed_since, reason)
             VALUES ('bamboohr', 'default', '7', '2026-11-22T12:00:00Z', 1, '2026-11-22T12:00:00Z', {failed_since},
                     '{reason}')"
        )
    };
    app.sql(&insert(
        "'2026-11-22T12:00:00Z'",
        "the API does not allow this read (403); check the rights",
    ))
    .await;
    assert_eq!(codes(&app).await, degraded("pending_reads_failing"));
    app.sql(&insert("NULL", "the API did not respond in time"))
        .await;
    assert_eq!(codes(&app).await, ok());
    assert_eq!(health(&app).await["pending_reads"], 1);
    app.advance(TimeDelta::minutes(1));
    assert_eq!(codes(&app).await, degraded("pending_reads_failing"));
}

#[tokio::test]
async fn a_slash_at_the_end_and_a_prefix_are_accepted() {
    let mut app = TestApp::builder()
        .settings(&[("LEAVER__SERVER__PATH_PREFIX", "/hr/v1")])
        .build()
        .await;
    for path in [
        "/webhooks/bamboohr",
        "/webhooks/bamboohr/",
        "/hr/v1/webhooks/bamboohr",
        "/hr/v1/webhooks/bamboohr/",
    ] {
        assert_eq!(post(&app, path, true).await, StatusCode::OK, "{path}");
    }
    assert_eq!(codes(&app).await, ok());
    assert_eq!(app.count("SELECT count(*) FROM leaver.deliveries").await, 1);
}

#[tokio::test]
async fn a_webhook_without_a_route_is_counted_and_degrades() {
    for (path, signed, reason) in [
        ("/webhooks/acme", false, "unknown_source"),
        ("/webhooks/Bad%20Name/", false, "unknown_source"),
        ("/webhooks", false, "unknown_path"),
        ("/webhooks/", false, "unknown_path"),
        ("/webhooks/bamboohr/extra", false, "unknown_path"),
        ("/hr/webhooks/bamboohr", false, "unknown_path"),
        ("/bamboohr", false, "unknown_path"),
        ("/", true, "unknown_path"),
    ] {
        let app = TestApp::new().await;
        assert_eq!(post(&app, path, signed).await, StatusCode::NOT_FOUND);
        assert_eq!(codes(&app).await, degraded("requests_unrouted"), "{path}");
        let line = format!("leaver_requests_unrouted_total{{reason=\"{reason}\"}} 1");
        assert!(metrics(&app).await.contains(&line), "{path}");
        app.advance(TimeDelta::hours(1));
        assert_eq!(codes(&app).await, ok(), "{path}");
    }
}

#[tokio::test]
async fn other_unknown_paths_are_counted_and_do_not_degrade() {
    let app = TestApp::new().await;
    assert_eq!(
        post(&app, "/wp-login.php", false).await,
        StatusCode::NOT_FOUND
    );
    assert_eq!(codes(&app).await, ok());
    let line = "leaver_requests_unrouted_total{reason=\"unknown_path\"} 1";
    assert!(metrics(&app).await.contains(line));
}

#[tokio::test]
async fn unrouted_webhooks_are_logged_once_a_minute() {
    let (captured, _guard) = Captured::start("warn");
    let app = TestApp::new().await;
    for n in 0..20 {
        let path = format!("/webhooks/no%0Asuch{n}{}", "x".repeat(500));
        post(&app, &path, false).await;
    }
    let log = captured.text();
    let lines = log.matches("a webhook got 404").count();
    assert_eq!(lines, 1, "{log}");
    assert!(log.contains("/webhooks/no%0Asuch0"), "{log}");
    assert!(!log.contains(&"x".repeat(120)), "{log}");
}

#[tokio::test]
async fn every_counter_exists_at_zero() {
    let app = TestApp::new().await;
    let metrics = metrics(&app).await;
    for source in ["bamboohr", "merge"] {
        for line in [
            format!("leaver_webhook_requests_total{{source=\"{source}\",outcome=\"stored\"}} 0"),
            format!("leaver_webhook_requests_total{{source=\"{source}\",outcome=\"too_large\"}} 0"),
            format!(
                "leaver_webhook_signature_failures_total{{source=\"{source}\",reason=\"wrong_signature\"}} 0"
            ),
            format!("leaver_deliveries_settled_total{{source=\"{source}\",outcome=\"failed\"}} 0"),
            format!("leaver_employee_outcomes_total{{source=\"{source}\",outcome=\"blocked\"}} 0"),
            format!("leaver_deactivations_total{{source=\"{source}\"}} 0"),
        ] {
            assert!(metrics.contains(&line), "no {line} in {metrics}");
        }
    }
    assert!(metrics.contains("leaver_requests_unrouted_total{reason=\"unknown_source\"} 0"));
}

#[tokio::test]
async fn a_source_whose_deliveries_are_all_refused_degrades() {
    let mut app = TestApp::new().await;
    assert_eq!(
        post(&app, "/webhooks/bamboohr", false).await,
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(codes(&app).await, degraded("deliveries_refused"));
    app.bamboohr(&[working("1", "ana@example.com", THEN)]).await;
    assert_eq!(codes(&app).await, ok());
    // A good delivery within the hour outweighs a stray request.
    post(&app, "/webhooks/bamboohr", false).await;
    assert_eq!(codes(&app).await, ok());
    app.advance(TimeDelta::minutes(61));
    assert_eq!(codes(&app).await, degraded("deliveries_refused"));
}

#[tokio::test]
async fn unmapped_fields_fail_and_degrade_until_replayed() {
    let own = json!({"employee_status": "Inactive", "work_mail": "eva@example.com"});
    let json = employees(&[employee("1", THEN, &["employee_status"], &own)]).to_string();
    let form = "employees[1][changedFields][]=employee_status&employees[1][employee_status]=Inactive\
                &employees[1][work_mail]=eva%40example.com";
    for (kind, body) in [(JSON, json.as_str()), (FORM, form)] {
        let mut app = TestApp::new().await;
        app.send("bamboohr", kind, body).await;
        app.work().await;
        let rows = "SELECT state || ' ' || reason FROM leaver.deliveries WHERE body IS NOT NULL";
        let found = app.lines(rows).await.remove(0);
        assert!(found.starts_with("failed "), "{found}");
        for word in ["employee_status, work_mail", "`sources.fields`"] {
            assert!(found.contains(word), "{found}");
        }
        assert!(!found.contains("eva"), "{found}");
        let (status, found) = codes(&app).await;
        assert_eq!(status, "degraded");
        assert_eq!(found, ["fields_not_mapped", "deliveries_failed"]);
    }
}

#[tokio::test]
async fn an_unmapped_entry_beside_a_good_one_degrades() {
    let mut app = TestApp::new().await;
    let own = json!({"employee_status": "Inactive"});
    let entries = [
        employee("1", THEN, &["employee_status"], &own),
        working("2", "ben@example.com", THEN),
    ];
    app.deliver("bamboohr", &employees(&entries)).await;
    let state = "SELECT state FROM leaver.deliveries";
    assert_eq!(app.lines(state).await, ["processed"]);
    assert_eq!(codes(&app).await, degraded("fields_not_mapped"));
}

/// A service behind `https://leaver.example`, with BambooHR's webhooks.
async fn with_public_url() -> (TestApp, StandIn, Arc<Hooks>) {
    let hooks = Arc::new(Hooks::default());
    let api = StandIn::start(bamboohr_with_hooks(vec![], &hooks)).await;
    let config = source_with_api("bamboohr", "bamboohr", &api);
    let server = "[server]\npublic_url = \"https://leaver.example\"\n";
    let secrets = [("SECRET", BAMBOOHR_KEY), ("API_KEY", "api-key-sentinel")];
    let app = TestApp::builder()
        .config_file(&format!("{server}{config}"), &secrets)
        .build()
        .await;
    (app, api, hooks)
}

async fn check_webhooks(app: &TestApp) -> CheckOutcome {
    let monitor = WebhookMonitor::new(Arc::clone(&app.parts.engine));
    let company = app.sync_sources(2).remove(0);
    monitor.check(&company).await.unwrap()
}

#[tokio::test]
async fn a_staging_webhook_does_not_degrade_production() {
    let (mut app, _api, hooks) = with_public_url().await;
    let refused = json!([{"error": "no", "monitorFields": [{"name": "status"}]}]);
    let staging = hooks.add("https://staging.example/webhooks/bamboohr");
    hooks.configure(&staging, "errors", refused);
    hooks.add("https://leaver.example/webhooks/bamboohr");
    assert_eq!(check_webhooks(&app).await, CheckOutcome::Done(0));
    // Known from before `server.public_url` was set.
    app.sql(
        "INSERT INTO leaver.provider_webhooks (source, webhook_id, name, problem, observed_at, checked_at)
         VALUES ('bamboohr', '1', 'staging', 'broken', now(), now())",
    )
    .await;
    app.advance(TimeDelta::hours(24));
    assert_eq!(check_webhooks(&app).await, CheckOutcome::Done(0));
    let ids = "SELECT webhook_id FROM leaver.provider_webhooks";
    assert_eq!(app.lines(ids).await, ["2"]);
    assert_eq!(codes(&app).await, ok());
}

#[tokio::test]
async fn a_webhook_with_unknown_posted_names_is_a_problem() {
    let (app, _api, hooks) = with_public_url().await;
    let hook = hooks.add("https://leaver.example/webhooks/bamboohr");
    let posted = json!({"status": "employee_status", "workEmail": "workEmail"});
    hooks.configure(&hook, "postFields", posted);
    assert_eq!(check_webhooks(&app).await, CheckOutcome::Done(1));
    assert_eq!(codes(&app).await, degraded("provider_webhook_problem"));
    let text = health(&app).await["reasons"][0]["text"].clone();
    let text = text.as_str().unwrap();
    assert!(
        text.contains("employee_status") && text.contains("sources.fields"),
        "{text}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn check_compares_posted_names() {
    let (app, _api, hooks) = with_public_url().await;
    let line = |output: &Value| {
        let lines = output.as_array().unwrap().clone();
        let found = lines
            .into_iter()
            .find(|line| line["check"] == "source bamboohr webhooks");
        let found = found.unwrap();
        let text = |name: &str| found[name].as_str().unwrap().to_owned();
        (text("status"), text("message"))
    };
    let check = || app.run(&["check", "--json"]).json();
    let (status, message) = line(&check());
    assert!(
        status == "warning" && message.contains("webhooks create"),
        "{message}"
    );

    let hook = hooks.add("https://leaver.example/webhooks/bamboohr");
    assert_eq!(line(&check()).0, "ok");
    hooks.configure(&hook, "postFields", json!({"status": "my_status"}));
    let (status, message) = line(&check());
    assert!(
        status == "error" && message.contains("my_status"),
        "{message}"
    );
    let some = json!({"employmentHistoryStatus": "Employment Status", "status": "my_status"});
    hooks.configure(&hook, "postFields", some);
    let (status, message) = line(&check());
    assert!(
        status == "warning" && message.contains("as status"),
        "{message}"
    );
}
