//! Batches of deliveries, failures of one of them, and replicas that share the work.

mod failing;
mod in_hand;
mod killed;
mod upkeep;

use leaver::ingest::inbox::{self, Replay};
use leaver::jobs::deliveries::Round;
use serde_json::{Value, json};

use crate::support::driving::{event, leaving, merge_record, terminated, working};
use crate::support::{FORM, JSON, TestApp, employee, employees};

const BOTH: [&str; 2] = ["bamboohr", "merge"];

/// This many users `u1@example.com` and so on, with ids from 1.
async fn crowd(app: &mut TestApp, people: usize) {
    app.sql(&format!(
        "INSERT INTO users (email) SELECT 'u' || n || '@example.com' FROM generate_series(1, {people}) n;
         INSERT INTO sessions (user_id) SELECT id FROM users"
    ))
    .await;
}

fn email(n: usize) -> String {
    format!("u{n}@example.com")
}

/// A body that says of one person that they left.
fn departure(n: usize) -> Value {
    employees(&[terminated(
        &n.to_string(),
        &email(n),
        "2026-11-22T11:00:00+0000",
    )])
}

/// A bit of everything that can be said of people, in the order in which it was said.
fn mixed() -> Vec<(&'static str, Value)> {
    let bamboohr = |entries: &[Value]| ("bamboohr", employees(entries));
    let said = "2026-11-22T11:00:00+0000";
    let later = "2026-11-22T11:30:00+0000";
    let pre_hire = json!({"status": "Inactive", "hireDate": "2027-01-04", "workEmail": email(4)});
    let doubtful = json!({"status": "Inactive", "workEmail": email(5)});
    let merge = |id, n: usize, status, date| {
        let record = merge_record(id, &email(n), "2026-11-22T11:00:00Z", status, date);
        ("merge", record)
    };
    vec![
        bamboohr(&[
            terminated("1", &email(1), said),
            working("2", &email(2), said),
        ]),
        bamboohr(&[leaving("3", &email(3), said, "2026-12-31")]),
        bamboohr(&[employee("4", said, &["status"], &pre_hire)]),
        bamboohr(&[employee("5", said, &[], &doubtful)]),
        bamboohr(&[terminated("6", "nobody@example.com", said)]),
        merge("m7", 7, "INACTIVE", Some("2026-11-20T00:00:00Z")),
        merge("m8", 8, "INACTIVE", None),
        merge("m9", 9, "ACTIVE", Some("2026-12-24T09:00:00Z")),
        merge("m10", 10, "ON_LEAVE", None),
        bamboohr(&[working("11", &email(11), said)]),
        (
            "bamboohr",
            event("employee.deleted", "11", "2026-11-22T11:10:00+0000"),
        ),
        bamboohr(&[leaving("3", &email(3), later, "2027-01-31")]),
        bamboohr(&[terminated("2", &email(2), "2026-11-22T10:00:00+0000")]),
        (
            "bamboohr",
            event("employee.updated", "12", "2026-11-22T11:10:00+0000"),
        ),
        ("bamboohr", json!({"type": "company.updated"})),
        ("bamboohr", json!({"nothing": "of ours"})),
        bamboohr(&[terminated("13", &email(13), later), json!({"id": null})]),
    ]
}

/// Everything that is left behind, but for ids that differ from run to run, and for dates that were noted in
/// between and moved on.
async fn end_state(app: &mut TestApp) -> Vec<String> {
    let mut state = vec![];
    for sql in [
        "SELECT concat_ws(' ', 'user', email, is_active) FROM users ORDER BY id",
        "SELECT concat_ws(' ', 'session', user_id) FROM sessions ORDER BY id",
        "SELECT concat_ws(' ', 'employee', employee_id, facts, account_id, access_ends_at, deactivated_at)
         FROM leaver.employees ORDER BY source, employee_id",
        "SELECT concat_ws(' ', 'hold', employee_id, state, requested_action, account_id, reason, facts_fingerprint)
         FROM leaver.holds ORDER BY source, employee_id",
        "SELECT concat_ws(' ', 'delivery', state, reason, body IS NULL, outcome -> 'deactivated')
         FROM leaver.deliveries ORDER BY id",
        "SELECT concat_ws(' ', action, employee_id, account_id, actor) FROM leaver.audit
         WHERE action <> 'scheduled' ORDER BY employee_id, audit.id",
    ] {
        state.extend(app.lines(sql).await);
    }
    state
}

#[tokio::test]
async fn batches_of_one_end_like_one_batch_of_all() {
    let mut states = vec![];
    for size in ["500", "4", "1"] {
        let mut app = TestApp::builder()
            .settings(&[("LEAVER__WORKER__BATCH_SIZE", size)])
            .build()
            .await;
        crowd(&mut app, 13).await;
        for (source, body) in mixed() {
            app.store(source, &body).await;
        }
        app.work().await;
        let inactive = "SELECT id::text FROM users WHERE NOT is_active ORDER BY users.id";
        assert_eq!(app.lines(inactive).await, ["1", "7", "11", "13"], "{size}");
        states.push(end_state(&mut app).await);
    }
    assert_eq!(states[0], states[1]);
    assert_eq!(states[0], states[2]);
}

#[tokio::test]
async fn a_change_is_recorded_with_the_delivery_that_caused_it() {
    let mut app = TestApp::new().await;
    crowd(&mut app, 1).await;
    app.store(
        "bamboohr",
        &employees(&[working("1", &email(1), "2026-11-22T10:00:00+0000")]),
    )
    .await;
    let reason = app.store("bamboohr", &departure(1)).await;
    app.store(
        "bamboohr",
        &employees(&[terminated("1", &email(1), "2026-11-22T10:30:00+0000")]),
    )
    .await;
    app.work().await;
    assert_eq!(
        app.lines("SELECT outcome::text FROM leaver.deliveries ORDER BY id")
            .await,
        [r#"{"kept": 1}"#, r#"{"deactivated": 1}"#, r#"{"stale": 1}"#]
    );
    let recorded = "SELECT delivery_id::text FROM leaver.audit";
    assert_eq!(app.lines(recorded).await, [reason.to_string()]);
    let metrics = app.get("/metrics").await.body;
    let deactivated =
        metrics.as_str().unwrap().lines().find(|line| {
            line.starts_with("leaver_deactivations_total{") && line.contains("bamboohr")
        });
    assert!(deactivated.unwrap().ends_with(" 1"), "{deactivated:?}");
}

#[tokio::test]
async fn two_replicas_share_the_work_and_do_everything_once() {
    let mut app = TestApp::builder()
        .settings(&[("LEAVER__WORKER__BATCH_SIZE", "7")])
        .build()
        .await;
    crowd(&mut app, 50).await;
    // Four deliveries of each person, each different and all of them true.
    for n in 0..200 {
        let as_of = format!("2026-11-22T11:{:02}:00+0000", n / 50);
        let n = n % 50 + 1;
        let left = terminated(&n.to_string(), &email(n), &as_of);
        app.store("bamboohr", &employees(&[left])).await;
    }
    let mut other = app
        .beside(&BOTH, &[("LEAVER__WORKER__BATCH_SIZE", "7")])
        .await;

    let (mine, theirs) = tokio::join!(share(&mut app), share(&mut other));

    assert_eq!(mine + theirs, 200);
    assert!(mine > 0 && theirs > 0, "{mine} and {theirs}");
    let audit = "SELECT employee_id FROM leaver.audit WHERE action = 'deactivated' ORDER BY employee_id::int";
    let everybody: Vec<String> = (1..=50).map(|n| n.to_string()).collect();
    assert_eq!(app.lines(audit).await, everybody);
    assert_eq!(app.audit().await.len(), 50);
    let done = "SELECT count(*) FROM leaver.deliveries WHERE state = 'processed' AND attempts = 0";
    assert_eq!(app.count(done).await, 200);
    assert_eq!(app.count("SELECT count(*) FROM sessions").await, 0);
}

/// Works until nothing is left, giving way to the other replica; gives back how much it did.
async fn share(app: &mut TestApp) -> usize {
    let mut done = 0;
    loop {
        match app.round().await {
            Round::Processed(deliveries) => done += deliveries,
            Round::Idle => {
                let waiting = "SELECT count(*) FROM leaver.deliveries WHERE state = 'pending'";
                if app.count(waiting).await == 0 {
                    return done;
                }
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn batches_respect_the_size_limit_and_isolate_large_bodies() {
    let limits = [
        ("LEAVER__WORKER__BATCH_SIZE", "4"),
        ("LEAVER__WORKER__BATCH_BYTES", "4KiB"),
    ];
    let mut app = TestApp::builder().settings(&limits).build().await;
    crowd(&mut app, 5).await;
    // More than its share of a batch, more than a batch may have, and as usual.
    for (n, filling) in [(1, 1_500), (2, 1_500), (3, 9_000), (4, 0), (5, 0)] {
        let mut body = departure(n);
        body["note"] = json!("x".repeat(filling));
        app.advance(chrono::TimeDelta::milliseconds(1));
        app.store("bamboohr", &body).await;
    }
    for expected in [2, 1, 2] {
        assert_eq!(app.round().await, Round::Processed(expected));
    }
    assert_eq!(app.round().await, Round::Idle);
    assert_eq!(app.audit().await.len(), 5);
}

#[tokio::test]
async fn a_body_that_cannot_be_read_fails_and_sinks_no_neighbour() {
    let mut app = TestApp::new().await;
    crowd(&mut app, 1).await;
    let deep = format!("{{\"employees\":{}", "[".repeat(5_000));
    let unreadable: [&[u8]; 7] = [
        b"not json at all",
        b"{\"employees\": [",
        b"[]",
        b"\"text\"",
        b"{\"employees\": \"Ruiz\"}",
        b"\xff\xfe\x00",
        deep.as_bytes(),
    ];
    for body in unreadable {
        app.send("bamboohr", JSON, body).await;
        let merge = [body, b" "].concat();
        app.send("merge", JSON, merge).await;
    }
    app.send("bamboohr", FORM, "%%%=%00&employees[0][id]=%ff")
        .await;
    app.store("bamboohr", &departure(1)).await;

    app.work().await;

    assert!(!app.is_active(&email(1)).await);
    assert_eq!(app.get("/health").await.body["backlog"]["pending"], 0);
    let failed = app
        .lines("SELECT reason FROM leaver.deliveries WHERE state = 'failed'")
        .await;
    assert!(failed.len() >= 10, "{failed:?}");
    for reason in failed {
        assert!(
            !reason.contains("Ruiz") && !reason.contains("not json"),
            "{reason}"
        );
    }
}

#[tokio::test]
async fn a_delivery_of_a_removed_source_fails_until_it_is_back() {
    let mut app = TestApp::new().await;
    crowd(&mut app, 1).await;
    let date = Some("2026-11-20T00:00:00Z");
    let record = merge_record("m1", &email(1), "2026-11-22T11:00:00Z", "INACTIVE", date);
    let id = app.store("merge", &record).await;

    let mut without = app.beside(&["bamboohr"], &[]).await;
    without.work().await;
    let reason = "SELECT reason FROM leaver.deliveries WHERE state = 'failed'";
    let reason = app.text(reason).await.unwrap();
    assert!(reason.contains("`merge`"), "{reason}");
    assert!(app.is_active(&email(1)).await);

    replay(&mut app, id, Replay::Queued).await;
    app.work().await;
    assert!(!app.is_active(&email(1)).await);
}

/// Has one delivery processed again, with what `replay` must say of it.
async fn replay(app: &mut TestApp, id: leaver_core::domain::DeliveryId, expected: Replay) {
    use leaver::base::clock::Clock;
    let now = app.clock.now();
    let said = inbox::store::replay(&mut app.conn, &[id], now)
        .await
        .unwrap();
    assert_eq!(said, [(id, expected)]);
}

#[tokio::test]
async fn the_body_of_a_failed_delivery_is_kept_for_a_while() {
    let mut app = TestApp::new().await;
    let id = app.store("bamboohr", &json!({"nothing": "of ours"})).await;
    app.work().await;
    let kept = "SELECT count(*) FROM leaver.deliveries WHERE state = 'failed' AND body IS NOT NULL";
    app.advance(chrono::TimeDelta::days(7));
    app.parts.housekeeping.run_once().await.unwrap();
    assert_eq!(app.count(kept).await, 1);

    app.advance(chrono::TimeDelta::seconds(1));
    app.parts.housekeeping.run_once().await.unwrap();
    assert_eq!(app.count(kept).await, 0);
    replay(&mut app, id, Replay::BodyGone).await;
    let state = "SELECT state || ' ' || (reason IS NOT NULL) FROM leaver.deliveries";
    assert_eq!(app.text(state).await.as_deref(), Some("failed true"));
}
