//! The daily check of BambooHR's webhooks, and how health reports it.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use leaver::jobs::provider_webhooks::monitor::{CheckOutcome, WebhookJob, WebhookMonitor};
use leaver::jobs::runner::Job;
use serde_json::json;

use super::{HERE, WebhooksTest, company};
use crate::support::apis::Answer;
use crate::support::hooks::{denied, log_entry};
use crate::support::logs::Captured;

const WEBHOOKS: &str = "/api/v1/webhooks";

impl WebhooksTest {
    async fn check(&self) -> CheckOutcome {
        let monitor = WebhookMonitor::new(Arc::clone(&self.app.parts.engine));
        monitor.check(&self.company).await.unwrap()
    }

    /// Checks a day later.
    async fn check_tomorrow(&self) -> CheckOutcome {
        self.app.advance(TimeDelta::hours(24));
        self.check().await
    }

    /// The problem of the first webhook in health, and health's status.
    async fn problem(&self) -> (String, String) {
        let health = self.health().await;
        let hook = &health["sources"]["bamboohr"]["webhooks"][0];
        let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
        (text(&hook["problem"]), text(&health["status"]))
    }
}

#[tokio::test]
async fn a_check_stores_webhooks_that_post_here_for_health() {
    let test = WebhooksTest::new().await;
    let before = test.health().await;
    assert!(
        before["sources"]["bamboohr"].get("webhooks").is_none(),
        "{before}"
    );
    let (here, _) = (
        test.hooks.add(HERE),
        test.hooks.add("https://other.example/hook"),
    );
    test.hooks
        .configure(&here, "lastSent", "2026-11-22 11:58:03".into());
    test.hooks.log(
        &here,
        vec![
            log_entry("2026-11-22 11:58:03", "200", &["1"]),
            log_entry("2026-11-22 10:00:00", "503", &["2"]),
        ],
    );
    assert_eq!(test.check().await, CheckOutcome::Done(0));
    let health = test.health().await;
    assert_eq!(
        health["sources"]["bamboohr"]["webhooks"],
        json!([{"id": "1", "name": "Hook 1", "last_sent_at": "2026-11-22T11:58:03Z", "last_status": "200",
                "problem": null, "checked_at": "2026-11-22T12:00:00Z"}])
    );
    assert_eq!(health["status"], "ok");
    let metrics = test.app.get("/metrics").await.body;
    let metrics = metrics.as_str().unwrap();
    assert!(
        metrics.contains("leaver_provider_webhooks_unhealthy{source=\"bamboohr\"} 0"),
        "{metrics}"
    );
}

#[tokio::test]
async fn denied_fields_and_refused_deliveries_are_problems() {
    let test = WebhooksTest::new().await;
    let hook = test.hooks.add(HERE);
    test.hooks
        .configure(&hook, "errors", denied(&["status"], &[]));
    assert_eq!(test.check().await, CheckOutcome::Done(1));
    let (problem, status) = test.problem().await;
    assert!(
        problem.contains("status") && status == "degraded",
        "{problem}"
    );

    test.hooks.configure(&hook, "errors", json!([]));
    test.hooks
        .log(&hook, vec![log_entry("2026-11-22 11:58:03", "401", &["1"])]);
    assert_eq!(test.check_tomorrow().await, CheckOutcome::Done(1));
    let (problem, status) = test.problem().await;
    assert!(problem.contains("401") && status == "degraded", "{problem}");
    let metrics = test.app.get("/metrics").await.body;
    assert!(
        metrics
            .as_str()
            .unwrap()
            .contains("leaver_provider_webhooks_unhealthy{source=\"bamboohr\"} 1")
    );

    let mut word = log_entry("2026-11-22 11:58:03", "", &["1"]);
    word["lastAttempted"] = "Webhook Not Found".into();
    test.hooks.log(&hook, vec![word]);
    assert_eq!(test.check_tomorrow().await, CheckOutcome::Done(1));
    assert!(test.problem().await.0.contains("Webhook Not Found"));

    test.hooks
        .log(&hook, vec![log_entry("2026-11-23 11:58:03", "200", &["1"])]);
    assert_eq!(test.check_tomorrow().await, CheckOutcome::Done(0));
    assert_eq!(test.problem().await, (String::new(), "ok".to_owned()));
}

#[tokio::test]
async fn a_webhook_that_disappears_is_a_problem() {
    let test = WebhooksTest::new().await;
    assert_eq!(
        test.check().await,
        CheckOutcome::Done(0),
        "none was ever seen"
    );
    let hook = test.hooks.add(HERE);
    assert_eq!(test.check_tomorrow().await, CheckOutcome::Done(0));
    test.hooks.remove(&hook);
    for _ in 0..2 {
        assert_eq!(test.check_tomorrow().await, CheckOutcome::Done(1));
        let (problem, status) = test.problem().await;
        assert!(
            problem.contains("leaver webhooks create") && status == "degraded",
            "{problem}"
        );
    }
}

#[tokio::test]
async fn a_webhook_with_a_changed_url_is_a_problem() {
    let test = WebhooksTest::new().await;
    let hook = test.hooks.add(HERE);
    test.check().await;
    test.hooks
        .configure(&hook, "url", "https://other.example/hook".into());
    assert_eq!(test.check_tomorrow().await, CheckOutcome::Done(1));
    assert!(test.problem().await.0.contains("another address"));
    test.hooks.configure(&hook, "url", HERE.into());
    assert_eq!(test.check_tomorrow().await, CheckOutcome::Done(0));
}

#[tokio::test]
async fn a_check_is_due_daily_and_an_hour_after_a_failure() {
    let mut test = WebhooksTest::new().await;
    test.hooks.add(HERE);
    assert_eq!(test.check().await, CheckOutcome::Done(0));
    test.app.advance(TimeDelta::hours(23));
    assert_eq!(test.check().await, CheckOutcome::NotDue);
    test.app.advance(TimeDelta::hours(1));
    test.api.script(
        "/api/v1/webhooks/1/log",
        [Some(Answer::status(503)), Some(Answer::status(503))],
    );
    assert!(matches!(test.check().await, CheckOutcome::Failed(_)));
    test.app.advance(TimeDelta::minutes(59));
    assert_eq!(test.check().await, CheckOutcome::NotDue);
    test.app.advance(TimeDelta::minutes(1));
    assert_eq!(test.check().await, CheckOutcome::Done(0));
    // The time of the first configuration is unchanged.
    let since = "SELECT to_char(since AT TIME ZONE 'UTC', 'DD HH24:MI') FROM leaver.source_status";
    assert_eq!(test.app.lines(since).await, ["22 12:00"]);
}

#[tokio::test]
async fn a_failed_check_reports_no_webhook_as_missing() {
    let test = WebhooksTest::new().await;
    test.hooks.add(HERE);
    test.check().await;
    test.api.script(WEBHOOKS, [Some(Answer::status(403))]);
    assert!(matches!(
        test.check_tomorrow().await,
        CheckOutcome::Failed(_)
    ));
    assert_eq!(test.problem().await, (String::new(), "ok".to_owned()));
}

#[tokio::test]
async fn only_one_of_two_replicas_checks() {
    let test = WebhooksTest::new().await;
    let slow = Answer::json(&json!({"webhooks": []})).after(Duration::from_millis(600));
    test.api.script(WEBHOOKS, [slow]);
    let beside = company(&test.app);
    let second = WebhookMonitor::new(Arc::clone(&test.app.parts.engine));
    let late = async {
        test.api.wait_until_requested(1).await;
        second.check(&beside).await.unwrap()
    };
    assert_eq!(
        tokio::join!(test.check(), late),
        (CheckOutcome::Done(0), CheckOutcome::NotDue)
    );
    assert_eq!(test.check().await, CheckOutcome::NotDue);
    assert_eq!(test.api.requests().len(), 1);
}

#[tokio::test]
async fn failing_checks_warn_once_and_log_no_key() {
    let (captured, _guard) = Captured::start("info");
    let test = WebhooksTest::new().await;
    test.api.script(WEBHOOKS, vec![Answer::status(403); 3]);
    let monitor = Arc::new(WebhookMonitor::new(Arc::clone(&test.app.parts.engine)));
    let mut job = WebhookJob::new(monitor, Arc::clone(&test.company));
    for check in 1..=4 {
        job.tick().await;
        assert_eq!(test.api.requests().len(), check);
        test.app.advance(TimeDelta::hours(1));
    }
    let log = captured.text();
    assert!(log.contains("provider_webhooks.check: done"), "{log}");
    assert_eq!(
        log.matches("cannot check BambooHR's webhooks").count(),
        1,
        "{log}"
    );
    assert!(
        log.contains("\"level\":\"WARN\"") && log.contains("403"),
        "{log}"
    );
    assert!(!log.contains("api-key-sentinel"), "{log}");
}
