//! `leaver deliveries`, `replay`, `holds`, `explain` and `health`.

use serde_json::{Value, json};

use super::{five, notification, place};
use crate::support::process::{Place, Served, leaver};

/// Starts a service and sends it the batch of five, an invalid body, an ignored model and two notifications.
async fn busy() -> (Place, Served) {
    let mut place = place().await;
    let service = place.serve(&[]);
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
        let file = place.file(name, &body);
        service.send(&place, source, &file).good();
        place.settled().await;
    }
    (place, service)
}

fn rows(value: &Value) -> &Vec<Value> {
    value.as_array().unwrap()
}

#[tokio::test]
async fn deliveries_lists_states_and_outcomes() {
    let (place, _service) = busy().await;
    let all = place.leaver(&["deliveries", "--json"]).good().json();
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

    let failed = place
        .leaver(&["deliveries", "--state", "failed", "--json"])
        .good()
        .json();
    assert_eq!(rows(&failed).len(), 1);
    assert!(
        failed[0]["reason"].as_str().unwrap().contains("JSON"),
        "{failed}"
    );
    let merge = place
        .leaver(&["deliveries", "--source", "merge", "--json"])
        .good()
        .json();
    assert_eq!(
        (rows(&merge).len(), &merge[0]["source"]),
        (1, &json!("merge"))
    );
    let last = place
        .leaver(&["deliveries", "--limit", "1", "--json"])
        .good()
        .json();
    assert_eq!(last[0], all[0]);

    let table = place.leaver(&["deliveries"]).good();
    for words in [
        five["id"].as_str().unwrap(),
        "2 deactivated",
        "failed",
        "ignored",
    ] {
        assert!(table.out.contains(words), "no {words:?} in {}", table.out);
    }
    let none = place.leaver(&["deliveries", "--state", "pending"]).good();
    assert_eq!(
        (none.out.as_str(), none.err.as_str()),
        ("", "no deliveries\n")
    );
    let none = place
        .leaver(&["deliveries", "--state", "pending", "--json"])
        .good();
    assert_eq!(none.json(), json!([]));
}

#[tokio::test]
async fn replay_processes_only_failed_deliveries() {
    let (mut place, service) = busy().await;
    let all = place.leaver(&["deliveries", "--json"]).good().json();
    let id = |state: &str| {
        let row = rows(&all).iter().find(|row| row["state"] == state).unwrap();
        row["id"].as_str().unwrap()
    };
    let (failed, processed) = (id("failed"), id("processed"));
    let unknown = "0199f2c4-7b1e-7c3d-9a55-2f1c8e6b4d10";

    let said = place.leaver(&["replay", failed, "--json"]).good().json();
    assert_eq!(said, json!([{"delivery": failed, "result": "queued"}]));
    place.settled().await;
    let again = place
        .leaver(&["deliveries", "--state", "failed", "--json"])
        .good()
        .json();
    assert_eq!(again[0]["id"], json!(failed));

    let said = place.leaver(&["replay", "--json", failed, processed, unknown]);
    assert_eq!(said.code, Some(3));
    let said = said.json();
    let results: Vec<_> = rows(&said)
        .iter()
        .map(|row| row["result"].as_str().unwrap())
        .collect();
    assert_eq!(results, ["queued", "body_gone", "unknown"]);
    service.stop();
    let said = place.leaver(&["replay", unknown]);
    assert_eq!(said.code, Some(3));
    assert!(
        said.out.contains(unknown) && said.out.contains("no such delivery"),
        "{said:?}"
    );
}

#[tokio::test]
async fn holds_are_listed_approved_and_rejected() {
    let (mut place, _service) = busy().await;
    let holds = place.leaver(&["holds", "list", "--json"]).good().json();
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
    let table = place.leaver(&["holds", "list"]).good();
    assert!(
        table.out.contains("needs a read") && table.err.contains("holds approve"),
        "{table:?}"
    );

    let (two, four) = (of("2"), of("4"));
    let said = place
        .leaver(&["holds", "approve", &two, "--as", "Kim", "--json"])
        .good()
        .json();
    let account = place
        .lines("SELECT id::text FROM users WHERE email = 'ben@example.com'")
        .await;
    assert_eq!(
        said,
        json!({"id": two.parse::<i64>().unwrap(), "state": "approved", "account_id": account[0], "changed": true})
    );
    let said = place
        .leaver(&["holds", "reject", &four, "--as", "Kim"])
        .good();
    assert!(said.out.contains("rejected"), "{said:?}");
    assert_eq!(place.active().await, ["dia@example.com", "eve@example.com"]);
    let sessions =
        "SELECT count(*) FROM sessions s JOIN users u ON u.id = s.user_id WHERE NOT u.is_active";
    assert_eq!(place.count(sessions).await, 0);
    let kim = "SELECT action || ' ' || employee_id FROM leaver.audit WHERE actor LIKE '%Kim%' ORDER BY id";
    let lines = place.lines(kim).await;
    assert!(
        lines.contains(&"approved 2".to_owned()) && lines.contains(&"rejected 4".to_owned()),
        "{lines:?}"
    );

    place
        .leaver(&["holds", "approve", &two])
        .failed(&["not open", "approved"]);
    place
        .leaver(&["holds", "reject", &four])
        .failed(&["not open", "rejected"]);
    place
        .leaver(&["holds", "approve", "4711"])
        .failed(&["no hold 4711", "holds list"]);
    let none = place.leaver(&["holds", "list"]).good();
    assert_eq!(
        (none.out.as_str(), none.err.as_str()),
        ("", "no open holds\n")
    );
    assert_eq!(
        place.leaver(&["holds", "list", "--json"]).good().json(),
        json!([])
    );
}

#[tokio::test]
async fn explain_finds_a_person_by_e_mail_and_by_id() {
    let (place, _service) = busy().await;
    let by_email = place
        .leaver(&["explain", " ANA@example.com", "--json"])
        .good()
        .json();
    let by_id = place.leaver(&["explain", "1", "--json"]).good().json();
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

    let text = place.leaver(&["explain", "cem@example.com"]).good().out;
    for words in [
        "employee 3",
        "inactive",
        "2020-01-31",
        "decision now",
        "deactivated\tsystem",
    ] {
        assert!(text.contains(words), "no {words:?} in {text}");
    }
    let text = place.leaver(&["explain", "4"]).good().out;
    assert!(
        text.contains("2199-01-01") && text.contains("needs a read"),
        "{text}"
    );

    for who in ["stranger@example.com", "4711"] {
        let said = place.leaver(&["explain", who]);
        assert_eq!(said.code, Some(1));
        assert!(said.err.contains("no employee"), "{said:?}");
        let said = place.leaver(&["explain", who, "--json"]);
        assert_eq!((said.code, said.json()), (Some(1), json!([])));
    }
}

#[tokio::test]
async fn health_exits_0_if_healthy_and_3_without_a_response() {
    let place = place().await;
    let service = place.serve(&[]);
    let url = service.url.clone();
    let health = ["health", "--url", &url];
    // The address comes from the option, then from the variable.
    let said = leaver(&health, &[]).good();
    assert!(said.out.contains("database ok"), "{said:?}");
    let admin = service.admin_url.strip_prefix("http://").unwrap();
    let listen = [("LEAVER_ADMIN_LISTEN", admin)];
    leaver(&["health"], &listen).good();
    let without_admin = [
        ("LEAVER_LISTEN", service.address()),
        ("LEAVER_ADMIN_LISTEN", ""),
    ];
    leaver(&["health"], &without_admin).good();
    let said = leaver(&["health", "--json"], &listen).good();
    assert_eq!(said.json()["status"], json!("ok"));

    service.stop();
    leaver(&health, &[]).failed(&["no response", &url]);
}
