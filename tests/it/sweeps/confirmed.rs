//! A value that a read confirmed is as new as one that the read wrote.

use chrono::TimeDelta;
use leaver::roster::store::find_by_email_or_id;
use leaver_core::domain::Employee;
use serde_json::json;

use super::Sweep;
use crate::support::database::Session;
use crate::support::{employee, employees};

impl Sweep {
    /// Returns the employee with this id.
    async fn employee(&mut self, id: &str) -> Employee {
        let conn = &mut self.app.session.conn;
        let mut found = find_by_email_or_id(conn, &[].into(), id).await.unwrap();
        assert_eq!(found.len(), 1);
        found.remove(0)
    }

    /// Delivers a termination of the employee that BambooHR dates to this time.
    async fn terminate(&mut self, id: &str, at: &str) {
        let fields = json!({"status": "Inactive", "employmentHistoryStatus": "Terminated"});
        let body = employees(&[employee(id, at, &["status"], &fields)]);
        self.app.deliver("bamboohr", &body).await;
    }

    async fn confirmations(&mut self) -> i64 {
        self.app
            .count("SELECT count(*) FROM leaver.confirmations")
            .await
    }
}

/// The time of the status as the rows have it.
const STORED_AS_OF: &str = "SELECT DISTINCT facts->'status'->>'as_of' FROM leaver.employees";

#[tokio::test]
async fn a_late_event_does_not_win_against_a_confirmation() {
    let mut sweep = Sweep::start("bamboohr", 25).await;
    sweep.read().await;
    let stored = sweep.app.lines(STORED_AS_OF).await;
    // At 12:10 and 12:20; the event is from between.
    sweep.read().await;
    assert_eq!(sweep.app.lines(STORED_AS_OF).await, stored);
    assert_eq!(sweep.confirmations().await, 1);
    sweep.terminate("7", "2026-11-22T12:15:00Z").await;
    assert_eq!(sweep.app.active().await.len(), 25);
    sweep.app.advance(TimeDelta::minutes(1));
    sweep.terminate("7", "2026-11-22T12:20:30Z").await;
    assert_eq!(sweep.app.active().await.len(), 24);
}

#[tokio::test]
async fn a_confirmation_ends_when_facts_are_written() {
    let mut sweep = Sweep::start("bamboohr", 25).await;
    sweep.read().await;
    sweep.read().await;
    let body = employees(&[employee(
        "7",
        "2026-11-22T12:20:30Z",
        &["workEmail"],
        &json!({"status": "Active", "workEmail": "other@widgets.example"}),
    )]);
    sweep.app.advance(TimeDelta::minutes(1));
    sweep.app.deliver("bamboohr", &body).await;
    let written = sweep.employee("7").await;
    let email = written.work_email.unwrap();
    assert_eq!(email.value.unwrap().expose(), "other@widgets.example");
    // Facts that the event did not have keep the time of the confirmation.
    let read_at = written.hire_date.unwrap().as_of;
    assert_eq!(read_at.to_rfc3339(), "2026-11-22T12:20:00+00:00");
    let stored =
        "SELECT facts->'hire_date'->>'as_of' FROM leaver.employees WHERE employee_id = '7'";
    assert_eq!(
        sweep.app.text(stored).await.unwrap(),
        "2026-11-22T12:20:00Z"
    );
    let others = "SELECT count(*) FROM leaver.employees e, leaver.confirmation_of(e.source, e.number, e.revision)";
    assert_eq!(sweep.app.count(others).await, 24);
}

#[tokio::test]
async fn facts_are_the_same_whether_written_or_confirmed() {
    for provider in ["bamboohr", "merge"] {
        let mut many = Sweep::start(provider, 25).await;
        let mut few = Sweep::start(provider, 5).await;
        for _ in 0..3 {
            many.read().await;
            few.read().await;
        }
        assert!(many.confirmations().await > 0);
        assert_eq!(few.confirmations().await, 0);
        let ids = few
            .app
            .lines("SELECT employee_id FROM leaver.employees")
            .await;
        for id in ids {
            let mut confirmed = many.employee(&id).await;
            let written = few.employee(&id).await;
            confirmed.account_id.clone_from(&written.account_id);
            assert_eq!(confirmed, written, "{provider}");
        }
    }
}

#[tokio::test]
async fn confirmations_are_kept_for_a_week() {
    let mut sweep = Sweep::start("bamboohr", 25).await;
    for _ in 0..4 {
        sweep.read().await;
    }
    assert_eq!(sweep.confirmations().await, 3);
    // An incomplete read confirms those it had, and the others keep the older confirmation.
    sweep.records[24] = json!({"id": "25", "workEmail": "dana.25@widgets.example"});
    assert!(sweep.read().await.incomplete.is_some());
    assert_eq!(sweep.confirmations().await, 4);
    let times = [sweep.employee("1").await, sweep.employee("25").await];
    let times = times.map(|employee| employee.hire_date.unwrap().as_of.to_rfc3339());
    assert_eq!(
        times,
        ["2026-11-22T12:50:00+00:00", "2026-11-22T12:40:00+00:00"]
    );
    sweep.app.advance(TimeDelta::days(8));
    sweep.read().await;
    assert_eq!(sweep.confirmations().await, 1);
}

#[tokio::test]
async fn a_confirmation_outlasts_reads_without_news() {
    let mut sweep = Sweep::start("merge", 25).await;
    sweep.read().await;
    sweep.read().await;
    let before = sweep.employee(&sweep_id(1)).await;
    for _ in 0..2 {
        sweep.app.advance(TimeDelta::minutes(10));
        sweep.read_again().await;
    }
    // A batch that works meanwhile leaves them no confirmation of their own.
    let mut batch = Session::open(&sweep.app.options).await;
    batch.sql(IN_PROGRESS).await;
    sweep.app.advance(TimeDelta::minutes(10));
    sweep.read_again().await;
    assert_eq!(sweep.employee(&sweep_id(1)).await, before);
}

/// Begins a transaction that keeps confirmations out, as a batch does.
const IN_PROGRESS: &str =
    "BEGIN; SELECT pg_advisory_xact_lock_shared(hashtextextended('leaver.confirmations', 0))";

/// Returns Merge's id of an employee.
fn sweep_id(n: usize) -> String {
    let record = crate::support::apis::merge_employee(n);
    record["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn employees_locked_elsewhere_are_written_and_not_confirmed() {
    let mut sweep = Sweep::start("bamboohr", 25).await;
    sweep.read().await;
    let mut batch = Session::open(&sweep.app.options).await;
    batch.sql(IN_PROGRESS).await;
    sweep.read().await;
    assert_eq!(sweep.confirmations().await, 0);
    let stored = sweep.app.lines(STORED_AS_OF).await;
    assert_eq!(stored, ["2026-11-22T12:20:00Z"]);
    batch.sql("ROLLBACK").await;
    sweep.read().await;
    assert_eq!(sweep.confirmations().await, 1);
}

#[tokio::test]
async fn a_batch_in_progress_keeps_confirmations_out() {
    let mut sweep = Sweep::start("bamboohr", 25).await;
    sweep.read().await;
    // The application's trigger pauses the batch of the delivery, with the employee locked.
    let mut application = Session::open(&sweep.app.options).await;
    application
        .sql(
            "CREATE TABLE gate (is_open boolean);
             CREATE FUNCTION pause() RETURNS trigger LANGUAGE plpgsql AS $$
             BEGIN
                 WHILE NOT EXISTS (SELECT FROM public.gate) LOOP PERFORM pg_sleep(0.01); END LOOP;
                 RETURN NEW;
             END $$;
             CREATE TRIGGER pause BEFORE UPDATE ON users FOR EACH ROW EXECUTE FUNCTION pause()",
        )
        .await;
    let fields = json!({"status": "Inactive", "employmentHistoryStatus": "Terminated"});
    let body = employees(&[employee("7", "2026-11-22T12:15:00Z", &["status"], &fields)]);
    let mut worker = sweep.app.beside(&["bamboohr"], &[]).await;
    let batch = tokio::spawn(async move {
        worker.deliver("bamboohr", &body).await;
    });
    let locks = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND mode = 'ShareLock' AND database =
                 (SELECT oid FROM pg_database WHERE datname = current_database())";
    application.wait_for_count(1, locks).await;
    let ((), report) = tokio::join!(
        async {
            let waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()
                           AND query LIKE '%asked%'";
            application.wait_for_count(1, waiting).await;
            application.sql("INSERT INTO gate VALUES (true)").await;
        },
        sweep.read()
    );
    batch.await.unwrap();
    assert_eq!(report.incomplete, None);
    // The read began after the event, and says that the person works there.
    let status = sweep.employee("7").await.status.unwrap();
    assert_eq!(status.as_of.to_rfc3339(), "2026-11-22T12:20:00+00:00");
}

/// Returns the value of the counter of failed confirmations.
async fn failed(sweep: &Sweep, reason: &str) -> String {
    let metrics = sweep.app.get("/metrics").await.body;
    let metrics = metrics.as_str().unwrap().to_owned();
    let name = format!(r#"leaver_confirmations_failed_total{{reason="{reason}"}} "#);
    let line = metrics.lines().find_map(|line| line.strip_prefix(&name));
    line.unwrap().to_owned()
}

#[tokio::test]
async fn a_failed_confirmation_is_counted_and_rows_are_written() {
    let mut sweep = Sweep::start("bamboohr", 25).await;
    sweep.read().await;
    assert_eq!(failed(&sweep, "error").await, "0");
    assert_eq!(failed(&sweep, "locked").await, "0");
    let broken = "ALTER TABLE leaver.confirmations ADD CONSTRAINT broken CHECK (false) NOT VALID";
    sweep.app.sql(broken).await;
    assert_eq!(sweep.read().await.incomplete, None);
    assert_eq!(failed(&sweep, "error").await, "1");
    let stored = sweep.app.lines(STORED_AS_OF).await;
    assert_eq!(stored, ["2026-11-22T12:20:00Z"]);
    let mut batch = Session::open(&sweep.app.options).await;
    batch.sql(IN_PROGRESS).await;
    assert_eq!(sweep.read().await.incomplete, None);
    assert_eq!(failed(&sweep, "locked").await, "1");
    assert_eq!(failed(&sweep, "error").await, "1");
}

#[tokio::test]
async fn no_batch_waits_long_behind_a_confirmation() {
    let mut sweep = Sweep::start("bamboohr", 25).await;
    sweep.read().await;
    let mut long = Session::open(&sweep.app.options).await;
    long.sql(IN_PROGRESS).await;
    let mut others = Session::open(&sweep.app.options).await;
    // The wait for a scheduled end must stay far below its two seconds.
    let lock = format!("SET lock_timeout = '400ms'; {IN_PROGRESS}; COMMIT");
    let read = sweep.read();
    let mut read = std::pin::pin!(read);
    let mut times = 0;
    loop {
        tokio::select! {
            biased;
            () = others.sql(&lock) => times += 1,
            report = &mut read => {
                assert_eq!(report.incomplete, None);
                break;
            }
        }
        // Lets the read go on between two locks.
        tokio::task::yield_now().await;
    }
    assert!(times > 5, "{times}");
}
