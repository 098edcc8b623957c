//! Errors and logs contain no key, no token, no query and no response.

use std::time::Duration;

use leaver::connect::{ClientLimits, ReadError};
use leaver_core::domain::EmployeeId;
use serde_json::json;

use super::{
    ACCOUNT_TOKEN, BAMBOOHR_API_KEY, MERGE_API_KEY, account, bamboohr_over, limits, merge_over,
    read_all, transport,
};
use crate::support::apis::{
    Answer, StandIn, bamboohr_company, bamboohr_employee, merge_company, merge_employee,
};
use crate::support::at;
use crate::support::logs::Captured;

#[tokio::test]
async fn errors_and_logs_hold_no_secrets() {
    let (captured, _guard) = Captured::start("trace");

    let said = "answer-sentinel";
    let mut shown: Vec<String> = vec![format!("{:?}", account("la-1"))];
    let mut note = |error: ReadError| shown.push(format!("{error} {error:?}"));
    let answers = [
        Answer::text(401, "application/json", said),
        Answer::text(403, "application/json", said),
        Answer::text(404, "application/json", said),
        Answer::text(400, "application/json", said),
        Answer::text(500, "application/json", said),
        Answer::text(302, "text/html", said)
            .with("location", "https://elsewhere.example/?answer-sentinel"),
        Answer::text(200, "text/html", said),
        Answer::text(200, "application/json", said),
        Answer::text(200, "application/json", said).broken_off(),
        Answer::text(200, "application/json", said).after(Duration::from_secs(2)),
        Answer::json(&json!({"error": {"code": 429, "message": said}})),
        Answer::json(&json!({"employees": said, "results": said, "id": said})),
    ];
    for answer in answers {
        let api = StandIn::always(answer).await;
        let limits = || ClientLimits {
            max_attempts: 2,
            attempt_timeout: Duration::from_millis(100),
            ..limits()
        };
        let merge = merge_over(&api, transport(limits()));
        note(read_all(&merge, &account("la-1")).await.unwrap_err());
        note(read_all(&merge, &account("la-1")).await.unwrap_err());
        let bamboohr = bamboohr_over(&api, transport(limits()));
        note(
            bamboohr
                .changed_since(at("2026-11-22T00:00:00Z"))
                .await
                .unwrap_err(),
        );
        if let Err(error) = bamboohr.employee(&EmployeeId::new("40217")).await {
            note(error);
        }
    }
    let good = StandIn::start(merge_company((0..150).map(merge_employee).collect())).await;
    read_all(&merge_over(&good, transport(limits())), &account("la-1"))
        .await
        .unwrap();
    let good = StandIn::start(bamboohr_company(vec![bamboohr_employee(40217)])).await;
    bamboohr_over(&good, transport(limits()))
        .employee(&EmployeeId::new("40217"))
        .await
        .unwrap()
        .unwrap();

    let log = captured.text();
    assert!(
        log.contains("connect.attempt: finished") && log.contains("leaver::connect"),
        "nothing was logged"
    );
    shown.push(log);
    for text in &shown {
        for secret in [
            MERGE_API_KEY,
            ACCOUNT_TOKEN,
            BAMBOOHR_API_KEY,
            "YmFtYm9vaHItYXBpLWtleS1zZW50aW5lbDp4",
            said,
            "page_size",
            "cursor=",
            "onlyCurrent",
            "since=",
            "40217",
            "widgets.example",
            "Ruiz",
        ] {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
    }
}
