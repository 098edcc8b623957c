//! `leaver sync`: its outcomes, and exit code 1 if a sync is incomplete.

use serde_json::{Value, json};

use crate::support::apis::{
    Answer, MERGE_EMPLOYEES, StandIn, bamboohr_company, bamboohr_employee, merge_account,
    merge_company, merge_employee, merge_sync,
};
use crate::support::apis_setup::{SINGLE_COMPANY, source_with_api, terminated_merge_employee};
use crate::support::{BAMBOOHR_KEY, TestApp};

const SECRETS: [(&str, &str); 3] = [
    ("SECRET", BAMBOOHR_KEY),
    ("API_KEY", "key-sentinel"),
    ("TOKEN", "token-sentinel"),
];

#[tokio::test(flavor = "multi_thread")]
async fn sync_reports_outcomes_and_exits_1_if_incomplete() {
    let employees = vec![terminated_merge_employee(1), merge_employee(2)];
    let api = StandIn::start(merge_company(employees)).await;
    let mut app = TestApp::builder()
        .config_file(&source_with_api("merge", "merge", &api), &SECRETS)
        .build()
        .await;
    app.add_employees_users(1..=2).await;

    let output = app.run(&["sync", "--json"]);
    assert_eq!(output.code, Some(0), "{output:?}");
    let line = &output.json()[0];
    assert_eq!(
        (&line["state"], &line["records"]),
        (&json!("complete"), &json!(2))
    );
    assert_eq!(line["outcome"], json!({"deactivated": 1, "kept": 1}));

    api.script(MERGE_EMPLOYEES, [Answer::status(403)]);
    let output = app.run(&["sync", "--full"]);
    assert_eq!(output.code, Some(1), "{output:?}");
    assert!(
        output.out.contains("incomplete") && output.out.contains("403"),
        "{output:?}"
    );
    let shown = format!("{output:?}");
    assert!(
        !shown.contains("key-sentinel") && !shown.contains("token-sentinel"),
        "{shown}"
    );
}

/// A Merge linked account or a BambooHR company with its own API and bad responses.
struct Bad {
    name: String,
    api: StandIn,
    provider: &'static str,
    path: &'static str,
    answers: Vec<Answer>,
}

/// Each case is good in the first sync and bad in the second.
async fn bad_reads() -> Vec<Bad> {
    let page = |next: Value, results: Value| {
        Answer::json(&json!({"next": next, "previous": null, "results": results}))
    };
    let end = || Value::Null;
    let nulls = json!({"id": "x", "employment_status": null, "work_email": null, "termination_date": null,
                       "modified_at": "2026-11-20T08:00:00Z"});
    let promised = page("c+1==".into(), json!([merge_employee(1)]));
    let paused = json!([merge_sync("PAUSED")]);
    let sees_nothing = json!({"id": "1", "status": null, "workEmail": null});
    let lost_permission = json!({"id": "1", "workEmail": "dana.1@widgets.example"});
    let nobody = r#"{"latest":"","employees":[]}"#;
    let cut = r#"{"latest":"2026-11-22T11:00:00+00:00","employees":{"1":{"id"#;
    let json = |text| Answer::text(200, "application/json", text);
    let (merge, bamboohr) = ("merge", "bamboohr");
    let (changed, one) = ("/api/v1/employees/changed", "/api/v1/employees/1");
    let (status, details) = ("/api/hris/v1/sync-status", "/api/hris/v1/account-details");
    let table = [
        (merge, MERGE_EMPLOYEES, vec![page(end(), json!([]))]),
        (merge, MERGE_EMPLOYEES, vec![Answer::status(403)]),
        (merge, MERGE_EMPLOYEES, vec![Answer::status(404)]),
        (
            merge,
            MERGE_EMPLOYEES,
            vec![promised.clone(), page(end(), json!([]))],
        ),
        (merge, MERGE_EMPLOYEES, vec![promised, Answer::status(404)]),
        (merge, MERGE_EMPLOYEES, vec![page(end(), json!([nulls]))]),
        (merge, status, vec![page(end(), paused)]),
        (
            merge,
            details,
            vec![Answer::json(&merge_account("RELINK_NEEDED"))],
        ),
        (bamboohr, changed, vec![json(nobody)]),
        (bamboohr, changed, vec![Answer::status(403)]),
        (bamboohr, changed, vec![Answer::status(404)]),
        (bamboohr, changed, vec![json(cut)]),
        (bamboohr, one, vec![Answer::status(403)]),
        (bamboohr, one, vec![Answer::status(404)]),
        (bamboohr, one, vec![Answer::json(&sees_nothing)]),
        (bamboohr, one, vec![Answer::json(&lost_permission)]),
    ];
    let mut bad = vec![];
    for (n, (provider, path, answers)) in table.into_iter().enumerate() {
        let api = match provider {
            "merge" => StandIn::start(merge_company((1..=3).map(merge_employee).collect())).await,
            _ => StandIn::start(bamboohr_company((1..=3).map(bamboohr_employee).collect())).await,
        };
        let name = format!("{provider}-{n}");
        bad.push(Bad {
            name,
            api,
            provider,
            path,
            answers,
        });
    }
    bad
}

#[tokio::test(flavor = "multi_thread")]
async fn each_bad_read_changes_nobody_and_shows_in_health() {
    let bad = bad_reads().await;
    let sources: String = bad
        .iter()
        .map(|one| source_with_api(&one.name, one.provider, &one.api))
        .collect();
    let sources = format!("{SINGLE_COMPANY}{sources}");
    let mut app = TestApp::builder()
        .config_file(&sources, &SECRETS)
        .build()
        .await;
    app.add_employees_users(1..=3).await;
    app.run(&["sync", "--json"]).succeeded();
    let links = "SELECT count(*) FROM leaver.employees WHERE account_id IS NOT NULL";
    assert_eq!(
        app.count(links).await,
        3 * i64::try_from(bad.len()).unwrap()
    );

    for one in &bad {
        one.api.script(one.path, one.answers.clone());
        let output = app.run(&["sync", "--full", "--json", "--source", &one.name]);
        assert_eq!(
            output.code,
            Some(1),
            "{} {:?} {output:?}",
            one.path,
            one.answers
        );
        let line = &output.json()[0];
        assert_eq!(line["state"], "incomplete", "{line}");
        assert!(
            line["reason"]
                .as_str()
                .is_some_and(|reason| reason.len() > 10),
            "{line}"
        );
        assert!(!format!("{output:?}").contains("sentinel"), "{output:?}");
        assert_eq!(
            app.active().await.len(),
            3,
            "{} {:?}",
            one.path,
            one.answers
        );
    }
    assert_eq!(app.count("SELECT count(*) FROM leaver.audit").await, 0);
    assert_eq!(app.count("SELECT count(*) FROM leaver.holds").await, 0);

    // No sync is due, so health shows the state that the commands left.
    let service = app.serve(&[]);
    let health: Value = serde_json::from_str(&service.get("/health").await.2).unwrap();
    for one in &bad {
        let read = &health["sources"][&one.name];
        assert_eq!(read["last_sync"]["state"], "incomplete", "{health}");
        assert!(read["last_sync"]["reason"].is_string() && read["last_sync_at"].is_string());
    }
    service.stop();
}
