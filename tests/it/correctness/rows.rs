//! Leavers with several accounts, and leavers without one.

use chrono::TimeDelta;
use leaver::engine::holds::resolve::Named;
use leaver_core::decision::policy::DriftMode;
use leaver_core::domain::AccountId;
use serde_json::json;

use super::acting::{AS_OF, DANA, EVE, delivery, departures, drift};
use crate::support::TestApp;
use crate::support::driving::{leaving, merge_record, terminated, working};

/// Dana has left, and three accounts have her address.
async fn three_rows() -> TestApp {
    let mut app = TestApp::new().await;
    app.add_users(&[DANA, "Dana@example.com", "DANA@example.com", EVE])
        .await;
    app.bamboohr(&[terminated("7", DANA, AS_OF)]).await;
    app
}

/// The accounts that drift names.
async fn named_by_drift(app: &TestApp) -> Vec<String> {
    let found = drift(app, DriftMode::Fix).await.terminated_with_access;
    let ids = found.into_iter().filter_map(|one| one.account_id);
    ids.map(|id| id.to_string()).collect()
}

#[tokio::test]
async fn several_rows_of_a_person_are_one_question() {
    let mut app = three_rows().await;
    let hold = app.open_hold().await;
    let done = app.approve_for(hold, &Named::All).await.unwrap();
    assert_eq!((done.accounts.len(), done.still_active.len()), (3, 0));
    assert_eq!(app.active().await, [EVE]);
    assert_eq!(app.count("SELECT count(*) FROM sessions").await, 2);
    let ended = |account| format!("deactivated 7 {account} cli:ada");
    let approved = |account| format!("approved 7 {account} cli:ada");
    let mut expected = vec!["hold_opened 7 - system:worker".to_owned()];
    expected.extend((1..=3).flat_map(|account| [approved(account), ended(account)]));
    assert_eq!(app.audit_in_full().await, expected);
    assert!(drift(&app, DriftMode::Report).await.is_clean());
    // Nothing is asked again.
    app.bamboohr(&[terminated("7", DANA, "2026-11-22T11:30:00Z")])
        .await;
    assert_eq!(app.holds().await, ["approved deactivate 7 -"]);
}

#[tokio::test]
async fn rows_that_stay_on_are_named_by_drift() {
    let mut app = three_rows().await;
    let hold = app.open_hold().await;
    let named = ["3", "1"].map(AccountId::new).to_vec();
    let done = app
        .approve_for(hold, &Named::Accounts(named))
        .await
        .unwrap();
    let still_active: Vec<String> = done.still_active.iter().map(ToString::to_string).collect();
    assert_eq!(still_active, ["2"]);
    assert_eq!(app.active().await, ["Dana@example.com", EVE]);
    assert_eq!(named_by_drift(&app).await, ["2"]);
    let output = app.run(&["drift"]);
    assert_eq!(output.code, Some(1), "{output:?}");

    app.sql("UPDATE users SET is_active = true WHERE id = 1")
        .await;
    assert_eq!(named_by_drift(&app).await, ["1", "2"]);
}

#[tokio::test]
async fn the_account_of_a_successor_is_not_named_by_drift() {
    let mut app = TestApp::new().await;
    app.add_users(&[DANA]).await;
    app.bamboohr(&[terminated("7", DANA, AS_OF)]).await;
    app.add_users(&[DANA]).await;
    assert_eq!(named_by_drift(&app).await, ["2"]);
    app.sql("UPDATE users SET email = 'dana.old@example.com' WHERE id = 1")
        .await;
    app.bamboohr(&[working("9", DANA, "2026-11-22T11:30:00Z")])
        .await;
    assert_eq!(named_by_drift(&app).await, [""; 0]);
    assert_eq!(app.active().await, [DANA]);
}

#[tokio::test]
async fn a_blocked_row_blocks_the_approval_of_all() {
    let mut app = three_rows().await;
    app.refuse_to_change(&[2], "P0001").await;
    let hold = app.open_hold().await;
    let error = app
        .approve_for(hold, &Named::All)
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("account 2") && error.contains("still open"),
        "{error}"
    );
    assert_eq!(app.active().await.len(), 4);
    assert_eq!(app.open_hold().await, hold);
}

#[tokio::test]
async fn several_inactive_rows_ask_nothing() {
    let mut app = TestApp::new().await;
    app.add_users(&[DANA, "Dana@example.com"]).await;
    app.sql("UPDATE users SET is_active = false").await;
    app.bamboohr(&[terminated("7", DANA, AS_OF)]).await;
    assert_eq!(delivery(&mut app).await.1, json!({"already_inactive": 1}));
    assert_eq!(app.holds().await, [""; 0]);
}

const WITHOUT_ACCOUNT: &str = "SELECT employee_id || ' ' || to_char(without_account_since AT TIME ZONE 'UTC', 'HH24:MI')
                               FROM leaver.employees WHERE without_account_since IS NOT NULL ORDER BY 1";

#[tokio::test]
async fn leavers_without_an_account_count() {
    for (source, body) in departures() {
        let mut app = TestApp::new().await;
        app.add_users(&[EVE]).await;
        app.deliver(source, &body).await;
        assert_eq!(delivery(&mut app).await.1, json!({"no_account": 1}));
        app.advance(TimeDelta::minutes(5));
        app.deliver(source, &body).await;
        assert_eq!(app.lines(WITHOUT_ACCOUNT).await, ["7 12:00"]);
        let report = drift(&app, DriftMode::Report).await;
        assert!(!report.is_clean());
        let found: Vec<_> = report.leavers_without_account().collect();
        assert_eq!(found[0].work_email.as_deref(), Some(DANA));
        let output = app.run(&["drift"]);
        assert_eq!(output.code, Some(1), "{output:?}");
        assert!(
            output.err.contains("leavers without an account: 1"),
            "{output:?}"
        );
        assert!(output.out.contains(DANA), "{output:?}");

        app.add_users(&[DANA]).await;
        assert_eq!(drift(&app, DriftMode::Fix).await.fixed.len(), 1);
        assert_eq!(app.lines(WITHOUT_ACCOUNT).await, [""; 0]);
        assert!(drift(&app, DriftMode::Report).await.is_clean());
    }
}

#[tokio::test]
async fn an_inactive_account_ends_the_search_for_one() {
    let mut app = TestApp::new().await;
    app.bamboohr(&[terminated("7", DANA, AS_OF)]).await;
    app.add_users(&[DANA]).await;
    app.sql("UPDATE users SET is_active = false").await;
    drift(&app, DriftMode::Fix).await;
    assert_eq!(app.lines(WITHOUT_ACCOUNT).await, [""; 0]);
}

#[tokio::test]
async fn employees_without_an_account_do_not_count() {
    let mut app = TestApp::new().await;
    app.bamboohr(&[
        working("7", DANA, AS_OF),
        leaving("8", EVE, AS_OF, "2026-12-24"),
    ])
    .await;
    assert!(drift(&app, DriftMode::Report).await.is_clean());
    assert_eq!(app.lines(WITHOUT_ACCOUNT).await, [""; 0]);
    assert_eq!(app.run(&["drift"]).code, Some(0));
    // Back at work after a departure without an account.
    app.bamboohr(&[terminated("7", DANA, "2026-11-22T11:10:00Z")])
        .await;
    assert_eq!(app.lines(WITHOUT_ACCOUNT).await, ["7 12:00"]);
    app.bamboohr(&[working("7", DANA, "2026-11-22T11:20:00Z")])
        .await;
    assert_eq!(app.lines(WITHOUT_ACCOUNT).await, [""; 0]);
}

#[tokio::test]
async fn a_person_who_may_have_left_is_listed_as_held() {
    let mut app = TestApp::new().await;
    app.add_users(&[DANA]).await;
    let record = merge_record("7", DANA, AS_OF, "INACTIVE", None);
    app.deliver("merge", &record).await;
    let report = drift(&app, DriftMode::Fix).await;
    assert!(report.is_clean(), "{:?}", report.terminated_with_access);
    let hold = app.open_hold().await;
    assert_eq!(report.held[0].hold, Some(hold));
    app.reject(hold).await.unwrap();
    let report = drift(&app, DriftMode::Fix).await;
    assert_eq!((report.held.len(), report.accepted.len()), (0, 1));
}
