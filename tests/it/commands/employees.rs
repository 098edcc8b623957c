//! `leaver employees`, and the same list over HTTP.

use serde_json::{Value, json};

use super::{app, now};
use crate::support::process::{RunningService, WAIT_LIMIT, run};
use crate::support::{TestApp, employee, employees};

const TOKEN: &str = "hush-6b1f0c2ad94e47c8";

/// Starts a service with twelve employees, one of them inactive.
async fn twelve() -> (TestApp, RunningService) {
    let mut app = app().await;
    let service = app.serve(&[("LEAVER_ADMIN_TOKEN", TOKEN), ("LEAVER_LOG", "debug")]);
    let entry = |n: usize| {
        let status = if n == 3 { "Inactive" } else { "Active" };
        let fields = json!({"status": status, "workEmail": format!("p{n}@example.com"), "terminationDate": "2199-01-31"});
        employee(&n.to_string(), &now(), &[], &fields)
    };
    let body = employees(&(0..12).map(entry).collect::<Vec<_>>()).to_string();
    let file = app.file("twelve.json", &body);
    service.send(&app, "bamboohr", &file).succeeded();
    app.wait_until_processed().await;
    (app, service)
}

fn ids(page: &Value) -> Vec<&str> {
    let rows = page["results"].as_array().unwrap();
    rows.iter()
        .map(|row| row["employee_id"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn the_next_page_continues_after_the_last_row() {
    let (app, _service) = twelve().await;
    let all = app.run(&["employees", "--json"]).succeeded().json();
    assert_eq!((ids(&all).len(), &all["next"]), (12, &Value::Null));

    let first = ["employees", "--source", "bamboohr", "--limit", "8"];
    let table = app.run(&first).succeeded();
    for words in ["bamboohr\tdefault", "p1@example.com", "2199-01-31"] {
        assert!(table.out.contains(words), "no {words:?} in {}", table.out);
    }
    assert_eq!(table.out.lines().count(), 1 + 8, "{}", table.out);
    // The note is a complete command line.
    let hint = table.err.lines().last().unwrap().trim();
    let (_, words) = hint.split_once("leaver ").unwrap();
    let words: Vec<&str> = words.split(' ').collect();
    assert_eq!(words[..5], first);
    let rest = app
        .run(&[&words[..], &["--json"]].concat())
        .succeeded()
        .json();
    assert_eq!(
        (ids(&rest), &rest["next"]),
        (ids(&all)[8..].to_vec(), &Value::Null)
    );
    let table = app.run(&words).succeeded();
    assert_eq!(table.err, "");

    for (args, count) in [
        (&["--status", "inactive"][..], 1),
        (&["--status", "pending"], 0),
        (&["--source", "merge"], 0),
        (&["--modified-after", "2020-01-01"], 12),
        (&["--modified-after", "2020-01-01T00:00:00+0000"], 12),
        (&["--modified-after", "2199-01-01T00:00:00Z"], 0),
    ] {
        let page = app
            .run(&[&["employees", "--json"], args].concat())
            .succeeded()
            .json();
        assert_eq!(ids(&page).len(), count, "{args:?}");
    }
    let none = app.run(&["employees", "--status", "pending"]).succeeded();
    assert_eq!(
        (none.out.lines().count(), none.err.as_str()),
        (1, "no employees\n")
    );
}

#[tokio::test]
async fn the_api_returns_the_same_list_with_the_token() {
    let (app, service) = twelve().await;
    let ask = |token: &'static str| {
        let client = leaver::connect::client::new(WAIT_LIMIT).unwrap();
        let url = format!("{}/api/v1/employees?status=inactive", service.admin_url);
        async move { client.get(url).bearer_auth(token).send().await.unwrap() }
    };
    let answer = ask(TOKEN).await;
    assert_eq!(answer.status(), 200);
    let shown: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
    let listed = app.run(&["employees", "--status", "inactive", "--json"]);
    assert_eq!(shown, listed.succeeded().json());
    assert_eq!(ids(&shown), ["3"]);
    assert_eq!(ask("hush-but-a-wrong-one").await.status(), 401);
    let output = service.stop();
    assert!(output.err.contains("employees.list"), "{output:?}");
    assert!(
        !output.err.contains("hush-") && !output.err.contains("example.com"),
        "{output:?}"
    );
}

#[test]
fn serve_rejects_a_weak_admin_token() {
    for (token, words) in [
        ("", "empty"),
        ("hush-short", "fewer than 16"),
        ("hush with spaces in it", "a space"),
    ] {
        let env = [
            ("BAMBOOHR_WEBHOOK_SECRET", "a key of sixteen bytes"),
            ("LEAVER_ADMIN_TOKEN", token),
        ];
        let output = run(&["serve"], &env);
        assert!(!output.err.contains("hush"), "{output:?}");
        output.failed(&["LEAVER_ADMIN_TOKEN", words]);
    }
}
