//! Each observation that changes a fact adds one row, whatever way it comes in.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use leaver::jobs::sync::pending_reads::PendingReader;
use leaver::jobs::sync::{SyncMode, Syncer};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::support::apis::{Answer, StandIn, bamboohr_company, bamboohr_employee};
use crate::support::apis_setup::source_with_api;
use crate::support::driving::{event, leaving, merge_record, terminated, working};
use crate::support::{BAMBOOHR_KEY, FORM, TestApp, employees};

const EARLIER: &str = "2026-11-22T09:00:00Z";
const LATER: &str = "2026-11-22T10:00:00Z";

/// Returns the rows as `via source employee: names of the facts`.
async fn recorded(app: &mut TestApp) -> Vec<String> {
    app.lines(
        "SELECT concat(via, ' ', source, ' ', employee_id, ': ',
                       (SELECT string_agg(name, ' ' ORDER BY name) FROM jsonb_object_keys(facts) name))
         FROM leaver.observations ORDER BY id",
    )
    .await
}

/// Returns the facts of the newest row.
async fn newest(app: &mut TestApp) -> Value {
    let sql = "SELECT facts::text FROM leaver.observations ORDER BY id DESC LIMIT 1";
    serde_json::from_str(&app.text(sql).await.unwrap()).unwrap()
}

#[tokio::test]
async fn deliveries_record_only_the_facts_that_changed() {
    let mut app = TestApp::new().await;
    app.bamboohr(&[working("1", "dana@example.com", EARLIER)])
        .await;
    let all = "webhook bamboohr 1: deleted employment_status status status_changed termination_date work_email";
    assert_eq!(recorded(&mut app).await, [all]);

    app.bamboohr(&[leaving("1", "dana@example.com", LATER, "2026-11-30")])
        .await;
    assert_eq!(
        newest(&mut app).await["termination_date"],
        json!({"value": {"day": "2026-11-30"}, "as_of": LATER, "observed_at": "2026-11-22T12:00:00Z"})
    );
    // The delivery repeats the other values at its own time, which can matter from now on.
    let of_roster = "SELECT count(*) FROM leaver.employees e, LATERAL (
                         SELECT facts FROM leaver.observations ORDER BY id DESC LIMIT 1) o
                     WHERE e.facts @> o.facts";
    assert_eq!(app.count(of_roster).await, 1);
    let linked = "SELECT count(*) FROM leaver.observations o JOIN leaver.deliveries d ON d.id = o.delivery_id
                  WHERE o.at = d.processed_at AND o.tenant = 'default'";
    assert_eq!(app.count(linked).await, 2);

    let form = "employees[2][changedFields][]=status&employees[2][status]=Inactive";
    app.send("bamboohr", FORM, form).await;
    let merge = merge_record("7", "max@example.com", EARLIER, "ACTIVE", None);
    app.deliver("merge", &merge).await;
    assert_eq!(
        recorded(&mut app).await[2..],
        [
            "webhook bamboohr 2: deleted status status_changed",
            "webhook merge 7: deleted hire_date status termination_date work_email",
        ]
    );
}

#[tokio::test]
async fn nothing_new_records_nothing() {
    let mut app = TestApp::new().await;
    let body = employees(&[working("1", "dana@example.com", LATER)]);
    app.deliver("bamboohr", &body).await;
    app.deliver("bamboohr", &body).await;
    app.bamboohr(&[terminated("1", "dana@example.com", EARLIER)])
        .await;
    assert_eq!(
        app.count("SELECT count(*) FROM leaver.observations").await,
        1
    );
}

#[tokio::test]
async fn a_repeat_is_recorded_while_its_time_can_matter() {
    let mut app = TestApp::new().await;
    let day = |day: u32| format!("2026-11-22T{day:02}:00:00Z");
    app.bamboohr(&[working("1", "dana@example.com", &day(1))])
        .await;
    app.bamboohr(&[working("1", "dana@example.com", &day(2))])
        .await;
    assert_eq!(recorded(&mut app).await.len(), 1);
    for hour in [3, 4] {
        let leaving = leaving("1", "dana@example.com", &day(hour), "2026-11-30");
        app.bamboohr(&[leaving]).await;
    }
    assert_eq!(recorded(&mut app).await.len(), 3);
}

#[tokio::test]
async fn each_entry_of_a_batch_is_recorded_in_order() {
    let mut app = TestApp::new().await;
    app.store(
        "bamboohr",
        &employees(&[working("1", "dana@example.com", EARLIER)]),
    )
    .await;
    app.store(
        "bamboohr",
        &employees(&[terminated("1", "dana@example.com", LATER)]),
    )
    .await;
    app.work().await;
    let values = "SELECT concat_ws(' ', facts->'status'->>'value', d.id = o.delivery_id)
                  FROM leaver.observations o JOIN LATERAL (SELECT id FROM leaver.deliveries ORDER BY id
                       OFFSET (SELECT count(*) FROM leaver.observations p WHERE p.id < o.id) LIMIT 1) d ON true
                  ORDER BY o.id";
    assert_eq!(app.lines(values).await, ["active t", "inactive t"]);
}

#[tokio::test]
async fn syncs_and_reads_record_what_they_changed() {
    let api = StandIn::start(bamboohr_company(vec![
        bamboohr_employee(1),
        bamboohr_employee(2),
    ]))
    .await;
    let variables = [("SECRET", BAMBOOHR_KEY), ("API_KEY", "api-key")];
    let mut app = TestApp::builder()
        .config_file(&source_with_api("bamboohr", "bamboohr", &api), &variables)
        .build()
        .await;
    let company = app.sync_sources(3).remove(0);
    let syncer = Syncer::new(Arc::clone(&app.parts.engine));
    for rows in [2, 2] {
        let result = syncer.sync(&company, SyncMode::Full, &|_, _| {}).await;
        assert_eq!(result.unwrap().unwrap()[0].incomplete, None);
        // The second read repeats all values.
        assert_eq!(recorded(&mut app).await.len(), rows);
        app.advance(TimeDelta::hours(24));
    }
    let first = recorded(&mut app).await;
    assert!(first[0].starts_with("sync bamboohr 1: "), "{first:?}");

    app.deliver(
        "bamboohr",
        &event("employee.updated", "1", "2026-11-24T12:00:00Z"),
    )
    .await;
    let event = recorded(&mut app).await.pop().unwrap();
    assert_eq!(event, "webhook bamboohr 1: deleted values_pending_since");
    app.advance(TimeDelta::seconds(2));
    let reader = PendingReader::new(
        Arc::clone(&app.parts.engine),
        &app.sync_sources(3),
        Duration::from_mins(15),
    );
    let refused = || Answer::status(403);
    api.script("/api/v1/employees/1", [refused(), refused(), refused()]);
    let stop = CancellationToken::new();
    let before = recorded(&mut app).await;
    for minutes in [0, 14, 2] {
        app.advance(TimeDelta::minutes(minutes));
        reader.read_due(&stop).await.unwrap();
    }
    assert_eq!(
        app.holds().await.len(),
        1,
        "the failed reads have an effect"
    );
    assert_eq!(recorded(&mut app).await, before, "a failed read is no fact");

    app.advance(TimeDelta::minutes(61));
    reader.read_due(&stop).await.unwrap();
    let read = recorded(&mut app).await.pop().unwrap();
    assert!(read.starts_with("api bamboohr 1: "), "{read}");
    let facts = newest(&mut app).await;
    assert_eq!(facts.get("values_pending_since"), Some(&Value::Null));
    assert_eq!(facts.get("read_failed"), None);
}

#[tokio::test]
async fn a_delivery_that_fails_in_part_records_the_other_part() {
    let mut app = TestApp::new().await;
    app.refuse_to_save(&[2]).await;
    let email = |n: u32| format!("dana{n}@example.com");
    let entries: Vec<Value> = (1..=3)
        .map(|n| terminated(&n.to_string(), &email(n), EARLIER))
        .collect();
    app.bamboohr(&entries).await;
    let who = "SELECT employee_id FROM leaver.observations ORDER BY id";
    assert_eq!(app.lines(who).await, ["1", "3"]);
    app.allow_saves().await;
    app.advance(TimeDelta::minutes(7));
    app.work().await;
    assert_eq!(app.lines(who).await, ["1", "3", "2"]);
}

#[tokio::test]
async fn housekeeping_deletes_old_observations() {
    let mut app = TestApp::builder()
        .settings(&[("LEAVER__OBSERVATIONS__RETENTION", "30d")])
        .build()
        .await;
    app.sql(
        "INSERT INTO leaver.observations (at, via, source, tenant, employee_id, facts)
         SELECT '2026-10-01', 'webhook', 'merge', 'default', n::text, '{}' FROM generate_series(1, 12000) n",
    )
    .await;
    app.bamboohr(&[working("1", "dana@example.com", EARLIER)])
        .await;
    app.parts.housekeeping.run_once().await.unwrap();
    assert_eq!(recorded(&mut app).await.len(), 1);
    app.advance(TimeDelta::days(31));
    app.parts.housekeeping.run_once().await.unwrap();
    assert_eq!(recorded(&mut app).await, [""; 0]);
}
