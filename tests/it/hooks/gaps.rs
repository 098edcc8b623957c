//! Deliveries in BambooHR's log that are not in the inbox.

use std::sync::Arc;

use chrono::TimeDelta;
use leaver::engine::execute::Outcome;
use leaver::jobs::sync::gaps::{DeliveryLogStatus, GapReport};
use leaver::jobs::sync::{GapsError, Syncer};
use serde_json::json;

use super::{HERE, WebhooksTest, thin};
use crate::support::JSON;
use crate::support::apis::Answer;
use crate::support::hooks::log_entry;

impl WebhooksTest {
    async fn gaps(&self) -> GapReport {
        self.gaps_of(None).await.unwrap()
    }

    async fn gaps_of(&self, webhook: Option<&str>) -> Result<GapReport, GapsError> {
        let syncer = Syncer::new(Arc::clone(&self.app.parts.engine));
        syncer.gaps(&self.company, webhook, &|_, _| {}).await
    }

    /// The ids of employees that were read one by one.
    fn read(&self) -> Vec<String> {
        let asked = self.api.requests();
        let of = |path: &str| path.strip_prefix("/api/v1/employees/").map(str::to_owned);
        let mut ids: Vec<String> = asked.iter().filter_map(|asked| of(&asked.path)).collect();
        ids.sort();
        ids
    }
}

/// Each gap: webhook, status, retry state and employees.
fn shown(report: &GapReport) -> Vec<String> {
    let gaps = report.webhooks.iter().flat_map(|hook| {
        hook.gaps.iter().map(move |gap| {
            let ids: Vec<&str> = gap
                .employees
                .iter()
                .map(leaver_core::domain::EmployeeId::as_str)
                .collect();
            format!(
                "{} {} {} {}",
                hook.id,
                gap.status,
                gap.retry_state.as_str(),
                ids.join(",")
            )
        })
    });
    gaps.collect()
}

#[tokio::test]
async fn a_missing_delivery_is_found_and_its_leaver_deactivated() {
    let mut test = WebhooksTest::with_leavers(&[4, 6]).await;
    let hook = test.hooks.add(HERE);
    test.app.deliver("bamboohr", &thin("7", 1)).await;
    let lost = log_entry("2026-11-22 08:00:00", "503", &["4"]);
    test.hooks.log(
        &hook,
        vec![log_entry("2026-11-22 12:00:00", "200", &["7"]), lost],
    );

    let report = test.gaps().await;
    assert_eq!(shown(&report), ["1 503 given_up 4"]);
    assert_eq!(
        (
            report.webhooks[0].entries,
            report.webhooks[0].is_log_truncated
        ),
        (2, false)
    );
    let read = report.sync.unwrap();
    assert_eq!((read.records, read.incomplete), (1, None));
    assert_eq!(read.outcomes[&Outcome::Deactivated], 1);
    // Nobody else was read; the next sync finds the other leaver.
    assert_eq!(test.read(), ["4"]);
    assert_eq!(test.off().await, ["dana.4@widgets.example"]);
    let by =
        "SELECT count(*) FROM leaver.audit WHERE actor = 'system:sync' AND action = 'deactivated'";
    assert_eq!(test.app.count(by).await, 1);
}

#[tokio::test]
async fn without_gaps_nobody_is_read() {
    let mut test = WebhooksTest::new().await;
    let hook = test.hooks.add(HERE);
    test.app.deliver("bamboohr", &thin("7", 1)).await;
    test.hooks
        .log(&hook, vec![log_entry("2026-11-22 12:00:00", "200", &["7"])]);
    let report = test.gaps().await;
    assert_eq!(shown(&report), [""; 0]);
    assert!(report.sync.is_none());
    assert_eq!(test.read(), [""; 0]);
    // A webhook that never sent anything has an empty log, which is no gap.
    test.hooks.log(&hook, vec![]);
    assert_eq!(test.gaps().await.webhooks[0].entries, 0);
}

#[tokio::test]
async fn pending_and_failed_deliveries_are_not_missing() {
    let mut test = WebhooksTest::new().await;
    let hook = test.hooks.add(HERE);
    test.app
        .send("bamboohr", JSON, thin("7", 1).to_string())
        .await;
    test.app
        .send("bamboohr", JSON, thin("8", 2).to_string())
        .await;
    test.app
        .sql("UPDATE leaver.deliveries SET state = 'failed', processed_at = received_at, reason = 'a test'
              WHERE convert_from(body, 'UTF8') LIKE '%\"8\"%'")
        .await;
    let sent = |id: &str| log_entry("2026-11-22 12:00:01", "200", &[id]);
    test.hooks.log(&hook, vec![sent("7"), sent("8"), sent("9")]);
    assert_eq!(shown(&test.gaps().await), ["1 200 accepted 9"]);
}

#[tokio::test]
async fn a_retry_of_a_stored_delivery_is_not_missing() {
    let mut test = WebhooksTest::new().await;
    let hook = test.hooks.add(HERE);
    test.app.deliver("bamboohr", &thin("7", 1)).await;
    // Stored at noon, but the response was lost, and the last retry came 155 minutes later.
    test.hooks
        .log(&hook, vec![log_entry("2026-11-22 14:35:00", "200", &["7"])]);
    assert_eq!(shown(&test.gaps().await), [""; 0]);
    test.hooks
        .log(&hook, vec![log_entry("2026-11-22 14:45:00", "200", &["7"])]);
    assert_eq!(shown(&test.gaps().await), ["1 200 accepted 7"]);
}

#[tokio::test]
async fn a_gap_reports_whether_bamboohr_retries() {
    let test = WebhooksTest::new().await;
    let hook = test.hooks.add(HERE);
    let mut never = log_entry("2026-11-22 11:59:00", "", &["5"]);
    never["lastAttempted"] = "Webhook Not Found".into();
    test.hooks.log(
        &hook,
        vec![
            log_entry("2026-11-22 11:59:00", "200", &["1"]),
            log_entry("2026-11-22 11:59:00", "503", &["2"]),
            log_entry("2026-11-22 11:59:00", "401", &["3"]),
            log_entry("2026-11-22 09:00:00", "503", &["4"]),
            never,
        ],
    );
    let report = test.gaps().await;
    let states: Vec<DeliveryLogStatus> = report.webhooks[0]
        .gaps
        .iter()
        .map(|gap| gap.retry_state)
        .collect();
    assert_eq!(
        states,
        [
            DeliveryLogStatus::Accepted,
            DeliveryLogStatus::StillTrying,
            DeliveryLogStatus::GivenUp,
            DeliveryLogStatus::GivenUp,
            DeliveryLogStatus::GivenUp
        ]
    );
    assert_eq!(report.webhooks[0].gaps[4].sent_at, None);
    assert_eq!(test.read(), ["1", "2", "3", "4", "5"]);
}

#[tokio::test]
async fn only_webhooks_that_post_here_are_compared_by_default() {
    let test = WebhooksTest::new().await;
    let nothing = test.gaps_of(None).await.unwrap_err().to_string();
    assert!(
        nothing.contains("/webhooks/bamboohr") && nothing.contains("--webhook"),
        "{nothing}"
    );
    let elsewhere = test.hooks.add("https://other.example/hook");
    let here = test.hooks.add(HERE);
    test.hooks.log(
        &elsewhere,
        vec![log_entry("2026-11-22 11:00:00", "200", &["1"])],
    );
    test.hooks
        .log(&here, vec![log_entry("2026-11-22 11:00:00", "200", &["2"])]);
    assert_eq!(shown(&test.gaps().await), ["2 200 accepted 2"]);
    let named = test.gaps_of(Some(&elsewhere)).await.unwrap();
    assert_eq!(shown(&named), ["1 200 accepted 1"]);
}

#[tokio::test]
async fn one_stored_delivery_matches_the_logs_of_two_webhooks() {
    let mut test = WebhooksTest::new().await;
    // As during a key rotation: both post the same bytes, and the second is a duplicate.
    let hooks = [test.hooks.add(HERE), test.hooks.add(HERE)];
    test.app.deliver("bamboohr", &thin("7", 1)).await;
    test.app.deliver("bamboohr", &thin("7", 1)).await;
    for hook in hooks {
        test.hooks
            .log(&hook, vec![log_entry("2026-11-22 12:00:00", "200", &["7"])]);
    }
    assert_eq!(shown(&test.gaps().await), [""; 0]);
}

#[tokio::test]
async fn an_unreadable_log_does_not_stop_the_others() {
    let test = WebhooksTest::new().await;
    let (first, second) = (test.hooks.add(HERE), test.hooks.add(HERE));
    test.hooks.log(
        &second,
        vec![log_entry("2026-11-22 11:00:00", "200", &["2"])],
    );
    let path = format!("/api/v1/webhooks/{first}/log");
    test.api.script(
        &path,
        vec![Answer::text(503, "text/plain", "Log search timed out."); 2],
    );
    let report = test.gaps().await;
    assert_eq!(shown(&report), ["2 200 accepted 2"]);
    assert!(report.webhooks[0].log_error.is_some() && report.webhooks[1].log_error.is_none());
}

#[tokio::test]
async fn a_log_of_full_length_is_reported_as_truncated() {
    let test = WebhooksTest::new().await;
    let hook = test.hooks.add(HERE);
    let of = |n: usize| vec![log_entry("2026-11-22 11:00:00", "200", &[]); n];
    test.hooks.log(&hook, of(199));
    assert!(!test.gaps().await.webhooks[0].is_log_truncated);
    test.hooks.log(&hook, of(200));
    assert!(test.gaps().await.webhooks[0].is_log_truncated);
}

#[tokio::test]
async fn a_missing_employee_is_not_a_leaver() {
    let mut test = WebhooksTest::new().await;
    // In the roster, with an account.
    let known = json!({"employees": [{"id": "77", "action": "Updated", "timestamp": "2026-11-22T10:00:00+0000",
        "changedFields": [], "fields": {"status": "Active", "workEmail": "dana.1@widgets.example"}}]});
    test.app.deliver("bamboohr", &known).await;
    let hook = test.hooks.add(HERE);
    test.app.advance(TimeDelta::hours(5));
    test.hooks.log(
        &hook,
        vec![log_entry("2026-11-22 16:00:00", "200", &["77"])],
    );
    let report = test.gaps().await;
    let incomplete = report.sync.unwrap().incomplete.unwrap();
    assert!(incomplete.contains("404"), "{incomplete}");
    assert_eq!(test.off().await, [""; 0]);
}
