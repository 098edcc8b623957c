//! Retries, limits and budgets, and everything that is not the API's good answer.

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

fn page_of_one() -> impl Fn(&crate::support::apis::Asked) -> Answer + Send + Sync {
    merge_company(vec![merge_employee(1)])
}

async fn changed(api: &BambooHrApi) -> ReadError {
    api.changed_since(at("2026-11-22T00:00:00Z"))
        .await
        .unwrap_err()
}

#[tokio::test]
async fn each_bad_answer_has_its_name() {
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
        assert_eq!(api.asked().len(), tries, "{answer:?}");
        let merge = merge_over(&api, transport.clone());
        let of_merge = read_all(&merge, &account(&format!("la-{n}")))
            .await
            .unwrap_err();
        assert_eq!(of_merge.as_str(), name, "{answer:?}: {of_merge}");
    }
}

#[tokio::test]
async fn passing_trouble_is_waited_out() {
    let api = StandIn::start(page_of_one()).await;
    let throttled = Answer::json(&json!({"error": {"code": 429}}));
    let broken_off = Answer::text(200, "application/json", "{").broken_off();
    for trouble in [
        throttled,
        Answer::status(502),
        Answer::status(408),
        broken_off,
    ] {
        api.script(MERGE_EMPLOYEES, [Some(trouble.clone()), Some(trouble)]);
        read_all(&merge(&api), &account("la-1")).await.unwrap();
    }
    assert_eq!(api.asked().len(), 12);
}

#[tokio::test]
async fn a_slow_server_is_a_timeout() {
    let patience = ClientLimits {
        attempt_timeout: Duration::from_millis(50),
        max_attempts: 2,
        ..limits()
    };
    let api = StandIn::always(Answer::status(200).after(Duration::from_secs(5))).await;
    let error = changed(&bamboohr_over(&api, transport(patience))).await;
    assert_eq!(error, ReadError::Timeout);
    assert!(error.is_worth_retrying());
    assert_eq!(api.asked().len(), 2);
}

#[tokio::test]
async fn all_tries_together_have_an_end() {
    let patience = ClientLimits {
        total_timeout: Duration::from_millis(200),
        max_attempts: 1000,
        first_backoff: Duration::from_millis(20),
        ..limits()
    };
    let api = StandIn::always(Answer::status(503)).await;
    let began = Instant::now();
    let error = changed(&bamboohr_over(&api, transport(patience))).await;
    // Whatever was in the way when the time was over.
    let ends = ["unavailable", "timeout", "host_throttled"];
    assert!(ends.contains(&error.as_str()), "{error}");
    assert!(began.elapsed() < Duration::from_secs(2));
}

#[tokio::test]
async fn a_wait_longer_than_the_patience_is_handed_to_the_caller() {
    for seconds in ["3600", "18446744073709551615"] {
        let api = StandIn::always(Answer::status(429).with("retry-after", seconds)).await;
        let error = changed(&bamboohr(&api)).await;
        assert_eq!(
            error.retry_after(),
            Some(Duration::from_secs(seconds.parse().unwrap()))
        );
        assert_eq!(api.asked().len(), 1);
    }
}

#[tokio::test]
async fn nobody_listening_is_unavailable() {
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
        "k".into(),
        transport(limits()),
    ))
    .await;
    assert_eq!(error.as_str(), "unavailable");
    assert!(error.to_string().contains("refused"), "{error}");
    assert!(!error.to_string().contains("since"), "{error}");
}

#[tokio::test]
async fn a_body_over_the_limit_is_not_read_on() {
    let patience = || ClientLimits {
        max_body_bytes: 1000,
        ..limits()
    };
    let long = json!({"latest": "", "employees": {}, "more": "x".repeat(2000)});
    let api = StandIn::always(Answer::json(&long)).await;
    let error = changed(&bamboohr_over(&api, transport(patience()))).await;
    assert_eq!(error, ReadError::TooLong { limit_bytes: 1000 });
}

#[tokio::test]
async fn a_bad_token_makes_one_call_per_cool_down_and_others_go_on() {
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
    assert_eq!(api.asked().len(), 1);
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
    assert_eq!(api.asked().len(), 3);
    // An hour that a clock takes back does not count as rest.
    clock.set(at("2026-11-22T11:15:00Z"));
    assert_eq!(
        read_all(&merge, &bad).await.unwrap_err().as_str(),
        "unauthorized"
    );
}

#[tokio::test]
async fn a_host_never_gives_more_errors_than_the_budget_within_a_window() {
    let window = Duration::from_millis(300);
    let patience = ClientLimits {
        max_host_failures: 3,
        host_failure_window: window,
        ..limits()
    };
    let api = StandIn::always(Answer::status(401)).await;
    let merge = merge_over(&api, transport(patience));
    let accounts: Vec<_> = (0..9).map(|n| account(&format!("la-{n}"))).collect();
    let mut all = tokio::task::JoinSet::new();
    for account in accounts {
        let merge = merge.clone();
        all.spawn(async move { read_all(&merge, &account).await.unwrap_err() });
    }
    while let Some(error) = all.join_next().await {
        assert_eq!(error.unwrap().as_str(), "unauthorized");
    }
    let times: Vec<Instant> = api.asked().iter().map(|asked| asked.at).collect();
    assert_eq!(times.len(), 9);
    // Our window begins when an answer has come, so at the server it is never shorter.
    for four in times.windows(4) {
        assert!(four[3] - four[0] >= window, "{times:?}");
    }
}

#[tokio::test]
async fn a_host_at_its_limit_is_not_waited_for_forever() {
    let patience = ClientLimits {
        max_host_failures: 1,
        host_failure_window: Duration::from_mins(1),
        total_timeout: Duration::from_millis(100),
        ..limits()
    };
    let api = StandIn::always(Answer::status(400)).await;
    let client = bamboohr_over(&api, transport(patience));
    assert_eq!(changed(&client).await.as_str(), "refused");
    assert_eq!(changed(&client).await, ReadError::HostThrottled);
    assert_eq!(api.asked().len(), 1);
}
