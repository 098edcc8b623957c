//! An approval looks again at the tenant and at protection when it is carried out.

use leaver::engine::holds::resolve::ResolveError;

use super::Company::{Acme, Globex};
use super::{
    BOTH_PROVIDERS, EMAIL, EMPLOYED, LEFT, LINKED_B, Report, record, says, two_companies,
    with_config,
};
use crate::support::TestApp;
use crate::support::driving::{merge_record, terminated, working};
use crate::support::process::CommandOutput;

/// `accounts.protected` for one command.
const PROTECT: (&str, &str) = ("LEAVER__ACCOUNTS__PROTECTED", "[\"ana@example.com\"]");
const DECLARED: &str = "[accounts]\nsingle_company = true";

/// A hold of Globex about the account, from a time when Acme had not named the person.
async fn held(accounts: &str) -> (TestApp, i64) {
    let mut app = two_companies(accounts, BOTH_PROVIDERS).await;
    let mut body = record(LINKED_B, "g1", EMAIL, EMPLOYED, None);
    body["data"]["employment_status"] = "INACTIVE".into();
    app.deliver("merge", &body).await;
    let hold = app.open_hold().await;
    (app, hold)
}

#[tokio::test]
async fn an_approval_sees_that_another_tenant_employs_the_person() {
    let (mut app, hold) = held(DECLARED).await;
    says(&mut app, Acme, BOTH_PROVIDERS, Report::Employed, LEFT).await;
    let first = app.approve(hold, None).await;
    assert!(
        matches!(first, Err(ResolveError::Unread { .. })),
        "{first:?}"
    );
    assert!(app.is_active(EMAIL).await);
    let reason = app
        .text("SELECT reason FROM leaver.holds WHERE state = 'open'")
        .await;
    let reason = reason.unwrap();
    assert!(
        reason.contains("another tenant reports") && reason.contains("acme"),
        "{reason}"
    );
    // The person has read it now.
    app.approve(hold, None).await.unwrap();
    assert!(!app.is_active(EMAIL).await);
}

#[tokio::test]
async fn an_approval_sees_that_the_account_is_protected_now() {
    let (mut app, hold) = held(DECLARED).await;
    let approve = |app: &TestApp| -> CommandOutput {
        let path = app.file("leaver.toml", &format!("{DECLARED}\n{BOTH_PROVIDERS}"));
        let hold = hold.to_string();
        let config = path.to_str().unwrap();
        app.run_with(
            &["holds", "approve", &hold, "--config", config, "--as", "kim"],
            &[PROTECT],
        )
    };
    let first = approve(&app);
    assert_eq!(first.code, Some(3), "{first:?}");
    assert!(first.err.contains("is protected"), "{first:?}");
    assert!(app.is_active(EMAIL).await);
    approve(&app).succeeded();
    assert!(!app.is_active(EMAIL).await);
}

#[tokio::test]
async fn an_approval_of_several_skips_what_is_protected_now() {
    let mut app = TestApp::new().await;
    let emails = [EMAIL, "bo@example.com"];
    app.add_users(&emails).await;
    for email in emails {
        app.deliver("merge", &merge_record(email, email, LEFT, "INACTIVE", None))
            .await;
    }
    let filter = ["holds", "approve", "--source", "merge", "--as", "kim"];
    let listed = app.run(&[&filter[..], &["--json"]].concat()).json();
    let digest = listed["digest"].as_str().unwrap();
    let args = [&filter[..], &["--confirm", digest]].concat();
    let confirmed = app.run_with(&args, &[PROTECT]);
    assert_eq!(confirmed.code, Some(1), "{confirmed:?}");
    assert!(app.is_active(EMAIL).await);
    assert!(!app.is_active(emails[1]).await);
}

#[tokio::test]
async fn an_account_that_moved_to_another_tenant_is_not_ended() {
    let (mut app, hold) = {
        let mut app =
            two_companies("[accounts]\ntenant_column = \"company\"", BOTH_PROVIDERS).await;
        app.sql("UPDATE users SET company = 'globex'").await;
        let mut body = record(LINKED_B, "g1", EMAIL, EMPLOYED, None);
        body["data"]["employment_status"] = "INACTIVE".into();
        app.deliver("merge", &body).await;
        let hold = app.open_hold().await;
        (app, hold)
    };
    app.sql("UPDATE users SET company = 'acme'").await;
    let refused = app.approve(hold, None).await;
    assert!(
        matches!(refused, Err(ResolveError::NoSuchAccount(_))),
        "{refused:?}"
    );
    assert!(app.is_active(EMAIL).await);
}

#[tokio::test]
async fn a_hold_of_a_removed_tenant_is_not_approved() {
    let (app, hold) = held(DECLARED).await;
    let acme = BOTH_PROVIDERS.replace("tenant = \"globex\"", "tenant = \"acme\"");
    let mut app = with_config(&app, &acme).await;
    let refused = app.approve(hold, None).await;
    assert!(
        matches!(refused, Err(ResolveError::Outside { .. })),
        "{refused:?}"
    );
    assert!(app.is_active(EMAIL).await);
}

#[tokio::test]
async fn a_return_is_not_approved_unseen_against_another_tenant() {
    let mut app = two_companies(DECLARED, BOTH_PROVIDERS).await;
    says(&mut app, Globex, BOTH_PROVIDERS, Report::Employed, EMPLOYED).await;
    says(&mut app, Globex, BOTH_PROVIDERS, Report::Left, LEFT).await;
    let again = Report::Rehired("2026-11-22");
    says(
        &mut app,
        Globex,
        BOTH_PROVIDERS,
        again,
        "2026-11-22T11:30:00Z",
    )
    .await;
    let hold = app.open_hold().await;
    // Acme reports the end after the hold was opened.
    says(
        &mut app,
        Acme,
        BOTH_PROVIDERS,
        Report::Left,
        "2026-11-22T11:40:00Z",
    )
    .await;
    let first = app.approve(hold, None).await;
    assert!(
        matches!(first, Err(ResolveError::Unread { .. })),
        "{first:?}"
    );
    assert!(!app.is_active(EMAIL).await);
    app.approve(hold, None).await.unwrap();
    assert!(app.is_active(EMAIL).await);
}

/// An app with a trip of two leavers.
async fn tripped(settings: &[(&str, &str)]) -> TestApp {
    let limits = [
        ("LEAVER__SAFEGUARD__HOUR__FLOOR", "1"),
        ("LEAVER__SAFEGUARD__HOUR__PERCENT", "1"),
    ];
    let builder = TestApp::builder().settings(&limits).settings(settings);
    let mut app = builder.build().await;
    app.add_users(&[EMAIL, "bo@example.com"]).await;
    app.bamboohr(&[
        terminated("1", EMAIL, LEFT),
        terminated("2", "bo@example.com", LEFT),
    ])
    .await;
    assert!(app.is_active(EMAIL).await);
    app
}

#[tokio::test]
async fn a_release_skips_what_is_protected_now() {
    let mut app = tripped(&[]).await;
    let listed = app.run(&["safeguard", "release", "1", "--json"]).json();
    let digest = listed["digest"].as_str().unwrap();
    let args = [
        "safeguard",
        "release",
        "1",
        "--confirm",
        digest,
        "--as",
        "kim",
    ];
    app.run_with(&args, &[PROTECT]);
    assert!(app.is_active(EMAIL).await);
    assert!(!app.is_active("bo@example.com").await);
}

#[tokio::test]
async fn a_backlog_leaves_out_what_is_protected_now() {
    let mut app = TestApp::builder()
        .settings(&[("LEAVER__SAFEGUARD__MODE", "shadow")])
        .build()
        .await;
    app.add_users(&[EMAIL, "bo@example.com"]).await;
    app.bamboohr(&[
        terminated("1", EMAIL, LEFT),
        terminated("2", "bo@example.com", LEFT),
    ])
    .await;
    let args = [
        "enforce",
        "--source",
        "bamboohr",
        "--backlog",
        "release",
        "--as",
        "kim",
    ];
    app.run_with(&args, &[PROTECT]);
    assert!(app.is_active(EMAIL).await);
    assert!(!app.is_active("bo@example.com").await);
}

#[tokio::test]
async fn an_undo_does_not_end_what_is_protected_now() {
    let mut app = TestApp::builder()
        .settings(&[("LEAVER__POLICY__REHIRE", "reactivate")])
        .build()
        .await;
    app.add_users(&[EMAIL]).await;
    app.bamboohr(&[terminated("1", EMAIL, EMPLOYED)]).await;
    app.bamboohr(&[working("1", EMAIL, LEFT)]).await;
    assert!(app.is_active(EMAIL).await);
    let batch = "SELECT batch_id::text FROM leaver.changes WHERE direction = 'reactivated'";
    let batch = app.text(batch).await.unwrap();
    let undo = ["undo", "--batch", &batch, "--as", "kim", "--json"];
    let listed = app.run(&undo).json();
    let digest = listed["digest"].as_str().unwrap();
    let undone = app.run_with(&[&undo[..], &["--confirm", digest]].concat(), &[PROTECT]);
    assert_eq!(
        undone.json()["kept"][0]["reason"],
        "protected",
        "{undone:?}"
    );
    assert!(app.is_active(EMAIL).await);
}
