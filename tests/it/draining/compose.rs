//! `compose.yaml`: its example users, and the time that it gives a stop.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::process::{RunningService, command, wait_until};
use crate::support::{BAMBOOHR_KEY, MERGE_KEY, TestApp};

const SQL: &str = include_str!("../../../ops/compose/example.sql");
const COMPOSE: &str = include_str!("../../../compose.yaml");

/// Returns the value of the only line with this key in `compose.yaml`, without quotes.
fn value(key: &str) -> String {
    let lines = COMPOSE.lines().map(str::trim);
    let values: Vec<&str> = lines
        .filter_map(|line| line.strip_prefix(key)?.strip_prefix(": "))
        .collect();
    assert_eq!(values.len(), 1, "{key}");
    values[0].trim_matches('\'').replace("$$", "$")
}

/// Returns the documented examples.
fn examples() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/examples");
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "json"))
        .collect();
    files.sort();
    files
}

/// Returns the people of an example with an e-mail, and whether they have left.
fn people(body: &Value) -> Vec<(String, bool)> {
    let of_bamboohr = body["employees"].as_array().into_iter().flatten();
    let of_bamboohr = of_bamboohr.map(|employee| {
        let fields = &employee["fields"];
        let left = fields["employmentHistoryStatus"] == "Terminated";
        (&fields["workEmail"], left)
    });
    let left = body["data"]["employment_status"] == "INACTIVE";
    let of_merge = std::iter::once((&body["data"]["work_email"], left));
    of_bamboohr
        .chain(of_merge)
        .filter_map(|(email, left)| Some((email.as_str()?.to_owned(), left)))
        .collect()
}

#[tokio::test]
async fn each_example_has_an_effect_on_the_users_of_compose() {
    let mut app = TestApp::builder().tables(SQL).unmigrated().build().await;
    let end_sessions = value("LEAVER__ACCOUNTS__END_SESSIONS");
    let database = app.url.clone();
    // The environment of the container and no more, so the safeguard has its usual limits.
    let mut service = RunningService::start_command(command(
        &["serve"],
        &[
            ("DATABASE_URL", &database),
            ("LEAVER_LISTEN", "127.0.0.1:0"),
            ("LEAVER_ADMIN_LISTEN", "127.0.0.1:0"),
            ("BAMBOOHR_WEBHOOK_SECRET", BAMBOOHR_KEY),
            ("MERGE_WEBHOOK_SECRET", MERGE_KEY),
            ("LEAVER__ACCOUNTS__END_SESSIONS", &end_sessions),
        ],
    ));
    service.wait_until_ready();
    let (mut left, mut stayed) = (BTreeSet::new(), BTreeSet::new());
    for file in examples() {
        let body: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
        let source = if body["employees"].is_array() {
            "bamboohr"
        } else {
            "merge"
        };
        service.send(&app, source, &file).succeeded();
        let people = people(&body);
        assert!(people.iter().any(|(_, left)| *left), "{}", file.display());
        for (email, has_left) in people {
            if has_left {
                left.insert(email);
            } else {
                stayed.insert(email);
            }
        }
    }
    wait_until("the deliveries are processed", || {
        let pending = app.run(&["deliveries", "--state", "pending", "--json"]);
        pending.succeeded().json() == Value::Array(vec![])
    });
    for email in &left {
        assert_eq!(app.user(email).await, (false, 0), "{email}");
    }
    for email in &stayed {
        assert_eq!(app.user(email).await, (true, 1), "{email}");
    }
    let inactive = app.lines("SELECT email FROM users WHERE NOT is_active ORDER BY email");
    assert_eq!(inactive.await, left.into_iter().collect::<Vec<_>>());
    service.stop();
}

#[test]
fn compose_waits_until_a_stop_has_ended() {
    let graces: Vec<u64> = COMPOSE
        .lines()
        .filter_map(|line| line.trim().strip_prefix("stop_grace_period: "))
        .map(|value| value.trim_end_matches('s').parse().unwrap())
        .collect();
    // The image's drain_delay, the default drain_timeout and the rest of a stop: see docs/OPERATIONS.md.
    assert!(graces.iter().max().is_some_and(|most| *most >= 5 + 20 + 20));
    assert_eq!(graces.len(), 2);
    assert!(
        !COMPOSE.contains("content:"),
        "podman-compose has no configs"
    );
}
