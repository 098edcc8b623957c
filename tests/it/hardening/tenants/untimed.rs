//! Merge bodies without times that had no effect stay known: their linked account may be listed later.

use chrono::TimeDelta;
use serde_json::json;

use super::{EMAIL, KEYS, LINKED_A, LINKED_B, record, with_config};
use crate::support::TestApp;

/// Without a list, the first linked account that delivers is the company.
const FIRST: &str = r#"
[[sources]]
name = "merge"
provider = "merge"
webhook_secrets = ["env:KEY_M"]
"#;

fn listed(account: &str) -> String {
    format!("{FIRST}linked_accounts = [{{ id = \"{account}\", tenant = \"default\" }}]")
}

#[tokio::test]
async fn an_untimed_body_that_had_no_effect_undoes_nothing_later() {
    for (before, state) in [(listed(LINKED_A), "ignored"), (FIRST.to_owned(), "failed")] {
        let builder = TestApp::builder().config_file(&before, &KEYS);
        let mut app = builder.build().await;
        app.add_users(&[EMAIL]).await;
        let first = record(LINKED_A, "a", "bo@example.com", super::EMPLOYED, None);
        app.deliver("merge", &first).await;
        let mut untimed = record(LINKED_B, "b", EMAIL, "", Some("2026-11-20T00:00:00Z"));
        untimed["data"]["modified_at"] = json!(null);
        app.deliver("merge", &untimed).await;
        let untimed_state = "SELECT state FROM leaver.deliveries WHERE NOT has_event_times";
        assert_eq!(app.lines(untimed_state).await, [state]);
        for _ in 0..5 {
            app.advance(TimeDelta::days(50));
            app.parts.housekeeping.run_once().await.unwrap();
        }
        // A failed one degrades health no longer.
        assert_eq!(app.lines(untimed_state).await, ["ignored"]);

        let mut app = with_config(&app, &listed(LINKED_B)).await;
        let newer = record(LINKED_B, "b", EMAIL, "2027-06-01T00:00:00Z", None);
        app.deliver("merge", &newer).await;
        let replayed = app.deliver("merge", &untimed).await;
        assert_eq!(replayed.body["duplicate"], json!(true), "{state}");
        assert!(app.is_active(EMAIL).await, "{state}");
    }
}

#[tokio::test]
async fn a_timed_body_that_had_no_effect_is_forgotten() {
    let builder = TestApp::builder().config_file(FIRST, &KEYS);
    let mut app = builder.build().await;
    let first = record(LINKED_A, "a", EMAIL, super::EMPLOYED, None);
    app.deliver("merge", &first).await;
    let other = record(LINKED_B, "b", EMAIL, super::EMPLOYED, None);
    app.deliver("merge", &other).await;
    let states = "SELECT state FROM leaver.deliveries ORDER BY id";
    assert_eq!(app.lines(states).await, ["processed", "failed"]);
    for _ in 0..5 {
        app.advance(TimeDelta::days(50));
        app.parts.housekeeping.run_once().await.unwrap();
    }
    assert_eq!(app.lines(states).await, [""; 0]);
}
