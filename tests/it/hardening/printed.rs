//! Printed text cannot steer a terminal.

use leaver_core::domain::is_unprintable;
use serde_json::{Value, json};

use crate::support::apis::{Answer, StandIn};
use crate::support::process::{CommandOutput, run};
use crate::support::{FORM, MERGE_KEY, TestApp, employee, employees, merge_changed};

/// Steers a terminal, forges a line, reorders text, and hides text.
const HOSTILE: &str = "x\u{1b}[2J\r\nFORGED\u{202e}\u{2066}\u{200b}\u{9b}31m\u{2028}\u{7f}y";
/// The part of it that an employee id may have: ids with control characters are refused.
const INVISIBLE: &str = "7\u{202e}\u{2066}\u{200b}";

/// Account ids are texts that the application's own users may have chosen.
const TABLES: &str = "
    CREATE TABLE users (id text PRIMARY KEY, email text NOT NULL, is_active boolean NOT NULL DEFAULT true);
    CREATE TABLE sessions (user_id text NOT NULL);";

/// Asserts that all characters on both streams are printable, and that no line is forged.
#[track_caller]
fn assert_printable(what: &str, output: &CommandOutput) {
    for text in [&output.out, &output.err] {
        let bad = |c: char| c != '\n' && c != '\t' && is_unprintable(c);
        assert!(!text.contains(bad), "{what}: {output:?}");
        let is_forged = text
            .lines()
            .any(|line| line.trim_start().starts_with("FORGED"));
        assert!(!is_forged, "{what}: {output:?}");
    }
}

/// Fields of BambooHR that are hostile as far as they have values of any text.
fn left(email: &str) -> Value {
    json!({"status": "Inactive", "employmentHistoryStatus": "Terminated", "workEmail": email,
           "firstName": HOSTILE, "lastName": HOSTILE, "hireDate": HOSTILE})
}

/// Returns an application with a hostile account of a hostile leaver, another one that needs a person, and one of nobody.
async fn hostile(settings: &[(&str, &str)]) -> TestApp {
    let mut app = TestApp::builder()
        .tables(TABLES)
        .settings(settings)
        .build()
        .await;
    for (id, email) in [
        (HOSTILE.to_owned(), "dana@example.com".to_owned()),
        (format!("{HOSTILE}1"), "max@example.com".to_owned()),
        (format!("{HOSTILE}2"), "kim@example.com".to_owned()),
        (format!("{HOSTILE}3"), format!("{HOSTILE}@example.com")),
    ] {
        sqlx::query("INSERT INTO users (id, email) VALUES ($1, $2)")
            .bind(id)
            .bind(email)
            .execute(&mut app.session.conn)
            .await
            .unwrap();
    }
    app
}

/// Sends the deliveries about them, and some that cannot be read.
async fn deliver(app: &mut TestApp) {
    let merge = merge_changed(&json!({
        "id": INVISIBLE, "modified_at": "2026-11-22T11:00:00Z", "employment_status": "INACTIVE",
        "first_name": HOSTILE, "work_email": "kim@example.com", "termination_date": null,
    }));
    app.deliver("merge", &merge).await;
    let unknown = merge_changed(&json!({
        "id": format!("{INVISIBLE}8"), "modified_at": "2026-11-22T11:00:00Z", "employment_status": HOSTILE,
        "work_email": format!("{INVISIBLE}lee@example.com"), "termination_date": HOSTILE,
    }));
    app.deliver("merge", &unknown).await;
    let at = "2026-11-22T11:00:00Z";
    let entries = [
        employee(
            INVISIBLE,
            at,
            &["status", HOSTILE],
            &left("dana@example.com"),
        ),
        employee(
            &format!("{INVISIBLE}9"),
            at,
            &["status"],
            &left(&format!("{INVISIBLE}gone@example.com")),
        ),
        employee(
            &format!("{INVISIBLE}5"),
            at,
            &["status"],
            &left("max@example.com"),
        ),
        employee(HOSTILE, at, &["status"], &left(HOSTILE)),
    ];
    app.deliver("bamboohr", &employees(&entries)).await;
    app.send(
        "bamboohr",
        FORM,
        format!("employees[{INVISIBLE}][status]=Inactive"),
    )
    .await;
    app.send("bamboohr", HOSTILE.split_at(1).0, format!("{{\"{HOSTILE}"))
        .await;
    app.work().await;
}

#[tokio::test]
async fn commands_print_no_character_that_steers_a_terminal() {
    let mut app = hostile(&[]).await;
    deliver(&mut app).await;
    let hold = app.open_hold().await.to_string();
    let batch = app
        .text("SELECT batch_id::text FROM leaver.changes LIMIT 1")
        .await
        .unwrap();
    let lists: [&[&str]; 12] = [
        &["deliveries"],
        &["explain", INVISIBLE],
        &["explain", "kim@example.com"],
        &["employees"],
        &["drift"],
        &["holds", "list"],
        &["holds", "approve", "--source", "merge"],
        &["undo", "--batch", &batch],
        &["plan"],
        &["safeguard"],
        &["check"],
        &["end", INVISIBLE, "--reason", "left", "--all"],
    ];
    for list in lists {
        let shown = app.run(list);
        assert!(!shown.out.is_empty() || !shown.err.is_empty(), "{list:?}");
        assert_printable(&list.join(" "), &shown);
        if list[0] != "end" || !shown.out.is_empty() {
            let json = app.run(&[list, &["--json"]].concat());
            assert_printable(&format!("{} --json", list.join(" ")), &json);
        }
    }
    let explained = app
        .run(&["explain", INVISIBLE, "--json"])
        .succeeded()
        .json();
    assert_eq!(
        explained[0]["employee_id"], INVISIBLE,
        "the value is the same"
    );
    for (what, shown) in [
        ("reject", app.run(&["holds", "reject", &hold])),
        ("approve", app.run(&["holds", "approve", &hold])),
        (
            "end",
            app.run(&["end", "kim@example.com", "--reason", "left", "--yes"]),
        ),
        ("fix", app.run(&["drift", "--fix"])),
        ("replay", app.run(&["replay", &batch])),
    ] {
        assert_printable(what, &shown);
    }
}

#[tokio::test]
async fn planned_and_held_changes_are_printed_escaped() {
    for (name, settings) in [
        ("plan", &[("LEAVER__SAFEGUARD__MODE", "shadow")][..]),
        (
            "safeguard",
            &[
                ("LEAVER__SAFEGUARD__HOUR__FLOOR", "1"),
                ("LEAVER__SAFEGUARD__HOUR__PERCENT", "1"),
            ],
        ),
    ] {
        let mut app = hostile(settings).await;
        deliver(&mut app).await;
        for list in [
            &["plan"][..],
            &["safeguard"],
            &["safeguard", "release", "1"],
            &["enforce", "--source", "bamboohr"],
            &["explain", INVISIBLE],
            &["holds", "list"],
        ] {
            assert_printable(name, &app.run(list));
            assert_printable(name, &app.run(&[list, &["--json"]].concat()));
        }
    }
}

#[tokio::test]
async fn errors_and_wrong_usage_are_printed_escaped() {
    let app = TestApp::new().await;
    for args in [
        &["explain", HOSTILE][..],
        &["end", HOSTILE, "--reason", "left", "--yes"],
        &["end", "dana@example.com", "--reason", HOSTILE],
        &["holds", "approve", HOSTILE],
        &["holds", "approve", "1", "--account", HOSTILE],
        &["replay", HOSTILE],
        &["enforce", "--source", HOSTILE],
        &["send", "--source", HOSTILE, HOSTILE],
        &["health", "--url", HOSTILE],
        &[HOSTILE],
        &["--config", HOSTILE],
        &["check", "--config", HOSTILE],
        &[
            "safeguard",
            "grant",
            "--tenant",
            HOSTILE,
            "--count",
            "1",
            "--for",
            "1h",
            "--reason",
            "x",
        ],
    ] {
        let refused = app.run(args);
        assert_ne!(refused.code, Some(0), "{args:?}");
        assert_printable(args[0], &refused);
    }
    let settings = [
        ("LEAVER__ACCOUNTS__TABLE", HOSTILE),
        ("LEAVER__POLICY__REHIRE", HOSTILE),
    ];
    for setting in settings {
        assert_printable("setting", &app.run_with(&["check"], &[setting]));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn responses_of_other_servers_are_printed_escaped() {
    let health = json!({"status": HOSTILE, "version": HOSTILE, "mode": HOSTILE, "database": HOSTILE,
        "reasons": [{"code": HOSTILE, "text": HOSTILE, "command": HOSTILE}]});
    let server = StandIn::always(Answer::json(&health)).await;
    for format in [&["--json"][..], &[]] {
        let asked = run(&[&["health", "--url", &server.url], format].concat(), &[]);
        assert!(asked.out.contains("FORGED"), "{asked:?}");
        assert_printable("health", &asked);
    }
    let server = StandIn::always(Answer::text(200, "text/plain", HOSTILE)).await;
    let app = TestApp::new().await;
    let body = app.file("body.json", "{}");
    let body = body.to_str().unwrap();
    for format in [&["--json"][..], &[]] {
        let args = ["send", "--source", "merge", "--to", &server.url, body];
        let sent = app.run_with(
            &[&args, format].concat(),
            &[("MERGE_WEBHOOK_SECRET", MERGE_KEY)],
        );
        assert!(sent.out.contains("FORGED"), "{sent:?}");
        assert_printable("send", &sent);
    }
}

#[tokio::test]
async fn log_of_the_service_is_printable_in_both_formats() {
    for (format, escaped) in [("text", r"\u{202e}"), ("json", r"\u202e")] {
        let mut app = hostile(&[]).await;
        let settings = [("LEAVER_LOG_FORMAT", format), ("LEAVER_LOG", "trace")];
        let mut service = app.serve(&settings);
        let entries = [employee(
            INVISIBLE,
            "2026-11-22T11:00:00Z",
            &["status"],
            &left("dana@example.com"),
        )];
        let file = app.file("hostile.json", &employees(&entries).to_string());
        service.send(&app, "bamboohr", &file).succeeded();
        // The second linked account is not the company of the source. The log names it as the cause of a failure.
        for (name, account) in [("first.json", "first"), ("second.json", HOSTILE)] {
            let mut body = merge_changed(&json!({"id": "m1", "employment_status": "ACTIVE"}));
            body["linked_account"] = json!({"id": account});
            let file = app.file(name, &body.to_string());
            service.send(&app, "merge", &file).succeeded();
        }
        app.wait_until_processed().await;
        let client = leaver::connect::client::new(std::time::Duration::from_secs(10)).unwrap();
        for path in [
            "/webhooks/%1b%5b2J%0d%0aFORGED%e2%80%ae",
            "/%e2%80%8b/webhooks",
        ] {
            let request = client.post(format!("{}{path}", service.url));
            let request = request
                .header("user-agent", "a")
                .header("x-request-id", "b");
            assert_eq!(request.send().await.unwrap().status(), 404);
        }
        service.process.signal(nix::sys::signal::Signal::SIGTERM);
        let ended = service.process.wait();
        assert!(ended.err.contains("service.stop"), "{ended:?}");
        assert_printable(format, &ended);
        assert!(ended.err.contains(escaped), "{format}: {ended:?}");
    }
}
