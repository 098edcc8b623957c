//! `leaver employees`, and the same list over HTTP.

use serde_json::{Value, json};

use super::{now, place};
use crate::support::process::{PATIENCE, Place, Served, leaver};
use crate::support::{employee, employees};

const TOKEN: &str = "hush-6b1f0c2ad94e47c8";

/// Starts a service with twelve employees, one of them inactive.
async fn twelve() -> (Place, Served) {
    let mut place = place().await;
    let service = place.serve(&[("LEAVER_ADMIN_TOKEN", TOKEN), ("LEAVER_LOG", "debug")]);
    let entry = |n: usize| {
        let status = if n == 3 { "Inactive" } else { "Active" };
        let fields = json!({"status": status, "workEmail": format!("p{n}@example.com"), "terminationDate": "2199-01-31"});
        employee(&n.to_string(), &now(), &[], &fields)
    };
    let body = employees(&(0..12).map(entry).collect::<Vec<_>>()).to_string();
    let file = place.file("twelve.json", &body);
    service.send(&place, "bamboohr", &file).good();
    place.settled().await;
    (place, service)
}

fn ids(page: &Value) -> Vec<&str> {
    let rows = page["results"].as_array().unwrap();
    rows.iter()
        .map(|row| row["employee_id"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn the_next_page_continues_after_the_last_row() {
    let (place, _service) = twelve().await;
    let all = place.leaver(&["employees", "--json"]).good().json();
    assert_eq!((ids(&all).len(), &all["next"]), (12, &Value::Null));

    let first = ["employees", "--source", "bamboohr", "--limit", "8"];
    let table = place.leaver(&first).good();
    for words in ["bamboohr\tdefault", "p1@example.com", "2199-01-31"] {
        assert!(table.out.contains(words), "no {words:?} in {}", table.out);
    }
    assert_eq!(table.out.lines().count(), 1 + 8, "{}", table.out);
    // The note is a complete command line.
    let hint = table.err.lines().last().unwrap().trim();
    let (_, words) = hint.split_once("leaver ").unwrap();
    let words: Vec<&str> = words.split(' ').collect();
    assert_eq!(words[..5], first);
    let rest = place
        .leaver(&[&words[..], &["--json"]].concat())
        .good()
        .json();
    assert_eq!(
        (ids(&rest), &rest["next"]),
        (ids(&all)[8..].to_vec(), &Value::Null)
    );
    let table = place.leaver(&words).good();
    assert_eq!(table.err, "");

    for (args, count) in [
        (&["--status", "inactive"][..], 1),
        (&["--status", "pending"], 0),
        (&["--source", "merge"], 0),
        (&["--modified-after", "2020-01-01"], 12),
        (&["--modified-after", "2020-01-01T00:00:00+0000"], 12),
        (&["--modified-after", "2199-01-01T00:00:00Z"], 0),
    ] {
        let page = place
            .leaver(&[&["employees", "--json"], args].concat())
            .good()
            .json();
        assert_eq!(ids(&page).len(), count, "{args:?}");
    }
    let none = place.leaver(&["employees", "--status", "pending"]).good();
    assert_eq!(
        (none.out.as_str(), none.err.as_str()),
        ("", "no employees\n")
    );
}

#[tokio::test]
async fn the_api_returns_the_same_list_with_the_token() {
    let (place, service) = twelve().await;
    let ask = |token: &'static str| {
        let client = leaver::connect::client::new(PATIENCE).unwrap();
        let url = format!("{}/api/v1/employees?status=inactive", service.admin_url);
        async move { client.get(url).bearer_auth(token).send().await.unwrap() }
    };
    let answer = ask(TOKEN).await;
    assert_eq!(answer.status(), 200);
    let shown: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
    let listed = place.leaver(&["employees", "--status", "inactive", "--json"]);
    assert_eq!(shown, listed.good().json());
    assert_eq!(ids(&shown), ["3"]);
    assert_eq!(ask("hush-but-a-wrong-one").await.status(), 401);
    let said = service.stop();
    assert!(said.err.contains("employees.list"), "{said:?}");
    assert!(
        !said.err.contains("hush-") && !said.err.contains("example.com"),
        "{said:?}"
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
            ("BAMBOOHR_WEBHOOK_SECRET", "k"),
            ("LEAVER_ADMIN_TOKEN", token),
        ];
        let said = leaver(&["serve"], &env);
        assert!(!said.err.contains("hush"), "{said:?}");
        said.failed(&["LEAVER_ADMIN_TOKEN", words]);
    }
}
