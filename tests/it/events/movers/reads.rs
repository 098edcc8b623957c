//! Joiners, movers and leavers that are found by reads of the providers' APIs.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::TimeDelta;
use leaver::jobs::sync::pending_reads::PendingReader;
use leaver::jobs::sync::{SyncMode, SyncReport, Syncer};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::{BUS, FACTS, VARIABLES, taken, told};
use crate::support::apis::{
    MERGE_EMPLOYEES, StandIn, bamboohr_employee, merge_company, merge_employee, merge_id,
};
use crate::support::apis_setup::source_with_api;
use crate::support::bulk_apis::BulkCompany;
use crate::support::{BAMBOOHR_KEY, END_SESSIONS, FORM, TestApp};

const NONE: [&str; 0] = [];

/// An app whose source has this API.
async fn app_over(provider: &str, api: &StandIn) -> TestApp {
    let text = format!("{FACTS}{}{BUS}", source_with_api(provider, provider, api));
    let variables: Vec<(&str, &str)> = VARIABLES
        .into_iter()
        .chain([
            ("SECRET", BAMBOOHR_KEY),
            ("API_KEY", "key"),
            ("TOKEN", "token"),
            END_SESSIONS,
        ])
        .collect();
    TestApp::builder()
        .config_file(&text, &variables)
        .build()
        .await
}

/// Changes a record.
type Change = fn(&mut Value);

async fn sync(app: &TestApp) -> SyncReport {
    app.advance(TimeDelta::minutes(5));
    let syncer = Syncer::new(Arc::clone(&app.parts.engine));
    let source = app.sync_sources(3).remove(0);
    let reports = syncer.sync(&source, SyncMode::Full, &|_, _| {}).await;
    reports.unwrap().unwrap().remove(0)
}

fn person(n: usize) -> Value {
    let mut one = bamboohr_employee(n);
    one["jobTitle"] = "Engineer".into();
    one["department"] = "Platform".into();
    one["supervisorId"] = "1".into();
    one
}

#[tokio::test]
async fn each_way_of_reading_bamboohr_finds_movers() {
    for (way, report, dataset) in [
        ("report", None, None),
        ("dataset", Some(403), None),
        ("single", Some(403), Some(403)),
    ] {
        let company = BulkCompany::new((1..=3).map(person).collect());
        company.set(|answers| {
            answers.report = report;
            answers.dataset = dataset;
        });
        let api = StandIn::start(company.answers()).await;
        let mut app = app_over("bamboohr", &api).await;
        let first = sync(&app).await;
        assert_eq!(first.incomplete, None, "{way}");
        assert_eq!(first.way.unwrap().way.as_str(), way);
        assert_eq!(
            taken(&mut app).await,
            [
                "employee.created 1",
                "employee.created 2",
                "employee.created 3"
            ],
            "{way}"
        );
        sync(&app).await;
        assert_eq!(taken(&mut app).await, NONE, "{way}");
        company.set(|answers| {
            answers.employees[1]["jobTitle"] = "Lead".into();
            answers.employees[2]["department"] = "Data".into();
            answers.employees[2]["supervisorId"] = "2".into();
        });
        sync(&app).await;
        let events = told(&mut app).await;
        assert_eq!(events[0].2["job_title"], "Lead", "{way}");
        assert_eq!(
            taken(&mut app).await,
            [
                "employee.position_changed 2",
                "employee.department_changed 3",
                "employee.manager_changed 3"
            ],
            "{way}"
        );
        sync(&app).await;
        assert_eq!(taken(&mut app).await, NONE, "{way}");
        company.set(|answers| {
            answers.employees[0]["status"] = "Inactive".into();
            answers.employees[0]["employmentHistoryStatus"] = "Terminated".into();
        });
        for expected in [&["employee.updated 1", "employee.terminated 1"][..], &[]] {
            sync(&app).await;
            assert_eq!(taken(&mut app).await, expected, "{way}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_withheld_title_leaves_a_read_complete() {
    for dataset_only in [false, true] {
        let company = BulkCompany::new((1..=3).map(person).collect());
        company.set(|answers| {
            answers.report = dataset_only.then_some(403);
            answers.withheld = vec!["jobTitle"];
        });
        let api = StandIn::start(company.answers()).await;
        let mut app = app_over("bamboohr", &api).await;
        assert_eq!(sync(&app).await.incomplete, None);
        taken(&mut app).await;
        company.set(|answers| {
            answers.employees[0]["jobTitle"] = "Lead".into();
            answers.employees[0]["department"] = "Data".into();
        });
        assert_eq!(sync(&app).await.incomplete, None);
        assert_eq!(taken(&mut app).await, ["employee.department_changed 1"]);
        let check = app.run(&["check"]);
        assert!(
            check.out.contains("`jobTitle`") || check.err.contains("`jobTitle`"),
            "{check:?}"
        );
    }
}

#[tokio::test]
async fn a_change_without_values_is_read_and_reported() {
    let company = BulkCompany::new((1..=3).map(person).collect());
    let api = StandIn::start(company.answers()).await;
    let mut app = app_over("bamboohr", &api).await;
    sync(&app).await;
    taken(&mut app).await;
    let reader = PendingReader::new(
        Arc::clone(&app.parts.engine),
        &app.sync_sources(3),
        Duration::from_mins(15),
    );
    let titles = ["Lead", "Chief"];
    for (title, is_form) in titles.into_iter().zip([false, true]) {
        company.set(|answers| answers.employees[1]["jobTitle"] = title.into());
        app.advance(TimeDelta::minutes(1));
        let at = leaver::base::clock::Clock::now(&app.clock).to_rfc3339();
        if is_form {
            let at = at.replace('+', "%2B").replace(':', "%3A");
            let body = format!(
                "type=employee.updated&timestamp={at}&data[employeeId]=2&data[changedFields][]=jobTitle"
            );
            app.send("bamboohr", FORM, body).await;
        } else {
            let body = json!({"type": "employee.updated", "timestamp": at,
                              "data": {"companyId": "1", "employeeId": "2", "changedFields": ["jobTitle"]}});
            app.send("bamboohr", crate::support::JSON, body.to_string())
                .await;
        }
        app.work().await;
        assert_eq!(taken(&mut app).await, NONE);
        app.advance(TimeDelta::seconds(5));
        while reader.read_due(&CancellationToken::new()).await.unwrap() > 0 {}
        assert_eq!(
            taken(&mut app).await,
            ["employee.position_changed 2"],
            "{title}"
        );
    }
}

#[tokio::test]
async fn a_confirmed_read_swallows_no_mover() {
    let company = BulkCompany::new((1..=40).map(person).collect());
    let api = StandIn::start(company.answers()).await;
    let mut app = app_over("bamboohr", &api).await;
    sync(&app).await;
    taken(&mut app).await;
    sync(&app).await;
    assert!(app.count("SELECT count(*) FROM leaver.confirmations").await > 0);
    company.set(|answers| answers.employees[30]["supervisorId"] = "9".into());
    sync(&app).await;
    assert_eq!(taken(&mut app).await, ["employee.manager_changed 31"]);
    sync(&app).await;
    assert_eq!(taken(&mut app).await, NONE);
}

#[tokio::test]
async fn merge_pages_have_title_department_and_manager() {
    let with_position = |n: usize| {
        let mut one = merge_employee(n);
        one["manager"] = json!("boss-1");
        one["employments"] = json!([
            {"id": "e1", "job_title": "Engineer", "effective_date": "2020-01-05T00:00:00Z", "modified_at": "2026-11-20T08:00:00Z"},
            {"id": "e2", "job_title": "Ahead", "effective_date": "2027-01-05T00:00:00Z", "modified_at": "2026-11-20T08:00:00Z"}]);
        one["groups"] = json!([
            {"id": "g0", "name": "Everybody", "type": "GROUP", "modified_at": "2026-11-20T08:00:00Z"},
            {"id": "g1", "name": "Platform", "type": "DEPARTMENT", "modified_at": "2026-11-20T08:00:00Z"}]);
        one
    };
    let people = Arc::new(Mutex::new(vec![with_position(1), with_position(2)]));
    let answers = Arc::clone(&people);
    let api =
        StandIn::start(move |request| merge_company(answers.lock().unwrap().clone())(request))
            .await;
    let mut app = app_over("merge", &api).await;
    assert_eq!(sync(&app).await.incomplete, None);
    let pages = api.requests();
    let page = pages
        .iter()
        .find(|one| one.path == MERGE_EMPLOYEES)
        .unwrap();
    assert_eq!(page.parameter("expand"), Some("employments,groups"));
    assert_eq!(taken(&mut app).await.len(), 2);
    sync(&app).await;
    assert_eq!(taken(&mut app).await, NONE);
    let second = merge_id(2);
    let changes: [(&str, Change); 4] = [
        // The record of the employee itself does not change with it.
        ("position", |one| {
            one["employments"][0]["job_title"] = "Lead".into();
            one["employments"][0]["modified_at"] = "2026-11-21T08:00:00Z".into();
        }),
        ("department", |one| {
            one["groups"][1] = json!({"name": "Data", "type": "DEPARTMENT", "modified_at": "2026-11-21T08:00:00Z"});
        }),
        ("manager", |one| {
            one["manager"] = json!({"id": "boss-2"});
            one["modified_at"] = "2026-11-22T08:00:00.000000Z".into();
        }),
        // Ids alone say nothing about the title.
        ("", |one| {
            one["employments"] = json!(["e1"]);
            one["groups"] = json!([]);
            one["modified_at"] = "2026-11-22T09:00:00.000000Z".into();
        }),
    ];
    for (fact, change) in changes {
        change(&mut people.lock().unwrap()[1]);
        sync(&app).await;
        let expected: Vec<String> = Some(fact)
            .filter(|fact| !fact.is_empty())
            .map(|fact| format!("employee.{fact}_changed {second}"))
            .into_iter()
            .collect();
        assert_eq!(taken(&mut app).await, expected, "{fact}");
    }
}
