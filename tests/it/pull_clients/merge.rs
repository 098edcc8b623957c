//! Merge: pages, cursors, and the content of a page.

use std::collections::BTreeSet;
use std::time::Duration;

use leaver::connect::ReadError;
use leaver_core::domain::{ChangeKind, Field, Status};
use leaver_core::providers::{ConnectionStatus, EntryError, SyncStatus};
use serde_json::{Value, json};

use super::{ACCOUNT_TOKEN, MERGE_API_KEY, account, merge, read_all};
use crate::support::apis::{
    Answer, MERGE_EMPLOYEES, StandIn, merge_account, merge_company, merge_employee, merge_id,
    merge_sync,
};
use crate::support::at;

fn page(results: &[Value], next: &Value) -> Answer {
    Answer::json(&json!({"next": next, "previous": null, "results": results}))
}

#[tokio::test]
async fn reads_three_pages_despite_a_429_and_a_503() {
    let mut employees: Vec<Value> = (0..250).map(merge_employee).collect();
    employees[249]["employment_status"] = json!("INACTIVE");
    employees[249]["remote_was_deleted"] = json!(true);
    let api = StandIn::start(merge_company(employees)).await;
    let slow_down = Answer::status(429).with("retry-after", "1");
    let unavailable = Answer::status(503)
        .with("date", "Sun, 22 Nov 2026 03:00:00 GMT")
        .with("retry-after", "Sun, 22 Nov 2026 03:00:01 GMT");
    api.script(
        MERGE_EMPLOYEES,
        [None, Some(slow_down), None, Some(unavailable), None],
    );

    let read = read_all(&merge(&api), &account("la-1")).await.unwrap();

    let sizes: Vec<usize> = read.iter().map(|page| page.changes.len()).collect();
    assert_eq!(sizes, [100, 100, 50]);
    let changes: Vec<_> = read.into_iter().flat_map(|page| page.changes).collect();
    let ids: BTreeSet<_> = changes
        .iter()
        .map(|change| change.employee_id.as_str().to_owned())
        .collect();
    assert_eq!(ids, (0..250).map(merge_id).collect());
    let last = changes.last().unwrap();
    assert_eq!(
        (last.kind, last.as_of),
        (ChangeKind::Deleted, Some(at("2026-11-20T08:00:00Z")))
    );
    assert_eq!(last.facts.status, Field::Value(Status::Inactive));
    assert_eq!(last.tenant.as_str(), "tenant of la-1");

    let asked = api.requests();
    assert_eq!(asked.len(), 5);
    assert!(
        asked[2].at - asked[1].at >= Duration::from_secs(1),
        "the 429's seconds were not waited"
    );
    assert!(
        asked[4].at - asked[3].at >= Duration::from_secs(1),
        "the 503's date was not awaited"
    );
}

#[tokio::test]
async fn only_the_cursor_changes_while_paging() {
    let api = StandIn::start(merge_company((0..250).map(merge_employee).collect())).await;
    let (merge, account) = (merge(&api), account("la-1"));
    let mut pages = merge.employees(&account, Some(at("2026-11-01T07:30:00.25Z")));
    while pages.next().await.unwrap().is_some() {}

    let asked = api.requests();
    let cursors: Vec<_> = asked
        .iter()
        .map(|one| one.parameter("cursor").map(str::to_owned))
        .collect();
    assert_eq!(
        cursors,
        [None, Some("c+100==".to_owned()), Some("c+200==".to_owned())]
    );
    for one in &asked {
        let mut rest = one.query.clone();
        rest.retain(|(name, _)| name != "cursor");
        let expected = [
            ("page_size", "100"),
            ("include_deleted_data", "true"),
            ("modified_after", "2026-11-01T07:30:00.250000Z"),
        ];
        assert_eq!(
            rest,
            expected.map(|(name, value)| (name.to_owned(), value.to_owned()))
        );
        assert_eq!(one.method, "GET");
        assert_eq!(
            one.header("authorization"),
            format!("Bearer {MERGE_API_KEY}")
        );
        assert_eq!(one.header("x-account-token"), ACCOUNT_TOKEN);
        assert_eq!(one.header("accept"), "application/json");
        assert!(one.header("user-agent").starts_with("leaver/"));
    }
}

#[tokio::test]
async fn an_incremental_read_requests_only_changes() {
    let mut employees: Vec<Value> = (0..5).map(merge_employee).collect();
    employees[3]["modified_at"] = json!("2026-11-22T11:00:00.000000Z");
    let api = StandIn::start(merge_company(employees)).await;
    let (merge, account) = (merge(&api), account("la-1"));
    let mut pages = merge.employees(&account, Some(at("2026-11-21T00:00:00Z")));
    let page = pages.next().await.unwrap().unwrap();
    assert_eq!(page.changes.len(), 1);
    assert_eq!(page.changes[0].employee_id.as_str(), merge_id(3));
    assert_eq!(pages.next().await.unwrap(), None);
    assert_eq!(api.requests().len(), 1);
}

#[tokio::test]
async fn a_cursor_in_a_url_is_used_and_the_url_not_followed() {
    let api = StandIn::always(Answer::status(404)).await;
    let next = json!("https://elsewhere.example/api/hris/v1/employees?cursor=cD0%3D&page_size=30");
    api.script(
        MERGE_EMPLOYEES,
        [
            page(&[merge_employee(1)], &next),
            page(&[merge_employee(2)], &json!(null)),
        ],
    );
    let read = read_all(&merge(&api), &account("la-1")).await.unwrap();
    assert_eq!(read.len(), 2);
    let asked = api.requests();
    assert_eq!(asked[1].parameter("cursor"), Some("cD0="));
    assert_eq!(asked[1].parameter("page_size"), Some("100"));
}

#[tokio::test]
async fn an_empty_company_is_a_complete_read() {
    let api = StandIn::start(merge_company(vec![])).await;
    let read = read_all(&merge(&api), &account("la-1")).await.unwrap();
    assert_eq!(read.len(), 1);
    assert!(read[0].changes.is_empty() && read[0].bad_entries.is_empty());
}

#[tokio::test]
async fn a_missing_page_truncates_the_read() {
    let first = || page(&[merge_employee(1)], &json!("c1"));
    let half = Answer::text(
        200,
        "application/json",
        r#"{"next": null, "results": [{"id": "x"#,
    );
    let cases = [
        ("refused cursor", vec![Answer::status(400)]),
        ("lost cursor", vec![Answer::status(404)]),
        ("empty page", vec![page(&[], &json!(null))]),
        ("half the JSON", vec![half]),
        (
            "the same cursor again",
            vec![page(&[merge_employee(2)], &json!("c1"))],
        ),
        (
            "a circle",
            vec![page(&[], &json!("c2")), page(&[], &json!("c1"))],
        ),
        (
            "no end",
            (2..20)
                .map(|n| page(&[], &json!(format!("c{n}"))))
                .collect(),
        ),
    ];
    for (case, answers) in cases {
        let api = StandIn::always(Answer::status(500)).await;
        api.script(MERGE_EMPLOYEES, [first()]);
        api.script(MERGE_EMPLOYEES, answers);
        let error = read_all(&merge(&api), &account("la-1")).await.unwrap_err();
        assert!(
            matches!(error, ReadError::Truncated { .. }),
            "{case}: {error}"
        );
        assert!(api.requests().len() <= 12, "{case}");
    }
}

#[tokio::test]
async fn a_failed_page_can_be_fetched_again() {
    let api = StandIn::start(merge_company((0..150).map(merge_employee).collect())).await;
    api.script(MERGE_EMPLOYEES, [None, Some(Answer::status(400))]);
    let (merge, account) = (merge(&api), account("la-1"));
    let mut pages = merge.employees(&account, None);
    assert_eq!(pages.next().await.unwrap().unwrap().changes.len(), 100);
    assert!(pages.next().await.is_err());
    assert_eq!(pages.next().await.unwrap().unwrap().changes.len(), 50);
    assert_eq!(pages.next().await.unwrap(), None);
}

#[tokio::test]
async fn invalid_records_are_reported_and_others_kept() {
    let null = json!({"id": merge_id(7), "employment_status": null, "work_email": null, "termination_date": null});
    let api = StandIn::always(Answer::status(404)).await;
    let results = [
        merge_employee(1),
        null,
        json!("x"),
        json!({"employment_status": "INACTIVE"}),
        merge_employee(2),
    ];
    api.script(MERGE_EMPLOYEES, [page(&results, &json!(null))]);
    let read = read_all(&merge(&api), &account("la-1")).await.unwrap();
    assert_eq!(read[0].changes.len(), 2);
    let causes: Vec<_> = read[0]
        .bad_entries
        .iter()
        .map(|bad| (bad.position, bad.cause.clone()))
        .collect();
    assert_eq!(
        causes,
        [
            (1, EntryError::NullRecord),
            (2, EntryError::NotAnObject),
            (3, EntryError::NoId)
        ]
    );
}

#[tokio::test]
async fn a_paused_sync_and_a_lost_connection_are_reported() {
    let api = StandIn::start(merge_company(vec![])).await;
    let (merge, account) = (merge(&api), account("la-1"));
    let models = merge.sync_status(&account).await.unwrap();
    assert_eq!(models[0].model_id, "hris.Employee");
    assert_eq!(models[0].last_finished, Some(at("2026-11-22T03:20:00Z")));
    assert_eq!(models[0].uncertainty(), None);
    assert_eq!(
        merge.connection(&account).await.unwrap().uncertainty(),
        None
    );

    let paused = |next: Value| page(&[merge_sync("PAUSED")], &next);
    api.script(
        "/api/hris/v1/sync-status",
        [paused(json!("c1")), paused(json!(null))],
    );
    api.script(
        "/api/hris/v1/account-details",
        [Answer::json(&merge_account("RELINK_NEEDED"))],
    );
    let models = merge.sync_status(&account).await.unwrap();
    assert_eq!(models.len(), 2);
    assert_eq!(models[1].status, SyncStatus::Paused);
    assert!(models[1].uncertainty().unwrap().contains("paused"));
    let connection = merge.connection(&account).await.unwrap();
    assert_eq!(connection.status, ConnectionStatus::RelinkNeeded);
    assert!(connection.uncertainty().is_some());
}
