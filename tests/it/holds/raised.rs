//! Which cases open a hold, and how the operator's policy changes that.

use serde_json::json;

use super::{DANA, doubtful};
use crate::support::driving::{event, merge_record, terminated, working};
use crate::support::{TestApp, employee};

#[tokio::test]
async fn a_protected_account_needs_a_persons_word() {
    let protected = [("LEAVER__ACCOUNTS__PROTECTED", r#"[" Dana@Example.com "]"#)];
    let mut app = TestApp::builder().settings(&protected).build().await;
    app.add_users(&[DANA]).await;
    app.bamboohr(&[terminated("7", DANA, "2026-11-22T10:00:00+0000")])
        .await;
    assert!(app.is_active(DANA).await);
    let hold = app.open_hold().await;
    app.approve(hold, None).await.unwrap();
    assert!(!app.is_active(DANA).await);
}

#[tokio::test]
async fn an_account_linked_to_another_employee_opens_a_hold() {
    let mut app = TestApp::new().await;
    app.add_users(&[DANA]).await;
    app.bamboohr(&[working("7", DANA, "2026-11-22T10:00:00+0000")])
        .await;
    app.bamboohr(&[terminated("8", DANA, "2026-11-22T10:00:00+0000")])
        .await;
    assert!(app.is_active(DANA).await);
    assert_eq!(app.holds().await, ["open deactivate 8 1"]);
    let hold = app.open_hold().await;
    app.reject(hold).await.unwrap();
    app.bamboohr(&[terminated("7", DANA, "2026-11-22T11:00:00+0000")])
        .await;
    assert!(!app.is_active(DANA).await);
}

#[tokio::test]
async fn an_inactive_status_without_a_date_follows_the_policy() {
    for (response, is_active, holds) in [
        ("hold", true, 1),
        ("deactivate", false, 0),
        ("ignore", true, 0),
    ] {
        let mut app = doubtful(&[("LEAVER__POLICY__INACTIVE_WITHOUT_DATE", response)]).await;
        assert_eq!(app.is_active(DANA).await, is_active, "{response}");
        assert_eq!(app.holds().await.len(), holds, "{response}");
    }
}

#[tokio::test]
async fn a_removed_bamboohr_record_follows_the_policy() {
    for (settings, is_active, holds) in [
        (None, false, 0),
        (Some("hold"), true, 1),
        (Some("ignore"), true, 0),
    ] {
        let settings = settings.map(|word| ("LEAVER__POLICY__DELETED__BAMBOOHR", word));
        let mut app = TestApp::builder()
            .settings(settings.as_slice())
            .build()
            .await;
        app.add_users(&[DANA, "other@example.com"]).await;
        app.bamboohr(&[working("7", DANA, "2026-11-22T10:00:00+0000")])
            .await;
        let gone = event("employee.deleted", "7", "2026-11-22T11:00:00+0000");
        app.deliver("bamboohr", &gone).await;
        assert_eq!(app.is_active(DANA).await, is_active, "{settings:?}");
        assert_eq!(app.holds().await.len(), holds, "{settings:?}");
        assert!(app.is_active("other@example.com").await);
    }
}

#[tokio::test]
async fn a_record_that_merge_removed_follows_the_policy() {
    for (settings, is_active, holds) in [
        (None, true, 1),
        (Some("deactivate"), false, 0),
        (Some("ignore"), true, 0),
    ] {
        let settings = settings.map(|word| ("LEAVER__POLICY__DELETED__MERGE", word));
        let mut app = TestApp::builder()
            .settings(settings.as_slice())
            .build()
            .await;
        app.add_users(&[DANA]).await;
        let mut gone = merge_record("m1", DANA, "2026-11-22T11:00:00Z", "ACTIVE", None);
        gone["data"]["remote_was_deleted"] = json!(true);
        app.deliver("merge", &gone).await;
        assert_eq!(app.is_active(DANA).await, is_active, "{settings:?}");
        assert_eq!(app.holds().await.len(), holds, "{settings:?}");
    }
}

#[tokio::test]
async fn a_removed_unknown_employee_opens_no_hold() {
    let mut app = TestApp::new().await;
    app.add_users(&[DANA]).await;
    let gone = event("employee.deleted", "7", "2026-11-22T11:00:00+0000");
    app.deliver("bamboohr", &gone).await;
    assert!(app.holds().await.is_empty());
    assert!(app.audit().await.is_empty());
}

#[tokio::test]
async fn a_status_outside_the_changed_fields_opens_a_hold() {
    let mut app = TestApp::new().await;
    app.add_users(&[DANA]).await;
    let fields = json!({"status": "Inactive", "workEmail": DANA});
    let entry = employee("7", "2026-11-22T10:00:00+0000", &["workEmail"], &fields);
    app.bamboohr(&[entry]).await;
    assert_eq!(app.holds().await, ["open deactivate 7 1"]);
    assert!(app.is_active(DANA).await);
}
