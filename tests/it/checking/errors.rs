//! Errors name the place and the cause in words; ids are refused in words; a failing statement is named.

use tokio::net::TcpListener;

use crate::support::apis::{Answer, StandIn};
use crate::support::apis_setup::source_with_api;
use crate::support::driving::terminated;
use crate::support::process::run;
use crate::support::{BAMBOOHR_KEY, TestApp};

/// Commands that begin with the database.
const WITH_DATABASE: &[&[&str]] = &[
    &["deliveries"],
    &["replay", "0199f2c4-7b1e-7c3d-9a55-2f1c8e6b4d10"],
    &["holds", "list"],
    &["holds", "approve", "1"],
    &["holds", "reject", "1"],
    &["safeguard"],
    &["safeguard", "release", "1"],
    &["end", "dana@example.com", "--reason", "r"],
    &["undo", "--since", "2026-01-01"],
    &["plan"],
    &["enforce", "--source", "bamboohr"],
    &["shadow", "--source", "bamboohr"],
    &["explain", "7"],
    &["employees"],
    &["sync"],
    &["drift"],
    &["migrate"],
    &["restores"],
    &["check"],
];

/// Texts of libraries that say nothing to a person.
const INTERNALS: &[&str] = &[
    "error returned from database",
    "pool timed out",
    "error sending request",
    "tcp connect error",
    "dns error",
    "os error",
    "hyper",
];

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_connection_names_place_and_cause() {
    let app = TestApp::new().await;
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let silent = silent.local_addr().unwrap().to_string();
    let no_database = app.url.replace(app.database_name(), "no_such_people");
    let no_role = app
        .url
        .replace("postgres://postgres@", "postgres://no_such_role@");
    let hung = format!("postgres://app:hush@{silent}/people?connect_timeout=1");
    let cases: [(&str, &[&str]); 5] = [
        (
            "postgres://app:hush@127.0.0.1:1/people",
            &["127.0.0.1:1", "people", "connection refused"],
        ),
        (
            "postgres://app:hush@db.leaver.invalid/people?sslmode=verify-full",
            &["db.leaver.invalid:5432", "people", "host not found"],
        ),
        (
            &no_database,
            &["no_such_people", "does not exist", "create it"],
        ),
        (
            &no_role,
            &[app.database_name(), "no_such_role", "refuses the role"],
        ),
        (&hung, &[&silent, "people", "connect_timeout"]),
    ];
    for (url, words) in cases {
        for args in WITH_DATABASE {
            let output = app.run_with(args, &[("DATABASE_URL", url)]);
            assert_eq!(output.code, Some(3), "{args:?}: {output:?}");
            let shown = format!("{}{}", output.out, output.err);
            for word in words {
                assert!(shown.contains(word), "{args:?}: no {word:?} in {shown}");
            }
            for word in INTERNALS.iter().chain(&["hush"]) {
                assert!(!shown.contains(word), "{args:?}: {word:?} in {shown}");
            }
            // One case shows that a silent server is named; each would take a second.
            if url == hung {
                break;
            }
        }
    }
}

#[tokio::test]
async fn serve_names_the_database_that_it_waits_for() {
    let app = TestApp::new().await;
    let more = [("DATABASE_URL", "postgres://app:hush@127.0.0.1:1/people")];
    let mut service = crate::support::process::RunningService::start(&app.env(&more));
    service.process.wait_for("cannot reach the database yet");
    let log = service.process.err();
    for word in ["connection refused", "127.0.0.1:1, database people"] {
        assert!(log.contains(word), "no {word:?} in {log}");
    }
    assert!(!log.contains("hush"), "{log}");
}

#[tokio::test]
async fn a_service_that_does_not_answer_is_named_with_its_cause() {
    let app = TestApp::new().await;
    let file = app.file("one.json", "{}");
    let file = file.to_str().unwrap();
    for (url, words) in [
        ("http://127.0.0.1:1", "connection refused"),
        ("https://127.0.0.1:1", "connection refused"),
        ("http://leaver.invalid", "host not found"),
    ] {
        for args in [
            &["health", "--url", url][..],
            &["send", "--source", "bamboohr", file, "--to", url],
        ] {
            let output = app.run(args).failed(&[url, words]);
            for word in INTERNALS {
                assert!(!output.err.contains(word), "{word:?} in {output:?}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_of_an_api_names_its_host() {
    let api = StandIn::always(Answer::status(401)).await;
    let host = api.url.trim_start_matches("http://").to_owned();
    let secrets = [("SECRET", BAMBOOHR_KEY), ("API_KEY", "key-of-the-api")];
    let app = TestApp::builder()
        .config_file(&source_with_api("bamboohr", "bamboohr", &api), &secrets)
        .build()
        .await;
    let output = app.run(&["sync"]).findings(&["401"]);
    // A table may wrap the line.
    assert!(output.out.contains(&host), "{output:?}");
    for args in [
        &["webhooks", "list"][..],
        &["webhooks", "show", "1"],
        &["webhooks", "log", "1"],
        &["webhooks", "fields"],
        &["webhooks", "delete", "1"],
        &["webhooks", "create", "--url", "https://leaver.example"],
        &["webhooks", "gaps"],
    ] {
        app.run(args).failed(&[&host, "401"]);
    }
}

#[test]
fn ids_are_refused_in_words() {
    let commands: [(&[&str], &str, &str); 11] = [
        (&["holds", "approve"], "hold", "leaver holds list"),
        (&["holds", "reject"], "hold", "leaver holds list"),
        (&["holds", "approve", "--trip"], "trip", "leaver safeguard"),
        (&["replay"], "delivery", "leaver deliveries"),
        (&["safeguard", "release"], "trip", "leaver safeguard"),
        (&["safeguard", "reject"], "trip", "leaver safeguard"),
        (&["undo", "--delivery"], "delivery", "leaver deliveries"),
        (&["undo", "--batch"], "batch", "leaver undo"),
        (&["undo", "--trip"], "trip", "leaver safeguard"),
        (&["restores", "acknowledge"], "restore", "leaver restores"),
        (&["webhooks", "show"], "webhook", "leaver webhooks list"),
    ];
    for (args, noun, command) in commands {
        for id in [
            "abc",
            "0",
            "1.5",
            "99999999999999999999999",
            "0199f2c4-7b1e-7c3d-9a55",
        ] {
            if noun == "webhook" && id == "0" {
                continue;
            }
            let output = run(&[args, &[id]].concat(), &[]);
            assert_eq!(output.code, Some(2), "{output:?}");
            let words = [
                format!("it is no id of a {noun}; `{command}"),
                "shows them".to_owned(),
            ];
            assert!(
                words.iter().all(|word| output.err.contains(word)),
                "{output:?}"
            );
        }
    }
    let output = run(&["holds", "approve", "-3"], &[]);
    assert!(output.err.contains("it is no id of a hold"), "{output:?}");
}

#[tokio::test]
async fn a_failing_end_sessions_statement_is_named() {
    let statements = r#"["SELECT 1 WHERE '' = ANY($1)", "DELETE FROM no_sessions WHERE user_id::text = ANY($1)"]"#;
    let mut app = TestApp::builder()
        .settings(&[("LEAVER__ACCOUNTS__END_SESSIONS", statements)])
        .build()
        .await;
    app.add_users(&["dana@example.com"]).await;
    app.bamboohr(&[terminated("7", "dana@example.com", "2026-11-22T11:00:00Z")])
        .await;
    let explained = app.run(&["explain", "7", "--json"]).succeeded().json();
    let reason = explained[0]["blocked"]["reason"].as_str().unwrap();
    assert!(
        reason.starts_with("`accounts.end_sessions[1]` (DELETE FROM no_sessions WHERE"),
        "{reason}"
    );
    assert!(reason.contains("does not exist"), "{reason}");
    let output = app.run(&["check"]);
    let (_, line) = output.out.split_once("accounts.end_sessions[1]").unwrap();
    assert!(line.contains("DELETE FROM no_sessions"), "{output:?}");
}
