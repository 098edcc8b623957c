//! Bodies, pages and headers that mislead a parser.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use chrono::TimeDelta;
use leaver::base::clock::FixedClock;
use leaver::connect::{ClientLimits, LinkedAccount, MergeAddress, MergeApi, ReadError, Transport};
use leaver_core::domain::Tenant;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::apis::{
    Answer, ApiRequest, MERGE_EMPLOYEES, StandIn, merge_company, merge_employee, merge_sync,
};
use crate::support::apis_setup::source_with_api;
use crate::support::{FORM, JSON, MERGE_KEY, TestApp, at, merge_changed};

const DANA: &str = "dana@example.com";

/// A Merge delivery about Dana, with or without `modified_at`.
fn dana(status: &str, ended: Option<&str>, modified_at: Option<&str>) -> Value {
    let mut record = json!({"id": "m1", "employment_status": status, "termination_date": ended,
        "start_date": "2020-01-06T00:00:00Z", "work_email": DANA});
    if let Some(at) = modified_at {
        record["modified_at"] = at.into();
    }
    merge_changed(&record)
}

async fn app_with_dana(settings: &[(&str, &str)]) -> TestApp {
    let mut app = TestApp::builder().settings(settings).build().await;
    app.add_users(&[DANA]).await;
    app
}

#[tokio::test]
async fn failed_duplicate_with_another_type_is_processed() {
    let mut app = app_with_dana(&[]).await;
    let body = dana(
        "INACTIVE",
        Some("2026-11-20T00:00:00Z"),
        Some("2026-11-22T11:00:00Z"),
    );
    app.store("merge", &body).await;
    // As if it had failed for a cause that is gone by now.
    app.sql("UPDATE leaver.deliveries SET state = 'failed', processed_at = received_at, reason = 'failed'")
        .await;
    let again = app.send("merge", JSON, body.to_string()).await;
    assert_eq!(again.body["duplicate"], json!(true));
    app.work().await;
    let states = "SELECT state FROM leaver.deliveries";
    assert_eq!(
        app.lines(states).await,
        ["failed"],
        "the same request again"
    );
    let corrected = app.send("merge", FORM, body.to_string()).await;
    assert_eq!(corrected.body["duplicate"], json!(true));
    app.work().await;
    assert_eq!(app.lines(states).await, ["processed"]);
    assert_eq!(app.active().await, Vec::<String>::new());
}

#[tokio::test]
async fn unsigned_type_repeats_a_failing_body_a_few_times_only() {
    let mut app = app_with_dana(&[]).await;
    for n in 0..20 {
        app.send("merge", &format!("text/{n}"), "not a body").await;
        app.work().await;
    }
    let repeats = "SELECT state || ' ' || reprocess_count FROM leaver.deliveries";
    assert_eq!(app.lines(repeats).await, ["failed 5"]);
}

#[tokio::test]
async fn replay_of_a_failed_body_keeps_its_first_time() {
    let mut app = app_with_dana(&[]).await;
    let old = dana("INACTIVE", Some("2026-11-20T00:00:00Z"), None);
    app.store("merge", &old).await;
    app.sql("UPDATE leaver.deliveries SET state = 'failed', processed_at = received_at, reason = 'failed'")
        .await;
    app.advance(TimeDelta::minutes(5));
    app.deliver("merge", &dana("ACTIVE", None, None)).await;
    app.advance(TimeDelta::minutes(5));
    app.send("merge", FORM, old.to_string()).await;
    app.work().await;
    assert_eq!(app.active().await, [DANA]);
}

#[tokio::test]
async fn undated_body_of_merge_undoes_nothing_after_retention() {
    let rehire = [
        ("LEAVER__POLICY__REHIRE", "reactivate"),
        ("LEAVER__INBOX__RETENTION", "30d"),
    ];
    // Whether the newer facts have a time of their own or not.
    for newer in [None, Some("2026-11-24T11:00:00Z")] {
        let mut app = app_with_dana(&rehire).await;
        let old = dana("INACTIVE", Some("2026-11-20T00:00:00Z"), None);
        app.deliver("merge", &old).await;
        assert_eq!(app.active().await, Vec::<String>::new());
        app.advance(TimeDelta::days(2));
        let mut back = dana("ACTIVE", None, newer);
        back["data"]["start_date"] = "2026-11-23T00:00:00Z".into();
        app.deliver("merge", &back).await;
        assert_eq!(app.active().await, [DANA]);
        for _ in 0..3 {
            app.advance(TimeDelta::days(31));
            app.parts.housekeeping.run_once().await.unwrap();
        }
        let replayed = app.deliver("merge", &old).await;
        assert_eq!(replayed.body["duplicate"], json!(true));
        assert_eq!(app.active().await, [DANA], "newer: {newer:?}");
    }
}

#[tokio::test]
async fn undated_bodies_of_merge_are_ordered_by_receipt() {
    let mut app = app_with_dana(&[]).await;
    app.deliver(
        "merge",
        &dana("INACTIVE", Some("2026-11-20T00:00:00Z"), None),
    )
    .await;
    assert_eq!(app.active().await, Vec::<String>::new());
    let status = "SELECT facts->'status'->>'value' FROM leaver.employees";
    assert_eq!(app.lines(status).await, ["inactive"]);
    app.advance(TimeDelta::minutes(1));
    app.deliver("merge", &dana("ACTIVE", None, None)).await;
    assert_eq!(app.lines(status).await, ["active"]);
}

/// Returns the answers of Merge whose list of this path never ends: each page names the cursor that `next` returns.
fn endless(
    path: &'static str,
    next: impl Fn(usize) -> String + Send + Sync + 'static,
) -> impl Fn(&ApiRequest) -> Answer + Send + Sync + 'static {
    let (company, pages) = (merge_company(vec![merge_employee(1)]), AtomicUsize::new(0));
    move |request| {
        if !request.path.ends_with(path) {
            return company(request);
        }
        let page = pages.fetch_add(1, Ordering::SeqCst);
        let results = match path {
            "/sync-status" => json!([merge_sync("DONE")]),
            _ => json!([merge_employee(page + 1)]),
        };
        Answer::json(&json!({"next": next(page), "previous": null, "results": results}))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn list_whose_cursor_comes_again_is_an_incomplete_read() {
    for path in ["/employees", "/sync-status"] {
        let cursors = ["a", "b", "c", "a"];
        let api = StandIn::start(endless(path, move |page| cursors[page % 4].to_owned())).await;
        let secrets = [
            ("SECRET", MERGE_KEY),
            ("API_KEY", "hush-key"),
            ("TOKEN", "hush-token"),
        ];
        let mut app = TestApp::builder()
            .config_file(&source_with_api("merge", "merge", &api), &secrets)
            .build()
            .await;
        let synced = app.run(&["sync", "--json"]);
        assert_eq!(synced.code, Some(1), "{synced:?}");
        assert!(
            synced.out.contains("the same cursor came twice"),
            "{synced:?}"
        );
        let asked = api
            .requests()
            .into_iter()
            .filter(|asked| asked.path.ends_with(path));
        assert_eq!(asked.count(), 4, "{path}");
        let state =
            "SELECT state || ' ' || (last_complete_started_at IS NULL) FROM leaver.sync_state";
        assert_eq!(app.lines(state).await, ["incomplete true"]);
    }
}

#[tokio::test]
async fn list_with_too_many_pages_is_an_incomplete_read() {
    assert_eq!(ClientLimits::default().max_pages, 10_000);
    for path in ["/employees", "/sync-status"] {
        let api = StandIn::start(endless(path, |page| format!("cursor-{page}"))).await;
        let limits = ClientLimits {
            max_pages: 12,
            ..ClientLimits::default()
        };
        let clock = Arc::new(FixedClock::at(at("2026-11-22T12:00:00Z")));
        let transport = Transport::new(limits, clock).unwrap();
        let merge = MergeApi::new(
            MergeAddress::parse(&api.url).unwrap(),
            "hush".into(),
            transport,
        );
        let account = LinkedAccount {
            id: "la-1".to_owned(),
            tenant: Tenant::new("widgets"),
            timezone: chrono_tz::Tz::UTC,
            token: "hush".into(),
        };
        let ended = if path == "/employees" {
            let mut pages = merge.employees(&account, None);
            loop {
                match pages.next().await {
                    Ok(page) => assert!(page.is_some(), "the list does not end by itself"),
                    Err(error) => break error,
                }
            }
        } else {
            merge.sync_status(&account).await.unwrap_err()
        };
        assert!(matches!(ended, ReadError::Truncated { .. }), "{ended:?}");
        assert_eq!(api.requests().len(), 12, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn addresses_of_this_machine_are_reached_without_a_proxy() {
    let proxy = StandIn::always(Answer::status(502)).await;
    let api = StandIn::start(merge_company(vec![merge_employee(1)])).await;
    let secrets = [
        ("SECRET", MERGE_KEY),
        ("API_KEY", "hush-key"),
        ("TOKEN", "hush-token"),
    ];
    let app = TestApp::builder()
        .config_file(&source_with_api("merge", "merge", &api), &secrets)
        .build()
        .await;
    let names = [
        "HTTP_PROXY",
        "http_proxy",
        "HTTPS_PROXY",
        "https_proxy",
        "ALL_PROXY",
        "all_proxy",
    ];
    let proxies = names.map(|name| (name, proxy.url.as_str()));
    app.run_with(&["sync"], &proxies).succeeded();
    assert!(
        api.requests()
            .iter()
            .any(|asked| asked.path == MERGE_EMPLOYEES)
    );
    let service = app.serve(&proxies);
    let file = app.file("body.json", &dana("ACTIVE", None, None).to_string());
    let file = file.to_str().unwrap();
    let by_name = service.url.replace("127.0.0.1", "localhost");
    for to in [&service.url, &by_name] {
        app.run_with(&["send", "--source", "merge", "--to", to, file], &proxies)
            .succeeded();
        app.run_with(&["health", "--url", to], &proxies).succeeded();
    }
    assert_eq!(proxy.requests().len(), 0);
    service.stop();
}

/// Sends these bytes, and returns the whole response.
async fn ask(url: &str, request: &str) -> String {
    let mut stream = TcpStream::connect(url.strip_prefix("http://").unwrap())
        .await
        .unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer.to_ascii_lowercase()
}

#[tokio::test]
async fn request_needs_exactly_one_host_header() {
    let app = app_with_dana(&[]).await;
    let service = app.serve(&[]);
    for url in [&service.url, &service.admin_url] {
        for (version, hosts, status) in [
            ("1.1", "Host: a\r\n", "200"),
            ("1.1", "", "400"),
            ("1.1", "Host: a\r\nHost: a\r\n", "400"),
            ("1.1", "Host: a\r\nX: y\r\nhost: b\r\n", "400"),
            ("1.0", "", "200"),
            ("1.0", "Host: a\r\nHost: b\r\n", "400"),
        ] {
            let head =
                format!("GET /health/live HTTP/{version}\r\n{hosts}Connection: close\r\n\r\n");
            let answer = ask(url, &head).await;
            assert!(
                answer.starts_with(&format!("http/{version} {status} ")),
                "{head}: {answer}"
            );
        }
    }
    // A delivery is never lost for it: its signature identifies the sender.
    let head = "POST /webhooks/merge HTTP/1.1\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}";
    let answer = ask(&service.url, head).await;
    assert!(answer.starts_with("http/1.1 401 "), "{answer}");
    service.stop();
}

#[tokio::test]
async fn every_response_forbids_caches_and_guesses_of_its_type() {
    let app = app_with_dana(&[("LEAVER_ADMIN_TOKEN", "hush-0d9c41f7a2be5836")]).await;
    let service = app.serve(&[("LEAVER__SERVER__MAX_BODY", "1KiB")]);
    let (public, admin) = (&service.url, &service.admin_url);
    for (url, request, status) in [
        (public, "GET /health", "200"),
        (public, "GET /health/live", "200"),
        (public, "GET /nowhere", "404"),
        (public, "POST /webhooks/nobody", "404"),
        (public, "POST /webhooks/merge", "401"),
        (public, "GET /webhooks/merge", "405"),
        (public, "PUT /health", "405"),
        (admin, "GET /metrics", "200"),
        (admin, "GET /api/v1/employees", "401"),
        (admin, "DELETE /api/v1/employees", "405"),
        (admin, "GET /nowhere", "404"),
    ] {
        let head = format!("{request} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        assert_headers(&head, &ask(url, &head).await, status);
    }
    for (headers, status) in [
        ("Host: a\r\nContent-Length: 4096\r\n", "413"),
        ("Host: a\r\nTransfer-Encoding: gzip, chunked\r\n", "400"),
        ("Host: a\r\nTransfer-Encoding: chunked\r\n", "503"),
    ] {
        let head =
            format!("POST /webhooks/merge HTTP/1.1\r\n{headers}Connection: close\r\n\r\nxyz\r\n");
        assert_headers(&head, &ask(public, &head).await, status);
    }
    let head = "GET /health HTTP/1.1\r\nConnection: close\r\n\r\n";
    assert_headers(head, &ask(public, head).await, "400");
    service.stop();
}

#[track_caller]
fn assert_headers(request: &str, answer: &str, status: &str) {
    assert!(
        answer.starts_with(&format!("http/1.1 {status} ")),
        "{request}: {answer}"
    );
    for header in [
        "\r\ncache-control: no-store\r\n",
        "\r\nx-content-type-options: nosniff\r\n",
    ] {
        assert_eq!(answer.matches(header).count(), 1, "{request}: {answer}");
    }
}
