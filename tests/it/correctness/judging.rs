//! Which employment a termination date belongs to, and what counts as a rehire: through webhooks, forms, syncs, the timer,
//! drift, replay and holds.

use leaver::jobs::drift::compare;
use leaver_core::decision::policy::DriftMode;
use serde_json::json;

use crate::support::driving::{REACTIVATE, leaving, merge_record};
use crate::support::{FORM, TestApp, employee, merge_changed};

const DANA: &str = "dana@example.com";
const HOLD: (&str, &str) = ("LEAVER__POLICY__REHIRE", "hold");
const LAST_DAY: &str = "2026-11-24";
const MIDNIGHT: &str = "2026-11-24T00:00:00Z";

/// Dana, whose announced end the timer carried out.
async fn ended(source: &str, rehire: (&str, &str)) -> TestApp {
    let mut app = TestApp::builder().settings(&[rehire]).build().await;
    app.add_users(&[DANA]).await;
    if source == "merge" {
        let record = merge_record("7", DANA, "2026-11-22T11:00:00Z", "ACTIVE", Some(MIDNIGHT));
        app.deliver("merge", &record).await;
    } else {
        app.bamboohr(&[leaving("7", DANA, "2026-11-22T11:00:00+0000", LAST_DAY)])
            .await;
    }
    app.set_clock("2026-11-25T00:00:00Z");
    app.run_due().await;
    assert_eq!(app.user(DANA).await, (false, 0));
    app
}

/// The service repeats no question and gives no access back.
async fn stays_ended(app: &mut TestApp) {
    assert!(!app.is_active(DANA).await);
    assert!(app.holds().await.is_empty(), "{:?}", app.holds().await);
    assert_eq!(app.audit().await, ["scheduled 7", "deactivated 7"]);
}

#[tokio::test]
async fn active_with_the_date_of_the_end_is_no_rehire() {
    for rehire in [HOLD, REACTIVATE] {
        let mut app = ended("merge", rehire).await;
        let again = merge_record("7", DANA, "2026-11-25T01:00:00Z", "ACTIVE", Some(MIDNIGHT));
        app.deliver("merge", &again).await;
        stays_ended(&mut app).await;

        let mut app = ended("bamboohr", rehire).await;
        app.bamboohr(&[leaving("7", DANA, "2026-11-25T01:00:00+0000", LAST_DAY)])
            .await;
        stays_ended(&mut app).await;
        app.set_clock("2026-11-25T02:00:00Z");
        let form = format!(
            "employees[7][status]=Active&employees[7][terminationDate]={LAST_DAY}&employees[7][workEmail]={DANA}"
        );
        app.send("bamboohr", FORM, form).await;
        app.work().await;
        stays_ended(&mut app).await;
    }
}

#[tokio::test]
async fn later_employment_after_the_end_is_a_rehire() {
    for (rehire, is_active) in [(HOLD, false), (REACTIVATE, true)] {
        let mut app = ended("merge", rehire).await;
        let mut back = merge_record("7", DANA, "2026-11-25T01:00:00Z", "ACTIVE", Some(MIDNIGHT));
        back["data"]["start_date"] = json!("2026-11-25T00:00:00Z");
        app.deliver("merge", &back).await;
        assert_eq!(app.is_active(DANA).await, is_active);
        assert_eq!(app.holds().await.len(), usize::from(!is_active));

        let mut app = ended("bamboohr", rehire).await;
        app.bamboohr(&[leaving("7", DANA, "2026-11-25T01:00:00+0000", "2026-12-24")])
            .await;
        assert_eq!(app.is_active(DANA).await, is_active);
        assert_eq!(app.holds().await.len(), usize::from(!is_active));
    }
}

#[tokio::test]
async fn approved_return_is_not_ended_by_the_old_date() {
    let mut app = ended("merge", HOLD).await;
    let withdrawn = merge_record("7", DANA, "2026-11-25T01:00:00Z", "ACTIVE", None);
    app.deliver("merge", &withdrawn).await;
    let hold = app.open_hold().await;
    app.approve(hold, None).await.unwrap();
    let again = merge_record("7", DANA, "2026-11-25T02:00:00Z", "ACTIVE", Some(MIDNIGHT));
    app.deliver("merge", &again).await;
    app.run_due().await;
    assert!(app.is_active(DANA).await);
    assert_eq!(app.holds().await, ["approved reactivate 7 1"]);
}

#[tokio::test]
async fn past_date_that_is_new_with_an_active_status_is_held() {
    let mut app = TestApp::new().await;
    app.add_users(&[DANA, "lee@example.com", "kim@example.com"])
        .await;
    let record = merge_record(
        "m1",
        DANA,
        "2026-11-22T11:00:00Z",
        "ACTIVE",
        Some("2026-11-20T00:00:00Z"),
    );
    app.deliver("merge", &record).await;
    let fields = json!({"status": "Active", "terminationDate": "2026-11-20", "hireDate": "2020-01-01",
                        "workEmail": "lee@example.com"});
    app.bamboohr(&[employee("1", "2026-11-22T11:00:00+0000", &[], &fields)])
        .await;
    let form = "employees[2][terminationDate]=2026-11-20&employees[2][workEmail]=kim@example.com";
    app.send("bamboohr", FORM, form).await;
    app.work().await;
    assert_eq!(
        app.holds().await,
        [
            "open deactivate m1 1",
            "open deactivate 1 2",
            "open deactivate 2 3"
        ]
    );
    let hold = "SELECT id FROM leaver.holds WHERE employee_id = 'm1'";
    let hold = app.count(hold).await;
    app.approve(hold, None).await.unwrap();
    assert_eq!(app.user(DANA).await, (false, 0));
    assert_eq!(app.user("lee@example.com").await, (true, 2));
}

#[tokio::test]
async fn date_of_an_earlier_employment_does_not_end_a_leave() {
    let mut app = TestApp::new().await;
    app.add_users(&[DANA, "lee@example.com"]).await;
    let fields = json!({"status": "Inactive", "employmentHistoryStatus": "Leave of absence", "workEmail": DANA,
                        "terminationDate": "2023-06-30", "hireDate": "2024-02-01"});
    app.bamboohr(&[employee(
        "1",
        "2026-11-22T11:00:00+0000",
        &["status"],
        &fields,
    )])
    .await;
    let record = merge_changed(&json!({
        "id": "m1", "modified_at": "2026-11-22T11:00:00Z", "employment_status": "INACTIVE",
        "termination_date": "2023-06-30T00:00:00Z", "start_date": "2024-02-01T00:00:00Z",
        "work_email": "lee@example.com",
    }));
    app.deliver("merge", &record).await;
    assert!(app.is_active(DANA).await);
    assert!(app.is_active("lee@example.com").await);
    assert_eq!(
        app.holds().await,
        ["open deactivate 1 1", "open deactivate m1 2"]
    );
}

#[tokio::test]
async fn leaver_with_a_new_employment_ahead_is_no_pre_hire() {
    let mut app = TestApp::new().await;
    app.add_users(&[DANA, "lee@example.com", "new@example.com"])
        .await;
    let fields = json!({"status": "Inactive", "workEmail": DANA, "terminationDate": "2026-11-21",
                        "hireDate": "2026-12-25"});
    let by_status = json!({"status": "Inactive", "employmentHistoryStatus": "Terminated",
                           "workEmail": "lee@example.com", "hireDate": "2026-12-25"});
    let pre_hire =
        json!({"status": "Inactive", "workEmail": "new@example.com", "hireDate": "2026-12-25"});
    let at = "2026-11-22T11:00:00+0000";
    app.bamboohr(&[
        employee("1", at, &["status"], &fields),
        employee("2", at, &["status"], &by_status),
        employee("3", at, &["status"], &pre_hire),
    ])
    .await;
    assert_eq!(app.user(DANA).await, (false, 0));
    assert_eq!(app.user("lee@example.com").await, (false, 0));
    assert_eq!(app.user("new@example.com").await, (true, 2));
}

#[tokio::test]
async fn terminated_beside_an_active_status_is_held() {
    let mut app = TestApp::new().await;
    app.add_users(&[DANA, "lee@example.com"]).await;
    let fields =
        json!({"status": "Active", "employmentHistoryStatus": "Terminated", "workEmail": DANA});
    let changed = ["employmentHistoryStatus"];
    app.bamboohr(&[employee("1", "2026-11-22T11:00:00+0000", &changed, &fields)])
        .await;
    let form = "employees[2][status]=Active&employees[2][workEmail]=lee@example.com";
    app.send("bamboohr", FORM, form).await;
    app.work().await;
    app.advance(chrono::TimeDelta::minutes(1));
    // The status is not among the posted fields.
    let form =
        "employees[2][employmentHistoryStatus]=Terminated&employees[2][workEmail]=lee@example.com";
    app.send("bamboohr", FORM, form).await;
    app.work().await;
    assert_eq!(
        app.holds().await,
        ["open deactivate 1 1", "open deactivate 2 2"]
    );
}

#[tokio::test]
async fn return_announced_for_a_later_day_opens_a_hold() {
    for rehire in [HOLD, REACTIVATE] {
        let mut app = ended("merge", rehire).await;
        let mut back = merge_record("7", DANA, "2026-11-25T01:00:00Z", "ACTIVE", Some(MIDNIGHT));
        back["data"]["start_date"] = json!("2026-12-07T00:00:00Z");
        app.deliver("merge", &back).await;
        assert!(!app.is_active(DANA).await);
        let hold = app.open_hold().await;
        app.approve(hold, None).await.unwrap();
        assert!(app.is_active(DANA).await);
        app.set_clock("2026-12-07T08:00:00Z");
        back["data"]["modified_at"] = json!("2026-12-07T07:00:00Z");
        app.deliver("merge", &back).await;
        assert!(app.is_active(DANA).await);
        assert_eq!(app.holds().await, ["approved reactivate 7 1"]);
    }
}

#[tokio::test]
async fn drift_ends_access_that_only_the_old_date_explains() {
    for source in ["merge", "bamboohr"] {
        let mut app = ended(source, REACTIVATE).await;
        let report = compare(&app.parts.engine, DriftMode::Fix).await.unwrap();
        assert!(report.terminated_with_access.is_empty());
        app.sql("UPDATE users SET is_active = true").await;
        let report = compare(&app.parts.engine, DriftMode::Report).await.unwrap();
        assert_eq!(report.terminated_with_access.len(), 1, "{source}");
        compare(&app.parts.engine, DriftMode::Fix).await.unwrap();
        assert!(!app.is_active(DANA).await);
        assert!(app.holds().await.is_empty());
    }
}

#[tokio::test]
async fn unreadable_hire_date_of_a_leaver_opens_a_hold() {
    let mut app = TestApp::new().await;
    app.add_users(&[DANA, "lee@example.com"]).await;
    let fields = json!({"status": "Inactive", "terminationDate": "2026-11-20", "hireDate": "soon",
                        "workEmail": DANA});
    let changed = ["status"];
    app.bamboohr(&[employee("1", "2026-11-22T11:00:00+0000", &changed, &fields)])
        .await;
    let record = merge_changed(&json!({
        "id": "m1", "modified_at": "2026-11-22T11:00:00Z", "employment_status": "INACTIVE",
        "termination_date": "2026-11-20T00:00:00Z", "start_date": "soon", "work_email": "lee@example.com",
    }));
    app.deliver("merge", &record).await;
    assert_eq!(
        app.holds().await,
        ["open deactivate 1 1", "open deactivate m1 2"]
    );
}
