//! `leaver check` reads each configured API once, and compares BambooHR's webhooks with `server.public_url`.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::commands::check::line;
use crate::support::apis::{
    Answer, ApiRequest, MERGE_EMPLOYEES, StandIn, bamboohr_employee, bamboohr_with_hooks,
    merge_account, merge_company, merge_employee,
};
use crate::support::apis_setup::source_with_api;
use crate::support::hooks::Hooks;
use crate::support::process::CommandOutput;
use crate::support::{BAMBOOHR_KEY, TestApp};

const SECRETS: [(&str, &str); 3] = [
    ("SECRET", BAMBOOHR_KEY),
    ("API_KEY", "key-sentinel"),
    ("TOKEN", "token-sentinel"),
];
const BAMBOOHR: &str = "source bamboohr API";
const WEBHOOKS: &str = "source bamboohr webhooks";
const MERGE: &str = "source merge API, account account-of-merge";
const PUBLIC_URL: (&str, &str) = ("LEAVER_PUBLIC_URL", "https://127.0.0.1");
const HERE: &str = "https://127.0.0.1/webhooks/bamboohr";

async fn app(provider: &str, api: &StandIn) -> TestApp {
    let file = source_with_api(provider, provider, api);
    let mut app = TestApp::builder()
        .config_file(&file, &SECRETS)
        .build()
        .await;
    app.add_employees_users(1..=2).await;
    app
}

/// Starts BambooHR with two employees and these webhooks.
async fn bamboohr(hooks: &Arc<Hooks>) -> StandIn {
    let employees = (1..=2).map(bamboohr_employee).collect();
    StandIn::start(bamboohr_with_hooks(employees, hooks)).await
}

fn check(app: &TestApp, more: &[(&str, &str)]) -> CommandOutput {
    let output = app.run_with(&["check", "--json"], more);
    let shown = format!("{output:?}");
    assert!(
        !shown.contains("key-sentinel") && !shown.contains("token-sentinel"),
        "{shown}"
    );
    output
}

/// Returns the host and port of a stand-in.
fn host(api: &StandIn) -> &str {
    api.url.trim_start_matches("http://")
}

#[tokio::test(flavor = "multi_thread")]
async fn check_reads_bamboohr_once() {
    let hooks = Arc::new(Hooks::default());
    hooks.add(HERE);
    let api = bamboohr(&hooks).await;
    let output = check(&app("bamboohr", &api).await, &[PUBLIC_URL]).succeeded();
    let says = line(&output, BAMBOOHR, "ok");
    assert!(
        says.contains(host(&api)) && says.contains("2 employees"),
        "{says}"
    );
    line(&output, WEBHOOKS, "ok");
    assert!(api.requests().iter().all(|request| request.method == "GET"));
}

#[tokio::test(flavor = "multi_thread")]
async fn check_reads_each_account_of_merge_once() {
    let api = StandIn::start(merge_company((1..=2).map(merge_employee).collect())).await;
    let app = app("merge", &api).await;
    let output = check(&app, &[]).succeeded();
    let says = line(&output, MERGE, "ok");
    assert!(
        says.contains(host(&api)) && says.contains("2 employees"),
        "{says}"
    );

    let account = Answer::json(&merge_account("RELINK_NEEDED"));
    api.script("/api/hris/v1/account-details", [account]);
    let says = line(&check(&app, &[]).succeeded(), MERGE, "warning");
    assert!(says.contains("link again in Merge"), "{says}");

    let without_email = |n| {
        let mut employee = merge_employee(n);
        employee["work_email"] = Value::Null;
        employee
    };
    let page =
        json!({"next": null, "previous": null, "results": [without_email(1), without_email(2)]});
    api.script(MERGE_EMPLOYEES, [Answer::json(&page)]);
    let output = check(&app, &[]).findings(&[]);
    assert!(line(&output, MERGE, "error").contains("`work_email`"));
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_credentials_are_an_error_with_host_and_status() {
    for (status, words) in [
        (401, "api.api_key"),
        (403, "rights of api.api_key"),
        (404, "nothing at this address"),
        (503, "responds with 503"),
        (302, "redirects"),
    ] {
        let api = StandIn::always(Answer::status(status)).await;
        for (provider, check_name) in [("bamboohr", BAMBOOHR), ("merge", MERGE)] {
            let output = check(&app(provider, &api).await, &[]).findings(&[]);
            let says = line(&output, check_name, "error");
            for word in [words, host(&api)] {
                assert!(says.contains(word), "{status}: no {word:?} in {says}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn withheld_fields_are_an_error_that_names_them() {
    let api = StandIn::start(|request: &ApiRequest| match request.path.as_str() {
        "/api/v1/employees/changed" => Answer::json(&json!({"latest": "2026-11-22T11:00:00+00:00",
            "employees": {"1": {"id": "1", "action": "Updated", "lastChanged": "2026-11-22T11:00:00+00:00"}}})),
        "/api/v1/employees/1" => {
            let mut employee = bamboohr_employee(1);
            employee.as_object_mut().unwrap().remove("workEmail");
            Answer::json(&employee)
        }
        _ => Answer::json(&json!({"webhooks": []})),
    })
    .await;
    let output = check(&app("bamboohr", &api).await, &[]).findings(&[]);
    let says = line(&output, BAMBOOHR, "error");
    for word in [host(&api), "`workEmail`", "api.api_key"] {
        assert!(says.contains(word), "no {word:?} in {says}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_that_cannot_be_reached_is_named_with_its_cause() {
    let hooks = Arc::new(Hooks::default());
    let app = app("bamboohr", &bamboohr(&hooks).await).await;
    let file = app.file(
        "other.toml",
        "[[sources]]\nname = \"hr\"\nprovider = \"bamboohr\"\nwebhook_secrets = [\"env:SECRET\"]\n\
         [sources.api]\nbase_url = \"https://api.leaver.invalid\"\napi_key = \"env:API_KEY\"\n\
         [[sources]]\nname = \"here\"\nprovider = \"bamboohr\"\nwebhook_secrets = [\"env:SECRET_1\"]\n\
         [sources.api]\nbase_url = \"http://127.0.0.1:1\"\napi_key = \"env:API_KEY\"\n\
         [accounts]\nsingle_company = true\n",
    );
    let more = [
        ("LEAVER_CONFIG", file.to_str().unwrap()),
        ("SECRET_1", "another-key-of-a-source"),
        ("LEAVER_PUBLIC_URL", "https://leaver.invalid"),
    ];
    let output = check(&app, &more).findings(&[]);
    for (name, words) in [
        (
            "source hr API",
            ["api.leaver.invalid: ", "host not found", "--offline"],
        ),
        (
            "source here API",
            ["127.0.0.1:1: ", "connection refused", "--offline"],
        ),
    ] {
        let says = line(&output, name, "error");
        for word in words {
            assert!(says.contains(word), "no {word:?} in {says}");
        }
        assert!(!says.contains("error") && !says.contains("http"), "{says}");
    }
    assert!(
        line(&output, "server.public_url", "warning").contains("leaver.invalid: host not found")
    );

    let output = app
        .run_with(&["check", "--json", "--offline"], &more)
        .succeeded();
    assert!(line(&output, "source hr API", "ok").contains("not called (--offline)"));
    assert!(!output.out.contains("not found"), "{output:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn webhooks_that_contradict_the_public_url_are_named() {
    let hooks = Arc::new(Hooks::default());
    let api = bamboohr(&hooks).await;
    let app = app("bamboohr", &api).await;
    hooks.add("https://dana:pw-sentinel@old.example/webhooks/bamboohr?token=t-sentinel");
    hooks.add("https://127.0.0.1/webhooks/bamboo");
    hooks.add("https://other.example/hook");
    let output = check(&app, &[PUBLIC_URL]).findings(&[]);
    let says: Vec<Value> = output.json().as_array().unwrap().clone();
    let says: Vec<&str> = says
        .iter()
        .filter(|line| line["check"] == WEBHOOKS && line["status"] == "error")
        .map(|line| line["message"].as_str().unwrap())
        .collect();
    assert_eq!(says.len(), 2, "{output:?}");
    assert!(says[0].contains("https://old.example/webhooks/bamboohr") && says[0].contains(HERE));
    assert!(
        says[1].contains("webhooks/bamboo,") && says[1].contains("404"),
        "{says:?}"
    );
    assert!(!output.out.contains("sentinel"), "{output:?}");

    // A webhook that agrees shows that the others belong to another installation.
    hooks.add(HERE);
    hooks.remove("2");
    let output = check(&app, &[PUBLIC_URL]).succeeded();
    assert!(line(&output, WEBHOOKS, "warning").contains("old.example"));
}
