//! `GET /api/v1/employees`: entries, filters and errors.

use std::sync::Arc;

use axum::http::Method;
use chrono::TimeDelta;
use leaver::base::liveness::Phase;
use serde_json::json;

use super::*;
use crate::support::driving::merge_record;
use crate::support::employee;

#[tokio::test]
async fn an_entry_has_identity_status_and_access() {
    let mut app = with_token().await;
    let account = app.add_users(&[DANA]).await[0].to_string();
    let date = Some("2026-11-20T16:00:00Z");
    let gone = merge_record(
        "m1",
        "Dana@example.com",
        "2026-11-22T11:00:00Z",
        "INACTIVE",
        date,
    );
    app.deliver("merge", &gone).await;
    app.advance(TimeDelta::seconds(1));
    let fields = json!({"status": "On the moon", "hireDate": "2020-01-01", "terminationDate": "2027-01-31",
                        "employmentHistoryStatus": "Full-Time"});
    app.bamboohr(&[employee("7", "2026-11-22T11:00:00Z", &[], &fields)])
        .await;
    app.bamboohr(&[json!({"id": "8", "action": "Deleted", "timestamp": "2026-11-22T11:00:00Z"})])
        .await;

    let page = ask(&app, "").await;
    assert_eq!(page.headers["cache-control"], "no-store");
    assert_eq!(page.headers["content-type"], "application/json");
    let tenant = page.body["results"][0]["tenant"].clone();
    let told = json!({"next": null, "results": [
        {"source": "merge", "tenant": tenant, "employee_id": "m1", "status": "inactive", "employment_status": null,
         "work_email": DANA, "hire_date": "2020-01-06", "termination_date": "2026-11-20T16:00:00Z", "deleted": false,
         "account_id": account, "access_ends_at": null, "deactivated_at": "2026-11-22T12:00:00Z",
         "first_observed_at": "2026-11-22T12:00:00Z", "modified_at": "2026-11-22T12:00:00Z"},
        {"source": "bamboohr", "tenant": "default", "employee_id": "7", "status": "On the moon",
         "employment_status": "other", "work_email": null, "hire_date": "2020-01-01", "termination_date": "2027-01-31",
         "deleted": false, "account_id": null, "access_ends_at": "2027-02-01T00:00:00Z", "deactivated_at": null,
         "first_observed_at": "2026-11-22T12:00:01Z", "modified_at": "2026-11-22T12:00:01Z"},
        {"source": "bamboohr", "tenant": "default", "employee_id": "8", "status": null,
         "employment_status": null, "work_email": null, "hire_date": null, "termination_date": null,
         "deleted": true, "account_id": null, "access_ends_at": null, "deactivated_at": null,
         "first_observed_at": "2026-11-22T12:00:01Z", "modified_at": "2026-11-22T12:00:01Z"},
    ]});
    assert_eq!(page.body, told);

    for (query, expected) in [
        ("?status=inactive", &["m1"][..]),
        ("?status=unknown", &["7", "8"]),
        ("?status=active", &[]),
        ("?status=pending", &[]),
        ("?source=bamboohr", &["7", "8"]),
        ("?source=merge&status=unknown", &[]),
        ("?source=nobody", &[]),
        (
            "?modified_after=&status=&source=&cursor=&page_size=",
            &["m1", "7", "8"],
        ),
    ] {
        assert_eq!(ids(&ask(&app, query).await), expected, "{query}");
    }
}

#[tokio::test]
async fn an_invalid_parameter_is_named_with_valid_values() {
    let app = with_token().await;
    for (query, words) in [
        (
            "?modified_after=yesterday",
            &["modified_after: ", "2026-01-31T17:00:00Z", "midnight UTC"][..],
        ),
        ("?modified_after=%FF", &["modified_after: "]),
        (
            "?status=gone",
            &["status: ", "active, pending, inactive or unknown"],
        ),
        ("?source=Dana%20Ruiz", &["source: ", "a-z"]),
        ("?source=%00", &["source: "]),
        ("?page_size=0", &["page_size: ", "from 1 to 1000"]),
        ("?page_size=1001", &["page_size: ", "from 1 to 1000"]),
        ("?page_size=-1", &["page_size: "]),
        ("?page_size=ten", &["page_size: "]),
        ("?cursor=nonsense", &["cursor: ", "`next`", "leave it out"]),
        // [1,0,"hr","\u0000","1"] and [2]
        (
            "?cursor=WzEsMCwiaHIiLCJcdTAwMDAiLCIxIl0",
            &["cursor: ", "`next`"],
        ),
        ("?cursor=WzJd", &["cursor: ", "another version"]),
        (
            "?modified_since=2026-01-01",
            &[
                "modified_since: no such parameter",
                "modified_after",
                "page_size",
            ],
        ),
        ("?status=active&status=active", &["status: ", "twice"]),
    ] {
        let answer = ask(&app, query).await;
        assert_eq!(answer.status, 400, "{query}: {answer:?}");
        assert_eq!(answer.headers["cache-control"], "no-store");
        let text = answer.body["error"].as_str().unwrap();
        for word in words {
            assert!(text.contains(word), "{query}: no {word:?} in {text}");
        }
    }
}

#[tokio::test]
async fn only_get_is_allowed() {
    let app = with_token().await;
    for method in [Method::POST, Method::PUT, Method::DELETE, Method::PATCH] {
        let request = Request::builder().method(&method).uri("/api/v1/employees");
        let answer = app.request(request.body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status, 405, "{method}");
        assert_eq!(answer.headers["allow"], "GET");
    }
}

#[tokio::test]
async fn without_a_database_the_response_is_503() {
    let app = with_token().await;
    let settings = [
        ("LEAVER_ADMIN_TOKEN", TOKEN),
        ("LEAVER__SERVER__STORE_TIMEOUT", "200ms"),
    ];
    let away = app.options.clone().host("127.0.0.1").port(1);
    let clock = Arc::new(app.clock.clone());
    let away = app.replica(&["merge"], &settings, clock, away).await;
    app.parts.liveness.enter(Phase::Draining);
    for app in [&away, &app] {
        let answer = ask(app, "").await;
        assert_eq!(answer.status, 503, "{answer:?}");
        assert_eq!(answer.headers["retry-after"], "5");
        assert_eq!(answer.headers["cache-control"], "no-store");
    }
}
