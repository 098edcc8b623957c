//! Syncs of whole companies against stand-ins: leavers lose access, nobody else does, and a failed read has no effect.

mod bamboohr;
mod dropped;
mod replicas;
mod returns;

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use leaver::base::clock::Clock;
use leaver::engine::execute::Outcome;
use leaver::jobs::sync::{SyncMode, SyncReport, SyncSource, Syncer};
use serde_json::{Value, json};

use crate::support::apis::{
    Answer, MERGE_EMPLOYEES, StandIn, bamboohr_company, bamboohr_employee, merge_account,
    merge_company, merge_employee, merge_sync,
};
use crate::support::apis_setup::{source_with_api, terminated_merge_employee};
use crate::support::{BAMBOOHR_KEY, END_SESSIONS, MERGE_KEY, TestApp};

const SYNC_STATUS: &str = "/api/hris/v1/sync-status";
const ACCOUNT_DETAILS: &str = "/api/hris/v1/account-details";
const CHANGED: &str = "/api/v1/employees/changed";

struct SyncTest {
    app: TestApp,
    api: StandIn,
    company: SyncSource,
    syncer: Syncer,
}

impl SyncTest {
    async fn merge(employees: Vec<Value>) -> Self {
        Self::merge_over(StandIn::start(merge_company(employees)).await).await
    }

    async fn merge_over(api: StandIn) -> Self {
        Self::over("merge", api).await
    }

    async fn bamboohr(employees: Vec<Value>) -> Self {
        let api = StandIn::start(bamboohr_company(employees)).await;
        Self::over("bamboohr", api).await
    }

    async fn over(provider: &str, api: StandIn) -> Self {
        let secret = if provider == "merge" {
            MERGE_KEY
        } else {
            BAMBOOHR_KEY
        };
        let variables = [
            ("SECRET", secret),
            ("API_KEY", "api-key"),
            ("TOKEN", "token"),
            END_SESSIONS,
        ];
        let mut app = TestApp::builder()
            .config_file(&source_with_api(provider, provider, &api), &variables)
            .build()
            .await;
        app.add_employees_users(0..=260).await;
        let company = company(&app);
        let syncer = Syncer::new(Arc::clone(&app.parts.engine));
        Self {
            app,
            api,
            company,
            syncer,
        }
    }

    async fn sync(&mut self, mode: SyncMode) -> Vec<SyncReport> {
        let synced = self.syncer.sync(&self.company, mode, &|_, _| {}).await;
        synced.unwrap().unwrap()
    }

    /// The e-mails of deactivated users.
    async fn off(&mut self) -> Vec<String> {
        let sql = "SELECT email FROM users WHERE NOT is_active ORDER BY id";
        self.app.lines(sql).await
    }

    /// The `modified_after` of each first page requested.
    fn asked_since(&self) -> Vec<Option<String>> {
        let asked = self.api.requests();
        let first = asked
            .iter()
            .filter(|a| a.path == MERGE_EMPLOYEES && a.parameter("cursor").is_none());
        first
            .map(|a| a.parameter("modified_after").map(ToOwned::to_owned))
            .collect()
    }
}

fn company(app: &TestApp) -> SyncSource {
    app.sync_sources(3).remove(0)
}

/// 250 people, three of whom have left.
fn widgets() -> Vec<Value> {
    (0..250)
        .map(|n| {
            if [7, 120, 249].contains(&n) {
                terminated_merge_employee(n)
            } else {
                merge_employee(n)
            }
        })
        .collect()
}

const LEFT: [&str; 3] = [
    "dana.7@widgets.example",
    "dana.120@widgets.example",
    "dana.249@widgets.example",
];

#[tokio::test]
async fn a_merge_sync_deactivates_only_leavers() {
    let mut test = SyncTest::merge(widgets()).await;
    let throttled = Answer::status(429).with("retry-after", "1");
    let responses = [None, Some(throttled), Some(Answer::status(503))];
    test.api.script(MERGE_EMPLOYEES, responses);
    let reports = test.sync(SyncMode::Incremental).await;
    let [report] = reports.as_slice() else {
        panic!("{reports:?}")
    };
    assert_eq!(report.incomplete, None);
    assert_eq!((report.records, report.full), (250, true));
    assert_eq!(report.outcomes[&Outcome::Deactivated], 3);
    assert_eq!(report.outcomes[&Outcome::Kept], 247);
    assert_eq!(test.off().await, LEFT);
    let health = test.app.get("/health").await.body;
    let merge = &health["sources"]["merge"];
    assert!(merge["last_sync_at"].is_string() && merge["last_sync"].is_null());
    let by = "SELECT count(*) FROM leaver.audit WHERE actor = 'system:sync'";
    assert_eq!(test.app.count(by).await, 3);
    // Three pages and two retries, the first of them after the requested wait.
    let asked = test.api.requests();
    let pages = asked.iter().filter(|a| a.path == MERGE_EMPLOYEES);
    let pages: Vec<_> = pages.map(|a| (a.parameter("cursor"), a.at)).collect();
    let cursors: Vec<_> = pages.iter().map(|(cursor, _)| *cursor).collect();
    let (second, third) = (Some("c+100=="), Some("c+200=="));
    assert_eq!(cursors, [None, second, second, second, third]);
    assert!(pages[2].1 - pages[1].1 >= Duration::from_secs(1));
}

#[tokio::test]
async fn a_sync_that_ends_early_keeps_its_records() {
    let mut people: Vec<Value> = (1..=40).map(bamboohr_employee).collect();
    people[0]["status"] = "Inactive".into();
    people[0]["employmentHistoryStatus"] = "Terminated".into();
    let mut test = SyncTest::bamboohr(people).await;
    // Ids are sorted as text, so this one is among the last.
    let refused = Answer::status(401).after(Duration::from_millis(300));
    test.api.script("/api/v1/employees/8", [refused]);
    let reports = test.sync(SyncMode::Incremental).await;
    let reason = reports[0].incomplete.as_deref().unwrap();
    assert!(reason.contains("401"), "{reason}");
    assert!(reports[0].records >= 20, "{reports:?}");
    assert_eq!(test.off().await, ["dana.1@widgets.example"]);
    let complete = "SELECT count(last_complete_started_at) FROM leaver.sync_state";
    assert_eq!(test.app.count(complete).await, 0);
}

#[tokio::test]
async fn the_next_sync_is_incremental() {
    let mut test = SyncTest::merge(widgets()).await;
    test.sync(SyncMode::IfDue).await;
    assert_eq!(
        test.sync(SyncMode::IfDue).await.len(),
        0,
        "it is not due yet"
    );
    test.app.advance(TimeDelta::minutes(16));
    let reports = test.sync(SyncMode::IfDue).await;
    assert_eq!((reports[0].records, reports[0].full), (0, false));
    assert_eq!(reports[0].incomplete, None);
    // The start of the last complete read, minus the overlap.
    let since = Some("2026-11-22T11:50:00.000000Z".to_owned());
    assert_eq!(test.asked_since(), [None, since]);
    test.app.advance(TimeDelta::hours(24));
    let reports = test.sync(SyncMode::IfDue).await;
    assert_eq!((reports[0].records, reports[0].full), (250, true));
}

#[tokio::test]
async fn a_bad_merge_read_is_incomplete_and_ends_no_access() {
    let nulls = json!({"id": "x", "employment_status": null, "work_email": null, "termination_date": null,
                       "modified_at": "2026-11-20T08:00:00Z"});
    let page = |next: Value, results: Value| {
        Answer::json(&json!({"next": next, "previous": null, "results": results}))
    };
    let synced = |status| page(Value::Null, json!([merge_sync(status)]));
    let bad: Vec<(&str, Vec<Answer>)> = vec![
        (MERGE_EMPLOYEES, vec![page(Value::Null, json!([]))]),
        (MERGE_EMPLOYEES, vec![Answer::status(403)]),
        (MERGE_EMPLOYEES, vec![Answer::status(404)]),
        (
            MERGE_EMPLOYEES,
            vec![
                page("c".into(), json!([merge_employee(1)])),
                page(Value::Null, json!([])),
            ],
        ),
        (
            MERGE_EMPLOYEES,
            vec![page(Value::Null, json!([merge_employee(1), nulls]))],
        ),
        (
            ACCOUNT_DETAILS,
            vec![Answer::json(&merge_account("RELINK_NEEDED"))],
        ),
        (ACCOUNT_DETAILS, vec![Answer::status(401)]),
        (SYNC_STATUS, vec![synced("PAUSED")]),
        (SYNC_STATUS, vec![synced("DISABLED")]),
        (SYNC_STATUS, vec![page(Value::Null, json!([]))]),
    ];
    let mut test = SyncTest::merge((0..5).map(merge_employee).collect()).await;
    test.sync(SyncMode::Incremental).await;
    let before = test.app.clock.now();
    for (path, answers) in bad {
        let shown = format!("{path} {answers:?}");
        // Later than the block of refused credentials.
        test.app.advance(TimeDelta::minutes(20));
        test.api.script(path, answers);
        let reports = test.sync(SyncMode::Full).await;
        assert!(reports[0].incomplete.is_some(), "{shown}");
        assert_eq!(test.off().await, [""; 0], "{shown}");
        let noted =
            "SELECT count(*) FROM leaver.sync_state WHERE state = 'incomplete' AND reason <> ''";
        assert_eq!(test.app.count(noted).await, 1, "{shown}");
    }
    let health = test.app.get("/health").await.body;
    let merge = &health["sources"]["merge"];
    assert_eq!(merge["last_sync"]["state"], "incomplete", "{health}");
    assert!(merge["last_sync"]["reason"].is_string() && merge["last_sync_at"].is_string());
    let from = test
        .app
        .text("SELECT to_char(last_complete_started_at AT TIME ZONE 'UTC', 'HH24:MI') FROM leaver.sync_state");
    assert_eq!(from.await, Some(before.format("%H:%M").to_string()));
    assert_eq!(test.app.count("SELECT count(*) FROM leaver.holds").await, 0);
}

#[tokio::test]
async fn one_failing_account_does_not_block_its_page() {
    let mut test = SyncTest::merge(widgets()).await;
    // A trigger of the application protects one user of the first page.
    test.app.refuse_to_change(&[8], "P0001").await;
    let reports = test.sync(SyncMode::Incremental).await;
    // The read is complete: what HR said of this user is known, and the timer repeats the deactivation.
    assert_eq!(reports[0].incomplete, None);
    assert_eq!(test.off().await, LEFT[1..]);
    let outcomes = &reports[0].outcomes;
    assert_eq!(
        (outcomes[&Outcome::Kept], outcomes[&Outcome::Blocked]),
        (247, 1)
    );
    test.app.allow_changes().await;
    test.app.advance(TimeDelta::seconds(7));
    test.app.run_due().await;
    assert_eq!(test.off().await, LEFT);
}

#[tokio::test]
async fn a_confirming_read_keeps_access_given_back_by_hand() {
    let mut left = bamboohr_employee(1);
    left["status"] = "Inactive".into();
    left["employmentHistoryStatus"] = "Terminated".into();
    let mut test = SyncTest::bamboohr(vec![left, bamboohr_employee(2)]).await;
    test.sync(SyncMode::Incremental).await;
    assert_eq!(test.off().await, ["dana.1@widgets.example"]);
    test.app.sql("UPDATE users SET is_active = true").await;
    test.app.advance(TimeDelta::minutes(16));
    let reports = test.sync(SyncMode::Full).await;
    assert_eq!(reports[0].outcomes[&Outcome::Unchanged], 2, "{reports:?}");
    assert_eq!(test.off().await, [""; 0]);
    // The confirmed facts are as of now, so older ones are stale.
    let newest = "SELECT count(*) FROM leaver.employees
                  WHERE (facts #>> '{status,as_of}')::timestamptz = '2026-11-22T12:16:00Z'";
    assert_eq!(test.app.count(newest).await, 2);
}
