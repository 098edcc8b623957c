//! Terminated employees with access, orphaned accounts, and employees without an account.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use leaver::jobs::drift::{self, DriftMonitor, DriftReport, compare};
use leaver_core::decision::policy::DriftMode;
use serde_json::json;

use crate::support::driving::{terminated, working};
use crate::support::{TestApp, employee, employees};

const THEN: &str = "2026-11-22T11:00:00Z";

/// Ana and Ben have left, Cem works here, and Eve is in no HR system.
async fn app(settings: &[(&str, &str)]) -> TestApp {
    let mut app = TestApp::builder().settings(settings).build().await;
    let people = ["ana", "ben", "cem", "eve"].map(|name| format!("{name}@example.com"));
    app.add_users(&people.each_ref().map(String::as_str)).await;
    app.bamboohr(&[
        terminated("1", "ana@example.com", THEN),
        terminated("2", "ben@example.com", THEN),
        working("3", "cem@example.com", THEN),
    ])
    .await;
    app
}

async fn compared(app: &TestApp, mode: DriftMode) -> DriftReport {
    compare(&app.parts.engine, mode).await.unwrap()
}

/// The employee ids of those found.
fn ids(found: &[drift::TerminatedWithAccess]) -> Vec<&str> {
    found.iter().map(|one| one.employee_id.as_str()).collect()
}

async fn reactivate(app: &mut TestApp, email: &str) {
    app.sql(&format!(
        "UPDATE users SET is_active = true WHERE email = '{email}'"
    ))
    .await;
}

#[tokio::test]
async fn access_given_back_by_hand_is_only_reported() {
    let mut app = app(&[]).await;
    assert_eq!(
        ids(&compared(&app, DriftMode::Report)
            .await
            .terminated_with_access),
        [""; 0]
    );
    reactivate(&mut app, "ana@example.com").await;
    let found = compared(&app, DriftMode::Report).await;
    assert_eq!(ids(&found.terminated_with_access), ["1"]);
    let one = &found.terminated_with_access[0];
    assert_eq!(one.work_email.as_deref(), Some("ana@example.com"));
    assert!(
        one.account_id.is_some() && one.reason.contains("Terminated"),
        "{one:?}"
    );
    assert!(app.is_active("ana@example.com").await);
}

#[tokio::test]
async fn the_fix_mode_ends_access_and_sessions() {
    let mut app = app(&[]).await;
    reactivate(&mut app, "ana@example.com").await;
    app.sql("INSERT INTO sessions (user_id) SELECT id FROM users WHERE email = 'ana@example.com'")
        .await;
    let found = compared(&app, DriftMode::Fix).await;
    assert_eq!(
        (ids(&found.fixed), ids(&found.terminated_with_access)),
        (vec!["1"], vec![])
    );
    assert_eq!(app.user("ana@example.com").await, (false, 0));
    assert!(app.is_active("cem@example.com").await && app.is_active("eve@example.com").await);
    let last = app.audit_in_full().await.pop().unwrap();
    assert!(
        last.starts_with("deactivated 1 ") && last.ends_with(" system:drift"),
        "{last}"
    );
    // A second comparison finds nothing.
    let found = compared(&app, DriftMode::Fix).await;
    assert!(found.fixed.is_empty() && found.terminated_with_access.is_empty());
}

#[tokio::test]
async fn one_failing_account_does_not_block_the_others() {
    let mut app = app(&[]).await;
    reactivate(&mut app, "ana@example.com").await;
    reactivate(&mut app, "ben@example.com").await;
    app.refuse_to_change(&[1], "P0001").await;
    let found = compared(&app, DriftMode::Fix).await;
    assert_eq!(
        (ids(&found.fixed), ids(&found.terminated_with_access)),
        (vec!["2"], vec!["1"])
    );
    let failure = found.terminated_with_access[0].failure.clone().unwrap();
    assert!(
        failure.contains("P0001") && !failure.contains("example.com"),
        "{failure}"
    );
}

#[tokio::test]
async fn a_rejected_hold_keeps_a_protected_account_active() {
    let mut app = app(&[("LEAVER__ACCOUNTS__PROTECTED", r#"["cem@example.com"]"#)]).await;
    app.bamboohr(&[terminated("3", "cem@example.com", "2026-11-22T11:30:00Z")])
        .await;
    let found = compared(&app, DriftMode::Fix).await;
    assert_eq!(ids(&found.terminated_with_access), ["3"]);
    let hold = app.open_hold().await;
    assert_eq!(found.terminated_with_access[0].hold, Some(hold));
    app.reject(hold).await.unwrap();
    let found = compared(&app, DriftMode::Fix).await;
    assert_eq!(
        (ids(&found.accepted), ids(&found.terminated_with_access)),
        (vec!["3"], vec![])
    );
    assert!(app.is_active("cem@example.com").await);
}

#[tokio::test]
async fn orphaned_accounts_and_unmatched_employees_are_listed() {
    let mut app = app(&[("LEAVER__ACCOUNTS__PROTECTED", r#"["root@example.com"]"#)]).await;
    app.add_users(&["root@example.com"]).await;
    app.bamboohr(&[
        working("4", "dia@example.com", THEN),
        terminated("5", "old@example.com", THEN),
    ])
    .await;
    let found = compared(&app, DriftMode::Report).await;
    let accounts: Vec<_> = found
        .active_without_employee
        .iter()
        .map(|one| (one.email.as_deref().unwrap(), one.protected))
        .collect();
    assert_eq!(
        accounts,
        [("eve@example.com", false), ("root@example.com", true)]
    );
    let without: Vec<_> = found
        .unmatched
        .iter()
        .map(|one| (one.employee_id.as_str(), one.left))
        .collect();
    assert_eq!(without, [("4", false), ("5", true)]);
    // No source was read, and the report shows that.
    assert!(!found.rests_on_complete_reads);
    assert_eq!(found.reads.len(), 2);
    assert!(
        found
            .reads
            .iter()
            .all(|read| !read.complete && read.reason.is_some())
    );
}

#[tokio::test]
async fn an_account_shared_with_an_employed_person_is_no_drift() {
    let mut app = app(&[]).await;
    // A contractor who became an employee: the old record is terminated, the new one is active.
    let mut employee = working("30", "cem@example.com", THEN);
    employee["fields"]["hireDate"] = "2023-05-01".into();
    let mut contractor = terminated("3", "cem@example.com", "2026-11-22T11:30:00Z");
    contractor["fields"]["hireDate"] = "2020-03-02".into();
    app.bamboohr(&[employee]).await;
    app.bamboohr(&[contractor]).await;
    assert!(app.is_active("cem@example.com").await);
    let found = compared(&app, DriftMode::Fix).await;
    assert_eq!(ids(&found.terminated_with_access), [""; 0]);
    assert!(app.is_active("cem@example.com").await);
}

#[tokio::test]
async fn all_pages_are_compared() {
    let mut app = TestApp::new().await;
    app.sql("INSERT INTO users (email) SELECT 'p' || n || '@example.com' FROM generate_series(1, 1203) n")
        .await;
    let all: Vec<_> = (1..=1203)
        .map(|n| {
            let fields = json!({"status": "Inactive", "employmentHistoryStatus": "Terminated",
                                "workEmail": format!("p{n}@example.com")});
            employee(&n.to_string(), THEN, &["status"], &fields)
        })
        .collect();
    app.deliver("bamboohr", &employees(&all)).await;
    app.sql("UPDATE users SET is_active = true").await;
    let found = compared(&app, DriftMode::Report).await;
    assert_eq!(found.counts.terminated_with_access, 1203);
    assert!(found.active_without_employee.is_empty() && found.unmatched.is_empty());
    let found = compared(&app, DriftMode::Fix).await;
    assert_eq!(found.counts.fixed, 1203);
    assert_eq!(
        app.count("SELECT count(*) FROM users WHERE is_active")
            .await,
        0
    );
}

#[tokio::test]
async fn the_service_compares_when_due_and_health_reports_it() {
    let mut app = app(&[]).await;
    let every = Duration::from_hours(1);
    let monitor = DriftMonitor::new(Arc::clone(&app.parts.engine), DriftMode::Report, every);
    reactivate(&mut app, "ana@example.com").await;
    let checked = monitor.check_if_due().await.unwrap().unwrap();
    assert_eq!((checked.terminated_with_access, checked.fixed), (1, 0));
    let health = app.get("/health").await.body;
    assert_eq!(health["status"], "degraded");
    assert_eq!(health["drift"]["terminated_with_access"], 1);
    let metrics = app.get("/metrics").await.body;
    let metrics = metrics.as_str().unwrap();
    assert!(
        metrics.contains("leaver_drift_terminated_with_access 1\n"),
        "{metrics}"
    );

    assert_eq!(
        monitor.check_if_due().await.unwrap(),
        None,
        "it is not due yet"
    );
    app.advance(TimeDelta::minutes(61));
    let fixing = DriftMonitor::new(Arc::clone(&app.parts.engine), DriftMode::Fix, every);
    let checked = fixing.check_if_due().await.unwrap().unwrap();
    assert_eq!((checked.terminated_with_access, checked.fixed), (0, 1));
    assert_eq!(app.get("/health").await.body["status"], "ok");
}

#[tokio::test]
async fn only_one_of_two_replicas_compares() {
    let mut app = app(&[]).await;
    let every = Duration::from_hours(1);
    let monitor = DriftMonitor::new(Arc::clone(&app.parts.engine), DriftMode::Report, every);
    let lock = "SELECT pg_advisory_lock(hashtextextended('leaver.drift', 0))::text";
    app.lines(lock).await;
    assert_eq!(monitor.check_if_due().await.unwrap(), None);
    app.sql("SELECT pg_advisory_unlock_all()").await;
    assert!(monitor.check_if_due().await.unwrap().is_some());
}

#[tokio::test]
async fn the_command_lists_drift_and_exits_1_until_it_is_fixed() {
    let mut app = TestApp::builder().unmigrated().build().await;
    app.sql("INSERT INTO users (email) VALUES ('ana@example.com'), ('eve@example.com')")
        .await;
    let service = app.serve(&[]);
    let body = employees(&[terminated("1", "ana@example.com", THEN)]).to_string();
    let file = app.file("ana.json", &body);
    service.send(&app, "bamboohr", &file).succeeded();
    app.wait_until_processed().await;
    service.stop();
    let quiet = app.run(&["drift"]).succeeded();
    assert!(
        quiet.err.contains("terminated with access: none"),
        "{quiet:?}"
    );

    app.sql("UPDATE users SET is_active = true").await;
    let found = app
        .run(&["drift"])
        .findings(&["ana@example.com", "eve@example.com"]);
    assert!(found.err.contains("leaver drift --fix"), "{found:?}");
    let output = app.run(&["drift", "--json"]);
    assert_eq!(output.code, Some(1));
    let found = output.json();
    assert_eq!(found["terminated_with_access"][0]["employee_id"], "1");
    assert_eq!(
        found["active_without_employee"][0]["email"],
        "eve@example.com"
    );
    assert_eq!(found["unmatched"], json!([]));
    assert_eq!(found["rests_on_complete_reads"], json!(false));

    let fix = [("LEAVER__DRIFT__MODE", "fix")];
    let output = app.run_with(&["drift", "--json"], &fix).succeeded();
    assert_eq!(output.json()["fixed"][0]["employee_id"], "1");
    assert_eq!(app.active().await, ["eve@example.com"]);
}
