//! Actors cannot be claimed.

use serde_json::json;

use crate::support::TestApp;

const DANA: &str = "dana@example.com";

/// Texts that would pass for the service, for another kind of actor, or for something else on a terminal.
const CLAIMS: [&str; 18] = [
    "leaver",
    "LEAVER",
    " Leaver ",
    "1eaver",
    "leaver worker",
    "system",
    "system:timer",
    "System:Timer",
    "system\u{ff1a}timer",
    "ѕystem",
    "timer",
    "tirner",
    "token:x",
    "user:https://id.example/1",
    "cli:alice",
    "ada\n2026-11-22 deactivated system:timer",
    "ada\u{202e}remit",
    "\u{1b}[2Kada",
];

/// Starts an application with one active user.
async fn app() -> TestApp {
    let mut app = TestApp::new().await;
    app.add_users(&[DANA]).await;
    app
}

#[tokio::test]
async fn name_of_the_service_cannot_be_claimed() {
    let mut app = app().await;
    let commands: [&[&str]; 8] = [
        &["end", DANA, "--reason", "left", "--yes"],
        &["holds", "approve", "1"],
        &["holds", "reject", "1"],
        &["safeguard", "release", "1"],
        &["safeguard", "reject", "1"],
        &[
            "safeguard",
            "grant",
            "--tenant",
            "default",
            "--count",
            "5",
            "--for",
            "1h",
            "--reason",
            "left",
        ],
        &["enforce", "--source", "bamboohr"],
        &["undo", "--trip", "1"],
    ];
    for claim in CLAIMS {
        let ended = app.run(&[commands[0], &["--as", claim]].concat());
        assert_eq!(ended.code, Some(2), "{claim:?}: {ended:#?}");
    }
    for command in commands {
        let ended = app.run(&[command, &["--as", "system:timer"]].concat());
        assert_eq!(ended.code, Some(2), "{command:?}: {ended:#?}");
        assert!(ended.err.contains("--as"), "{ended:#?}");
    }
    assert_eq!(app.active().await, [DANA]);
    assert_eq!(app.count("SELECT count(*) FROM leaver.audit").await, 0);
}

#[tokio::test]
async fn claimed_name_is_recorded_with_user_host_and_role() {
    let mut app = app().await;
    let end = [
        "end",
        DANA,
        "--reason",
        "left today",
        "--yes",
        "--as",
        "Zoë O'Neil",
    ];
    app.run_with(&end, &[("SUDO_USER", "mallory")]).succeeded();
    let row = "SELECT concat_ws('|', action, actor, os_user, host, database_role = session_user) FROM leaver.audit";
    let os_user = nix::unistd::User::from_uid(nix::unistd::getuid())
        .unwrap()
        .unwrap()
        .name;
    let host = nix::unistd::gethostname().unwrap().into_string().unwrap();
    let expected = format!("deactivated|cli:Zoë O'Neil|{os_user}|{host}|t");
    assert_eq!(app.lines(row).await, [expected]);
    let batch = "SELECT actor FROM leaver.batches";
    assert_eq!(app.lines(batch).await, ["cli:Zoë O'Neil"]);
}

#[tokio::test]
async fn service_is_recorded_as_the_part_that_acted() {
    let mut app = app().await;
    let fields =
        json!({"status": "Inactive", "employmentHistoryStatus": "Terminated", "workEmail": DANA});
    let entry = crate::support::employee("7", "2026-11-22T11:00:00Z", &["status"], &fields);
    app.deliver("bamboohr", &crate::support::employees(&[entry]))
        .await;
    let row = "SELECT concat_ws('|', action, actor, os_user, host, database_role = session_user) FROM leaver.audit";
    assert_eq!(app.lines(row).await, ["deactivated|system:worker|t"]);
    let shown = app.run(&["explain", "7", "--json"]).succeeded().json();
    let entry = &shown[0]["history"][0];
    assert_eq!(entry["actor"], "system:worker");
    assert!(entry["database_role"].is_string(), "{entry}");
}

#[tokio::test]
async fn role_of_a_planted_entry_is_set_by_the_database() {
    let mut app = app().await;
    app.sql(
        "INSERT INTO leaver.audit (at, action, reason, source, tenant, employee_id, actor)
         VALUES (now(), 'rejected', 'none', 'hr', 'acme', '7', 'system:timer')",
    )
    .await;
    let row = "SELECT (database_role = session_user)::text FROM leaver.audit";
    assert_eq!(app.lines(row).await, ["true"]);
}

#[tokio::test]
async fn replication_role_does_not_free_the_audit_log() {
    let mut app = app().await;
    app.sql(
        "INSERT INTO leaver.audit (at, action, reason, source, tenant, employee_id, actor)
         VALUES (now(), 'rejected', 'none', 'hr', 'acme', '7', 'system:timer')",
    )
    .await;
    // The test is a superuser. A role with `GRANT SET ON PARAMETER` can do this as well.
    app.sql("SET session_replication_role = replica").await;
    for statement in [
        "UPDATE leaver.audit SET actor = 'cli:mallory'",
        "DELETE FROM leaver.audit",
        "TRUNCATE leaver.audit",
    ] {
        let refused = sqlx::raw_sql(statement).execute(&mut app.conn).await;
        let refused = refused.unwrap_err().to_string();
        assert!(refused.contains("append-only"), "{statement}: {refused}");
    }
    let row = "SELECT actor FROM leaver.audit";
    assert_eq!(app.lines(row).await, ["system:timer"]);
}
