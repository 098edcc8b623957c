//! Retries, time limits and rate limits, and every response that is not a success.

use std::sync::Arc;
use std::time::Duration;

use leaver::connect::{BambooHrApi, ClientLimits, ReadError, Transport};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::time::Instant;

use super::{
    account, bamboohr, bamboohr_over, clock, limits, merge, merge_over, read_all, transport,
};
use crate::support::apis::{Answer, MERGE_EMPLOYEES, StandIn, merge_company, merge_employee};
use crate::support::at;

fn page_of_one() -> impl Fn(&crate::support::apis::ApiRequest) -> Answer + Send + Sync {
    merge_company(vec![merge_employee(1)])
}

async fn changed(api: &BambooHrApi) -> ReadError {
    api.changed_since(at("2026-11-22T00:00:00Z"))
        .await
        .unwrap_err()
}

#[tokio::test]
async fn each_failing_response_has_its_label() {
    let html = "<!doctype html><title>Log in</title>";
    let cases = [
        (Answer::status(400), "refused", 1),
        (Answer::status(401), "unauthorized", 1),
        (Answer::status(403), "forbidden", 1),
        (Answer::status(404), "not_found", 1),
        (Answer::status(406), "refused", 1),
        (Answer::status(408), "timeout", 4),
        (Answer::status(429), "rate_limited", 4),
        (Answer::status(500), "unavailable", 4),
        (Answer::status(503), "unavailable", 4),
        (Answer::status(598), "unavailable", 4),
        (
            Answer::status(302).with("location", "https://elsewhere.example/"),
            "unexpected_response",
            1,
        ),
        (Answer::status(204), "unexpected_response", 1),
        (
            Answer::text(200, "text/html; charset=UTF-8", html),
            "unexpected_response",
            1,
        ),
        (
            Answer::text(200, "application/json", html),
            "unexpected_response",
            1,
        ),
        (
            Answer::text(200, "application/xml", "<?xml version='1.0'?><x/>"),
            "unexpected_response",
            1,
        ),
        (Answer::text(200, "application/json", ""), "truncated", 1),
        (
            Answer::text(200, "application/json", r#"{"latest": "2026"#),
            "truncated",
            1,
        ),
        (
            Answer::text(200, "application/json", "[]"),
            "unexpected_response",
            1,
        ),
        (
            Answer::json(&json!({"error": {"code": 429, "message": "slow down"}})),
            "rate_limited",
            4,
        ),
        (
            Answer::json(&json!({"error": {"code": "503"}})),
            "unavailable",
            4,
        ),
        (
            Answer::json(&json!({"error": {"code": 401}})),
            "unauthorized",
            1,
        ),
        (
            Answer::json(&json!({"error": {"code": "BadRequest"}})),
            "unexpected_response",
            1,
        ),
        (
            Answer::text(200, "application/json", "{").broken_off(),
            "unavailable",
            4,
        ),
    ];
    let transport = transport(limits());
    for (n, (answer, name, tries)) in cases.into_iter().enumerate() {
        let api = StandIn::always(answer.clone()).await;
        let of_bamboohr = changed(&bamboohr_over(&api, transport.clone())).await;
        assert_eq!(of_bamboohr.as_str(), name, "{answer:?}: {of_bamboohr}");
        assert_eq!(api.requests().len(), tries, "{answer:?}");
        let merge = merge_over(&api, transport.clone());
        let of_merge = read_all(&merge, &account(&format!("la-{n}")))
            .await
            .unwrap_err();
        assert_eq!(of_merge.as_str(), name, "{answer:?}: {of_merge}");
    }
}

#[tokio::test]
async fn transient_failures_are_retried() {
    let api = StandIn::start(page_of_one()).await;
    let throttled = Answer::json(&json!({"error": {"code": 429}}));
    let broken_off = Answer::text(200, "application/json", "{").broken_off();
    for failure in [
        throttled,
        Answer::status(502),
        Answer::status(408),
        broken_off,
    ] {
        api.script(MERGE_EMPLOYEES, [Some(failure.clone()), Some(failure)]);
        read_all(&merge(&api), &account("la-1")).await.unwrap();
    }
    assert_eq!(api.requests().len(), 12);
}

#[tokio::test]
async fn a_slow_server_is_a_timeout() {
    let limits = ClientLimits {
        attempt_timeout: Duration::from_millis(50),
        max_attempts: 2,
        ..limits()
    };
    let api = StandIn::always(Answer::status(200).after(Duration::from_secs(5))).await;
    let error = changed(&bamboohr_over(&api, transport(limits))).await;
    assert_eq!(error, ReadError::Timeout);
    assert_eq!(api.requests().len(), 2);
}

#[tokio::test]
async fn the_total_time_of_all_attempts_is_limited() {
    let limits = ClientLimits {
        total_timeout: Duration::from_millis(200),
        max_attempts: 1000,
        first_backoff: Duration::from_millis(20),
        ..limits()
    };
    let api = StandIn::always(Answer::status(503)).await;
    let began = Instant::now();
    let error = changed(&bamboohr_over(&api, transport(limits))).await;
    // Depends on where the deadline fell.
    let ends = ["unavailable", "timeout", "host_throttled"];
    assert!(ends.contains(&error.as_str()), "{error}");
    assert!(began.elapsed() < Duration::from_secs(2));
}

#[tokio::test]
async fn a_retry_after_beyond_the_deadline_is_returned() {
    for seconds in ["3600", "18446744073709551615"] {
        let api = StandIn::always(Answer::status(429).with("retry-after", seconds)).await;
        let error = changed(&bamboohr(&api)).await;
        assert_eq!(
            error.retry_after(),
            Some(Duration::from_secs(seconds.parse().unwrap()))
        );
        assert_eq!(api.requests().len(), 1);
    }
}

#[tokio::test]
async fn a_refused_connection_is_unavailable() {
    let port = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let address =
        leaver::connect::BambooHrAddress::parse(&format!("http://127.0.0.1:{port}")).unwrap();
    let tenant = leaver_core::domain::Tenant::new("t");
    let error = changed(&BambooHrApi::new(
        address,
        tenant,
        chrono_tz::Tz::UTC,
        "k".into(),
        transport(limits()),
    ))
    .await;
    assert_eq!(error.as_str(), "unavailable");
    assert!(error.to_string().contains("refused"), "{error}");
    assert!(!error.to_string().contains("since"), "{error}");
}

#[tokio::test]
async fn reading_stops_at_the_body_limit() {
    let limits = || ClientLimits {
        max_body_bytes: 1000,
        ..limits()
    };
    let long = json!({"latest": "", "employees": {}, "more": "x".repeat(2000)});
    let api = StandIn::always(Answer::json(&long)).await;
    let error = changed(&bamboohr_over(&api, transport(limits()))).await;
    assert_eq!(error, ReadError::TooLong { limit_bytes: 1000 });
}

#[tokio::test]
async fn a_refused_token_blocks_only_itself() {
    let api = StandIn::start(|asked| {
        let good = page_of_one();
        match asked.header("x-account-token") {
            "bad" => Answer::status(401),
            _ => good(asked),
        }
    })
    .await;
    let clock = clock();
    let transport = Transport::new(limits(), Arc::new(clock.clone())).unwrap();
    let merge = merge_over(&api, transport);
    let mut bad = account("la-bad");
    bad.token = "bad".into();

    assert_eq!(
        read_all(&merge, &bad).await.unwrap_err().as_str(),
        "unauthorized"
    );
    for _ in 0..5 {
        let error = read_all(&merge, &bad).await.unwrap_err();
        assert_eq!(error.as_str(), "credentials_blocked");
        assert!(
            error.to_string().contains("2026-11-22T12:15:00Z"),
            "{error}"
        );
        assert_eq!(
            merge.sync_status(&bad).await.unwrap_err().as_str(),
            "credentials_blocked"
        );
    }
    assert_eq!(api.requests().len(), 1);
    read_all(&merge, &account("la-good")).await.unwrap();

    clock.set(at("2026-11-22T12:14:59Z"));
    assert_eq!(
        read_all(&merge, &bad).await.unwrap_err().as_str(),
        "credentials_blocked"
    );
    clock.set(at("2026-11-22T12:15:00Z"));
    assert_eq!(
        read_all(&merge, &bad).await.unwrap_err().as_str(),
        "unauthorized"
    );
    assert_eq!(
        read_all(&merge, &bad).await.unwrap_err().as_str(),
        "credentials_blocked"
    );
    assert_eq!(api.requests().len(), 3);
    // A clock that steps back does not prolong the block.
    clock.set(at("2026-11-22T11:15:00Z"));
    assert_eq!(
        read_all(&merge, &bad).await.unwrap_err().as_str(),
        "unauthorized"
    );
}

#[tokio::test]
async fn failing_responses_per_host_stay_below_the_limit() {
    let window = Duration::from_millis(300);
    let limits = ClientLimits {
        max_host_failures: 3,
        host_failure_window: window,
        ..limits()
    };
    let api = StandIn::always(Answer::status(401)).await;
    let merge = merge_over(&api, transport(limits));
    let accounts: Vec<_> = (0..9).map(|n| account(&format!("la-{n}"))).collect();
    let mut all = tokio::task::JoinSet::new();
    for account in accounts {
        let merge = merge.clone();
        all.spawn(async move { read_all(&merge, &account).await.unwrap_err() });
    }
    while let Some(error) = all.join_next().await {
        assert_eq!(error.unwrap().as_str(), "unauthorized");
    }
    let times: Vec<Instant> = api.requests().iter().map(|asked| asked.at).collect();
    assert_eq!(times.len(), 9);
    // Our window begins with the response, so at the server it is never shorter.
    for four in times.windows(4) {
        assert!(four[3] - four[0] >= window, "{times:?}");
    }
}

#[tokio::test]
async fn waiting_for_a_throttled_host_ends_at_the_deadline() {
    let limits = ClientLimits {
        max_host_failures: 1,
        host_failure_window: Duration::from_mins(1),
        total_timeout: Duration::from_millis(100),
        ..limits()
    };
    let api = StandIn::always(Answer::status(400)).await;
    let client = bamboohr_over(&api, transport(limits));
    assert_eq!(changed(&client).await.as_str(), "refused");
    assert_eq!(changed(&client).await, ReadError::HostThrottled);
    assert_eq!(api.requests().len(), 1);
}
