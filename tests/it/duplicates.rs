//! Duplicates, late deliveries and other orders of arrival: the result stays the same.

use axum::body::Body;
use axum::http::Request;
use chrono::TimeDelta;
use leaver::base::clock::Clock;
use serde_json::{Value, json};

use crate::support::{FORM, JSON, TestApp, at, employee, employees, merge_changed};

const REHIRES: &[(&str, &str)] = &[("LEAVER__POLICY__REHIRE", "reactivate")];

fn dana(as_of: &str, status: &str) -> Value {
    let employment = if status == "Inactive" {
        "Terminated"
    } else {
        "Full-Time"
    };
    let fields = json!({"status": status, "employmentHistoryStatus": employment, "workEmail": "dana@example.com"});
    employees(&[employee("1", as_of, &["status"], &fields)])
}

fn dana_form(status: &str) -> String {
    let employment = if status == "Inactive" {
        "Terminated"
    } else {
        "Full-Time"
    };
    format!(
        "employees[1][changedFields][]=status&employees[1][status]={status}\
         &employees[1][employmentHistoryStatus]={employment}&employees[1][workEmail]=dana%40example.com"
    )
}

fn robin(modified_at: &str, status: &str, ended_on: Option<&str>) -> Value {
    merge_changed(&json!({
        "id": "m1", "modified_at": modified_at, "employment_status": status,
        "termination_date": ended_on, "work_email": "dana@example.com",
    }))
}

async fn outcome(app: &mut TestApp) -> Value {
    let outcome = app
        .text("SELECT outcome::text FROM leaver.deliveries ORDER BY id DESC LIMIT 1")
        .await;
    serde_json::from_str(&outcome.unwrap()).unwrap()
}

/// What a delivery may change: the users, the roster, the holds and the record.
async fn state(app: &mut TestApp) -> Option<String> {
    app.text(
        "SELECT concat_ws(' ',
            (SELECT jsonb_agg(u ORDER BY id) FROM users u), (SELECT count(*) FROM sessions),
            (SELECT jsonb_agg(e ORDER BY employee_id) FROM leaver.employees e),
            (SELECT jsonb_agg(h ORDER BY id) FROM leaver.holds h),
            (SELECT jsonb_agg(a ORDER BY id) FROM leaver.audit a))",
    )
    .await
}

#[tokio::test]
async fn the_same_delivery_again_changes_nothing_at_all() {
    let mut app = TestApp::new().await;
    app.add_users(&["dana@example.com", "other@example.com"])
        .await;
    let body = dana("2026-11-22T11:00:00Z", "Inactive");
    app.deliver("bamboohr", &body).await;
    let before = state(&mut app).await;
    for _ in 0..3 {
        // A retry is signed anew.
        app.advance(TimeDelta::minutes(31));
        let again = app.deliver("bamboohr", &body).await;
        assert_eq!(again.body["duplicate"], json!(true));
    }
    assert_eq!(state(&mut app).await, before);
    assert_eq!(app.count("SELECT count(*) FROM leaver.deliveries").await, 1);
    let kept = app
        .count("SELECT count(*) FROM leaver.deliveries WHERE body IS NOT NULL")
        .await;
    assert_eq!(kept, 0, "a repetition does not bring the body back");
}

#[tokio::test]
async fn concurrent_copies_of_a_delivery_make_one_row() {
    let mut app = TestApp::new().await;
    app.add_users(&["dana@example.com"]).await;
    let body = dana("2026-11-22T11:00:00Z", "Inactive").to_string();
    let router = leaver::api::router(app.parts.state.clone());
    let mut sending = tokio::task::JoinSet::new();
    for _ in 0..32 {
        let request: Request<Body> = app.signed("bamboohr", JSON, body.clone());
        let router = router.clone();
        sending.spawn(async move {
            let answer = tower::ServiceExt::oneshot(router, request).await.unwrap();
            let status = answer.status();
            let bytes = http_body_util::BodyExt::collect(answer.into_body())
                .await
                .unwrap()
                .to_bytes();
            (status, serde_json::from_slice::<Value>(&bytes).unwrap())
        });
    }
    let answers = sending.join_all().await;
    assert!(
        answers
            .iter()
            .all(|(status, body)| *status == 200 && body["delivery"] == answers[0].1["delivery"])
    );
    let new = answers
        .iter()
        .filter(|(_, body)| body["duplicate"] == json!(false));
    assert_eq!(new.count(), 1);
    assert_eq!(app.count("SELECT count(*) FROM leaver.deliveries").await, 1);
    app.work().await;
    assert_eq!(app.audit().await, ["deactivated 1"]);
}

#[tokio::test]
async fn two_workers_at_once_do_everything_once() {
    let mut app = TestApp::builder()
        .settings(&[("LEAVER__WORKER__BATCH_SIZE", "3")])
        .build()
        .await;
    let emails: Vec<String> = (0..20).map(|n| format!("u{n}@example.com")).collect();
    app.add_users(&emails.iter().map(String::as_str).collect::<Vec<_>>())
        .await;
    for (n, email) in emails.iter().enumerate() {
        let fields = json!({"status": "Inactive", "employmentHistoryStatus": "Terminated", "workEmail": email});
        let body = employees(&[employee(
            &n.to_string(),
            "2026-11-22T11:00:00Z",
            &["status"],
            &fields,
        )]);
        app.send("bamboohr", JSON, body.to_string()).await;
    }
    let mut working = tokio::task::JoinSet::new();
    for _ in 0..3 {
        let worker = app.parts.deliveries.clone();
        working.spawn(async move {
            let mut memory = leaver::jobs::deliveries::LoopState::default();
            while worker.round(&mut memory).await != leaver::jobs::deliveries::Round::Idle {}
        });
    }
    working.join_all().await;
    app.work().await;
    assert_eq!(
        app.count("SELECT count(*) FROM users WHERE is_active")
            .await,
        0
    );
    assert_eq!(app.audit().await.len(), 20);
    assert_eq!(
        app.count(
            "SELECT count(*) FROM leaver.deliveries WHERE state = 'processed' AND attempts = 0"
        )
        .await,
        20
    );
}

#[tokio::test]
async fn the_same_words_of_two_sources_are_two_deliveries() {
    let app = TestApp::new().await;
    for source in ["bamboohr", "merge"] {
        let answer = app.send(source, JSON, "{}").await;
        assert_eq!(answer.body["duplicate"], json!(false), "{source}");
    }
}

#[tokio::test]
async fn untimed_words_signed_again_after_a_rehire_are_news() {
    let mut app = TestApp::builder().settings(REHIRES).build().await;
    app.add_users(&["dana@example.com"]).await;
    for (round, expected) in [
        ("Inactive", false),
        ("Active", true),
        ("Inactive", false),
        ("Active", true),
    ] {
        app.advance(TimeDelta::hours(1));
        app.send("bamboohr", FORM, dana_form(round)).await;
        app.work().await;
        assert_eq!(app.user("dana@example.com").await.0, expected, "{round}");
    }
    assert_eq!(
        app.audit().await,
        [
            "deactivated 1",
            "reactivated 1",
            "deactivated 1",
            "reactivated 1"
        ]
    );
    assert_eq!(
        app.count("SELECT sum(reprocess_count)::bigint FROM leaver.deliveries")
            .await,
        2
    );
}

#[tokio::test]
async fn an_untimed_body_with_the_same_signature_is_a_duplicate() {
    let mut app = TestApp::builder().settings(REHIRES).build().await;
    app.add_users(&["dana@example.com"]).await;
    let replayed = |app: &TestApp| app.signed("bamboohr", FORM, dana_form("Inactive"));
    let (first, captured) = (replayed(&app), replayed(&app));
    app.request(first).await;
    app.work().await;
    app.advance(TimeDelta::hours(1));
    app.send("bamboohr", FORM, dana_form("Active")).await;
    app.work().await;
    let before = state(&mut app).await;

    app.advance(TimeDelta::minutes(1));
    let answer = app.request(captured).await;
    app.work().await;
    assert_eq!(
        (answer.status.as_u16(), &answer.body["duplicate"]),
        (200, &json!(true))
    );
    assert_eq!(state(&mut app).await, before);
    assert_eq!(app.user("dana@example.com").await, (true, 0));
}

#[tokio::test]
async fn an_untimed_body_signed_again_is_processed_again() {
    let mut app = TestApp::builder().settings(REHIRES).build().await;
    app.add_users(&["dana@example.com"]).await;
    for status in ["Inactive", "Active", "Inactive"] {
        app.advance(TimeDelta::hours(1));
        app.send("bamboohr", FORM, dana_form(status)).await;
    }
    app.work().await;
    assert!(
        !app.user("dana@example.com").await.0,
        "the last word was Inactive"
    );
    assert_eq!(
        app.count("SELECT count(*) FROM leaver.deliveries WHERE state = 'pending'")
            .await,
        0
    );
}

#[tokio::test]
async fn an_older_change_after_a_newer_one_is_stale() {
    for (newer, older) in [
        (
            dana("2026-11-22T11:00:00Z", "Active"),
            dana("2026-11-22T10:00:00Z", "Inactive"),
        ),
        (
            dana("2026-11-22T11:00:00Z", "Inactive"),
            dana("2026-11-22T10:00:00Z", "Active"),
        ),
    ] {
        let mut app = TestApp::builder().settings(REHIRES).build().await;
        app.add_users(&["dana@example.com"]).await;
        app.deliver("bamboohr", &newer).await;
        let before = state(&mut app).await;
        app.advance(TimeDelta::minutes(5));
        app.deliver("bamboohr", &older).await;
        assert_eq!(outcome(&mut app).await, json!({"stale": 1}));
        assert_eq!(state(&mut app).await, before);
    }
}

#[tokio::test]
async fn the_order_of_arrival_does_not_change_where_it_ends() {
    let said = [
        dana("2026-11-22T08:00:00Z", "Active"),
        dana("2026-11-22T09:00:00Z", "Inactive"),
        employees(&[employee(
            "1",
            "2026-11-22T10:00:00Z",
            &["workEmail"],
            &json!({"workEmail": "dana@example.com", "terminationDate": "2026-11-21"}),
        )]),
        dana("2026-11-22T11:00:00Z", "Inactive"),
    ];
    let orders = [[0, 1, 2, 3], [3, 2, 1, 0], [2, 3, 0, 1], [1, 3, 0, 2]];
    let mut ends = vec![];
    for order in orders {
        let mut app = TestApp::new().await;
        app.add_users(&["dana@example.com"]).await;
        for n in order {
            app.deliver("bamboohr", &said[n]).await;
        }
        let facts = app
            .text("SELECT (facts - 'status_changed')::text FROM leaver.employees")
            .await;
        ends.push((facts, app.user("dana@example.com").await));
    }
    ends.dedup();
    assert_eq!(ends.len(), 1, "{ends:#?}");
    assert_eq!(ends[0].1, (false, 0));
}

#[tokio::test]
async fn one_batch_or_many_end_alike() {
    let mut ends = vec![];
    for batch in ["1", "500"] {
        let mut app = TestApp::builder()
            .settings(&[("LEAVER__WORKER__BATCH_SIZE", batch)])
            .build()
            .await;
        app.add_users(&["dana@example.com"]).await;
        for (time, status) in [
            ("08", "Active"),
            ("10", "Inactive"),
            ("09", "Active"),
            ("11", "Inactive"),
        ] {
            app.send(
                "bamboohr",
                JSON,
                dana(&format!("2026-11-22T{time}:00:00Z"), status).to_string(),
            )
            .await;
        }
        app.work().await;
        let facts = app.text("SELECT facts::text FROM leaver.employees").await;
        ends.push((facts, app.user("dana@example.com").await, app.audit().await));
    }
    assert_eq!(ends[0], ends[1]);
    assert_eq!(ends[0].2, ["deactivated 1"]);
}

#[tokio::test]
async fn a_replayed_merge_departure_after_a_rehire_has_no_effect() {
    let mut app = TestApp::builder().settings(REHIRES).build().await;
    app.clock.set(at("2026-11-22T12:00:00Z"));
    app.add_users(&["dana@example.com"]).await;
    let left = robin(
        "2026-11-20T10:00:00Z",
        "INACTIVE",
        Some("2026-11-19T00:00:00Z"),
    );
    app.deliver("merge", &left).await;
    assert!(!app.user("dana@example.com").await.0);
    app.advance(TimeDelta::days(1));
    app.deliver("merge", &robin("2026-11-23T10:00:00Z", "ACTIVE", None))
        .await;
    assert!(app.user("dana@example.com").await.0);
    let before = state(&mut app).await;

    app.advance(TimeDelta::days(1));
    let same_bytes = app.deliver("merge", &left).await;
    assert_eq!(same_bytes.body["duplicate"], json!(true));
    let mut other_bytes = left.clone();
    other_bytes["hook"]["id"] = json!("another hook");
    app.deliver("merge", &other_bytes).await;
    assert_eq!(outcome(&mut app).await, json!({"stale": 1}));
    assert_eq!(state(&mut app).await, before);
}

#[tokio::test]
async fn a_fast_clock_does_not_make_later_changes_stale() {
    let mut app = TestApp::new().await;
    app.add_users(&["dana@example.com"]).await;
    app.deliver("bamboohr", &dana("2031-01-01T00:00:00Z", "Active"))
        .await;
    app.advance(TimeDelta::minutes(1));
    let now = app.clock.now().to_rfc3339();
    app.deliver("bamboohr", &dana(&now, "Inactive")).await;
    assert_eq!(app.user("dana@example.com").await, (false, 0));
}
