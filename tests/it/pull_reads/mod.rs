//! Changes that arrive without values: the employee is read over the API, and the decision follows the read.

mod clocks;
mod giving_up;

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use chrono::TimeDelta;
use leaver::base::clock::Clock;
use leaver::jobs::sync::pending_reads::PendingReader;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::support::apis::{Answer, StandIn, bamboohr_company, bamboohr_employee};
use crate::support::apis_setup::source_with_api;
use crate::support::driving::{event, leaving, terminated, working};
use crate::support::logs::Captured;
use crate::support::{BAMBOOHR_KEY, END_SESSIONS, FORM, TestApp};

/// A person has to decide about a read that fails permanently for this long.
const GIVE_UP_AFTER: Duration = Duration::from_mins(15);
const API_KEY: &str = "bamboohr-api-key-sentinel";
const EARLIER: &str = "2026-11-22T10:00:00+0000";

/// The path of one employee.
fn path(n: usize) -> String {
    format!("/api/v1/employees/{n}")
}

fn email(n: usize) -> String {
    format!("dana.{n}@widgets.example")
}

/// An employee with these fields changed.
fn with(n: usize, fields: &Value) -> Value {
    let mut one = bamboohr_employee(n);
    for (name, value) in fields.as_object().unwrap() {
        one[name] = value.clone();
    }
    one
}

fn left(n: usize) -> Value {
    let fields = json!({"status": "Inactive", "employmentHistoryStatus": "Terminated",
                        "terminationDate": "2026-11-20"});
    with(n, &fields)
}

struct ReadsTest {
    app: TestApp,
    api: StandIn,
    reader: PendingReader,
}

impl ReadsTest {
    /// A company with its API, and the users 1 to 3.
    async fn new(company: Vec<Value>) -> Self {
        Self::over(StandIn::start(bamboohr_company(company)).await).await
    }

    async fn over(api: StandIn) -> Self {
        let variables = [("SECRET", BAMBOOHR_KEY), ("API_KEY", API_KEY), END_SESSIONS];
        let mut app = TestApp::builder()
            .config_file(&source_with_api("bamboohr", "bamboohr", &api), &variables)
            .build()
            .await;
        app.add_users(&[&email(1), &email(2), &email(3)]).await;
        let reader = reader(&app);
        Self { app, api, reader }
    }

    /// Delivers an event without values, then advances the clock by two seconds.
    async fn event(&mut self, kind: &str, id: &str) {
        let as_of = self.app.clock.now().to_rfc3339();
        self.app.deliver("bamboohr", &event(kind, id, &as_of)).await;
        self.app.advance(TimeDelta::seconds(2));
    }

    /// Executes every read that is due now.
    async fn read(&mut self) {
        while self.slice().await > 0 {}
    }

    async fn slice(&mut self) -> usize {
        let stop = CancellationToken::new();
        let read = self.reader.read_due(&stop).await;
        read.unwrap()
    }

    async fn due(&mut self) -> Vec<String> {
        let sql = "SELECT concat_ws(' ', employee_id, attempts, reason) FROM leaver.pending_reads ORDER BY 1";
        self.app.lines(sql).await
    }

    async fn is_active(&mut self, n: usize) -> bool {
        self.app.is_active(&email(n)).await
    }
}

fn reader(app: &TestApp) -> PendingReader {
    PendingReader::new(
        Arc::clone(&app.parts.engine),
        &app.sync_sources(3),
        GIVE_UP_AFTER,
    )
}

#[tokio::test]
async fn a_leaver_is_deactivated_after_the_read() {
    let mut test = ReadsTest::new(vec![left(1), left(2), bamboohr_employee(3)]).await;
    let broken = Answer::json(&left(1)).broken_off();
    test.api.script(&path(1), [Answer::status(503), broken]);
    let throttled = Answer::status(429).with("retry-after", "0");
    test.api.script(&path(2), [Answer::status(500), throttled]);
    test.event("employee.updated", "1").await;
    let form = "type=employee.updated&timestamp=2026-11-22T12%3A00%3A00Z&data[employeeId]=2&data[changedFields][]=status";
    test.app.send("bamboohr", FORM, form).await;
    test.app.work().await;
    test.event("employee.updated", "3").await;

    // The new values are unknown, so nothing has happened yet and no hold was opened.
    assert!(test.is_active(1).await && test.is_active(2).await);
    assert_eq!(test.app.holds().await, [""; 0]);
    assert_eq!(test.due().await, ["1 0", "2 0", "3 0"]);

    test.read().await;
    assert_eq!(test.app.user(&email(1)).await, (false, 0));
    assert_eq!(test.app.user(&email(2)).await, (false, 0));
    assert_eq!(test.app.user(&email(3)).await, (true, 2));
    assert_eq!(test.due().await, [""; 0]);
    let mut audit = test.app.audit().await;
    audit.sort();
    assert_eq!(audit, ["deactivated 1", "deactivated 2"]);
    for failed_twice in [1, 2] {
        let asked = test.api.requests();
        let tries = asked.iter().filter(|a| a.path == path(failed_twice));
        assert_eq!(tries.count(), 3);
    }
    // The audit log names the delivery that reported the change.
    let caused = "SELECT count(*) FROM leaver.audit WHERE delivery_id IS NOT NULL";
    assert_eq!(test.app.count(caused).await, 2);
}

#[tokio::test]
async fn a_future_hire_keeps_access() {
    let hire = json!({"status": "Inactive", "hireDate": "2027-01-04"});
    let mut test = ReadsTest::new(vec![with(1, &hire)]).await;
    test.event("employee.created", "1").await;
    test.event("employee.updated", "1").await;
    test.read().await;
    assert!(test.is_active(1).await);
    assert_eq!(test.due().await, [""; 0]);
    assert_eq!(test.app.holds().await, [""; 0]);
}

#[tokio::test]
async fn a_read_detects_a_rehire() {
    let mut test = ReadsTest::new(vec![bamboohr_employee(1)]).await;
    test.app
        .bamboohr(&[terminated("1", &email(1), EARLIER)])
        .await;
    assert!(!test.is_active(1).await);
    test.event("employee.updated", "1").await;
    test.read().await;
    assert_eq!(test.app.holds().await, ["open reactivate 1 1"]);
}

#[tokio::test]
async fn a_read_reschedules_an_access_end() {
    let moved = json!({"terminationDate": "2026-12-24"});
    let mut test = ReadsTest::new(vec![with(1, &moved)]).await;
    let known = leaving("1", &email(1), EARLIER, "2026-11-23");
    test.app.bamboohr(&[known]).await;
    test.event("employee.updated", "1").await;
    test.read().await;
    let ends = test.app.access_ends_at("1").await.unwrap();
    assert_eq!(ends.to_rfc3339(), "2026-12-25T00:00:00+00:00");
}

#[tokio::test]
async fn a_404_ends_access_only_with_a_listed_deletion() {
    let listed = r#"{"latest":"","employees":{"1":{"id":"1","action":"Deleted"}}}"#;
    for (list, ends) in [
        (Answer::text(200, "application/json", listed), true),
        (
            Answer::text(200, "application/json", r#"{"latest":"","employees":[]}"#),
            false,
        ),
        (Answer::status(404), false),
    ] {
        let mut test = ReadsTest::new(vec![]).await;
        test.api.script("/api/v1/employees/changed", [list]);
        test.app.bamboohr(&[working("1", &email(1), EARLIER)]).await;
        test.event("employee.updated", "1").await;
        test.read().await;
        assert_eq!(test.due().await.is_empty(), ends);
        assert_eq!(test.is_active(1).await, !ends);
    }
}

#[tokio::test]
async fn without_api_credentials_a_hold_is_opened() {
    let mut app = TestApp::new().await;
    app.add_users(&[&email(1)]).await;
    app.bamboohr(&[working("1", &email(1), EARLIER)]).await;
    let thin = event("employee.updated", "1", "2026-11-22T11:00:00Z");
    app.deliver("bamboohr", &thin).await;
    assert_eq!(app.holds().await, ["open deactivate 1 1"]);
    assert_eq!(
        app.count("SELECT count(*) FROM leaver.pending_reads").await,
        0
    );
}

#[tokio::test]
async fn a_failing_read_stays_pending_with_its_cause() {
    let mut test = ReadsTest::over(StandIn::always(Answer::status(500)).await).await;
    test.event("employee.updated", "1").await;
    for failures in 1..=4 {
        test.read().await;
        let due = test.due().await;
        let begins = format!("1 {failures} the API is unavailable");
        assert!(due.len() == 1 && due[0].starts_with(&begins), "{due:?}");
        assert_eq!(test.slice().await, 0, "it is retried too early");
        test.app.advance(TimeDelta::minutes(11));
    }
    assert!(test.is_active(1).await);
    assert_eq!(test.app.audit().await, [""; 0]);
    assert_eq!(test.app.get("/health").await.body["pending_reads"], 1);
}

#[tokio::test]
async fn a_bad_response_ends_neither_access_nor_the_read() {
    let bad = [
        Answer::status(401),
        Answer::status(403),
        Answer::text(200, "text/html", "<html>Maintenance</html>"),
        Answer::json(&json!({"error": {"code": 503}})),
        Answer::json(&json!({"id": "2", "status": "Inactive"})),
        Answer::json(
            &json!({"id": "1", "status": null, "employmentHistoryStatus": null, "workEmail": null}),
        ),
        Answer::json(&json!({"id": "1"})),
        // The status is hidden, and the other fields do not describe the present.
        Answer::json(&json!({"id": "1", "hireDate": "2020-01-05", "workEmail": email(1)})),
    ];
    for answer in bad {
        let shown = format!("{answer:?}");
        let mut test = ReadsTest::over(StandIn::always(answer).await).await;
        test.app.bamboohr(&[working("1", &email(1), EARLIER)]).await;
        test.event("employee.updated", "1").await;
        test.read().await;
        let due = test.due().await;
        assert!(
            due.len() == 1 && due[0].starts_with("1 1 "),
            "{due:?} {shown}"
        );
        assert!(!due[0].contains(API_KEY), "{due:?}");
        assert!(test.is_active(1).await, "{shown}");
        assert_eq!(test.app.holds().await, [""; 0], "{shown}");
    }
}

#[tokio::test]
async fn a_hidden_status_keeps_the_read_pending() {
    let mut test = ReadsTest::new(vec![left(1)]).await;
    let withheld = json!({"id": "1", "workEmail": email(1), "hireDate": "2020-01-05"});
    test.api.script(&path(1), [Answer::json(&withheld)]);
    test.event("employee.updated", "1").await;
    test.read().await;
    let due = test.due().await;
    assert!(due[0].contains("`status`"), "{due:?}");
    test.app.advance(TimeDelta::minutes(1));
    test.read().await;
    assert_eq!(test.due().await, [""; 0]);
    assert!(!test.is_active(1).await);
}

#[tokio::test]
async fn a_change_during_a_read_causes_another_read() {
    let slow = Answer::json(&bamboohr_employee(1)).after(Duration::from_millis(700));
    let mut test = ReadsTest::new(vec![left(1)]).await;
    test.api.script(&path(1), [slow]);
    test.event("employee.updated", "1").await;
    let stop = CancellationToken::new();
    let in_flight = test.reader.read_due(&stop);
    let meanwhile = async {
        test.api.wait_until_requested(1).await;
        test.app.advance(TimeDelta::seconds(2));
        let as_of = test.app.clock.now().to_rfc3339();
        let thin = event("employee.updated", "1", &as_of);
        test.app.deliver("bamboohr", &thin).await;
        test.app.advance(TimeDelta::seconds(2));
    };
    let (read, ()) = tokio::join!(in_flight, meanwhile);
    assert_eq!(read.unwrap(), 1);
    assert!(
        test.is_active(1).await,
        "the first response is older than the change"
    );
    assert_eq!(test.due().await, ["1 0"]);
    test.read().await;
    assert!(!test.is_active(1).await);
}

#[tokio::test]
async fn a_stopped_read_is_due_at_once() {
    let mut test = ReadsTest::new(vec![left(1)]).await;
    let never = Answer::status(200).after(Duration::from_mins(10));
    test.api.script(&path(1), [never]);
    test.event("employee.updated", "1").await;
    let stop = CancellationToken::new();
    let stopped = async {
        test.api.wait_until_requested(1).await;
        stop.cancel();
    };
    let (read, ()) = tokio::join!(test.reader.read_due(&stop), stopped);
    assert_eq!(read.unwrap(), 1);
    assert_eq!(test.due().await, ["1 0"]);
    test.read().await;
    assert!(!test.is_active(1).await);
}

#[tokio::test]
async fn a_claimed_read_is_free_again_after_its_lease() {
    let mut test = ReadsTest::new(vec![left(1)]).await;
    let never = Answer::status(200).after(Duration::from_mins(10));
    test.api.script(&path(1), [never]);
    test.event("employee.updated", "1").await;
    {
        let other = reader(&test.app);
        let stop = CancellationToken::new();
        let abandoned = other.read_due(&stop);
        let killed = tokio::time::timeout(Duration::from_millis(500), abandoned).await;
        assert!(killed.is_err());
    }
    assert_eq!(test.slice().await, 0, "the lease has not ended");
    test.app.advance(TimeDelta::minutes(6));
    test.read().await;
    assert!(!test.is_active(1).await);
    assert_eq!(test.due().await, [""; 0]);
}

#[tokio::test]
async fn the_log_holds_no_key_and_no_employee_data() {
    let (captured, _guard) = Captured::start("debug");
    let mut test = ReadsTest::new(vec![left(1)]).await;
    test.api.script(&path(1), [Answer::status(403)]);
    test.event("employee.updated", "1").await;
    test.read().await;
    test.app.advance(TimeDelta::minutes(20));
    test.read().await;
    assert!(!test.is_active(1).await);
    let log = captured.text();
    assert!(
        log.contains("pending_reads.read: failed") && log.contains("pending_reads.read: done"),
        "{log}"
    );
    let encoded = BASE64_STANDARD.encode(format!("{API_KEY}:x"));
    for secret in [API_KEY, encoded.as_str(), "widgets.example"] {
        assert!(!log.contains(secret), "{log}");
    }
}
