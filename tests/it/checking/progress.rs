//! Progress of long work, and the log of `leaver serve`.

use std::fs::File;
use std::io::Read;
use std::process::Stdio;
use std::time::Duration;

use nix::pty::{Winsize, openpty};

use crate::support::apis::{Answer, MERGE_EMPLOYEES, StandIn, merge_company, merge_employee};
use crate::support::apis_setup::source_with_api;
use crate::support::driving::terminated;
use crate::support::process::command;
use crate::support::{BAMBOOHR_KEY, TestApp};

const SECRETS: [(&str, &str); 3] = [
    ("SECRET", BAMBOOHR_KEY),
    ("API_KEY", "key-sentinel"),
    ("TOKEN", "token-sentinel"),
];

/// Creates an app whose source `merge` has two employees, and reads them once.
async fn synced() -> (TestApp, StandIn) {
    let api = StandIn::start(merge_company((1..=2).map(merge_employee).collect())).await;
    let file = source_with_api("merge", "merge", &api);
    let app = TestApp::builder()
        .config_file(&file, &SECRETS)
        .build()
        .await;
    let output = app.run(&["sync", "--full"]).succeeded();
    assert!(
        output.err.contains("sync merge: 2 employees in "),
        "{output:?}"
    );
    (app, api)
}

/// Runs a command whose stderr is a terminal, and returns what it shows there.
fn on_terminal(app: &TestApp, args: &[&str]) -> String {
    let size = Winsize {
        ws_row: 50,
        ws_col: 200,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    let pair = openpty(Some(&size), None).unwrap();
    let mut program = command(args, &app.env(&[("TERM", "xterm")]));
    program
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(pair.slave);
    let mut child = program.spawn().unwrap();
    // Its copy of the terminal would keep the other end open.
    drop(program);
    let mut shown = vec![];
    // Linux reports the end of the last process on a terminal as an error.
    let _ = File::from(pair.master).read_to_end(&mut shown);
    child.wait().unwrap();
    String::from_utf8(shown).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_sync_prints_a_line_every_10_s() {
    let (app, api) = synced().await;
    let slow = Answer::json(&serde_json::json!({"next": null, "previous": null,
        "results": [merge_employee(1), merge_employee(2)]}));
    api.script(MERGE_EMPLOYEES, [slow.after(Duration::from_secs(11))]);
    let output = app.run(&["sync", "--full"]).succeeded();
    let lines: Vec<&str> = output.err.lines().collect();
    assert!(
        lines.contains(&"sync merge: 0 of about 2 employees, 0 a second"),
        "{output:?}"
    );
    assert!(
        lines
            .iter()
            .any(|line| line.starts_with("sync merge: 2 employees in 1")),
        "{output:?}"
    );
    assert!(!output.err.contains('\u{1b}'), "{output:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_sync_draws_a_bar_on_a_terminal() {
    let (app, api) = synced().await;
    let slow = Answer::json(&serde_json::json!({"next": null, "previous": null,
        "results": [merge_employee(1), merge_employee(2)]}));
    api.script(MERGE_EMPLOYEES, [slow.after(Duration::from_secs(1))]);
    let shown = on_terminal(&app, &["sync", "--full"]);
    assert!(shown.contains("sync merge"), "{shown:?}");
    assert!(shown.contains("0 of 2"), "{shown:?}");
    assert!(shown.contains("left"), "{shown:?}");
    assert!(shown.contains("sync merge: 2 employees in "), "{shown:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn quick_work_draws_no_bar() {
    let (app, _api) = synced().await;
    for _ in 0..10 {
        let shown = on_terminal(&app, &["drift"]);
        let (work, took) = shown.split_once(" in ").unwrap();
        // A machine with much other work may take longer.
        let seconds = took.split(' ').next().unwrap();
        if seconds.parse::<f64>().unwrap() < 0.4 {
            assert_eq!(work, "drift: 2 employees", "{shown:?}");
            return;
        }
    }
    panic!("a comparison of two employees took 0.4 s ten times");
}

#[tokio::test(flavor = "multi_thread")]
async fn long_commands_end_with_a_summary() {
    let (app, _api) = synced().await;
    let output = app.run(&["drift"]);
    assert!(output.err.contains("drift: 2 employees in "), "{output:?}");
    let env = app.env(&[]);
    let (_, path) = env
        .iter()
        .find(|(name, _)| *name == "LEAVER_CONFIG")
        .unwrap();
    let output = app.run(&["backtest", "--against", path]);
    assert!(
        output.err.contains("backtest: 2 observations in "),
        "{output:?}"
    );
    let ids: Vec<String> = (0..101).map(|_| uuid::Uuid::new_v4().to_string()).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let output = app.run(&[&["replay"], &ids[..]].concat());
    assert!(
        output.err.contains("replay: 101 deliveries in "),
        "{output:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn serve_logs_its_sources_table_mode_and_listeners() {
    let (app, _api) = synced().await;
    let service = app.serve(&[("LEAVER_PUBLIC_URL", "https://leaver.example/x")]);
    let log = service.process.err();
    for words in [
        &[
            "service.start: listening",
            "address=127.0.0.1",
            "admin_address=127.0.0.1",
            "version=",
        ][..],
        &[
            "service.start: source",
            "source=merge",
            "provider=\"merge\"",
            "path=\"/webhooks/merge\"",
            "keys=1",
        ],
        &[
            "service.start: users table",
            "table=\"public.users\"",
            "mode=\"enforce\"",
        ],
        &["service.start: mode of the source", "mode=\"enforce\""],
    ] {
        let line = log.lines().find(|line| line.contains(words[0]));
        let line = line.unwrap_or_else(|| panic!("no {:?} in {log}", words[0]));
        for word in words {
            assert!(line.contains(word), "no {word:?} in {line}");
        }
    }
    for secret in [BAMBOOHR_KEY, "key-sentinel", "token-sentinel"] {
        assert!(!log.contains(secret), "{log}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn serve_logs_each_sync() {
    let (mut app, _api) = synced().await;
    app.sql("DELETE FROM leaver.sync_state").await;
    let mut service = app.serve(&[]);
    service.process.wait_for("sync.read: complete");
    let log = service.process.err();
    let line = log
        .lines()
        .find(|line| line.contains("sync.read: complete"))
        .unwrap();
    for word in ["source=merge", "records=2", "full=true", "elapsed_s="] {
        assert!(line.contains(word), "no {word:?} in {line}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn serve_logs_each_request_at_debug_without_personal_data() {
    let app = TestApp::new().await;
    let more = [
        ("LEAVER_LOG", "info,leaver=debug"),
        ("LEAVER_ADMIN_TOKEN", "a-token-of-32-characters-or-more"),
    ];
    let service = app.serve(&more);
    let body = terminated("person-7", "dana@example.com", "2026-11-22T11:00:00Z");
    let file = app.file("one.json", &serde_json::json!([body]).to_string());
    service.send(&app, "bamboohr", &file);
    service.get("/health?email=dana@example.com").await;
    service.get("/people/dana@example.com").await;
    let client = leaver::connect::client::new(Duration::from_secs(10)).unwrap();
    let url = format!("{}/webhooks/dana@example.com", service.url);
    client.post(&url).send().await.unwrap();
    let log = service.stop().err;
    let requests: Vec<&str> = log
        .lines()
        .filter(|line| line.contains("http.request: answered"))
        .collect();
    for words in [
        [
            "method=POST",
            "path=\"/webhooks/{source}\"",
            "source=\"bamboohr\"",
        ],
        ["method=GET", "path=\"/health\"", "status=200"],
        ["method=GET", "path=\"none\"", "status=404"],
        ["method=POST", "path=\"/webhooks/{source}\"", "status=404"],
    ] {
        let fits = |line: &&&str| words.iter().all(|word| line.contains(word));
        assert!(
            requests.iter().any(|line| fits(&line)),
            "no {words:?} in {requests:#?}"
        );
    }
    assert!(requests.iter().all(|line| line.contains("elapsed_ms=")));
    for personal in ["dana@", "person-7"] {
        assert!(!log.contains(personal), "{log}");
    }
}
