//! Decisions that wait for a person: opened once, then approved, rejected, or withdrawn by newer facts.

mod raised;

use leaver::base::clock::Clock;
use leaver::engine::holds;
use leaver::engine::holds::resolve::ResolveError;
use serde_json::{Value, json};

use crate::support::driving::{event, merge_record, terminated, working};
use crate::support::{TestApp, ada};

const DANA: &str = "dana@example.com";

/// A BambooHR change without values about Dana, who is known to work there.
async fn unread() -> TestApp {
    let mut app = TestApp::new().await;
    app.add_users(&[DANA, "other@example.com"]).await;
    app.bamboohr(&[working("7", DANA, "2026-11-22T10:00:00+0000")])
        .await;
    let changed = event("employee.updated", "7", "2026-11-22T11:00:00+0000");
    app.deliver("bamboohr", &changed).await;
    app
}

/// Merge says that Dana is inactive, and not since when.
fn inactive(modified_at: &str) -> Value {
    merge_record("m1", DANA, modified_at, "INACTIVE", None)
}

async fn doubtful(settings: &[(&str, &str)]) -> TestApp {
    let mut app = TestApp::builder().settings(settings).build().await;
    app.add_users(&[DANA]).await;
    app.deliver("merge", &inactive("2026-11-22T10:00:00Z"))
        .await;
    app
}

/// Dana's address fits two accounts.
async fn ambiguous() -> TestApp {
    let mut app = TestApp::new().await;
    app.add_users(&[DANA, "Dana@Example.com"]).await;
    app.bamboohr(&[terminated("7", DANA, "2026-11-22T10:00:00+0000")])
        .await;
    app
}

#[tokio::test]
async fn a_change_without_values_waits_for_a_person() {
    let mut app = unread().await;
    let open = holds::store::list_open(&mut app.conn).await.unwrap();
    let [hold] = open.as_slice() else {
        panic!("{open:?}")
    };
    assert!(hold.reason.starts_with("needs a read"), "{}", hold.reason);
    assert!(hold.reason.contains("api.api_key"), "{}", hold.reason);
    assert_eq!(hold.account_id.as_deref(), Some("1"));
    assert_eq!(
        (hold.source.as_str(), hold.requested_action.as_str()),
        ("bamboohr", "deactivate")
    );
    assert_eq!(app.user(DANA).await, (true, 2));
    assert_eq!(app.audit().await, ["hold_opened 7"]);
    assert_eq!(app.get("/health").await.body["holds"], json!(1));
}

#[tokio::test]
async fn a_change_without_values_of_an_unknown_employee_opens_a_hold() {
    let mut app = TestApp::new().await;
    let changed = event("employee.updated", "7", "2026-11-22T11:00:00+0000");
    app.deliver("bamboohr", &changed).await;
    assert_eq!(app.holds().await, ["open deactivate 7 -"]);
}

#[tokio::test]
async fn an_approved_hold_is_executed_and_recorded() {
    let mut app = unread().await;
    let hold = app.open_hold().await;
    let done = app.approve(hold, None).await.unwrap();
    assert!(done.is_change());
    assert_eq!(app.user(DANA).await, (false, 0));
    assert_eq!(app.user("other@example.com").await, (true, 2));
    assert_eq!(app.holds().await, ["approved deactivate 7 1"]);
    assert_eq!(
        app.audit_in_full().await,
        [
            "hold_opened 7 1 system:worker",
            "approved 7 1 cli:ada",
            "deactivated 7 1 cli:ada"
        ]
    );
    let kept = "SELECT account_id || ' ' || (deactivated_at IS NOT NULL) FROM leaver.employees";
    assert_eq!(app.text(kept).await.as_deref(), Some("1 true"));
}

#[tokio::test]
async fn what_a_person_deactivated_counts_as_ours_when_they_return() {
    let mut app = unread().await;
    let hold = app.open_hold().await;
    app.approve(hold, None).await.unwrap();
    app.bamboohr(&[working("7", DANA, "2026-11-22T11:30:00+0000")])
        .await;
    assert_eq!(
        app.holds().await,
        ["approved deactivate 7 1", "open reactivate 7 1"]
    );
}

#[tokio::test]
async fn approving_for_an_inactive_account_ends_its_sessions() {
    let mut app = unread().await;
    app.sql("UPDATE users SET is_active = false WHERE id = 1")
        .await;
    let hold = app.open_hold().await;
    assert!(!app.approve(hold, None).await.unwrap().is_change());
    assert_eq!(
        app.audit().await,
        ["hold_opened 7", "approved 7", "sessions_ended 7"]
    );
    assert_eq!(app.user(DANA).await, (false, 0));
    let ours = "SELECT count(*) FROM leaver.employees WHERE deactivated_at IS NOT NULL";
    assert_eq!(app.count(ours).await, 0);
}

#[tokio::test]
async fn a_rejected_hold_is_not_reopened_by_the_same_facts() {
    let mut app = doubtful(&[]).await;
    let hold = app.open_hold().await;
    app.reject(hold).await.unwrap();
    app.deliver("merge", &inactive("2026-11-22T11:00:00Z"))
        .await;
    assert_eq!(app.user(DANA).await, (true, 2));
    assert_eq!(app.holds().await, ["rejected deactivate m1 1"]);
    assert_eq!(
        app.audit_in_full().await,
        ["hold_opened m1 1 system:worker", "rejected m1 1 cli:ada"]
    );
}

#[tokio::test]
async fn changed_facts_raise_a_rejected_hold_again() {
    let mut app = doubtful(&[]).await;
    let hold = app.open_hold().await;
    app.reject(hold).await.unwrap();
    let mut changed = inactive("2026-11-22T11:00:00Z");
    changed["data"]["start_date"] = json!("2021-02-01T00:00:00Z");
    app.deliver("merge", &changed).await;
    assert_eq!(
        app.holds().await,
        ["rejected deactivate m1 1", "open deactivate m1 1"]
    );
}

#[tokio::test]
async fn facts_that_went_away_and_came_back_are_asked_about_again() {
    let mut app = doubtful(&[]).await;
    let hold = app.open_hold().await;
    app.reject(hold).await.unwrap();
    let active = merge_record("m1", DANA, "2026-11-22T11:00:00Z", "ACTIVE", None);
    app.deliver("merge", &active).await;
    app.deliver("merge", &inactive("2026-11-22T11:30:00Z"))
        .await;
    assert_eq!(
        app.holds().await,
        ["rejected deactivate m1 1", "open deactivate m1 1"]
    );
}

#[tokio::test]
async fn an_ambiguous_hold_needs_the_account_named() {
    let mut app = ambiguous().await;
    let hold = app.open_hold().await;
    assert_eq!(app.holds().await, ["open deactivate 7 -"]);

    let error = app.approve(hold, None).await.unwrap_err();
    assert!(matches!(error, ResolveError::NoAccount(id) if id == hold));
    for stranger in ["99", "no-number", "99999999999999999999"] {
        let error = app.approve(hold, Some(stranger)).await.unwrap_err();
        assert!(matches!(error, ResolveError::NoSuchAccount(_)), "{error:?}");
    }
    assert_eq!(app.holds().await, ["open deactivate 7 -"]);
    assert_eq!(app.audit().await, ["hold_opened 7"]);
    assert_eq!(
        app.count("SELECT count(*) FROM users WHERE is_active")
            .await,
        2
    );

    app.approve(hold, Some("2")).await.unwrap();
    assert_eq!(app.user(DANA).await, (true, 2));
    assert_eq!(app.user("Dana@Example.com").await, (false, 0));
    assert_eq!(
        app.audit_in_full().await,
        [
            "hold_opened 7 - system:worker",
            "approved 7 2 cli:ada",
            "deactivated 7 2 cli:ada"
        ]
    );
}

#[tokio::test]
async fn the_account_that_a_person_named_is_the_link_from_then_on() {
    let mut app = ambiguous().await;
    let hold = app.open_hold().await;
    app.approve(hold, Some("2")).await.unwrap();
    app.bamboohr(&[working("7", DANA, "2026-11-22T11:00:00+0000")])
        .await;
    assert_eq!(
        app.holds().await,
        ["approved deactivate 7 -", "open reactivate 7 2"]
    );
}

#[tokio::test]
async fn a_hold_that_knows_its_account_is_about_no_other() {
    let mut app = unread().await;
    let hold = app.open_hold().await;
    let error = app.approve(hold, Some("2")).await.unwrap_err();
    assert!(
        matches!(error, ResolveError::OtherAccount { .. }),
        "{error:?}"
    );
    assert_eq!(app.holds().await, ["open deactivate 7 1"]);
    assert_eq!(
        app.count("SELECT count(*) FROM users WHERE is_active")
            .await,
        2
    );
    app.approve(hold, Some("1")).await.unwrap();
    assert_eq!(app.user(DANA).await, (false, 0));
}

#[tokio::test]
async fn an_unknown_or_closed_hold_cannot_be_answered() {
    let mut app = unread().await;
    let hold = app.open_hold().await;
    for error in [
        app.approve(4_711, None).await.unwrap_err(),
        app.reject(4_711).await.unwrap_err(),
    ] {
        assert!(matches!(error, ResolveError::Unknown(4_711)), "{error:?}");
    }
    app.reject(hold).await.unwrap();
    for error in [
        app.approve(hold, None).await.unwrap_err(),
        app.reject(hold).await.unwrap_err(),
    ] {
        assert!(
            matches!(&error, ResolveError::Closed { state, .. } if state == "rejected"),
            "{error:?}"
        );
    }
    assert_eq!(app.audit().await, ["hold_opened 7", "rejected 7"]);
    assert!(app.is_active(DANA).await);
}

#[tokio::test]
async fn newer_facts_withdraw_a_hold() {
    let mut app = unread().await;
    let hold = app.open_hold().await;
    app.bamboohr(&[working("7", DANA, "2026-11-22T11:30:00+0000")])
        .await;
    assert_eq!(app.holds().await, ["withdrawn deactivate 7 1"]);
    let error = app.approve(hold, None).await.unwrap_err();
    assert!(
        matches!(&error, ResolveError::Closed { state, .. } if state == "withdrawn"),
        "{error:?}"
    );
    assert!(app.is_active(DANA).await);
}

#[tokio::test]
async fn facts_that_settle_the_question_deactivate_and_withdraw_it() {
    let mut app = unread().await;
    app.bamboohr(&[terminated("7", DANA, "2026-11-22T11:30:00+0000")])
        .await;
    assert!(!app.is_active(DANA).await);
    assert_eq!(app.holds().await, ["withdrawn deactivate 7 1"]);
    assert_eq!(app.audit().await, ["hold_opened 7", "deactivated 7"]);
}

#[tokio::test]
async fn an_employee_has_one_open_hold_however_often_it_is_raised() {
    let mut app = unread().await;
    for minute in ["01", "02", "03"] {
        let as_of = format!("2026-11-22T11:{minute}:00+0000");
        let changed = event("employee.updated", "7", &as_of);
        app.deliver("bamboohr", &changed).await;
    }
    assert_eq!(app.holds().await, ["open deactivate 7 1"]);
    assert_eq!(app.audit().await, ["hold_opened 7"]);
}

#[tokio::test]
async fn resolving_a_hold_waits_for_the_worker() {
    let mut app = unread().await;
    let hold = app.open_hold().await;
    let mut worker = app.connect().await;
    sqlx::raw_sql("BEGIN; SELECT 1 FROM leaver.employees WHERE employee_id = '7' FOR UPDATE")
        .execute(&mut worker)
        .await
        .unwrap();
    let answering = tokio::spawn({
        let (options, now) = (app.options.clone(), app.clock.now());
        let policies = app.parts.engine.policies.clone();
        async move {
            let mut conn = leaver::service::connect(&options).await.unwrap();
            leaver::engine::holds::resolve::reject(&mut conn, &policies, hold, &ada(), now).await
        }
    });
    app.wait_until_the_service_waits_for_a_lock().await;
    sqlx::raw_sql("UPDATE leaver.holds SET state = 'withdrawn'; COMMIT")
        .execute(&mut worker)
        .await
        .unwrap();
    let error = answering.await.unwrap().unwrap_err();
    assert!(
        matches!(&error, ResolveError::Closed { state, .. } if state == "withdrawn"),
        "{error:?}"
    );
}
