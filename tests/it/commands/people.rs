//! `leaver deliveries`, `replay`, `holds`, `explain` and `health`.

use serde_json::{Value, json};

use super::{app, five, notification};
use crate::support::TestApp;
use crate::support::process::{RunningService, run};

/// Starts a service and sends it the batch of five, an invalid body, an ignored model and two notifications.
async fn busy() -> (TestApp, RunningService) {
    let mut app = app().await;
    let service = app.serve(&[]);
    for (source, name, body) in [
        ("bamboohr", "five.json", five()),
        ("bamboohr", "broken.json", "{\"employees\": [".to_owned()),
        (
            "merge",
            "other.json",
            json!({"hook": {"event": "Company.changed"}, "data": {}}).to_string(),
        ),
        ("bamboohr", "notification-2.json", notification("2")),
        ("bamboohr", "notification-4.json", notification("4")),
    ] {
        let file = app.file(name, &body);
        service.send(&app, source, &file).succeeded();
        app.wait_until_processed().await;
    }
    (app, service)
}

fn rows(value: &Value) -> &Vec<Value> {
    value.as_array().unwrap()
}

#[tokio::test]
async fn deliveries_lists_states_and_outcomes() {
    let (app, _service) = busy().await;
    let all = app.run(&["deliveries", "--json"]).succeeded().json();
    let states: Vec<_> = rows(&all)
        .iter()
        .map(|row| row["state"].as_str().unwrap())
        .collect();
    assert_eq!(
        states,
        ["processed", "processed", "ignored", "failed", "processed"]
    );
    let five = rows(&all).last().unwrap();
    assert_eq!(five["outcome"]["deactivated"], json!(2));

    let failed = app
        .run(&["deliveries", "--state", "failed", "--json"])
        .succeeded()
        .json();
    assert_eq!(rows(&failed).len(), 1);
    assert!(
        failed[0]["reason"].as_str().unwrap().contains("JSON"),
        "{failed}"
    );
    let merge = app
        .run(&["deliveries", "--source", "merge", "--json"])
        .succeeded()
        .json();
    assert_eq!(
        (rows(&merge).len(), &merge[0]["source"]),
        (1, &json!("merge"))
    );
    let last = app
        .run(&["deliveries", "--limit", "1", "--json"])
        .succeeded()
        .json();
    assert_eq!(last[0], all[0]);

    let table = app.run(&["deliveries"]).succeeded();
    for words in [
        five["id"].as_str().unwrap(),
        "2 deactivated",
        "failed",
        "ignored",
    ] {
        assert!(table.out.contains(words), "no {words:?} in {}", table.out);
    }
    let none = app.run(&["deliveries", "--state", "pending"]).succeeded();
    assert_eq!(
        (none.out.as_str(), none.err.as_str()),
        (
            "delivery\tsource\treceived\tstate\toutcome\n",
            "no deliveries\n"
        )
    );
    let none = app
        .run(&["deliveries", "--state", "pending", "--json"])
        .succeeded();
    assert_eq!(none.json(), json!([]));
}

#[tokio::test]
async fn replay_processes_only_failed_deliveries() {
    let (mut app, service) = busy().await;
    let all = app.run(&["deliveries", "--json"]).succeeded().json();
    let id = |state: &str| {
        let row = rows(&all).iter().find(|row| row["state"] == state).unwrap();
        row["id"].as_str().unwrap()
    };
    let (failed, processed) = (id("failed"), id("processed"));
    let unknown = "0199f2c4-7b1e-7c3d-9a55-2f1c8e6b4d10";

    let output = app.run(&["replay", failed, "--json"]).succeeded().json();
    assert_eq!(output, json!([{"delivery": failed, "result": "queued"}]));
    app.wait_until_processed().await;
    let again = app
        .run(&["deliveries", "--state", "failed", "--json"])
        .succeeded()
        .json();
    assert_eq!(again[0]["id"], json!(failed));

    let output = app.run(&["replay", "--json", failed, processed, unknown]);
    assert_eq!(output.code, Some(3));
    let output = output.json();
    let results: Vec<_> = rows(&output)
        .iter()
        .map(|row| row["result"].as_str().unwrap())
        .collect();
    assert_eq!(results, ["queued", "body_gone", "unknown"]);
    service.stop();
    let output = app.run(&["replay", unknown]);
    assert_eq!(output.code, Some(3));
    assert!(
        output.out.contains(unknown) && output.out.contains("no such delivery"),
        "{output:?}"
    );
}

#[tokio::test]
async fn holds_are_listed_approved_and_rejected() {
    let (mut app, _service) = busy().await;
    let holds = app.run(&["holds", "list", "--json"]).succeeded().json();
    let of = |employee: &str| {
        let hold = rows(&holds)
            .iter()
            .find(|hold| hold["employee_id"] == employee);
        hold.unwrap()["id"].to_string()
    };
    assert_eq!(rows(&holds).len(), 2);
    assert!(
        rows(&holds)
            .iter()
            .all(|hold| hold["requested_action"] == "deactivate")
    );
    let table = app.run(&["holds", "list"]).succeeded();
    assert!(
        table.out.contains("needs a read") && table.err.contains("holds approve"),
        "{table:?}"
    );

    let (two, four) = (of("2"), of("4"));
    let output = app
        .run(&["holds", "approve", &two, "--as", "Kim", "--json"])
        .succeeded()
        .json();
    let account = app
        .lines("SELECT id::text FROM users WHERE email = 'ben@example.com'")
        .await;
    assert_eq!(
        output,
        json!({"id": two.parse::<i64>().unwrap(), "state": "approved", "account_id": account[0], "changed": true,
               "accounts": [{"account_id": account[0], "changed": true}], "still_active": []})
    );
    let output = app
        .run(&["holds", "reject", &four, "--as", "Kim"])
        .succeeded();
    assert!(output.out.contains("rejected"), "{output:?}");
    assert_eq!(app.active().await, ["dia@example.com", "eve@example.com"]);
    let sessions =
        "SELECT count(*) FROM sessions s JOIN users u ON u.id = s.user_id WHERE NOT u.is_active";
    assert_eq!(app.count(sessions).await, 0);
    let kim = "SELECT action || ' ' || employee_id FROM leaver.audit WHERE actor LIKE '%Kim%' ORDER BY id";
    let lines = app.lines(kim).await;
    assert!(
        lines.contains(&"approved 2".to_owned()) && lines.contains(&"rejected 4".to_owned()),
        "{lines:?}"
    );

    app.run(&["holds", "approve", &two])
        .failed(&["not open", "approved"]);
    app.run(&["holds", "reject", &four])
        .failed(&["not open", "rejected"]);
    app.run(&["holds", "approve", "4711"])
        .failed(&["no hold 4711", "holds list"]);
    let none = app.run(&["holds", "list"]).succeeded();
    assert_eq!(
        (none.out.as_str(), none.err.as_str()),
        (
            "hold\topened\tsource\ttenant\temployee\twork e-mail\taccount\taction\ttrip\treason\n",
            "no open holds\n"
        )
    );
    assert_eq!(
        app.run(&["holds", "list", "--json"]).succeeded().json(),
        json!([])
    );
}

#[tokio::test]
async fn explain_finds_a_person_by_e_mail_and_by_id() {
    let (app, _service) = busy().await;
    let by_email = app
        .run(&["explain", " ANA@example.com", "--json"])
        .succeeded()
        .json();
    let by_id = app.run(&["explain", "1", "--json"]).succeeded().json();
    assert_eq!(by_email, by_id);
    let ana = &by_id[0];
    assert_eq!(ana["employee_id"], json!("1"));
    assert_eq!(ana["facts"]["status"]["value"], json!("inactive"));
    assert_eq!(ana["history"][0]["action"], json!("deactivated"));
    assert_eq!(ana["history"][0]["delivery_id"], ana["last_delivery_id"]);
    assert!(
        ana["reason"].as_str().unwrap().contains("Terminated"),
        "{ana}"
    );

    let text = app.run(&["explain", "cem@example.com"]).succeeded().out;
    for words in [
        "3\tbamboohr\t",
        "inactive",
        "2020-01-31",
        "decision now",
        "audit log\tdeactivated: ",
        "\tsystem",
    ] {
        assert!(text.contains(words), "no {words:?} in {text}");
    }
    let text = app.run(&["explain", "4"]).succeeded().out;
    assert!(
        text.contains("2199-01-01") && text.contains("needs a read"),
        "{text}"
    );

    for who in ["stranger@example.com", "4711"] {
        let output = app.run(&["explain", who]);
        assert_eq!(output.code, Some(1));
        assert!(output.err.contains("no employee"), "{output:?}");
        let output = app.run(&["explain", who, "--json"]);
        assert_eq!((output.code, output.json()), (Some(1), json!([])));
    }
}

#[tokio::test]
async fn health_exits_0_if_healthy_and_3_without_a_response() {
    let app = app().await;
    let service = app.serve(&[]);
    let url = service.url.clone();
    let health = ["health", "--url", &url];
    // The address comes from the option, then from the variable.
    let output = run(&health, &[]).succeeded();
    assert!(output.out.contains("database\tok"), "{output:?}");
    let admin = service.admin_url.strip_prefix("http://").unwrap();
    let listen = [("LEAVER_ADMIN_LISTEN", admin)];
    run(&["health"], &listen).succeeded();
    let without_admin = [
        ("LEAVER_LISTEN", service.address()),
        ("LEAVER_ADMIN_LISTEN", ""),
    ];
    run(&["health"], &without_admin).succeeded();
    let output = run(&["health", "--json"], &listen).succeeded();
    assert_eq!(output.json()["status"], json!("ok"));

    service.stop();
    run(&health, &[]).failed(&["no response", &url]);
}
