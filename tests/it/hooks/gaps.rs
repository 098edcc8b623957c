//! What BambooHR's log has and the inbox lacks.

use std::sync::Arc;

use chrono::TimeDelta;
use leaver::engine::execute::Outcome;
use leaver::jobs::sync::Syncer;
use leaver::jobs::sync::gaps::{DeliveryLogStatus, GapReport};
use serde_json::json;

use super::{HERE, It, thin};
use crate::support::JSON;
use crate::support::apis::Answer;
use crate::support::hooks::log_entry;

impl It {
    async fn gaps(&self) -> GapReport {
        self.gaps_of(None).await.unwrap()
    }

    async fn gaps_of(&self, webhook: Option<&str>) -> Result<GapReport, String> {
        let syncer = Syncer::new(Arc::clone(&self.app.parts.engine));
        syncer.gaps(&self.company, webhook, &|_, _| {}).await
    }

    /// The employees that were asked for one by one.
    fn read(&self) -> Vec<String> {
        let asked = self.api.asked();
        let of = |path: &str| path.strip_prefix("/api/v1/employees/").map(str::to_owned);
        let mut ids: Vec<String> = asked.iter().filter_map(|asked| of(&asked.path)).collect();
        ids.sort();
        ids
    }
}

/// Of each gap: the hook, where it stands, and whom it names.
fn shown(report: &GapReport) -> Vec<String> {
    let gaps = report.hooks.iter().flat_map(|hook| {
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
                gap.fate.as_str(),
                ids.join(",")
            )
        })
    });
    gaps.collect()
}

#[tokio::test]
async fn a_delivery_that_never_arrived_is_found_and_its_leaver_loses_access() {
    let mut it = It::with_leavers(&[4, 6]).await;
    let hook = it.hooks.add(HERE);
    it.app.deliver("bamboohr", &thin("7", 1)).await;
    let lost = log_entry("2026-11-22 08:00:00", "503", &["4"]);
    it.hooks.log(
        &hook,
        vec![log_entry("2026-11-22 12:00:00", "200", &["7"]), lost],
    );

    let report = it.gaps().await;
    assert_eq!(shown(&report), ["1 503 given_up 4"]);
    assert_eq!((report.hooks[0].entries, report.hooks[0].cut), (2, false));
    let read = report.read.unwrap();
    assert_eq!((read.records, read.incomplete), (1, None));
    assert_eq!(read.outcomes[&Outcome::Deactivated], 1);
    // Nobody else was read: the other leaver's time comes with the next poll.
    assert_eq!(it.read(), ["4"]);
    assert_eq!(it.off().await, ["dana.4@widgets.example"]);
    let by = "SELECT count(*) FROM leaver.audit WHERE actor = 'sync' AND action = 'deactivated'";
    assert_eq!(it.app.count(by).await, 1);
}

#[tokio::test]
async fn when_all_arrived_nobody_is_read() {
    let mut it = It::new().await;
    let hook = it.hooks.add(HERE);
    it.app.deliver("bamboohr", &thin("7", 1)).await;
    it.hooks
        .log(&hook, vec![log_entry("2026-11-22 12:00:00", "200", &["7"])]);
    let report = it.gaps().await;
    assert_eq!(shown(&report), [""; 0]);
    assert!(report.read.is_none());
    assert_eq!(it.read(), [""; 0]);
    // A hook that never fired has an empty log, and that is no gap.
    it.hooks.log(&hook, vec![]);
    assert_eq!(it.gaps().await.hooks[0].entries, 0);
}

#[tokio::test]
async fn what_waits_or_failed_has_arrived_too() {
    let mut it = It::new().await;
    let hook = it.hooks.add(HERE);
    it.app
        .send("bamboohr", JSON, thin("7", 1).to_string())
        .await;
    it.app
        .send("bamboohr", JSON, thin("8", 2).to_string())
        .await;
    it.app
        .sql("UPDATE leaver.deliveries SET state = 'failed', processed_at = received_at, reason = 'a test'
              WHERE convert_from(body, 'UTF8') LIKE '%\"8\"%'")
        .await;
    let sent = |id: &str| log_entry("2026-11-22 12:00:01", "200", &[id]);
    it.hooks.log(&hook, vec![sent("7"), sent("8"), sent("9")]);
    assert_eq!(shown(&it.gaps().await), ["1 200 taken 9"]);
}

#[tokio::test]
async fn a_retry_of_what_was_stored_is_not_missing() {
    let mut it = It::new().await;
    let hook = it.hooks.add(HERE);
    it.app.deliver("bamboohr", &thin("7", 1)).await;
    // Stored at noon, but the answer was lost, and the last retry came 155 minutes later.
    it.hooks
        .log(&hook, vec![log_entry("2026-11-22 14:35:00", "200", &["7"])]);
    assert_eq!(shown(&it.gaps().await), [""; 0]);
    it.hooks
        .log(&hook, vec![log_entry("2026-11-22 14:45:00", "200", &["7"])]);
    assert_eq!(shown(&it.gaps().await), ["1 200 taken 7"]);
}

#[tokio::test]
async fn where_a_gap_stands_is_told() {
    let it = It::new().await;
    let hook = it.hooks.add(HERE);
    let mut never = log_entry("2026-11-22 11:59:00", "", &["5"]);
    never["lastAttempted"] = "Webhook Not Found".into();
    it.hooks.log(
        &hook,
        vec![
            log_entry("2026-11-22 11:59:00", "200", &["1"]),
            log_entry("2026-11-22 11:59:00", "503", &["2"]),
            log_entry("2026-11-22 11:59:00", "401", &["3"]),
            log_entry("2026-11-22 09:00:00", "503", &["4"]),
            never,
        ],
    );
    let report = it.gaps().await;
    let fates: Vec<DeliveryLogStatus> = report.hooks[0].gaps.iter().map(|gap| gap.fate).collect();
    assert_eq!(
        fates,
        [
            DeliveryLogStatus::Taken,
            DeliveryLogStatus::StillTrying,
            DeliveryLogStatus::GivenUp,
            DeliveryLogStatus::GivenUp,
            DeliveryLogStatus::GivenUp
        ]
    );
    assert_eq!(report.hooks[0].gaps[4].sent_at, None);
    assert_eq!(it.read(), ["1", "2", "3", "4", "5"]);
}

#[tokio::test]
async fn only_hooks_that_point_here_are_compared_unless_one_is_named() {
    let it = It::new().await;
    let nothing = it.gaps_of(None).await.unwrap_err();
    assert!(
        nothing.contains("/webhooks/bamboohr") && nothing.contains("--webhook"),
        "{nothing}"
    );
    let elsewhere = it.hooks.add("https://other.example/hook");
    let here = it.hooks.add(HERE);
    it.hooks.log(
        &elsewhere,
        vec![log_entry("2026-11-22 11:00:00", "200", &["1"])],
    );
    it.hooks
        .log(&here, vec![log_entry("2026-11-22 11:00:00", "200", &["2"])]);
    assert_eq!(shown(&it.gaps().await), ["2 200 taken 2"]);
    let named = it.gaps_of(Some(&elsewhere)).await.unwrap();
    assert_eq!(shown(&named), ["1 200 taken 1"]);
}

#[tokio::test]
async fn two_hooks_that_send_the_same_are_both_accounted_for_by_what_arrived_once() {
    let mut it = It::new().await;
    // As during a rotation of keys: both post the same bytes, and the second is a duplicate.
    let hooks = [it.hooks.add(HERE), it.hooks.add(HERE)];
    it.app.deliver("bamboohr", &thin("7", 1)).await;
    it.app.deliver("bamboohr", &thin("7", 1)).await;
    for hook in hooks {
        it.hooks
            .log(&hook, vec![log_entry("2026-11-22 12:00:00", "200", &["7"])]);
    }
    assert_eq!(shown(&it.gaps().await), [""; 0]);
}

#[tokio::test]
async fn a_log_that_cannot_be_read_is_said_and_the_others_are_compared() {
    let it = It::new().await;
    let (first, second) = (it.hooks.add(HERE), it.hooks.add(HERE));
    it.hooks.log(
        &second,
        vec![log_entry("2026-11-22 11:00:00", "200", &["2"])],
    );
    let path = format!("/api/v1/webhooks/{first}/log");
    it.api.script(
        &path,
        vec![Answer::text(503, "text/plain", "Log search timed out."); 2],
    );
    let report = it.gaps().await;
    assert_eq!(shown(&report), ["2 200 taken 2"]);
    assert!(report.hooks[0].unread.is_some() && report.hooks[1].unread.is_none());
}

#[tokio::test]
async fn a_log_as_long_as_logs_get_is_said_to_be_cut() {
    let it = It::new().await;
    let hook = it.hooks.add(HERE);
    let of = |n: usize| vec![log_entry("2026-11-22 11:00:00", "200", &[]); n];
    it.hooks.log(&hook, of(199));
    assert!(!it.gaps().await.hooks[0].cut);
    it.hooks.log(&hook, of(200));
    assert!(it.gaps().await.hooks[0].cut);
}

#[tokio::test]
async fn whoever_is_not_there_is_not_taken_for_a_leaver() {
    let mut it = It::new().await;
    // Known, and with an account.
    let known = json!({"employees": [{"id": "77", "action": "Updated", "timestamp": "2026-11-22T10:00:00+0000",
        "changedFields": [], "fields": {"status": "Active", "workEmail": "dana.1@widgets.example"}}]});
    it.app.deliver("bamboohr", &known).await;
    let hook = it.hooks.add(HERE);
    it.app.advance(TimeDelta::hours(5));
    it.hooks.log(
        &hook,
        vec![log_entry("2026-11-22 16:00:00", "200", &["77"])],
    );
    let report = it.gaps().await;
    let incomplete = report.read.unwrap().incomplete.unwrap();
    assert!(incomplete.contains("404"), "{incomplete}");
    assert_eq!(it.off().await, [""; 0]);
}
