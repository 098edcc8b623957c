//! What a company reported while it was configured has no effect after it is removed, unless a person decides.

use leaver::engine::holds::resolve::ResolveError;
use leaver::jobs::drift::compare;
use leaver_core::decision::policy::DriftMode;

use super::Company::{Acme, Globex};
use super::{
    EMAIL, EMPLOYED, LEFT, LINKED, LINKED_A, LINKED_B, Report, deletion, record, says,
    two_companies, with_config,
};
use crate::support::TestApp;

const DECLARED: &str = "[accounts]\nsingle_company = true";
/// The configuration without Globex.
const ACME_ONLY: &str = r#"
[[sources]]
name = "merge"
provider = "merge"
webhook_secrets = ["env:KEY_M"]
linked_accounts = [{ id = "5b0f3a9e-1c2d-4e3f-8a4b-6c7d8e9f0a1b", tenant = "acme" }]
"#;

#[tokio::test]
async fn a_removed_company_ends_nothing_by_itself() {
    // Globex alone announces an end. Then it is removed.
    let mut before = two_companies(DECLARED, LINKED).await;
    let leaving = Report::Leaving("2026-11-24");
    says(&mut before, Globex, LINKED, leaving, LEFT).await;
    let mut app = with_config(&before, ACME_ONLY).await;
    app.set_clock("2026-11-26T00:00:00Z");
    app.run_due().await;
    assert!(app.is_active(EMAIL).await);
    compare(&app.parts.engine, DriftMode::Fix).await.unwrap();
    assert!(app.is_active(EMAIL).await);
    let hold = app.open_hold().await;
    let reason = app.text("SELECT reason FROM leaver.holds").await.unwrap();
    assert!(reason.contains("tenant globex is no tenant"), "{reason}");
    let refused = app.approve(hold, None).await;
    assert!(
        matches!(refused, Err(ResolveError::Outside { .. })),
        "{refused:?}"
    );
    assert!(app.is_active(EMAIL).await);
    // An unlisted account of the same company is outside too.
    let moved = ACME_ONLY.replace(LINKED_A, "33333333-2222-4333-8444-555555555555");
    let moved = moved.replace("tenant = \"acme\"", "tenant = \"globex\"");
    let app = with_config(&before, &moved).await;
    app.run_due_and_expect_access().await;
}

#[tokio::test]
async fn a_removed_company_keeps_no_access() {
    let mut before = two_companies(DECLARED, LINKED).await;
    for (company, report) in [
        (Acme, Report::Employed),
        (Globex, Report::Rehired("2023-01-09")),
    ] {
        says(&mut before, company, LINKED, report, EMPLOYED).await;
    }
    let mut app = with_config(&before, ACME_ONLY).await;
    says(&mut app, Acme, LINKED, Report::Left, LEFT).await;
    assert!(!app.is_active(EMAIL).await);
}

#[tokio::test]
async fn a_replaced_company_ends_nothing_by_itself() {
    let mut app = TestApp::new().await;
    app.add_users(&[EMAIL]).await;
    let day = Some("2026-11-24T00:00:00Z");
    let mut leaving = record(LINKED_B, "b", EMAIL, EMPLOYED, day);
    leaving["data"]["employment_status"] = "ACTIVE".into();
    app.deliver("merge", &leaving).await;
    app.deliver("merge", &deletion(LINKED_B)).await;
    app.deliver(
        "merge",
        &record(LINKED_A, "a", "bo@example.com", LEFT, None),
    )
    .await;
    app.set_clock("2026-11-26T00:00:00Z");
    app.run_due().await;
    assert!(app.is_active(EMAIL).await);
    let reason = app.text("SELECT reason FROM leaver.holds").await.unwrap();
    assert!(reason.contains("is not the company"), "{reason}");
}

impl TestApp {
    async fn run_due_and_expect_access(mut self) {
        self.sql("UPDATE leaver.employees SET access_ends_at = '2026-11-25T00:00:00Z'")
            .await;
        self.run_due().await;
        assert!(self.is_active(EMAIL).await);
    }
}
