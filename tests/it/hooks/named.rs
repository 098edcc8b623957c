//! A settled delivery keeps the ids of its employees.

use serde_json::json;

use super::thin;
use crate::support::{JSON, TestApp, employee, employees};

const NAMED: &str = "SELECT state || ' ' || COALESCE(employee_ids::text, '-') FROM leaver.deliveries ORDER BY received_at, id";

#[tokio::test]
async fn settled_deliveries_list_their_employees() {
    let mut app = TestApp::new().await;
    let as_of = "2026-11-22T11:00:00+0000";
    let fields = json!({"status": "Active"});
    // In one batch, so that one statement writes lists of different lengths.
    let three = ["2", "10", "2"].map(|id| employee(id, as_of, &["status"], &fields));
    app.send("bamboohr", JSON, employees(&three).to_string())
        .await;
    app.advance(chrono::TimeDelta::seconds(1));
    app.send("bamboohr", JSON, thin("7", 1).to_string()).await;
    app.advance(chrono::TimeDelta::seconds(1));
    app.send("bamboohr", JSON, r#"{"type":"company.updated"}"#)
        .await;
    app.advance(chrono::TimeDelta::seconds(1));
    app.send("bamboohr", JSON, r#"{"employees": ["#).await;
    assert_eq!(app.lines(NAMED).await, ["pending -"; 4]);
    app.work().await;
    assert_eq!(
        app.lines(NAMED).await,
        [
            "processed {10,2}",
            "processed {7}",
            "ignored {}",
            "failed -"
        ]
    );
}

#[tokio::test]
async fn a_delivery_failed_after_parsing_lists_its_employees() {
    let mut app = TestApp::builder()
        .settings(&[("LEAVER__WORKER__MAX_ATTEMPTS", "1")])
        .build()
        .await;
    app.add_users(&["dana@example.com"]).await;
    app.refuse_to_save(&[7]).await;
    let left = json!({"status": "Inactive", "employmentHistoryStatus": "Terminated", "workEmail": "dana@example.com"});
    let entry = employee("7", "2026-11-22T11:00:00+0000", &["status"], &left);
    app.deliver("bamboohr", &employees(&[entry])).await;
    assert_eq!(app.lines(NAMED).await, ["failed {7}"]);
}

#[tokio::test]
async fn employee_ids_with_special_characters_are_kept() {
    let mut app = TestApp::new().await;
    let odd = [r#"a"b"#, r"a\b", "a,b", "{}", "NULL", " a ", "ä€"];
    let fields = json!({"status": "Active"});
    let entries = odd.map(|id| employee(id, "2026-11-22T11:00:00+0000", &["status"], &fields));
    app.deliver("bamboohr", &employees(&entries)).await;
    let kept = app
        .lines("SELECT unnest(employee_ids) FROM leaver.deliveries")
        .await;
    let known = "SELECT employee_id FROM leaver.employees ORDER BY employee_id COLLATE \"C\"";
    assert_eq!(kept, app.lines(known).await);
    assert_eq!(kept.len(), odd.len());
}
