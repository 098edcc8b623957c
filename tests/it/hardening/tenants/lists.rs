//! Every list that asks a person shows the source and the tenant, as a table and as JSON.

use serde_json::Value;

use super::{EMAIL, LEFT};
use crate::support::driving::{merge_record, terminated};
use crate::support::process::CommandOutput;
use crate::support::{BAMBOOHR_KEY, END_SESSIONS, MERGE_KEY, TestApp};

/// One company, with a name that no other word of the output has.
const SOURCES: &str = r#"
[[sources]]
name = "hr-one"
provider = "bamboohr"
tenant = "initech"
webhook_secrets = ["env:A"]
[[sources]]
name = "hr-two"
provider = "merge"
tenant = "initech"
webhook_secrets = ["env:M"]
"#;

async fn app(more: &str) -> TestApp {
    let keys = [("A", BAMBOOHR_KEY), ("M", MERGE_KEY), END_SESSIONS];
    let config = format!("{more}\n{SOURCES}");
    let builder = TestApp::builder().config_file(&config, &[]);
    let mut app = builder
        .settings(&keys)
        .settings(&[("LEAVER__SAFEGUARD__HOUR__FLOOR", "1")])
        .build()
        .await;
    app.add_users(&[EMAIL, "bo@example.com", "cy@example.com"])
        .await;
    app
}

/// Expects source and tenant in the table, and in the rows of the JSON at this pointer.
#[track_caller]
fn assert_shown(table: &CommandOutput, json: &Value, rows: &str, source: &str) {
    let line = table.out.lines().find(|line| line.contains(source));
    let line = line.unwrap_or_else(|| panic!("no {source} in {table:?}"));
    assert!(line.contains("initech"), "{line}");
    let rows = json.pointer(rows).and_then(Value::as_array).unwrap();
    assert!(!rows.is_empty(), "{json}");
    for row in rows {
        assert_eq!(
            (&row["source"], &row["tenant"]),
            (&source.into(), &"initech".into()),
            "{row}"
        );
    }
}

/// Runs a command for people and for programs.
fn both(app: &TestApp, args: &[&str]) -> (CommandOutput, Value) {
    let json = app.run(&[args, &["--json"]].concat()).json();
    (app.run(args), json)
}

#[tokio::test]
async fn holds_and_their_approval_show_source_and_tenant() {
    let mut app = app("").await;
    app.deliver("hr-two", &merge_record("7", EMAIL, LEFT, "INACTIVE", None))
        .await;
    let (table, json) = both(&app, &["holds", "list"]);
    assert_shown(&table, &json, "", "hr-two");
    let (table, json) = both(&app, &["holds", "approve", "--source", "hr-two"]);
    assert_shown(&table, &json, "/holds", "hr-two");
    let (table, json) = both(&app, &["drift"]);
    assert_eq!(json["held"][0]["tenant"], "initech", "{json}");
    assert!(
        table.out.contains("initech") && table.out.contains("hr-two"),
        "{table:?}"
    );
    let (table, json) = both(&app, &["explain", EMAIL]);
    assert_shown(&table, &json, "", "hr-two");
}

#[tokio::test]
async fn members_of_a_trip_and_an_undo_show_source_and_tenant() {
    let mut app = app("").await;
    for (id, email) in [
        ("1", EMAIL),
        ("2", "bo@example.com"),
        ("3", "cy@example.com"),
    ] {
        let body = serde_json::json!({"employees": [terminated(id, email, LEFT)]});
        app.deliver("hr-one", &body).await;
    }
    let (table, json) = both(&app, &["safeguard", "release", "1"]);
    assert_shown(&table, &json, "/members", "hr-one");
    let (table, json) = both(&app, &["undo", "--since", "2026-11-01"]);
    assert_shown(&table, &json, "/restored", "hr-one");
}

#[tokio::test]
async fn the_plan_shows_source_and_tenant() {
    let mut app = app("").await;
    app.run(&["shadow", "--source", "hr-one"]).succeeded();
    let body = serde_json::json!({"employees": [terminated("1", EMAIL, LEFT)]});
    app.deliver("hr-one", &body).await;
    let (table, json) = both(&app, &["plan"]);
    let line = table
        .out
        .lines()
        .find(|line| line.contains(EMAIL) || line.contains("initech"));
    assert!(line.is_some(), "{table:?}");
    assert_eq!(json["changes"][0]["source"], "hr-one");
    assert_eq!(json["changes"][0]["tenant"], "initech");
    let (table, json) = both(&app, &["enforce", "--source", "hr-one"]);
    assert!(table.out.contains("initech"), "{table:?}");
    assert!(json.to_string().contains("initech"), "{json}");
}
