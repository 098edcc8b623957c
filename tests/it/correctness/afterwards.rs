//! Accounts that change after an end: another status, a deleted row, an address that is given again.

use leaver::engine::holds::resolve::{Named, ResolveError};
use leaver_core::decision::policy::DriftMode;

use super::acting::{AS_OF, DANA, EVE, drift};
use crate::support::TestApp;
use crate::support::driving::{REACTIVATE, merge_record, terminated, working};

const LATER: &str = "2026-11-22T11:30:00Z";
const STATUSES: &str = "CREATE TABLE users (id int PRIMARY KEY, email text, status text);
                        INSERT INTO users VALUES (1, 'dana@example.com', 'invited');
                        CREATE TABLE sessions (id bigint, user_id bigint)";

/// Dana has left, and her account has the status of a deactivation.
async fn suspended(more: &[(&str, &str)]) -> TestApp {
    let settings = [
        ("LEAVER__ACCOUNTS__STATUS_COLUMN", "status"),
        ("LEAVER__ACCOUNTS__ACTIVE_VALUES", "['active', 'invited']"),
        ("LEAVER__ACCOUNTS__INACTIVE_VALUE", "suspended"),
    ];
    let app = TestApp::builder().tables(STATUSES).settings(&settings);
    let mut app = app.settings(more).build().await;
    app.bamboohr(&[terminated("7", DANA, AS_OF)]).await;
    assert_eq!(status(&mut app).await, "suspended");
    app
}

async fn status(app: &mut TestApp) -> String {
    app.text("SELECT status FROM users").await.unwrap()
}

async fn set_status(app: &mut TestApp, status: &str) {
    app.sql(&format!("UPDATE users SET status = '{status}'"))
        .await;
}

#[tokio::test]
async fn a_return_overwrites_no_status_that_others_set() {
    let mut app = suspended(&[REACTIVATE]).await;
    set_status(&mut app, "banned").await;
    app.bamboohr(&[working("7", DANA, LATER)]).await;
    assert_eq!(status(&mut app).await, "banned");
    assert_eq!(app.audit().await, ["deactivated 7"]);
    let blocked = "SELECT count(*) FROM leaver.employees WHERE blocked_since IS NOT NULL";
    assert_eq!(app.count(blocked).await, 0);

    set_status(&mut app, "suspended").await;
    app.bamboohr(&[working("7", DANA, "2026-11-22T11:40:00Z")])
        .await;
    assert_eq!(status(&mut app).await, "invited");
}

#[tokio::test]
async fn an_approved_return_overwrites_no_status_either() {
    let mut app = suspended(&[]).await;
    app.bamboohr(&[working("7", DANA, LATER)]).await;
    let hold = app.open_hold().await;
    set_status(&mut app, "banned").await;
    let error = app.approve(hold, None).await.unwrap_err();
    assert!(
        matches!(error, ResolveError::OtherStatus { .. }),
        "{error:?}"
    );
    assert_eq!(status(&mut app).await, "banned");
    assert_eq!(app.open_hold().await, hold);
    // The next evaluation withdraws the question.
    drift(&app, DriftMode::Report).await;
    app.bamboohr(&[working("7", DANA, "2026-11-22T11:40:00Z")])
        .await;
    assert_eq!(app.holds().await, ["withdrawn reactivate 7 1"]);
}

#[tokio::test]
async fn an_ended_leaver_whose_account_is_deleted_stays_ended() {
    let mut app = TestApp::new().await;
    app.add_users(&[DANA, EVE]).await;
    app.bamboohr(&[terminated("7", DANA, AS_OF)]).await;
    app.sql("DELETE FROM sessions; DELETE FROM users WHERE id = 1")
        .await;
    app.bamboohr(&[terminated("7", DANA, LATER)]).await;
    let report = drift(&app, DriftMode::Fix).await;
    assert!(report.is_clean() && report.unmatched.is_empty());
    let health = app.get("/health").await.body;
    assert_eq!(health["without_account"], 0, "{health}");
    let explained = app.run(&["explain", "7", "--json"]).succeeded().json();
    assert_eq!(explained[0]["state"], "ended", "{explained}");

    // Another end than the one that was carried out.
    app.set_clock("2026-12-10T12:00:00Z");
    let mut again = terminated("7", DANA, "2026-12-10T11:00:00Z");
    again["fields"]["hireDate"] = "2026-12-01".into();
    app.bamboohr(&[again]).await;
    let health = app.get("/health").await.body;
    assert_eq!(health["without_account"], 1, "{health}");
}

#[tokio::test]
async fn approving_for_all_finds_accounts_after_the_link_is_gone() {
    let mut app = TestApp::new().await;
    app.add_users(&[DANA]).await;
    let record = merge_record("m7", DANA, AS_OF, "ACTIVE", None);
    app.deliver("merge", &record).await;
    app.sql("DELETE FROM sessions; DELETE FROM users").await;
    app.add_users(&[DANA, EVE]).await;
    let date = Some("2026-11-20T00:00:00Z");
    let record = merge_record("m7", DANA, LATER, "INACTIVE", date);
    app.deliver("merge", &record).await;
    assert_eq!(app.holds().await, ["open deactivate m7 -"]);
    let hold = app.open_hold().await;
    let done = app.approve_for(hold, &Named::All).await.unwrap();
    assert!(done.is_change() && done.still_active.is_empty());
    assert_eq!(app.active().await, [EVE]);
}
