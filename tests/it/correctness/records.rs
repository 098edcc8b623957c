//! Several records of one person: which of them keep access, and what another source says.

use std::sync::Arc;

use chrono::TimeDelta;
use leaver::jobs::sync::{SyncMode, Syncer};
use serde_json::{Value, json};

use crate::support::apis::{StandIn, bamboohr_company, merge_company, merge_employee, merge_id};
use crate::support::apis_setup::source_with_api;
use crate::support::driving::{merge_record, terminated, working};
use crate::support::{
    BAMBOOHR_KEY, END_SESSIONS, JSON, MERGE_KEY, TestApp, employee, merge_changed,
};

const EMAIL: &str = "zoe@example.com";
const OLD: &str = "11111111-2222-4333-8444-555555555555";
const NEW: &str = "22222222-2222-4333-8444-555555555555";

/// A Merge delivery of one record, through a linked account.
fn record(account: &str, id: &str, hired: &str, status: &str, ended: Option<&str>) -> Value {
    let mut body = merge_changed(&json!({
        "id": id, "modified_at": "2026-11-22T11:59:00Z", "work_email": EMAIL,
        "employment_status": status, "termination_date": ended, "start_date": hired,
    }));
    body["linked_account"]["id"] = account.into();
    body
}

fn account_deleted(account: &str) -> Value {
    json!({"hook": {"id": "h", "event": "LinkedAccount.deleted"},
           "linked_account": {"id": account, "category": "hris"}, "data": {}})
}

async fn app() -> TestApp {
    let mut app = TestApp::new().await;
    app.add_users(&[EMAIL]).await;
    app
}

#[tokio::test]
async fn later_record_keeps_access_and_an_earlier_one_asks() {
    for (hired, holds) in [
        ("2023-05-01", vec![]),
        ("2019-01-01", vec!["open deactivate old 1"]),
    ] {
        let mut app = app().await;
        app.deliver("merge", &record(OLD, "old", "2020-03-02", "ACTIVE", None))
            .await;
        app.deliver("merge", &record(OLD, "new", hired, "ACTIVE", None))
            .await;
        let ended = record(OLD, "old", "2020-03-02", "INACTIVE", Some("2026-11-20"));
        app.deliver("merge", &ended).await;
        assert!(app.is_active(EMAIL).await, "{hired}");
        assert_eq!(app.holds().await, holds, "{hired}");
        let ended = record(OLD, "new", hired, "INACTIVE", Some("2026-11-20"));
        app.deliver("merge", &ended).await;
        assert!(!app.is_active(EMAIL).await, "{hired}");
    }
}

#[tokio::test]
async fn record_of_an_older_report_does_not_keep_access() {
    let mut app = app().await;
    app.deliver("merge", &record(OLD, "old", "2020-03-02", "ACTIVE", None))
        .await;
    app.advance(TimeDelta::hours(1));
    app.deliver("merge", &record(OLD, "new", "2020-03-02", "ACTIVE", None))
        .await;
    let ended = record(OLD, "new", "2020-03-02", "INACTIVE", Some("2026-11-20"));
    app.deliver("merge", &ended).await;
    assert!(app.is_active(EMAIL).await);
    assert_eq!(app.holds().await, ["open deactivate new 1"]);
    let hold = app.open_hold().await;
    app.approve(hold, None).await.unwrap();
    assert!(!app.is_active(EMAIL).await);
}

#[tokio::test]
async fn records_of_a_deleted_linked_account_keep_no_access() {
    let mut app = app().await;
    app.deliver("merge", &record(OLD, "old", "2020-03-02", "ACTIVE", None))
        .await;
    app.deliver("merge", &account_deleted(OLD)).await;
    app.deliver("merge", &record(NEW, "new", "2020-03-02", "ACTIVE", None))
        .await;
    assert!(app.is_active(EMAIL).await);
    let ended = record(NEW, "new", "2020-03-02", "INACTIVE", Some("2026-11-20"));
    app.deliver("merge", &ended).await;
    assert!(!app.is_active(EMAIL).await);
    assert_eq!(app.audit().await, ["deactivated new"]);
}

#[tokio::test]
async fn unlisted_linked_account_has_no_effect_until_replay() {
    let mut app = app().await;
    app.deliver("merge", &record(OLD, "old", "2020-03-02", "ACTIVE", None))
        .await;
    let ended = record(NEW, "new", "2020-03-02", "INACTIVE", Some("2026-11-20"));
    app.deliver("merge", &ended).await;
    assert!(app.is_active(EMAIL).await);
    let states = "SELECT state FROM leaver.deliveries ORDER BY id";
    assert_eq!(app.lines(states).await, ["processed", "failed"]);
    let known = "SELECT employee_id FROM leaver.employees";
    assert_eq!(app.lines(known).await, ["old"]);
    let health = app.get("/health").await.body;
    assert_eq!(
        health["reasons"][0]["code"], "linked_account_not_listed",
        "{health}"
    );
    // Once the first account is deleted, the next one takes its place.
    app.deliver("merge", &account_deleted(OLD)).await;
    app.send(
        "merge",
        JSON,
        record(NEW, "n2", "2020-03-02", "INACTIVE", Some("2026-11-20")).to_string(),
    )
    .await;
    app.work().await;
    assert!(!app.is_active(EMAIL).await);
}

#[tokio::test]
async fn employment_that_follows_the_day_after_keeps_access() {
    let mut app = app().await;
    app.deliver(
        "merge",
        &record(OLD, "old", "2020-03-02", "ACTIVE", Some("2026-11-22")),
    )
    .await;
    app.deliver("merge", &record(OLD, "new", "2026-11-23", "PENDING", None))
        .await;
    app.set_clock("2026-11-23T00:00:00Z");
    app.run_due().await;
    assert!(app.is_active(EMAIL).await);
    assert_eq!(app.holds().await, Vec::<String>::new());
    let next = app.access_ends_at("old").await;
    assert_eq!(next, Some(crate::support::at("2026-11-24T00:00:00Z")));
    app.set_clock("2026-11-24T00:00:00Z");
    app.run_due().await;
    assert!(app.is_active(EMAIL).await);
    assert_eq!(app.holds().await, ["open deactivate old 1"]);
}

#[tokio::test]
async fn record_missing_from_a_complete_read_asks() {
    let records = |numbers: &[usize]| -> Vec<Value> {
        let record = |n: &usize| {
            let mut record = merge_employee(*n);
            record["work_email"] = EMAIL.into();
            record["start_date"] = format!("202{n}-03-02T00:00:00Z").into();
            record
        };
        numbers.iter().map(record).collect()
    };
    let variables = [
        ("SECRET", MERGE_KEY),
        ("API_KEY", "api-key"),
        ("TOKEN", "token"),
        END_SESSIONS,
    ];
    let api = StandIn::start(merge_company(records(&[1, 2]))).await;
    let mut app = TestApp::builder()
        .config_file(&source_with_api("merge", "merge", &api), &variables)
        .build()
        .await;
    app.add_users(&[EMAIL]).await;
    let syncer = Syncer::new(Arc::clone(&app.parts.engine));
    let sync = async |app: &TestApp, url: &str| {
        let mut company = app.sync_sources(3).remove(0);
        if !url.is_empty() {
            let settings = source_with_api("merge", "merge", &api).replace(&api.url, url);
            let replica = TestApp::builder()
                .config_file(&settings, &variables)
                .build()
                .await;
            company = replica.sync_sources(3).remove(0);
        }
        syncer
            .sync(&company, SyncMode::Full, &|_, _| {})
            .await
            .unwrap()
            .unwrap();
    };
    sync(&app, "").await;
    app.advance(TimeDelta::hours(25));
    let smaller = StandIn::start(merge_company(records(&[1]))).await;
    sync(&app, &smaller.url).await;
    let missing = "SELECT employee_id FROM leaver.employees WHERE missing_since IS NOT NULL";
    assert_eq!(app.lines(missing).await, [merge_id(2)]);
    assert!(app.is_active(EMAIL).await, "absence ends no access");
    let mut body = record(
        "account-of-merge",
        &merge_id(1),
        "2021-03-02",
        "INACTIVE",
        Some("2026-11-20"),
    );
    body["data"]["modified_at"] = "2026-11-23T12:00:00Z".into();
    app.deliver("merge", &body).await;
    assert!(app.is_active(EMAIL).await);
    assert_eq!(app.holds().await.len(), 1);
    app.advance(TimeDelta::hours(1));
    sync(&app, "").await;
    assert_eq!(
        app.lines(missing).await,
        Vec::<String>::new(),
        "it is there again"
    );
}

/// Two sources with one person, BambooHR read completely.
async fn two_sources(disagree: &str) -> TestApp {
    let bamboohr = json!({"id": "1", "status": "Active", "employmentHistoryStatus": "Full-Time",
                          "workEmail": EMAIL, "hireDate": "2020-03-02", "terminationDate": "0000-00-00"});
    let api = StandIn::start(bamboohr_company(vec![bamboohr])).await;
    let settings = format!(
        "[policy]\nsources_disagree = \"{disagree}\"\n{}\n[[sources]]\nname = \"m\"\nprovider = \"merge\"\n\
         webhook_secrets = [\"env:MERGE\"]\n",
        source_with_api("bamboohr", "bamboohr", &api)
    );
    let variables = [
        ("SECRET", BAMBOOHR_KEY),
        ("MERGE", MERGE_KEY),
        ("API_KEY", "api-key"),
        END_SESSIONS,
    ];
    let mut app = TestApp::builder()
        .config_file(&settings, &variables)
        .build()
        .await;
    app.add_users(&[EMAIL]).await;
    let company = app.sync_sources(3).remove(0);
    let syncer = Syncer::new(Arc::clone(&app.parts.engine));
    let read = syncer.sync(&company, SyncMode::Full, &|_, _| {}).await;
    assert_eq!(read.unwrap().unwrap()[0].incomplete, None);
    app
}

#[tokio::test]
async fn source_that_reports_the_person_as_employed_asks() {
    let mut app = two_sources("hold").await;
    let body = merge_record(
        "m1",
        EMAIL,
        "2026-11-22T11:00:00Z",
        "INACTIVE",
        Some("2026-11-20"),
    );
    app.deliver("m", &body).await;
    assert!(app.is_active(EMAIL).await);
    let reasons = app.lines("SELECT reason FROM leaver.holds").await;
    assert!(
        reasons[0].contains("source bamboohr reports"),
        "{reasons:?}"
    );
    let hold = app.open_hold().await;
    app.approve(hold, None).await.unwrap();
    assert!(!app.is_active(EMAIL).await);
}

#[tokio::test]
async fn scheduled_end_asks_while_another_source_disagrees() {
    let mut app = two_sources("hold").await;
    let body = merge_record(
        "m1",
        EMAIL,
        "2026-11-22T11:00:00Z",
        "ACTIVE",
        Some("2026-11-21T12:10:00Z"),
    );
    let mut body = body;
    body["data"]["termination_date"] = "2026-11-22T12:10:00Z".into();
    app.deliver("m", &body).await;
    app.advance(TimeDelta::minutes(11));
    app.run_due().await;
    assert!(app.is_active(EMAIL).await);
    assert_eq!(app.holds().await, ["open deactivate m1 1"]);
}

#[tokio::test]
async fn other_source_without_a_recent_read_does_not_ask() {
    let ended = Some("2026-11-20");
    let mut app = two_sources("hold").await;
    app.advance(TimeDelta::hours(1));
    app.deliver(
        "m",
        &merge_record("m1", EMAIL, "2026-11-22T11:00:00Z", "INACTIVE", ended),
    )
    .await;
    assert!(!app.is_active(EMAIL).await);
    let mut app = two_sources("deactivate").await;
    app.deliver(
        "m",
        &merge_record("m1", EMAIL, "2026-11-22T11:00:00Z", "INACTIVE", ended),
    )
    .await;
    assert!(!app.is_active(EMAIL).await);
    // Without an API the other source is never read.
    let mut app = TestApp::new().await;
    app.add_users(&[EMAIL]).await;
    app.bamboohr(&[working("1", EMAIL, "2026-11-22T11:00:00+0000")])
        .await;
    app.deliver(
        "merge",
        &merge_record("m1", EMAIL, "2026-11-22T11:00:00Z", "INACTIVE", ended),
    )
    .await;
    assert!(!app.is_active(EMAIL).await);
}

#[tokio::test]
async fn duplicate_marked_as_a_leaver_asks() {
    let mut app = app().await;
    app.bamboohr(&[working("1", EMAIL, "2026-11-22T11:00:00+0000")])
        .await;
    app.bamboohr(&[terminated("2", EMAIL, "2026-11-22T11:30:00+0000")])
        .await;
    assert!(app.is_active(EMAIL).await);
    assert_eq!(app.holds().await, ["open deactivate 2 1"]);
}

#[tokio::test]
async fn approved_end_withdraws_the_other_question_about_the_account() {
    let mut app = app().await;
    let unclear = json!({"status": "Inactive", "workEmail": EMAIL});
    app.bamboohr(&[employee("1", "2026-11-22T11:00:00+0000", &[], &unclear)])
        .await;
    let record = merge_record("m1", EMAIL, "2026-11-22T11:30:00Z", "INACTIVE", None);
    app.deliver("merge", &record).await;
    assert_eq!(
        app.holds().await,
        ["open deactivate 1 1", "open deactivate m1 1"]
    );
    let hold = app.count("SELECT min(id) FROM leaver.holds").await;
    app.approve(hold, None).await.unwrap();
    assert!(!app.is_active(EMAIL).await);
    assert_eq!(
        app.holds().await,
        ["approved deactivate 1 1", "withdrawn deactivate m1 1"]
    );
}
