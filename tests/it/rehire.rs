//! Employees who return. Leaver only reactivates accounts that it deactivated.

use serde_json::json;

use crate::support::driving::{REACTIVATE, merge_record, terminated, working};
use crate::support::{TestApp, employee, employees};

const DANA: &str = "dana@example.com";
const LEFT: &str = "2026-11-22T10:00:00+0000";
const BACK: &str = "2026-11-22T11:00:00+0000";
const LEFT_AGAIN: &str = "2026-11-22T11:30:00+0000";

/// Dana, whose account we switched off, with the rules for a return.
async fn departed(settings: &[(&str, &str)]) -> TestApp {
    let mut app = TestApp::builder().settings(settings).build().await;
    app.add_users(&[DANA, "other@example.com"]).await;
    app.bamboohr(&[terminated("7", DANA, LEFT)]).await;
    assert_eq!(app.user(DANA).await, (false, 0));
    app
}

#[tokio::test]
async fn a_return_is_asked_about() {
    let mut app = departed(&[]).await;
    app.bamboohr(&[working("7", DANA, BACK)]).await;
    assert!(!app.is_active(DANA).await);
    assert_eq!(app.holds().await, ["open reactivate 7 1"]);

    let hold = app.open_hold().await;
    let done = app.approve(hold, None).await.unwrap();
    assert!(done.is_change());
    assert!(app.is_active(DANA).await);
    assert_eq!(
        app.audit_in_full().await,
        [
            "deactivated 7 1 system:worker",
            "hold_opened 7 1 system:worker",
            "approved 7 1 cli:ada",
            "reactivated 7 1 cli:ada"
        ]
    );
}

#[tokio::test]
async fn a_return_that_was_rejected_is_not_asked_about_again() {
    let mut app = departed(&[]).await;
    app.bamboohr(&[working("7", DANA, BACK)]).await;
    let hold = app.open_hold().await;
    app.reject(hold).await.unwrap();
    app.bamboohr(&[working("7", DANA, LEFT_AGAIN)]).await;
    assert_eq!(app.holds().await, ["rejected reactivate 7 1"]);
    assert!(!app.is_active(DANA).await);
}

#[tokio::test]
async fn the_hold_of_a_return_closes_with_the_next_departure() {
    let mut app = departed(&[]).await;
    app.bamboohr(&[working("7", DANA, BACK)]).await;
    app.bamboohr(&[terminated("7", DANA, LEFT_AGAIN)]).await;
    assert_eq!(app.holds().await, ["withdrawn reactivate 7 1"]);
    assert!(!app.is_active(DANA).await);
}

#[tokio::test]
async fn each_return_is_asked_about_by_itself() {
    let mut app = departed(&[]).await;
    app.bamboohr(&[working("7", DANA, BACK)]).await;
    let hold = app.open_hold().await;
    app.approve(hold, None).await.unwrap();
    app.advance(chrono::TimeDelta::minutes(1));
    app.bamboohr(&[terminated("7", DANA, LEFT_AGAIN)]).await;
    app.bamboohr(&[working("7", DANA, "2026-11-22T11:40:00+0000")])
        .await;
    assert_eq!(
        app.holds().await,
        ["approved reactivate 7 1", "open reactivate 7 1"]
    );
}

#[tokio::test]
async fn policy_reactivate_executes_a_return() {
    let mut app = departed(&[REACTIVATE]).await;
    app.bamboohr(&[working("7", DANA, BACK)]).await;
    assert_eq!(app.user(DANA).await, (true, 0));
    assert_eq!(
        app.audit_in_full().await,
        [
            "deactivated 7 1 system:worker",
            "reactivated 7 1 system:worker"
        ]
    );
    assert!(app.holds().await.is_empty());
}

#[tokio::test]
async fn policy_ignore_skips_a_return() {
    let mut app = departed(&[("LEAVER__POLICY__REHIRE", "ignore")]).await;
    app.bamboohr(&[working("7", DANA, BACK)]).await;
    assert!(!app.is_active(DANA).await);
    assert!(app.holds().await.is_empty());
    assert_eq!(app.audit().await, ["deactivated 7"]);
}

#[tokio::test]
async fn a_merge_record_that_keeps_its_old_date_is_no_return() {
    let mut app = TestApp::builder().settings(&[REACTIVATE]).build().await;
    app.add_users(&[DANA]).await;
    let date = Some("2026-11-20T00:00:00Z");
    let gone = merge_record("m1", DANA, "2026-11-22T10:00:00Z", "INACTIVE", date);
    let back = merge_record("m1", DANA, "2026-11-22T11:00:00Z", "ACTIVE", date);
    app.deliver("merge", &gone).await;
    assert!(!app.is_active(DANA).await);
    app.deliver("merge", &back).await;
    assert!(!app.is_active(DANA).await);
    let withdrawn = merge_record("m1", DANA, "2026-11-22T11:30:00Z", "ACTIVE", None);
    app.deliver("merge", &withdrawn).await;
    assert!(app.is_active(DANA).await);
}

#[tokio::test]
async fn an_account_deactivated_by_others_stays_inactive() {
    let mut app = TestApp::builder().settings(&[REACTIVATE]).build().await;
    app.add_users(&[DANA]).await;
    app.sql("UPDATE users SET is_active = false").await;
    app.bamboohr(&[terminated("7", DANA, LEFT)]).await;
    app.bamboohr(&[working("7", DANA, BACK)]).await;
    assert!(!app.is_active(DANA).await);
    assert!(app.holds().await.is_empty());
    assert_eq!(app.audit().await, ["sessions_ended 7"]);
}

#[tokio::test]
async fn an_account_toggled_by_others_is_not_ours_any_more() {
    let mut app = departed(&[REACTIVATE]).await;
    app.sql("UPDATE users SET is_active = true").await;
    app.bamboohr(&[working("7", DANA, BACK)]).await;
    app.sql("UPDATE users SET is_active = false").await;
    app.bamboohr(&[working("7", DANA, LEFT_AGAIN)]).await;
    assert!(!app.is_active(DANA).await);
    assert_eq!(app.audit().await, ["deactivated 7"]);
}

#[tokio::test]
async fn a_replaced_account_is_not_taken_over() {
    let mut app = departed(&[REACTIVATE]).await;
    app.sql(
        "DELETE FROM users WHERE id = 1;
         INSERT INTO users (email, is_active) VALUES ('dana@example.com', false)",
    )
    .await;
    app.bamboohr(&[working("7", DANA, BACK)]).await;
    app.bamboohr(&[working("7", DANA, LEFT_AGAIN)]).await;
    assert!(!app.is_active(DANA).await);
    assert_eq!(app.audit().await, ["deactivated 7"]);
    let linked = "SELECT account_id FROM leaver.employees";
    assert_eq!(app.text(linked).await.as_deref(), Some("1"));
}

#[tokio::test]
async fn a_retry_of_the_termination_after_the_return_does_nothing() {
    let mut app = departed(&[REACTIVATE]).await;
    app.bamboohr(&[working("7", DANA, BACK)]).await;
    // The same words in another delivery, and an older one that never arrived.
    let mut again = terminated("7", DANA, LEFT);
    again["action"] = json!("updated");
    app.bamboohr(&[again]).await;
    app.bamboohr(&[terminated("7", DANA, "2026-11-22T10:59:59+0000")])
        .await;
    assert!(app.is_active(DANA).await);
    assert_eq!(app.audit().await, ["deactivated 7", "reactivated 7"]);
    let outcomes = "SELECT outcome::text FROM leaver.deliveries ORDER BY id OFFSET 2";
    assert_eq!(
        app.lines(outcomes).await,
        [r#"{"stale": 1}"#, r#"{"stale": 1}"#]
    );
}

#[tokio::test]
async fn a_second_departure_deactivates_again() {
    let mut app = departed(&[REACTIVATE]).await;
    app.bamboohr(&[working("7", DANA, BACK)]).await;
    app.bamboohr(&[terminated("7", DANA, LEFT_AGAIN)]).await;
    assert!(!app.is_active(DANA).await);
    assert_eq!(
        app.audit().await,
        ["deactivated 7", "reactivated 7", "deactivated 7"]
    );
}

#[tokio::test]
async fn a_return_under_a_new_address_comes_through_the_link() {
    let mut app = departed(&[REACTIVATE]).await;
    app.bamboohr(&[working("7", "dana.new@example.com", BACK)])
        .await;
    assert!(app.is_active(DANA).await);
}

#[tokio::test]
async fn a_return_under_a_new_id_gets_the_same_account() {
    let mut app = TestApp::new().await;
    app.add_users(&["dana@example.com"]).await;
    let left = json!({"status": "Inactive", "employmentHistoryStatus": "Terminated", "workEmail": "dana@example.com"});
    let here = json!({"status": "Active", "workEmail": "dana@example.com"});
    let said = |id, at, fields| employees(&[employee(id, at, &["status"], fields)]);

    app.deliver("bamboohr", &said("1", "2026-11-22T11:00:00+0000", &left))
        .await;
    app.deliver("bamboohr", &said("2", "2026-11-22T11:30:00+0000", &here))
        .await;

    assert_eq!(app.audit().await, ["deactivated 1", "hold_opened 2"]);
    let asked =
        "SELECT requested_action || ' ' || account_id FROM leaver.holds WHERE state = 'open'";
    assert_eq!(app.text(asked).await.as_deref(), Some("reactivate 1"));
}

#[tokio::test]
async fn an_account_toggled_by_others_is_not_reactivated() {
    let mut app = TestApp::builder()
        .settings(&[("LEAVER__POLICY__REHIRE", "reactivate")])
        .build()
        .await;
    app.add_users(&["dana@example.com"]).await;
    let left = json!({"status": "Inactive", "employmentHistoryStatus": "Terminated", "workEmail": "dana@example.com"});
    let here = json!({"status": "Active", "workEmail": "dana@example.com"});
    let said = |id, at, fields| employees(&[employee(id, at, &["status"], fields)]);

    app.deliver("bamboohr", &said("1", "2026-11-22T11:00:00+0000", &left))
        .await;
    app.sql("UPDATE users SET is_active = true").await;
    app.deliver("bamboohr", &said("2", "2026-11-22T11:30:00+0000", &here))
        .await;
    app.sql("UPDATE users SET is_active = false").await;
    app.deliver("bamboohr", &said("2", "2026-11-22T11:40:00+0000", &here))
        .await;

    assert!(!app.user("dana@example.com").await.0);
    assert_eq!(app.audit().await, ["deactivated 1"]);
}

#[tokio::test]
async fn an_account_closed_by_others_during_a_question_stays_closed() {
    let mut app = TestApp::builder().settings(&[REACTIVATE]).build().await;
    app.add_users(&[DANA]).await;
    let date = Some("2026-11-20T00:00:00Z");
    app.deliver("merge", &merge_record("m1", DANA, LEFT, "INACTIVE", date))
        .await;
    assert!(!app.is_active(DANA).await);
    app.sql("UPDATE users SET is_active = true").await;
    let unclear = merge_record("m1", DANA, BACK, "INACTIVE", None);
    app.deliver("merge", &unclear).await;
    assert_eq!(app.holds().await, ["open deactivate m1 1"]);

    app.sql("UPDATE users SET is_active = false").await;
    let back = merge_record("m1", DANA, LEFT_AGAIN, "ACTIVE", None);
    app.deliver("merge", &back).await;
    assert!(!app.is_active(DANA).await);
}
