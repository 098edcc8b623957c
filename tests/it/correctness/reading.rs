//! Checks that readable facts take effect, and that unreadable ones are not taken as done.

use chrono::TimeDelta;
use leaver::base::clock::Clock;
use leaver::ingest::inbox::{Replay, store};
use leaver_core::domain::DeliveryId;
use serde_json::{Value, json};

use crate::support::driving::{leaving, merge_record, terminated, working};
use crate::support::{FORM, JSON, TestApp, at, employee, employees, merge_changed};

const AS_OF: &str = "2026-11-22T11:59:55+0000";
const MARK: &[u8] = b"\xEF\xBB\xBF";

/// A Merge record of a leaver, with one more member.
fn merge_leaver(id: &str, email: &str, name: &str, value: &str) -> String {
    let record = json!({
        "id": id, "modified_at": "2026-11-22T11:00:00Z", "employment_status": "INACTIVE",
        "termination_date": "2026-11-20T00:00:00Z", "work_email": email, name: "?",
    });
    merge_changed(&record).to_string().replace("\"?\"", value)
}

async fn settled(app: &mut TestApp) -> (String, Option<String>, Value, bool) {
    let row: (String, Option<String>, Option<Value>, bool) = sqlx::query_as(
        "SELECT state, reason, outcome, body IS NOT NULL FROM leaver.deliveries ORDER BY id DESC LIMIT 1",
    )
    .fetch_one(&mut app.conn)
    .await
    .unwrap();
    (row.0, row.1, row.2.unwrap_or_default(), row.3)
}

#[tokio::test]
async fn byte_order_mark_is_skipped() {
    let mut app = TestApp::new().await;
    app.add_users(&["a@example.com", "b@example.com", "m@example.com"])
        .await;
    let marked = |body: &str| [MARK, body.as_bytes()].concat();
    let body = employees(&[terminated("1", "a@example.com", AS_OF)]).to_string();
    app.send("bamboohr", JSON, marked(&body)).await;
    let form = "employees[2][status]=Inactive&employees[2][employmentHistoryStatus]=Terminated\
                &employees[2][workEmail]=b%40example.com";
    app.send("bamboohr", FORM, marked(form)).await;
    let body = merge_leaver("m1", "m@example.com", "note", "1");
    app.send("merge", JSON, marked(&body)).await;
    app.work().await;
    assert_eq!(app.active().await, Vec::<String>::new());
}

#[tokio::test]
async fn unreadable_member_that_is_not_needed_is_ignored() {
    for unreadable in [r#""Ana \ud83d""#, "NaN", "-Infinity", "1e999"] {
        let mut app = TestApp::new().await;
        app.add_users(&["a@example.com", "m@example.com"]).await;
        let mut entry = terminated("1", "a@example.com", AS_OF);
        entry["fields"]["firstName"] = json!("?");
        let body = employees(&[entry]).to_string().replace("\"?\"", unreadable);
        app.send("bamboohr", JSON, body).await;
        let body = merge_leaver("m1", "m@example.com", "first_name", unreadable);
        app.send("merge", JSON, body).await;
        app.work().await;
        assert_eq!(app.active().await, Vec::<String>::new(), "{unreadable}");
    }
}

#[tokio::test]
async fn unreadable_needed_member_spoils_its_entry_only() {
    let mut app = TestApp::new().await;
    app.add_users(&["a@example.com", "b@example.com"]).await;
    let [one, two] = ["a@example.com", "b@example.com"]
        .map(|email| terminated(&email[..1], email, AS_OF).to_string());
    let cut = two.replace("b@example.com", r"b\ud83d@example.com");
    let body = format!(r#"{{"employees": [{cut}, {one}]}}"#);
    app.send("bamboohr", JSON, body).await;
    app.work().await;
    assert_eq!(app.active().await, ["b@example.com"]);
    let (state, _, outcome, _) = settled(&mut app).await;
    assert_eq!(state, "processed");
    assert_eq!(outcome, json!({"deactivated": 1, "bad_entries": 1}));
}

#[tokio::test]
async fn midnight_in_any_offset_is_a_day() {
    let timezone = ("LEAVER__POLICY__TIMEZONE", "America/Los_Angeles");
    for date in [
        "2026-11-27",
        "2026-11-27T00:00:00Z",
        "2026-11-27T00:00:00-08:00",
        "2026-11-27T08:00:00Z",
    ] {
        let mut app = TestApp::builder().settings(&[timezone]).build().await;
        app.add_users(&["a@example.com", "m@example.com"]).await;
        app.bamboohr(&[leaving("1", "a@example.com", AS_OF, date)])
            .await;
        let record = merge_record("m1", "m@example.com", AS_OF, "ACTIVE", Some(date));
        app.deliver("merge", &record).await;
        for id in ["1", "m1"] {
            let ends = app.access_ends_at(id).await;
            assert_eq!(ends, Some(at("2026-11-28T08:00:00Z")), "{id} {date}");
        }
    }
}

/// Ids in place of entries, ids of another name, and no id.
fn unreadable_bodies() -> Vec<(&'static str, &'static str, String)> {
    let nobody = r#"{"id": null, "fields": {"status": "Inactive"}}"#;
    let of_merge = |data: Value| merge_changed(&data).to_string();
    let mut bodies = vec![
        (
            "bamboohr",
            JSON,
            json!({"employees": ["1", "2"]}).to_string(),
        ),
        ("bamboohr", JSON, json!({"employees": [1]}).to_string()),
        (
            "bamboohr",
            JSON,
            json!({"employees": [{"employeeId": "1", "fields": {}}]}).to_string(),
        ),
        ("bamboohr", JSON, format!(r#"{{"employees": [{nobody}]}}"#)),
        (
            "bamboohr",
            JSON,
            json!({"type": "employee.updated", "data": {"id": "1"}}).to_string(),
        ),
        ("bamboohr", FORM, "employees[][status]=Inactive".to_owned()),
        (
            "bamboohr",
            FORM,
            "type=employee.updated&data[id]=1".to_owned(),
        ),
    ];
    bodies.extend(
        [
            json!("m1"),
            json!({"id": null}),
            json!({"employee_id": "m1"}),
        ]
        .map(|data| ("merge", JSON, of_merge(data))),
    );
    bodies
}

#[tokio::test]
async fn delivery_without_a_readable_entry_is_failed() {
    let mut app = TestApp::new().await;
    app.add_users(&["a@example.com"]).await;
    app.bamboohr(&[working("1", "a@example.com", "2026-11-22T09:00:00Z")])
        .await;
    for (source, content_type, body) in unreadable_bodies() {
        app.send(source, content_type, body.clone()).await;
        app.work().await;
        let (state, reason, outcome, has_body) = settled(&mut app).await;
        assert_eq!((state.as_str(), has_body), ("failed", true), "{body}");
        assert_eq!(outcome, Value::Null);
        let reason = reason.unwrap();
        assert!(
            reason.starts_with("no entry can be read: entry 0: "),
            "{reason}"
        );
    }
    assert_eq!(app.active().await, ["a@example.com"]);
    let health = app.get("/health").await;
    assert_eq!(health.body["status"], "degraded");
}

#[tokio::test]
async fn bad_entries_are_counted_named_and_replayable() {
    let mut app = TestApp::new().await;
    app.add_users(&["a@example.com", "b@example.com"]).await;
    let unreadable = json!({"employeeId": "2", "fields": {"status": "Inactive"}});
    let entries = [
        json!("9"),
        terminated("1", "a@example.com", AS_OF),
        unreadable,
    ];
    app.bamboohr(&entries).await;
    assert_eq!(app.active().await, ["b@example.com"]);
    let (state, reason, outcome, has_body) = settled(&mut app).await;
    assert_eq!((state.as_str(), has_body), ("processed", true));
    assert_eq!(outcome, json!({"deactivated": 1, "bad_entries": 2}));
    let expected = "2 of 3 entries cannot be read: entry 0: it is not an object; entry 2: it has no employee id";
    assert_eq!(reason.as_deref(), Some(expected));

    // A body that a later version can read, in place of that version.
    let fixed = employees(&[
        terminated("1", "a@example.com", AS_OF),
        terminated("2", "b@example.com", AS_OF),
    ]);
    sqlx::query("UPDATE leaver.deliveries SET body = $1")
        .bind(fixed.to_string().into_bytes())
        .execute(&mut app.conn)
        .await
        .unwrap();
    assert_eq!(replay_all(&mut app).await, [Replay::Queued]);
    app.work().await;
    assert_eq!(app.active().await, Vec::<String>::new());
    let (state, reason, outcome, has_body) = settled(&mut app).await;
    assert_eq!(
        (state.as_str(), reason, has_body),
        ("processed", None, false)
    );
    assert_eq!(outcome, json!({"deactivated": 1, "unchanged": 1}));
    assert_eq!(replay_all(&mut app).await, [Replay::BodyGone]);
}

async fn replay_all(app: &mut TestApp) -> Vec<Replay> {
    let ids: Vec<(uuid::Uuid,)> = sqlx::query_as("SELECT id FROM leaver.deliveries")
        .fetch_all(&mut app.conn)
        .await
        .unwrap();
    let ids: Vec<DeliveryId> = ids.into_iter().map(|(id,)| DeliveryId(id)).collect();
    let now = app.clock.now();
    let results = store::replay(&mut app.conn, &ids, now).await;
    results
        .unwrap()
        .into_iter()
        .map(|(_, result)| result)
        .collect()
}

#[tokio::test]
async fn body_with_bad_entries_is_kept_for_a_while() {
    let retention = [
        ("LEAVER__INBOX__RETENTION", "14d"),
        ("LEAVER__INBOX__FAILED_RETENTION", "20d"),
    ];
    let mut app = TestApp::builder().settings(&retention).build().await;
    app.add_users(&["a@example.com"]).await;
    // Without event times a body is processed again after a later signature, but not because it was kept.
    let untimed = json!({"id": "1", "fields": {"status": "Active", "workEmail": "a@example.com"}});
    app.bamboohr(&[json!("9"), untimed]).await;
    app.bamboohr(&[json!("9"), terminated("1", "a@example.com", AS_OF)])
        .await;
    let rows = "SELECT state || ' ' || (body IS NOT NULL)::text FROM leaver.deliveries ORDER BY id";
    assert_eq!(app.lines(rows).await, ["processed true", "processed true"]);
    app.advance(TimeDelta::days(19));
    app.parts.housekeeping.run_once().await.unwrap();
    assert_eq!(app.lines(rows).await, ["processed true", "processed true"]);
    app.advance(TimeDelta::days(2));
    app.parts.housekeeping.run_once().await.unwrap();
    assert_eq!(app.count("SELECT count(*) FROM leaver.deliveries").await, 0);
}

#[tokio::test]
async fn body_selects_the_parser_and_not_its_header() {
    for content_type in [JSON, FORM, "text/plain", ""] {
        let mut app = TestApp::new().await;
        app.add_users(&["a@example.com", "b@example.com", "m@example.com"])
            .await;
        let body = employees(&[terminated("1", "a@example.com", AS_OF)]);
        app.send("bamboohr", content_type, body.to_string()).await;
        let form = "employees[2][status]=Inactive&employees[2][employmentHistoryStatus]=Terminated\
                    &employees[2][workEmail]=b%40example.com";
        app.send("bamboohr", content_type, form).await;
        let body = merge_leaver("m1", "m@example.com", "note", "1");
        app.send("merge", content_type, body).await;
        app.work().await;
        assert_eq!(app.active().await, Vec::<String>::new(), "{content_type}");
    }
}

#[tokio::test]
async fn unreadable_date_or_status_asks_a_person() {
    let mut app = TestApp::new().await;
    let emails = [
        "a@example.com",
        "b@example.com",
        "c@example.com",
        "m@example.com",
        "n@example.com",
    ];
    app.add_users(&emails).await;
    let changed =
        json!({"status": "Inactive", "hireDate": "1/2/2027", "workEmail": "b@example.com"});
    let odd = json!({"status": ["Inactive"], "workEmail": "c@example.com"});
    app.bamboohr(&[
        leaving("1", "a@example.com", AS_OF, "21/11/2026"),
        employee("2", AS_OF, &["status"], &changed),
        employee("3", AS_OF, &[], &odd),
    ])
    .await;
    let record = merge_record("m1", "m@example.com", AS_OF, "ACTIVE", Some("21/11/2026"));
    app.deliver("merge", &record).await;
    let date = Some("2026-11-20T00:00:00Z");
    let record = merge_record("m2", "n@example.com", AS_OF, "Terminated", date);
    app.deliver("merge", &record).await;
    assert_eq!(app.active().await, emails);
    let held = ["1", "2", "3", "m1", "m2"].map(|id| format!("hold_opened {id}"));
    assert_eq!(app.audit().await, held);
    let reasons = app
        .lines("SELECT reason FROM leaver.holds ORDER BY id")
        .await;
    for (reason, words) in reasons.iter().zip([
        "a termination date that cannot be read",
        "a hire date that cannot be read",
        "a status that cannot be read",
        "a termination date that cannot be read",
        "the status `Terminated` is unknown",
    ]) {
        assert!(reason.contains(words), "{reason}");
    }

    // Corrected in the HR system, the question is withdrawn.
    let later = "2026-11-22T11:59:58+0000";
    app.bamboohr(&[leaving("1", "a@example.com", later, "2026-11-30")])
        .await;
    let open = "SELECT count(*) FROM leaver.holds WHERE employee_id = '1' AND state = 'open'";
    assert_eq!(app.count(open).await, 0);
    assert_eq!(
        app.access_ends_at("1").await,
        Some(at("2026-12-01T00:00:00Z"))
    );
}

#[tokio::test]
async fn unreadable_date_does_not_save_a_terminated_employee() {
    let mut app = TestApp::new().await;
    app.add_users(&["a@example.com"]).await;
    let mut entry = terminated("1", "a@example.com", AS_OF);
    entry["fields"]["terminationDate"] = json!("21/11/2026");
    app.bamboohr(&[entry]).await;
    assert_eq!(app.active().await, Vec::<String>::new());
}
