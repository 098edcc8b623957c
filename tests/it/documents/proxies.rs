//! The proxies of docs/PROXIES.md, with the files of `ops/` and nothing replaced but addresses and certificates.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::driving::{merge_record, terminated};
use crate::support::process::{RunningProcess, RunningService, WAIT_LIMIT, wait_until};
use crate::support::{TestApp, employees, scratch};

const NGINX: &str = include_str!("../../../ops/nginx/leaver.conf");

/// A running proxy.
struct Proxy {
    _process: RunningProcess,
    _folder: TempDir,
    url: String,
}

pub(super) fn free_port() -> u16 {
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    free.local_addr().unwrap().port()
}

/// Replaces a line of a configuration that must be there.
fn replaced(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "the configuration has no {from:?}");
    text.replace(from, to)
}

fn nginx(replicas: &[&RunningService; 2], change: impl Fn(String) -> String) -> Proxy {
    let folder = scratch::folder();
    let port = free_port();
    let listen = format!("listen 127.0.0.1:{port};");
    let mut server = replaced(NGINX, "listen 443 ssl;", &listen);
    server = replaced(&server, "127.0.0.1:8080", replicas[0].address());
    server = replaced(&server, "127.0.0.1:9080", replicas[1].address());
    let lines = server.lines();
    let plain = lines.filter(|line| !line.trim_start().starts_with("ssl_certificate"));
    server = plain.collect::<Vec<&str>>().join("\n");
    let at = folder.path().display();
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("{kind}_temp_path {at}/{kind};"))
        .join("\n");
    // One process, so that nothing is left when the test ends it.
    let main = format!(
        "daemon off;\nmaster_process off;\npid {at}/nginx.pid;\nerror_log stderr;\nevents {{}}\nhttp {{\naccess_log off;\n{temporary}\n{}\n}}\n",
        change(server)
    );
    let file = folder.path().join("nginx.conf");
    fs::write(&file, main).unwrap();
    let mut command = Command::new("nginx");
    command.args(["-e", "stderr", "-c"]).arg(&file);
    Proxy {
        _process: start(command, port),
        _folder: folder,
        url: format!("http://127.0.0.1:{port}"),
    }
}

/// Starts a proxy and waits until it accepts connections.
fn start(mut command: Command, port: u16) -> RunningProcess {
    command.env("PATH", "/usr/sbin:/usr/local/sbin:/usr/bin:/bin");
    let mut process = RunningProcess::start(command);
    wait_until("the proxy listens", || {
        assert!(
            process.is_running(),
            "{}; run .ci/ensure-servers",
            process.err()
        );
        TcpStream::connect(("127.0.0.1", port)).is_ok()
    });
    process
}

impl Proxy {
    /// Sends a body as the source's provider does. Returns the status and the answer.
    fn send(&self, app: &TestApp, source: &str, path: &str, body: &str) -> (u64, Value) {
        let file = app.file("body", body);
        let to = format!("{}{path}", self.url);
        let args = [
            "send",
            "--source",
            source,
            "--to",
            &to,
            "--json",
            file.to_str().unwrap(),
        ];
        let sent = app.run(&args).json();
        (sent["status"].as_u64().unwrap(), sent["body"].clone())
    }
}

/// A Merge body of one leaver, filled up with spaces.
fn merge_body(id: &str, email: &str, bytes: usize) -> String {
    let left = Some("2026-11-20T00:00:00Z");
    let record = merge_record(id, email, "2026-11-22T11:00:00Z", "INACTIVE", left).to_string();
    format!("{record}{}", " ".repeat(bytes.saturating_sub(record.len())))
}

const MAX_BODY: usize = 10 << 20;

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_through_nginx_arrives_as_it_was_signed() {
    let mut app = TestApp::new().await;
    app.add_users(&["ada@example.com", "ben@example.com", "cem@example.com"])
        .await;
    let replicas = [app.serve(&[]), app.serve(&[])];
    let proxy = nginx(&[&replicas[0], &replicas[1]], |config| config);

    let bamboohr = employees(&[terminated("1", "ada@example.com", "2026-11-22T11:00:00Z")]);
    assert_eq!(
        proxy.send(&app, "bamboohr", "", &bamboohr.to_string()).0,
        200
    );
    let form = "employeeId=2&status=Inactive&workEmail=ben%40example.com&x=%E2%9C%93";
    assert_eq!(proxy.send(&app, "bamboohr", "", form).0, 200);
    let largest = merge_body("m3", "cem@example.com", MAX_BODY);
    assert_eq!(proxy.send(&app, "merge", "", &largest).0, 200);
    app.wait_for_count(
        0,
        "SELECT count(*) FROM leaver.deliveries WHERE state = 'pending'",
    )
    .await;
    let stored = "SELECT count(*) FROM leaver.deliveries";
    assert_eq!(app.count(stored).await, 3);

    // Leaver refuses what is larger, so its own limit is the one that counts.
    let larger = merge_body("m4", "cem@example.com", MAX_BODY + 1);
    let (status, answer) = proxy.send(&app, "merge", "", &larger);
    assert_eq!(status, 413);
    assert!(answer["error"].is_string(), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nginx_without_the_limit_of_the_page_drops_large_webhooks() {
    let app = TestApp::new().await;
    let replicas = [app.serve(&[]), app.serve(&[])];
    let proxy = nginx(&[&replicas[0], &replicas[1]], |config| {
        replaced(&config, "client_max_body_size 11m;", "")
    });
    let (status, answer) = proxy.send(
        &app,
        "merge",
        "",
        &merge_body("m1", "a@example.com", 2 << 20),
    );
    assert_eq!(status, 413);
    assert!(answer.as_str().unwrap().contains("nginx"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nginx_passes_a_webhook_of_a_dead_replica_to_the_other() {
    let app = TestApp::new().await;
    let mut replicas = [app.serve(&[]), app.serve(&[])];
    let proxy = nginx(&[&replicas[0], &replicas[1]], |config| config);
    for n in 0..4 {
        let body = merge_body(&format!("m{n}"), "a@example.com", 0);
        assert_eq!(proxy.send(&app, "merge", "", &body).0, 200);
    }
    replicas[0].process.kill();
    for n in 4..10 {
        let body = merge_body(&format!("m{n}"), "a@example.com", 0);
        assert_eq!(proxy.send(&app, "merge", "", &body).0, 200, "delivery {n}");
    }
    // Nobody is left: an answer that providers repeat.
    replicas[1].process.kill();
    let (status, _) = proxy.send(&app, "merge", "", &merge_body("m11", "a@example.com", 0));
    assert!((502..=504).contains(&status), "{status}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nginx_shows_webhooks_and_health_and_nothing_else() {
    let app = TestApp::new().await;
    let replicas = [app.serve(&[]), app.serve(&[])];
    let proxy = nginx(&[&replicas[0], &replicas[1]], |config| {
        replaced(
            &config,
            "location /webhooks/ {",
            "location /leaver/webhooks/ {",
        )
    });
    let client = leaver::connect::client::new(WAIT_LIMIT).unwrap();
    for (path, expected) in [
        ("/health", 200),
        ("/metrics", 404),
        ("/api/v1/employees", 404),
        ("/", 404),
    ] {
        let answer = client
            .get(format!("{}{path}", proxy.url))
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status().as_u16(), expected, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_prefix_of_nginx_reaches_leaver() {
    let app = TestApp::new().await;
    let prefix = [("LEAVER__SERVER__PATH_PREFIX", "\"/leaver\"")];
    let replicas = [app.serve(&prefix), app.serve(&prefix)];
    let proxy = nginx(&[&replicas[0], &replicas[1]], |config| {
        replaced(
            &config,
            "location /webhooks/ {",
            "location /leaver/webhooks/ {",
        )
    });
    let body = merge_body("m1", "a@example.com", 0);
    assert_eq!(
        proxy.send(&app, "merge", "/leaver/webhooks/merge", &body).0,
        200
    );
}
