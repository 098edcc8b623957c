//! Deliveries that name thousands of employees, and bodies made to exhaust the memory.

use std::fmt::Write;
use std::time::Instant;

use chrono::TimeDelta;
use http_body_util::BodyExt;
use leaver::base::clock::{Clock, SystemClock};
use serde_json::{Value, json};

use crate::safeguard::grants::grant;
use crate::support::driving::{terminated, working};
use crate::support::process::{RunningService, WAIT_LIMIT};
use crate::support::{FORM, JSON, TestApp, employee, employees};

/// More employees than one slice has.
const MANY: usize = 5_600;

const AT: &str = "2026-11-22T09:00:00Z";

/// Returns an app with this many users, `u0@example.com` and so on.
async fn company(count: usize, env: &[(&str, &str)]) -> TestApp {
    let mut app = TestApp::builder().settings(env).build().await;
    add_users(&mut app, count).await;
    app
}

async fn add_users(app: &mut TestApp, count: usize) {
    app.sql(&format!(
        "INSERT INTO users (email) SELECT 'u' || n || '@example.com' FROM generate_series(0, {count} - 1) n;
         CREATE INDEX ON sessions ((user_id::text)); ANALYZE users, sessions;"
    ))
    .await;
}

/// An id that keeps the order of numbers.
fn id(n: usize) -> String {
    format!("e{n:06}")
}

fn leaver(n: usize) -> Value {
    terminated(&id(n), &format!("u{n}@example.com"), AT)
}

/// An entry that changes no account.
fn other(n: usize) -> Value {
    employee(&id(n), AT, &["status"], &json!({"status": "Active"}))
}

#[tokio::test]
async fn two_records_of_one_person_in_two_slices_are_decided_together() {
    let mut app = company(2, &[]).await;
    // A contractor who became an employee, with both records in one body, and somebody who left.
    let mut entries = vec![terminated("a", "u0@example.com", AT)];
    entries.push(terminated("b", "u1@example.com", AT));
    entries.extend((0..MANY).map(other));
    entries.push(working("z", "u0@example.com", AT));
    app.bamboohr(&entries).await;
    assert_eq!(app.active().await, ["u0@example.com"]);
    let outcome = "SELECT outcome::text FROM leaver.deliveries";
    let outcome: Value = serde_json::from_str(&app.text(outcome).await.unwrap()).unwrap();
    assert_eq!(outcome["deactivated"], json!(1));
    let counts = outcome.as_object().unwrap().values();
    let total: u64 = counts.map(|count| count.as_u64().unwrap()).sum();
    assert_eq!(usize::try_from(total), Ok(entries.len()));
    let named = "SELECT cardinality(employee_ids)::bigint FROM leaver.deliveries";
    assert_eq!(usize::try_from(app.count(named).await), Ok(entries.len()));
}

#[tokio::test]
async fn a_body_of_leavers_above_the_limit_changes_no_account() {
    let limits = [
        ("LEAVER__SAFEGUARD__HOUR__FLOOR", "5"),
        ("LEAVER__SAFEGUARD__DAY__FLOOR", "10"),
    ];
    let mut app = company(MANY, &limits).await;
    let entries: Vec<Value> = (0..MANY).map(leaver).collect();
    app.bamboohr(&entries).await;
    assert_eq!(
        app.count("SELECT count(*) FROM users WHERE NOT is_active")
            .await,
        0
    );
    assert_eq!(app.count("SELECT count(*) FROM leaver.trips").await, 1);
    let held = "SELECT count(*) FROM leaver.holds WHERE state = 'open' AND trip_id IS NOT NULL";
    assert_eq!(usize::try_from(app.count(held).await), Ok(MANY));
}

#[tokio::test]
async fn leavers_of_all_slices_are_held_or_admitted_together() {
    for (limit, inactive) in [(MANY - 1, 0), (MANY, MANY)] {
        let limit = limit.to_string();
        let limits = [
            ("LEAVER__SAFEGUARD__HOUR__FLOOR", limit.as_str()),
            ("LEAVER__SAFEGUARD__DAY__FLOOR", limit.as_str()),
            ("LEAVER__SAFEGUARD__HOUR__PERCENT", "1"),
            ("LEAVER__SAFEGUARD__DAY__PERCENT", "1"),
        ];
        let mut app = company(MANY, &limits).await;
        let entries: Vec<Value> = (0..MANY).map(leaver).collect();
        app.bamboohr(&entries).await;
        let ended = app.count("SELECT count(*) FROM users WHERE NOT is_active");
        assert_eq!(usize::try_from(ended.await), Ok(inactive), "limit {limit}");
        let trips = "SELECT limited_by || ' ' || window_count FROM leaver.trips";
        let expected: &[&str] = if inactive == 0 { &["hour 5600"] } else { &[] };
        assert_eq!(app.lines(trips).await, expected);
    }
}

#[tokio::test]
async fn a_grant_counts_the_leavers_of_all_slices_once() {
    for (allowed, inactive) in [(MANY - 1, 0), (MANY, MANY)] {
        let mut app = company(MANY, &[]).await;
        app.bamboohr(&[other(1)]).await;
        let allowed = u32::try_from(allowed).unwrap();
        grant(&mut app, allowed, TimeDelta::hours(2)).await;
        let entries: Vec<Value> = (0..MANY).map(leaver).collect();
        app.bamboohr(&entries).await;
        let ended = app.count("SELECT count(*) FROM users WHERE NOT is_active");
        assert_eq!(usize::try_from(ended.await), Ok(inactive), "{allowed}");
    }
}

#[tokio::test]
async fn all_changes_of_a_delivery_belong_to_one_batch() {
    let mut app = company(MANY, &[]).await;
    let mut form = String::new();
    // As a form whose keys are not sorted by employee.
    for (field, value) in [
        ("status", "Inactive"),
        ("employmentHistoryStatus", "Terminated"),
    ] {
        for n in 0..MANY {
            write!(form, "employees%5B{}%5D%5B{field}%5D={value}&", id(n)).unwrap();
        }
    }
    for n in 0..MANY {
        write!(form, "employees[{}][workEmail]=u{n}%40example.com&", id(n)).unwrap();
    }
    let answer = app.send("bamboohr", FORM, form).await;
    app.work().await;
    assert_eq!(
        app.count("SELECT count(*) FROM users WHERE is_active")
            .await,
        0
    );
    let batches = "SELECT string_agg(DISTINCT batch_id::text, ' ') FROM leaver.changes";
    let batches = app.text(batches).await.unwrap();
    assert_eq!(json!(batches), answer.body["delivery"]);
    assert_eq!(
        app.count("SELECT count(*) FROM leaver.observations").await,
        i64::try_from(MANY).unwrap()
    );
}

#[tokio::test]
async fn entries_of_one_person_beyond_a_slice_are_merged_before_the_decision() {
    let mut app = company(2, &[]).await;
    let count = 12_000;
    let mut entries = vec![];
    for n in 0..count {
        let at = format!(
            "2026-11-22T{:02}:{:02}:{:02}Z",
            n / 3600,
            n / 60 % 60,
            n % 60
        );
        entries.push(if n + 1 < count {
            terminated("1", "u0@example.com", &at)
        } else {
            working("1", "u0@example.com", &at)
        });
    }
    entries.push(terminated("2", "u1@example.com", AT));
    app.bamboohr(&entries).await;
    assert_eq!(app.active().await, ["u0@example.com"]);
    assert_eq!(app.count("SELECT count(*) FROM leaver.employees").await, 2);
    // Of the others, each only repeats the values.
    assert_eq!(app.count("SELECT count(*) FROM leaver.audit").await, 1);
}

#[tokio::test]
async fn one_bad_employee_among_thousands_is_left_alone() {
    let env = [("LEAVER__WORKER__MAX_ATTEMPTS", "2")];
    let mut app = company(MANY, &env).await;
    app.sql(
        "CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''no''; END';
         CREATE TRIGGER no BEFORE INSERT ON leaver.employees FOR EACH ROW WHEN (NEW.employee_id = 'e000003')
         EXECUTE FUNCTION no()",
    )
    .await;
    let entries: Vec<Value> = (0..MANY)
        .map(|n| if n % 100 == 3 { leaver(n) } else { other(n) })
        .collect();
    app.bamboohr(&entries).await;
    let active = "SELECT count(*) FROM users WHERE NOT is_active";
    assert_eq!(app.count(active).await, 55);
    let roster = app.count("SELECT count(*) FROM leaver.employees").await;
    assert_eq!(usize::try_from(roster), Ok(MANY - 1));
    app.advance(chrono::TimeDelta::minutes(10));
    app.work().await;
    let failed = app
        .text("SELECT state || ' ' || reason FROM leaver.deliveries")
        .await
        .unwrap();
    assert!(failed.starts_with("failed failed 2 times"), "{failed}");
    // Once it is mended, a replay does the rest.
    app.sql("DROP TRIGGER no ON leaver.employees; UPDATE leaver.deliveries SET state = 'pending', attempts = 0")
        .await;
    app.work().await;
    assert_eq!(app.count(active).await, 56);
    let state = app.text("SELECT state FROM leaver.deliveries").await;
    assert_eq!(state.as_deref(), Some("processed"));
}

#[tokio::test]
async fn small_deliveries_with_many_entries_are_processed_in_several_batches() {
    let mut app = TestApp::new().await;
    for part in 0..4_u32 {
        let entries: Vec<Value> = (0..700)
            .map(|n| json!({"id": format!("{part}-{n}")}))
            .collect();
        let body = employees(&entries).to_string();
        assert!(body.len() < 16 * 1024);
        app.send("bamboohr", JSON, body).await;
    }
    let mut sizes = vec![];
    while let leaver::jobs::deliveries::Round::Processed(count) = app.round().await {
        sizes.push(count);
    }
    assert_eq!(sizes, [2, 2]);
}

/// Sends a signed body to a service as the source's provider does, again after a 503, and waits until it is processed.
async fn post(app: &mut TestApp, service: &RunningService, source: &str, body: impl Into<Vec<u8>>) {
    store(app, service, source, body.into()).await;
    app.wait_until_processed().await;
}

async fn store(app: &TestApp, service: &RunningService, source: &str, body: Vec<u8>) {
    let client = leaver::connect::client::new(WAIT_LIMIT).unwrap();
    let began = Instant::now();
    loop {
        let (parts, body) = app.signed(source, JSON, body.clone()).into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let url = format!("{}/webhooks/{source}", service.url);
        let request = client.post(url).headers(parts.headers).body(body);
        match request.send().await.unwrap().status().as_u16() {
            200 => return,
            503 => assert!(began.elapsed() < WAIT_LIMIT, "503 for {WAIT_LIMIT:?}"),
            other => panic!("{other}"),
        }
    }
}

/// Peak of the resident memory in MiB that bodies may add to that of a service which has processed a delivery. In a release
/// build such a service takes 15 MiB, so that the process stays below 100 MiB.
const MAX_ADDED_MIB: u64 = 80;

/// Starts a service that has processed a delivery. Returns it with its peak of memory.
async fn started(app: &mut TestApp) -> (RunningService, u64) {
    let service = app.serve(&[]);
    app.clock.set(SystemClock.now());
    let body = employees(&[other(1)]).to_string();
    post(app, &service, "bamboohr", body).await;
    let peak = service.process.peak_memory_mib();
    (service, peak)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tens_of_thousands_of_entries_take_little_memory() {
    let mut app = TestApp::new().await;
    let (service, before) = started(&mut app).await;
    let bare: Vec<Value> = (0..30_000).map(|n| json!({"id": n})).collect();
    let body = employees(&bare).to_string();
    post(&mut app, &service, "bamboohr", body).await;
    let mut form = String::new();
    for n in 0..10_000 {
        write!(form, "employees%5Bf{n}%5D%5Bstatus%5D=Active&").unwrap();
    }
    post(&mut app, &service, "bamboohr", form).await;
    let added = service.process.peak_memory_mib() - before;
    assert!(added < MAX_ADDED_MIB, "{added} MiB");
    let roster = "SELECT count(*) FROM leaver.employees";
    assert_eq!(app.count(roster).await, 40_001);
    service.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_bodies_of_10_mib_take_little_memory() {
    const SIZE: usize = 10 * 1024 * 1024 - 1024;
    let mut app = TestApp::new().await;
    let (service, before) = started(&mut app).await;
    let repeated = |text: &str| text.repeat((SIZE - 300) / text.len());
    let entry = |inside: &str| {
        format!(r#"{{"employees": [{{"id": "1", "fields": {{"status": "Active"}}, {inside}}}]}}"#)
    };
    let deep = SIZE / 2 - 300;
    let bodies = [
        // Entries that are none.
        format!(r#"{{"employees": [{}1]}}"#, repeated("1,")),
        // One entry with much that is not needed, and with a long text that is.
        entry(&format!(r#""junk": [{}1]"#, repeated(r#""",[],{},"#))),
        entry(&format!(
            r#""junk": {}1{}"#,
            "[".repeat(deep),
            "]".repeat(deep)
        )),
        entry(&format!(r#""timestamp": "{}""#, repeated(r"\u00e9"))),
        // A text that has to be repaired.
        entry(&format!(r#""junk": "{}""#, repeated("\u{1}"))),
        // A form with many fields of one employee.
        format!(
            "employees[1][status]=Active{}",
            repeated("&employees[1][a]=")
        ),
    ];
    let count = i64::try_from(bodies.len()).unwrap();
    for body in bodies {
        post(&mut app, &service, "bamboohr", body).await;
    }
    let record = format!(
        r#"{{"hook": {{"event": "Employee.changed"}}, "linked_account": {{"id": "5b0f3a9e-1c2d-4e3f-8a4b-6c7d8e9f0a1b"}},
        "data": {{"id": "1", "employment_status": "ACTIVE", "junk": {{{}"z": 1}}}}}}"#,
        repeated(r#""a":1,"#)
    );
    post(&mut app, &service, "merge", record).await;
    let added = service.process.peak_memory_mib() - before;
    assert!(added < MAX_ADDED_MIB, "{added} MiB");
    let all = "SELECT count(*) FROM leaver.deliveries WHERE state <> 'pending'";
    assert_eq!(app.count(all).await, count + 2);
    service.stop();
}

#[cfg(feature = "failpoints")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_between_slices_loses_nothing_and_repeats_nothing() {
    let mut app = TestApp::new().await;
    add_users(&mut app, MANY).await;
    let service = app.serve(&[("FAILPOINTS", "between_slices=abort@3")]);
    app.clock.set(SystemClock.now());
    let entries: Vec<Value> = (0..MANY)
        .map(|n| if n % 100 == 3 { leaver(n) } else { other(n) })
        .collect();
    let body = employees(&entries).to_string().into_bytes();
    store(&app, &service, "bamboohr", body).await;
    let mut process = service.process;
    crate::support::process::wait_until("the service has crashed", || !process.is_running());
    assert_eq!(app.count("SELECT count(*) FROM leaver.audit").await, 0);
    assert_eq!(app.count("SELECT count(*) FROM leaver.employees").await, 0);
    let pending = "SELECT count(*) FROM leaver.deliveries WHERE state = 'pending'";
    assert_eq!(app.count(pending).await, 1);

    let service = app.serve(&[]);
    app.wait_until_processed().await;
    let left = "SELECT count(*) FROM users WHERE NOT is_active";
    assert_eq!(app.count(left).await, 56);
    let audit = "SELECT count(*) FROM leaver.audit WHERE action = 'deactivated'";
    assert_eq!(app.count(audit).await, 56);
    let roster = app.count("SELECT count(*) FROM leaver.employees").await;
    assert_eq!(usize::try_from(roster), Ok(MANY));
    service.stop();
}
