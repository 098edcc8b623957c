//! The daily look at BambooHR's webhooks, and what health says of it.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use leaver::jobs::provider_webhooks::monitor::{CheckOutcome, WebhookJob, WebhookMonitor};
use leaver::jobs::runner::run;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::{HERE, It, company};
use crate::support::apis::Answer;
use crate::support::hooks::{denied, log_entry};
use crate::support::logs::Captured;

const WEBHOOKS: &str = "/api/v1/webhooks";

impl It {
    async fn look(&self) -> CheckOutcome {
        let watch = WebhookMonitor::new(Arc::clone(&self.app.parts.engine));
        watch.look(&self.company).await.unwrap()
    }

    /// A day later.
    async fn look_tomorrow(&self) -> CheckOutcome {
        self.app.advance(TimeDelta::hours(24));
        self.look().await
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
async fn a_look_notes_the_hooks_that_point_here_and_health_shows_them() {
    let it = It::new().await;
    let before = it.health().await;
    assert!(
        before["sources"]["bamboohr"].get("webhooks").is_none(),
        "{before}"
    );
    let (here, _) = (
        it.hooks.add(HERE),
        it.hooks.add("https://other.example/hook"),
    );
    it.hooks
        .configure(&here, "lastSent", "2026-11-22 11:58:03".into());
    it.hooks.log(
        &here,
        vec![
            log_entry("2026-11-22 11:58:03", "200", &["1"]),
            log_entry("2026-11-22 10:00:00", "503", &["2"]),
        ],
    );
    assert_eq!(it.look().await, CheckOutcome::Done(0));
    let health = it.health().await;
    assert_eq!(
        health["sources"]["bamboohr"]["webhooks"],
        json!([{"id": "1", "name": "Hook 1", "last_sent_at": "2026-11-22T11:58:03Z", "last_status": "200",
                "problem": null, "checked_at": "2026-11-22T12:00:00Z"}])
    );
    assert_eq!(health["status"], "ok");
    let metrics = it.app.get("/metrics").await.body;
    let metrics = metrics.as_str().unwrap();
    assert!(
        metrics.contains("leaver_provider_webhooks_unhealthy{source=\"bamboohr\"} 0"),
        "{metrics}"
    );
}

#[tokio::test]
async fn a_denied_field_and_a_delivery_that_was_not_taken_are_problems_until_they_are_mended() {
    let it = It::new().await;
    let hook = it.hooks.add(HERE);
    it.hooks
        .configure(&hook, "errors", denied(&["status"], &[]));
    assert_eq!(it.look().await, CheckOutcome::Done(1));
    let (problem, status) = it.problem().await;
    assert!(
        problem.contains("status") && status == "degraded",
        "{problem}"
    );

    it.hooks.configure(&hook, "errors", json!([]));
    it.hooks
        .log(&hook, vec![log_entry("2026-11-22 11:58:03", "401", &["1"])]);
    assert_eq!(it.look_tomorrow().await, CheckOutcome::Done(1));
    let (problem, status) = it.problem().await;
    assert!(problem.contains("401") && status == "degraded", "{problem}");
    let metrics = it.app.get("/metrics").await.body;
    assert!(
        metrics
            .as_str()
            .unwrap()
            .contains("leaver_provider_webhooks_unhealthy{source=\"bamboohr\"} 1")
    );

    let mut word = log_entry("2026-11-22 11:58:03", "", &["1"]);
    word["lastAttempted"] = "Webhook Not Found".into();
    it.hooks.log(&hook, vec![word]);
    assert_eq!(it.look_tomorrow().await, CheckOutcome::Done(1));
    assert!(it.problem().await.0.contains("Webhook Not Found"));

    it.hooks
        .log(&hook, vec![log_entry("2026-11-23 11:58:03", "200", &["1"])]);
    assert_eq!(it.look_tomorrow().await, CheckOutcome::Done(0));
    assert_eq!(it.problem().await, (String::new(), "ok".to_owned()));
}

#[tokio::test]
async fn a_hook_that_was_seen_and_is_shown_no_more_is_a_problem_and_one_never_seen_is_none() {
    let it = It::new().await;
    assert_eq!(it.look().await, CheckOutcome::Done(0), "none was ever seen");
    let hook = it.hooks.add(HERE);
    assert_eq!(it.look_tomorrow().await, CheckOutcome::Done(0));
    it.hooks.remove(&hook);
    for _ in 0..2 {
        assert_eq!(it.look_tomorrow().await, CheckOutcome::Done(1));
        let (problem, status) = it.problem().await;
        assert!(
            problem.contains("leaver webhooks create") && status == "degraded",
            "{problem}"
        );
    }
}

#[tokio::test]
async fn a_hook_that_was_seen_and_posts_elsewhere_now_is_a_problem() {
    let it = It::new().await;
    let hook = it.hooks.add(HERE);
    it.look().await;
    it.hooks
        .configure(&hook, "url", "https://other.example/hook".into());
    assert_eq!(it.look_tomorrow().await, CheckOutcome::Done(1));
    assert!(it.problem().await.0.contains("another address"));
    it.hooks.configure(&hook, "url", HERE.into());
    assert_eq!(it.look_tomorrow().await, CheckOutcome::Done(0));
}

#[tokio::test]
async fn a_look_is_due_once_a_day_and_an_hour_after_one_that_failed() {
    let mut it = It::new().await;
    it.hooks.add(HERE);
    assert_eq!(it.look().await, CheckOutcome::Done(0));
    it.app.advance(TimeDelta::hours(23));
    assert_eq!(it.look().await, CheckOutcome::NotDue);
    it.app.advance(TimeDelta::hours(1));
    it.api.script(
        "/api/v1/webhooks/1/log",
        [Some(Answer::status(503)), Some(Answer::status(503))],
    );
    assert!(matches!(it.look().await, CheckOutcome::Failed(_)));
    it.app.advance(TimeDelta::minutes(59));
    assert_eq!(it.look().await, CheckOutcome::NotDue);
    it.app.advance(TimeDelta::minutes(1));
    assert_eq!(it.look().await, CheckOutcome::Done(0));
    // Since when it is listened to stays what it was.
    let since = "SELECT to_char(since AT TIME ZONE 'UTC', 'DD HH24:MI') FROM leaver.source_status";
    assert_eq!(it.app.lines(since).await, ["22 12:00"]);
}

#[tokio::test]
async fn a_failed_look_takes_nothing_for_lost() {
    let it = It::new().await;
    it.hooks.add(HERE);
    it.look().await;
    it.api.script(WEBHOOKS, [Some(Answer::status(403))]);
    assert!(matches!(it.look_tomorrow().await, CheckOutcome::Failed(_)));
    assert_eq!(it.problem().await, (String::new(), "ok".to_owned()));
}

#[tokio::test]
async fn of_two_replicas_one_looks() {
    let it = It::new().await;
    let slow = Answer::json(&json!({"webhooks": []})).after(Duration::from_millis(600));
    it.api.script(WEBHOOKS, [slow]);
    let beside = company(&it.app);
    let second = WebhookMonitor::new(Arc::clone(&it.app.parts.engine));
    let late = async {
        it.api.until_asked(1).await;
        second.look(&beside).await.unwrap()
    };
    assert_eq!(
        tokio::join!(it.look(), late),
        (CheckOutcome::Done(0), CheckOutcome::NotDue)
    );
    assert_eq!(it.look().await, CheckOutcome::NotDue);
    assert_eq!(it.api.asked().len(), 1);
}

#[tokio::test]
async fn that_looking_fails_is_warned_of_once_and_no_key_is_logged() {
    let (captured, _guard) = Captured::start("info");
    let it = It::new().await;
    it.api.script(WEBHOOKS, vec![Answer::status(403); 3]);
    let watch = WebhookMonitor::new(Arc::clone(&it.app.parts.engine))
        .asking_every(Duration::from_millis(5));
    let stop = CancellationToken::new();
    let hourly = async {
        for looks in 1..=4 {
            while it.api.asked().len() < looks {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            it.app.advance(TimeDelta::hours(1));
        }
        while !captured.text().contains("hooks.look: done") {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        stop.cancel();
    };
    tokio::time::timeout(Duration::from_secs(20), async {
        let job = WebhookJob::new(Arc::new(watch), Arc::clone(&it.company));
        tokio::join!(run(job, &stop), hourly)
    })
    .await
    .unwrap();
    let log = captured.text();
    assert_eq!(
        log.matches("cannot look at BambooHR's webhooks").count(),
        1,
        "{log}"
    );
    assert!(
        log.contains("\"level\":\"WARN\"") && log.contains("403"),
        "{log}"
    );
    assert!(!log.contains("api-key-sentinel"), "{log}");
}
