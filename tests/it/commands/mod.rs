//! The commands: the real binary on a real Postgres.

pub(crate) mod check;
mod employees;
mod people;
mod send;
mod sync;
mod webhooks;

use serde_json::{Value, json};

use crate::support::process::{command, run};
use crate::support::{TestApp, employee, employees};

/// Every command and subcommand.
const COMMANDS: &[&[&str]] = &[
    &[],
    &["serve"],
    &["demo"],
    &["check"],
    &["migrate"],
    &["send"],
    &["deliveries"],
    &["replay"],
    &["events"],
    &["events", "retry"],
    &["events", "recover"],
    &["events", "resume"],
    &["holds"],
    &["holds", "list"],
    &["holds", "approve"],
    &["holds", "reject"],
    &["safeguard"],
    &["safeguard", "release"],
    &["safeguard", "reject"],
    &["safeguard", "grant"],
    &["explain"],
    &["employees"],
    &["audit"],
    &["leavers"],
    &["health"],
    &["sync"],
    &["drift"],
    &["backtest"],
    &["init"],
    &["config"],
    &["config", "show"],
    &["config", "defaults"],
    &["config", "schema"],
    &["config", "env"],
    &["completions"],
    &["man"],
    &["webhooks"],
    &["webhooks", "create"],
    &["webhooks", "list"],
    &["webhooks", "show"],
    &["webhooks", "log"],
    &["webhooks", "delete"],
    &["webhooks", "fields"],
    &["webhooks", "gaps"],
];

/// Two leavers, an active employee, a pre-hire and a leaver without an account.
fn five() -> String {
    let entry = |id: &str, fields: Value| employee(id, &now(), &["status"], &fields);
    employees(&[
        entry("1", json!({"status": "Inactive", "employmentHistoryStatus": "Terminated", "workEmail": "Ana@example.com"})),
        entry("2", json!({"status": "Active", "workEmail": "ben@example.com"})),
        entry("3", json!({"status": {"value": "Inactive"}, "terminationDate": {"value": "2020-01-31"}, "workEmail": {"value": "cem@example.com"}})),
        entry("4", json!({"status": "Inactive", "hireDate": "2199-01-01", "workEmail": "dia@example.com"})),
        entry("5", json!({"status": "Inactive", "employmentHistoryStatus": "Terminated", "workEmail": "gone@example.com"})),
    ])
    .to_string()
}

/// BambooHR's notification of a change, without values.
fn notification(id: &str) -> String {
    json!({"type": "employee.updated", "timestamp": now(), "data": {"companyId": "88110", "employeeId": id, "changedFields": ["status"]}})
        .to_string()
}

fn now() -> String {
    use leaver::base::clock::Clock;
    let now = leaver::base::clock::SystemClock.now();
    now.format("%Y-%m-%dT%H:%M:%S+0000").to_string()
}

const PEOPLE: &str = "INSERT INTO users (email, hashed_password) SELECT name || '@example.com', 'x'
    FROM unnest('{ana,ben,cem,dia,eve}'::text[]) WITH ORDINALITY AS p (name, n) ORDER BY n;
    INSERT INTO sessions (user_id) SELECT id FROM users, generate_series(1, 2);";

/// Creates a database with five active users.
async fn app() -> TestApp {
    let mut app = TestApp::builder().unmigrated().build().await;
    app.sql(PEOPLE).await;
    app
}

#[test]
fn every_command_has_help_with_an_example() {
    for command in COMMANDS {
        let help = run(&[*command, &["--help"]].concat(), &[]).succeeded();
        assert!(help.out.contains("Usage: leaver"), "{help:?}");
        if !command.is_empty() {
            let example = format!("  leaver {}", command.join(" "));
            let (_, examples) = help.out.split_once("Example:\n").unwrap_or_default();
            assert!(
                examples.contains(example.trim()),
                "{command:?} has no example: {}",
                help.out
            );
        }
        assert_eq!(help.err, "");
    }
    let version = run(&["--version"], &[]).succeeded();
    let start = format!("leaver {} (commit ", env!("CARGO_PKG_VERSION"));
    assert!(version.out.starts_with(&start), "{version:?}");
}

#[test]
fn wrong_use_exits_2() {
    for args in [
        &[][..],
        &["fly"],
        &["serve", "--port", "1"],
        &["send", "file.json"],
        &["send", "--source", "bamboohr"],
        &[
            "send",
            "--source",
            "bamboohr",
            "--to",
            "nonsense",
            "file.json",
        ],
        &["replay"],
        &["replay", "not-an-id"],
        &["holds", "approve"],
        &["holds", "approve", "first"],
        &["safeguard", "release"],
        &["safeguard", "release", "first"],
        &[
            "safeguard",
            "grant",
            "--tenant",
            "acme",
            "--count",
            "0",
            "--for",
            "2h",
            "--reason",
            "x",
        ],
        &[
            "safeguard",
            "grant",
            "--tenant",
            "acme",
            "--count",
            "1",
            "--for",
            "32d",
            "--reason",
            "x",
        ],
        &[
            "safeguard",
            "grant",
            "--tenant",
            "acme",
            "--count",
            "1",
            "--for",
            "0s",
            "--reason",
            "x",
        ],
        &["explain"],
        &["deliveries", "--state", "lost"],
        &["deliveries", "--limit", "0"],
        &["employees", "--modified-after", "yesterday"],
        &["employees", "--status", "gone"],
        &["employees", "--source", "Merge!"],
        &["employees", "--limit", "1001"],
        &["employees", "--cursor", "nonsense"],
        &["health", "--url", "ftp://example.com"],
        &["config"],
        &["config", "edit"],
        &["completions"],
        &["man"],
        &["demo", "--listen", "8080"],
    ] {
        let output = run(args, &[]);
        assert_eq!(output.code, Some(2), "{args:?}: {output:?}");
        assert_eq!(output.out, "");
        assert!(
            output.err.contains("Usage") || output.err.contains("--help"),
            "{output:?}"
        );
    }
}

#[test]
fn a_closed_pipe_ends_a_command_without_a_panic() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut check = command(&["check"], &[]);
    let ended = check.stdout(writer).output().unwrap();
    assert_eq!(ended.status.code(), Some(141));
    assert_eq!(String::from_utf8_lossy(&ended.stderr), "");
}

#[test]
fn serve_and_send_need_a_source() {
    for args in [&["serve"][..], &["send", "--source", "bamboohr", "-"]] {
        let output = run(args, &[("DATABASE_URL", "postgres://localhost/app")]);
        output.failed(&["no source", "BAMBOOHR_WEBHOOK_SECRET", "[[sources]]"]);
    }
}

#[test]
fn an_invalid_configuration_stops_every_command() {
    let env = [
        ("BAMBOOHR_WEBHOOK_SECRET", "a key of sixteen bytes"),
        ("LEAVER__ACCOUNTS__TABEL", "users"),
    ];
    for args in [
        &["serve"][..],
        &["migrate"],
        &["deliveries"],
        &["holds", "list"],
        &["explain", "1"],
        &["health"],
    ] {
        run(args, &env).failed(&[
            "leaver: ",
            "LEAVER__ACCOUNTS__TABEL",
            "did you mean LEAVER__ACCOUNTS__TABLE?",
        ]);
    }
}

#[tokio::test]
async fn migrate_applies_pending_migrations_once() {
    let mut app = TestApp::builder().tables("").unmigrated().build().await;
    let all = leaver::db::schema::MIGRATOR.iter().count();
    // `migrate` needs no source.
    let env = [("DATABASE_URL", app.url.as_str())];
    let first = run(&["migrate", "--json"], &env).succeeded();
    assert_eq!(first.json()["applied"], json!(all));
    let second = run(&["migrate", "--json"], &env).succeeded();
    assert_eq!(second.json()["applied"], json!(0));
    let told = run(&["migrate"], &env).succeeded();
    assert!(told.out.contains("schema leaver"), "{told:?}");
    let schemas = "SELECT DISTINCT table_schema::text FROM information_schema.tables
                   WHERE table_schema NOT IN ('pg_catalog', 'information_schema')";
    assert_eq!(app.lines(schemas).await, ["leaver"]);
}

#[tokio::test]
async fn migrate_grants_the_service_role_only_what_it_needs() {
    let mut app = app().await;
    let role = format!("service_{}", uuid::Uuid::new_v4().simple());
    // Only the mapped columns, so not the passwords.
    app
        .sql(&format!(
            "CREATE ROLE {role} LOGIN; GRANT SELECT (id, email, is_active), UPDATE (is_active) ON users TO {role};
             GRANT SELECT, DELETE ON sessions TO {role}"
        ))
        .await;
    let output = app
        .run(&["migrate", "--grant-to", &role, "--json"])
        .succeeded();
    assert_eq!(output.json()["granted_to"], json!(role));
    app.run(&["migrate", "--grant-to", "nobody_of_that_name"])
        .failed(&["nobody_of_that_name", "does not exist"]);

    let url = app
        .url
        .replace("postgres://postgres@", &format!("postgres://{role}@"));
    app.run_with(&["check"], &[("DATABASE_URL", &url)])
        .succeeded();
    let service = app.serve(&[("DATABASE_URL", &url)]);
    let file = app.file("five.json", &five());
    service.send(&app, "bamboohr", &file).succeeded();
    app.wait_until_processed().await;
    assert_eq!(
        app.active().await,
        ["ben@example.com", "dia@example.com", "eve@example.com"]
    );
    assert_eq!(app.count("SELECT count(*) FROM leaver.audit").await, 2);
    // This role may not read the audit log; the rest is shown.
    let output = app
        .run_with(&["explain", "1"], &[("DATABASE_URL", &url)])
        .succeeded();
    assert!(
        output.out.contains("not readable by this role"),
        "{output:?}"
    );
}

#[tokio::test]
async fn commands_ask_for_migrate_without_the_schema() {
    let app = app().await;
    for args in [
        &["deliveries"][..],
        &["holds", "list"],
        &["holds", "approve", "1"],
        &["safeguard"],
        &["safeguard", "release", "1"],
        &["explain", "1"],
        &["employees"],
        &["replay", "0199f2c4-7b1e-7c3d-9a55-2f1c8e6b4d10"],
    ] {
        app.run(args).failed(&["leaver migrate"]);
    }
}
