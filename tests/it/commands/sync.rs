//! `leaver sync`: its outcomes, and exit code 1 if a sync is incomplete.

use std::fmt::Write;

use serde_json::{Value, json};

use crate::support::apis::{
    Answer, MERGE_EMPLOYEES, StandIn, bamboohr_company, bamboohr_employee, merge_account,
    merge_company, merge_employee, merge_sync,
};
use crate::support::process::{CommandOutput, RunningService, run};
use crate::support::{BAMBOOHR_KEY, MERGE_KEY, TestApp};

async fn sync(app: &TestApp, api: &StandIn, more: &[&str]) -> CommandOutput {
    let text = format!(
        r#"
        [[sources]]
        name = "merge"
        provider = "merge"
        webhook_secrets = ["env:SECRET"]
        linked_accounts = [{{ id = "la-1", tenant = "widgets", token = "env:TOKEN" }}]
        [sources.api]
        base_url = "{}"
        api_key = "env:API_KEY"
        "#,
        api.url
    );
    let file = app.file("sync.toml", &text).to_str().unwrap().to_owned();
    let more: Vec<String> = more.iter().map(ToString::to_string).collect();
    let mut env: Vec<(String, String)> = app
        .env(&[
            ("SECRET", MERGE_KEY),
            ("API_KEY", "key-sentinel"),
            ("TOKEN", "token-sentinel"),
        ])
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    env.retain(|(name, _)| !name.ends_with("WEBHOOK_SECRET"));
    tokio::task::spawn_blocking(move || {
        let mut args = vec!["sync", "--config", &file];
        args.extend(more.iter().map(String::as_str));
        let env: Vec<(&str, &str)> = env.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        run(&args, &env)
    })
    .await
    .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn sync_reports_outcomes_and_exits_1_if_incomplete() {
    let mut app = TestApp::builder().unmigrated().build().await;
    app.sql(
        "INSERT INTO users (email) VALUES ('dana.1@widgets.example'), ('dana.2@widgets.example')",
    )
    .await;
    let env = app.env(&[]);
    assert_eq!(run(&["migrate"], &env).code, Some(0));
    let mut left = merge_employee(1);
    left["employment_status"] = "INACTIVE".into();
    left["termination_date"] = "2026-11-20T00:00:00Z".into();
    let api = StandIn::start(merge_company(vec![left, merge_employee(2)])).await;

    let output = sync(&app, &api, &["--json"]).await;
    assert_eq!(output.code, Some(0), "{output:?}");
    let line = &output.json()[0];
    assert_eq!(
        (&line["state"], &line["records"]),
        (&json!("complete"), &json!(2))
    );
    assert_eq!(line["outcome"], json!({"deactivated": 1, "kept": 1}));

    api.script(MERGE_EMPLOYEES, [Answer::status(403)]);
    let output = sync(&app, &api, &["--full"]).await;
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
    let mut app = TestApp::builder().unmigrated().build().await;
    let users = "INSERT INTO users (email) SELECT 'dana.' || n || '@widgets.example' FROM generate_series(1, 3) n";
    app.sql(users).await;
    let bad = bad_reads().await;
    let mut text = String::new();
    for one in &bad {
        let linked = match one.provider {
            "merge" => {
                r#"linked_accounts = [{ id = "la-1", tenant = "widgets", token = "env:TOKEN" }]"#
            }
            _ => "",
        };
        let _ = write!(
            text,
            r#"
            [[sources]]
            name = "{}"
            provider = "{}"
            webhook_secrets = ["env:SECRET"]
            {linked}
            [sources.api]
            base_url = "{}"
            api_key = "env:API_KEY"
            "#,
            one.name, one.provider, one.api.url
        );
    }
    let file = app.file("bad.toml", &text).to_str().unwrap().to_owned();
    let mut env = app.env(&[
        ("SECRET", BAMBOOHR_KEY),
        ("API_KEY", "key-sentinel"),
        ("TOKEN", "token-sentinel"),
        ("LEAVER_CONFIG", &file),
    ]);
    env.retain(|(name, _)| !name.ends_with("WEBHOOK_SECRET"));
    let env: Vec<(String, String)> = env
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let run = async |args: &[&str]| {
        let env = env.clone();
        let args: Vec<String> = args.iter().map(ToString::to_string).collect();
        let run = move || {
            let args: Vec<&str> = args.iter().map(String::as_str).collect();
            let env: Vec<_> = env.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
            run(&args, &env)
        };
        tokio::task::spawn_blocking(run).await.unwrap()
    };
    run(&["migrate"]).await.succeeded();
    run(&["sync", "--json"]).await.succeeded();
    let links = "SELECT count(*) FROM leaver.employees WHERE account_id IS NOT NULL";
    assert_eq!(
        app.count(links).await,
        3 * i64::try_from(bad.len()).unwrap()
    );

    for one in &bad {
        one.api.script(one.path, one.answers.clone());
        let output = run(&["sync", "--full", "--json", "--source", &one.name]).await;
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
    let env: Vec<(&str, &str)> = env.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    let mut service = RunningService::start(&env);
    service.wait_until_ready();
    let health: Value = serde_json::from_str(&service.get("/health").await.2).unwrap();
    for one in &bad {
        let read = &health["sources"][&one.name];
        assert_eq!(read["last_sync"]["state"], "incomplete", "{health}");
        assert!(read["last_sync"]["reason"].is_string() && read["last_sync_at"].is_string());
    }
    service.stop();
}
