//! Refused requests are counted, logged once a minute with their peers, and slowed down on the admin listener; each read of
//! the roster leaves an entry in the audit log.

use std::collections::BTreeMap;
use std::time::Instant;

use nix::unistd::{User, getuid};
use reqwest::header::{AUTHORIZATION, RETRY_AFTER};
use serde_json::Value;

use crate::support::driving::working;
use crate::support::process::{RunningService, WAIT_LIMIT};
use crate::support::{END_SESSIONS, TestApp};

const TOKEN: &str = "hush-4d9e1c07ab52f836";
const DANA: &str = "dana@example.com";
const REQUESTS: u64 = 2_000;

/// Starts the service with an admin token and a log in JSON.
fn serve(app: &TestApp) -> RunningService {
    app.serve(&[
        ("LEAVER_ADMIN_TOKEN", TOKEN),
        ("LEAVER_LOG_FORMAT", "json"),
        END_SESSIONS,
    ])
}

fn client() -> reqwest::Client {
    leaver::connect::client::new(WAIT_LIMIT).unwrap()
}

async fn ask(service: &RunningService, token: &str) -> reqwest::Response {
    let request = client().get(format!("{}/api/v1/employees", service.admin_url));
    let request = request.header(AUTHORIZATION, format!("Bearer {token}"));
    request.send().await.unwrap()
}

/// Sends many copies of a request over a few connections. Returns how often each status was answered.
async fn flood(request: reqwest::RequestBuilder) -> BTreeMap<u16, u64> {
    let senders = (0..8).map(|_| {
        let request = request.try_clone().unwrap();
        tokio::spawn(async move {
            let mut statuses = BTreeMap::new();
            for _ in 0..REQUESTS / 8 {
                let answer = request.try_clone().unwrap().send().await.unwrap();
                let status = answer.status().as_u16();
                assert!(status != 429 || answer.headers()[RETRY_AFTER] == "1");
                *statuses.entry(status).or_default() += 1;
                answer.bytes().await.unwrap();
            }
            statuses
        })
    });
    let mut all = BTreeMap::new();
    for sender in senders.collect::<Vec<_>>() {
        let statuses: BTreeMap<u16, u64> = sender.await.unwrap();
        for (status, count) in statuses {
            *all.entry(status).or_default() += count;
        }
    }
    all
}

/// Returns the sum of all counters whose line begins with these words.
async fn counted(service: &RunningService, begin: &str) -> u64 {
    let metrics = service.get("/metrics").await.2;
    let lines = metrics.lines().filter(|line| line.starts_with(begin));
    lines
        .map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap())
        .sum()
}

/// Expects a line a minute about refused requests, which together count all of them and name the peer.
fn assert_throttled(log: &str, began: Instant, words: &[&str]) {
    let lines: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .filter(|line: &Value| words.iter().any(|word| line.to_string().contains(word)))
        .collect();
    let minutes = began.elapsed().as_secs() / 60;
    assert!(lines.len() as u64 <= 2 + minutes, "{lines:?}");
    let counts = lines.iter().map(|line| line["count"].as_u64().unwrap());
    assert_eq!(counts.sum::<u64>(), REQUESTS, "{lines:?}");
    for line in lines {
        let peers = line["peers"].as_str().unwrap();
        assert!(peers.starts_with("127.0.0.1 ("), "{line}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_tokens_are_slowed_down_counted_and_logged_once_a_minute() {
    let app = TestApp::new().await;
    let service = serve(&app);
    let began = Instant::now();
    let request = client().get(format!("{}/api/v1/employees", service.admin_url));
    let statuses = flood(request.header(AUTHORIZATION, "Bearer hush-and-wrong-token")).await;
    let statuses: Vec<u16> = statuses.into_keys().collect();
    assert_eq!(statuses, [401, 429]);
    // A right token is accepted meanwhile: other programs on the machine are the same peer.
    assert_eq!(ask(&service, TOKEN).await.status(), 200);
    let refused = counted(&service, "leaver_admin_requests_refused_total").await;
    assert_eq!(refused, REQUESTS);
    let log = service.stop().err;
    assert_throttled(&log, began, &["api.authorize", "admin token"]);
    assert!(!log.contains("hush-"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_signatures_get_401_always_and_a_line_a_minute() {
    let app = TestApp::new().await;
    let service = serve(&app);
    let began = Instant::now();
    let request = client()
        .post(format!("{}/webhooks/merge", service.url))
        .header(
            "X-Merge-Webhook-Signature",
            "bm90IHRoZSBzaWduYXR1cmUgb2YgdGhpcyBib2R5ISEhISE=",
        )
        .body("{}");
    let statuses = flood(request).await;
    assert_eq!(statuses, BTreeMap::from([(401, REQUESTS)]));
    let failures = "leaver_webhook_signature_failures_total{source=\"merge\"";
    assert_eq!(counted(&service, failures).await, REQUESTS);
    let log = service.stop().err;
    assert_throttled(&log, began, &["signature.verify", "signature of merge"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn peers_behind_a_trusted_proxy_are_slowed_down_apart() {
    const GUESSER: &str = "198.51.100.1";
    let mut app = TestApp::new().await;
    for (proxies, same_peer) in [("[\"127.0.0.1\"]", false), ("[\"192.0.2.7\"]", true)] {
        let service = app.serve(&[
            ("LEAVER_ADMIN_TOKEN", TOKEN),
            ("LEAVER_LOG_FORMAT", "json"),
            ("LEAVER__SERVER__TRUSTED_PROXIES", proxies),
            END_SESSIONS,
        ]);
        let get = |client: &str, token: &str| {
            let url = format!("{}/api/v1/employees", service.admin_url);
            let request = self::client().get(url).header("X-Forwarded-For", client);
            request.header(AUTHORIZATION, format!("Bearer {token}"))
        };
        let statuses = flood(get(GUESSER, "hush-and-wrong-token")).await;
        assert!(statuses.contains_key(&429), "{statuses:?}");
        // The window of the guesser slides, so it has failed again just before.
        let mut others = BTreeMap::<u16, u64>::new();
        for n in 0..40 {
            let _ = get(GUESSER, "hush-and-wrong-token").send().await.unwrap();
            let other = get(&format!("203.0.113.{n}"), "hush-and-wrong-token");
            let status = other.send().await.unwrap().status().as_u16();
            *others.entry(status).or_default() += 1;
        }
        assert_eq!(others.contains_key(&429), same_peer, "{others:?}");
        assert_eq!(get(GUESSER, TOKEN).send().await.unwrap().status(), 200);
        let from = if same_peer { "127.0.0.1" } else { GUESSER };
        let last = reads(&mut app).await.pop().unwrap();
        assert!(last.contains(&format!("; from {from} ")), "{last}");
        let log = service.stop().err;
        assert!(log.contains(&format!("\"peers\":\"{from} (")), "{log}");
    }
}

/// Returns the reads in the audit log as `actor: reason (employee)`, in order, and forgets none.
async fn reads(app: &mut TestApp) -> Vec<String> {
    app.lines(
        "SELECT actor || ': ' || reason || ' (' || employee_id || ')' FROM leaver.audit
         WHERE action = 'roster_read' ORDER BY id",
    )
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn each_read_over_http_leaves_who_and_which_filter() {
    let mut app = TestApp::new().await;
    app.bamboohr(&[working("7", DANA, "2026-11-22T11:00:00Z")])
        .await;
    let service = serve(&app);
    assert_eq!(ask(&service, "hush-and-wrong-token").await.status(), 401);
    let get = |query: &str| {
        let url = format!("{}/api/v1/employees{query}", service.admin_url);
        let request = client().get(url);
        request.header(AUTHORIZATION, format!("Bearer {TOKEN}"))
    };
    assert_eq!(get("?status=nobody").send().await.unwrap().status(), 400);
    assert_eq!(reads(&mut app).await, Vec::<String>::new());
    let queries = [
        "",
        "?status=active&source=bamboohr&page_size=7",
        "?modified_after=2025-12-24",
    ];
    for query in queries {
        assert_eq!(get(query).send().await.unwrap().status(), 200, "{query}");
    }
    assert_eq!(
        reads(&mut app).await,
        [
            "token:admin: employees: at most 100; from 127.0.0.1 (-)",
            "token:admin: employees: status active, source bamboohr, at most 7; from 127.0.0.1 (-)",
            "token:admin: employees: changed after 2025-12-24T00:00:00Z, at most 100; from 127.0.0.1 (-)",
        ]
    );
    service.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn each_read_at_the_command_line_leaves_who_and_which_filter() {
    let mut app = TestApp::new().await;
    app.add_users(&[DANA]).await;
    app.bamboohr(&[working("7", DANA, "2026-11-22T11:00:00Z")])
        .await;
    let config = app.file("new.toml", "").display().to_string();
    let me = User::from_uid(getuid()).unwrap().unwrap().name;
    let mut before = 0;
    for (args, filter, employee) in [
        (
            &["employees", "--status", "active"][..],
            "employees: status active, at most 100",
            "-",
        ),
        (&["explain", DANA], "explain, by work e-mail", "7"),
        (&["explain", "7"], "explain, by employee ID", "7"),
        (
            &["explain", "nobody@example.com"],
            "explain, by work e-mail",
            "-",
        ),
        (&["drift"], "drift", "-"),
        (&["holds", "list"], "holds list", "-"),
        (
            &["holds", "approve", "--reason-contains", DANA],
            "holds approve, the list to confirm",
            "-",
        ),
        (
            &["plan", "--source", "bamboohr"],
            "plan, source bamboohr",
            "-",
        ),
        (
            &["undo", "--since", "2026-11-22"],
            "undo, the list to confirm",
            "-",
        ),
        (
            &["end", "account:999", "--reason", "a test", "--yes"],
            "end, the accounts that fit",
            "-",
        ),
        (&["backtest", "--against", &config], "backtest", "-"),
    ] {
        for json in [false, true] {
            let json: &[&str] = if json { &["--json"] } else { &[] };
            app.run(&[args, json].concat());
            let reads = reads(&mut app).await;
            assert_eq!(reads.len(), before + 1, "{args:?} {reads:?}");
            assert_eq!(
                reads[before],
                format!("cli:{me}: {filter} ({employee})"),
                "{args:?}"
            );
            before += 1;
        }
    }
    let reads = reads(&mut app).await;
    assert!(!reads.concat().contains('@'), "{reads:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_that_cannot_be_recorded_shows_nobody() {
    let mut app = TestApp::new().await;
    app.bamboohr(&[working("7", DANA, "2026-11-22T11:00:00Z")])
        .await;
    app.sql(
        "CREATE FUNCTION no_read() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no'; END $$;
         CREATE TRIGGER no_read BEFORE INSERT ON leaver.audit FOR EACH ROW
             WHEN (NEW.action = 'roster_read') EXECUTE FUNCTION no_read();",
    )
    .await;
    let service = serve(&app);
    let answer = ask(&service, TOKEN).await;
    assert_eq!(answer.status(), 503);
    assert!(!answer.text().await.unwrap().contains("dana"));
    service.stop();
    for args in [
        &["employees"][..],
        &["explain", DANA],
        &["explain", "7", "--json"],
        &["drift"],
    ] {
        let refused = app.run(args).failed(&["audit log"]);
        assert_eq!(refused.out, "", "{args:?}");
    }
}
