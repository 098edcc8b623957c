//! Thousands of employees in one delivery: fast, and in as many statements as for ten.

use std::sync::{Arc, LazyLock, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tracing::field::{Field, Visit};
use tracing::subscriber::DefaultGuard;
use tracing::{Dispatch, Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

use crate::safeguard::undo::undo_last;
use crate::support::{JSON, TestApp, employee, employees};

/// The statements that this thread sends to a database while it is alive, by their first words.
#[derive(Clone, Default)]
pub(crate) struct Statements(Arc<Mutex<Vec<String>>>);

impl Statements {
    /// Returns the statements so far, and forgets them.
    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }

    /// Collects the statements of this thread until the guard is dropped.
    pub(crate) fn collect(&self) -> DefaultGuard {
        // While a process has only one subscriber, an event that a thread without it reaches first is disabled for all.
        static SECOND: LazyLock<Dispatch> = LazyLock::new(|| {
            Dispatch::new(tracing_subscriber::registry().with(Statements::default()))
        });
        LazyLock::force(&SECOND);
        tracing::subscriber::set_default(tracing_subscriber::registry().with(self.clone()))
    }
}

impl<S: Subscriber> Layer<S> for Statements {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if event.metadata().target() == "sqlx::query" {
            let mut summary = Summary::default();
            event.record(&mut summary);
            // The settings and the identity of a new connection: it depends on other jobs how many there are. The catalog is
            // compared when ten seconds have passed.
            let depends_on_time = [
                "SET search_path",
                "SELECT pg_catalog.pg_backend_pid() AS pid",
                "SELECT pid AS",
                "SELECT c.relkind::text",
            ];
            if !depends_on_time
                .iter()
                .any(|start| summary.0.starts_with(start))
            {
                self.0.lock().unwrap().push(summary.0);
            }
        }
    }
}

#[derive(Default)]
struct Summary(String);

impl Visit for Summary {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "summary" {
            value.clone_into(&mut self.0);
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        if field.name() == "summary" {
            self.0 = format!("{value:?}");
        }
    }
}

/// A service whose application has this many users, each with two sessions.
async fn company(count: usize, env: &[(&str, &str)]) -> TestApp {
    let mut app = TestApp::builder().settings(env).build().await;
    app.sql(&format!(
        "INSERT INTO users (email) SELECT 'u' || n || '@example.com' FROM generate_series(0, {count} - 1) n;
         INSERT INTO sessions (user_id) SELECT id FROM users, generate_series(1, 2);
         CREATE INDEX ON sessions ((user_id::text)); ANALYZE users, sessions;"
    ))
    .await;
    app
}

fn said(count: usize, as_of: &str, facts: &Value) -> Value {
    let entries: Vec<Value> = (0..count)
        .map(|n| {
            let mut fields = facts.clone();
            fields["workEmail"] = json!(format!("U{n}@example.com"));
            employee(&n.to_string(), as_of, &["status"], &fields)
        })
        .collect();
    employees(&entries)
}

fn left() -> Value {
    json!({"status": "Inactive", "employmentHistoryStatus": "Terminated"})
}

#[tokio::test]
async fn processes_5000_leavers_in_one_delivery_within_6_seconds() {
    let mut app = company(6_000, &[]).await;
    let body = said(5_000, "2026-11-22T09:00:00Z", &left()).to_string();
    let began = Instant::now();
    app.send("bamboohr", JSON, body).await;
    app.work().await;
    let took = began.elapsed();

    assert_eq!(
        app.count("SELECT count(*) FROM users WHERE NOT is_active")
            .await,
        5_000
    );
    assert_eq!(app.count("SELECT count(*) FROM sessions").await, 2_000);
    assert_eq!(
        app.count("SELECT count(*) FROM leaver.audit WHERE action = 'deactivated'")
            .await,
        5_000
    );
    assert_eq!(
        app.count("SELECT count(*) FROM leaver.deliveries WHERE state = 'pending'")
            .await,
        0
    );
    assert!(took < Duration::from_secs(6), "it took {took:?}");
}

#[tokio::test]
async fn statements_do_not_grow_with_the_number_of_employees() {
    let ahead = json!({"status": "Active", "terminationDate": "2026-11-25"});
    let env = [
        ("LEAVER__POLICY__REHIRE", "reactivate"),
        // A body that takes more than its share of a batch is read by itself; here each may take all of it.
        ("LEAVER__WORKER__BATCH_SIZE", "1"),
    ];
    let mut counted: Vec<Vec<Vec<String>>> = vec![];
    // Both bodies are large ones, which are read part by part.
    for count in [200, 1_000] {
        let mut app = company(count, &env).await;
        let bodies = [
            // Everybody's first day with us, departure, return, a doubt, and one announced for later.
            said(count, "2026-11-22T05:00:00Z", &json!({"status": "Active"})),
            said(count, "2026-11-22T06:00:00Z", &left()),
            said(
                count,
                "2026-11-22T07:00:00Z",
                &json!({"status": "Active", "employmentHistoryStatus": "Full-Time"}),
            ),
            said(
                count,
                "2026-11-22T08:00:00Z",
                &json!({"status": "Inactive", "employmentHistoryStatus": "On Leave"}),
            ),
            said(count, "2026-11-22T09:00:00Z", &ahead),
        ];
        let statements = Statements::default();
        let mut steps = vec![];
        for body in bodies {
            let guard = statements.collect();
            app.deliver("bamboohr", &body).await;
            drop(guard);
            steps.push(statements.take());
        }
        assert!(
            steps.iter().all(|step| step.len() > 5),
            "they are counted: {steps:?}"
        );
        // The whole roster is looked through for those who are on again, so only when somebody is.
        let forgets = |summary: &&String| summary.contains("SET deactivated_at");
        let forgetting = steps.iter().map(|step| step.iter().filter(forgets).count());
        assert_eq!(forgetting.collect::<Vec<_>>(), [0, 0, 1, 0, 0]);
        // The safeguard costs nothing where no account is to be changed.
        let is_of_safeguard = |summary: &&String| {
            ["pg_advisory_xact_lock", "WITH scope AS", "WITH change AS"]
                .iter()
                .any(|words| summary.contains(words))
        };
        let guarding = steps
            .iter()
            .map(|step| step.iter().filter(is_of_safeguard).count());
        assert_eq!(guarding.collect::<Vec<_>>(), [0, 3, 3, 0, 0], "{steps:?}");
        counted.push(steps);
        let audit = app.text("SELECT string_agg(action || ' ' || n, ', ' ORDER BY action) FROM (SELECT action, count(*) AS n FROM leaver.audit GROUP BY 1) a").await;
        let expected = ["deactivated", "hold_opened", "reactivated", "scheduled"]
            .map(|action| format!("{action} {count}"));
        assert_eq!(audit.unwrap(), expected.join(", "));
    }
    assert_eq!(counted[0], counted[1]);
}

#[tokio::test]
async fn planned_changes_share_their_statements() {
    let mut counted: Vec<Vec<Vec<String>>> = vec![];
    // Both bodies are large ones, which are read part by part.
    for count in [200, 1_000] {
        let env = [
            ("LEAVER__WORKER__BATCH_SIZE", "1"),
            ("LEAVER__SAFEGUARD__MODE", "shadow"),
        ];
        let mut app = company(count, &env).await;
        let active = json!({"status": "Active", "employmentHistoryStatus": "Full-Time"});
        let statements = Statements::default();
        let mut steps = vec![];
        for (hour, facts) in [("05", &active), ("06", &left()), ("07", &active)] {
            let body = said(count, &format!("2026-11-22T{hour}:00:00Z"), facts);
            let guard = tracing::subscriber::set_default(
                tracing_subscriber::registry().with(statements.clone()),
            );
            app.deliver("bamboohr", &body).await;
            drop(guard);
            steps.push(std::mem::take(&mut *statements.0.lock().unwrap()));
            let planned = app.count("SELECT count(*) FROM leaver.plan").await;
            let expected = if hour == "06" { count } else { 0 };
            assert_eq!(usize::try_from(planned).unwrap(), expected);
        }
        // The mode is read with the first use of the table, and then only if an account is to be changed.
        let is_mode = |summary: &&String| summary.starts_with("SELECT source, mode");
        let reads = steps.iter().map(|step| step.iter().filter(is_mode).count());
        assert_eq!(reads.collect::<Vec<_>>(), [1, 1, 0], "{steps:?}");
        counted.push(steps);
    }
    assert_eq!(counted[0], counted[1]);
}

#[tokio::test]
async fn scheduled_ends_share_their_statements() {
    let ahead = json!({"status": "Active", "terminationDate": "2026-11-22"});
    let mut counted = vec![];
    for count in [10, 400] {
        let mut app = company(count, &[]).await;
        app.deliver("bamboohr", &said(count, "2026-11-22T09:00:00Z", &ahead))
            .await;
        app.advance(chrono::TimeDelta::days(1));
        let statements = Statements::default();
        let guard = statements.collect();
        app.run_due().await;
        drop(guard);
        assert_eq!(
            app.count("SELECT count(*) FROM users WHERE is_active")
                .await,
            0
        );
        counted.push(statements.take());
    }
    assert!(counted[0].len() > 5);
    assert_eq!(counted[0], counted[1]);
}

#[tokio::test]
async fn many_small_deliveries_share_their_statements() {
    let mut counted = vec![];
    for count in [10_usize, 200] {
        let mut app = company(count, &[]).await;
        for n in 0..count {
            let mut fields = left();
            fields["workEmail"] = json!(format!("u{n}@example.com"));
            let body = employees(&[employee(
                &n.to_string(),
                "2026-11-22T09:00:00Z",
                &["status"],
                &fields,
            )]);
            app.send("bamboohr", JSON, body.to_string()).await;
        }
        let statements = Statements::default();
        let guard = statements.collect();
        app.work().await;
        drop(guard);
        assert_eq!(
            app.count("SELECT count(*) FROM users WHERE is_active")
                .await,
            0
        );
        counted.push(statements.take());
    }
    assert!(counted[0].len() > 5);
    assert_eq!(counted[0], counted[1]);
}

#[tokio::test]
async fn an_undo_takes_as_many_statements_for_1000_as_for_10() {
    let mut counted = vec![];
    for count in [10, 1_000] {
        let mut app = company(count, &[]).await;
        app.deliver("bamboohr", &said(count, "2026-11-22T06:00:00Z", &left()))
            .await;
        let statements = Statements::default();
        let guard = statements.collect();
        let report = undo_last(&mut app).await;
        drop(guard);
        assert_eq!(report.restored().count(), count);
        counted.push(std::mem::take(&mut *statements.0.lock().unwrap()));
    }
    assert!(counted[0].len() > 20, "they are counted: {:?}", counted[0]);
    assert_eq!(counted[0], counted[1]);
}

#[tokio::test]
async fn a_backlog_is_processed_without_reading_all_rows_for_each() {
    let count = 1_500;
    let mut app = company(count, &[("LEAVER__WORKER__BATCH_SIZE", "100")]).await;
    let employed = json!({"status": "Active"});
    app.deliver("bamboohr", &said(count, "2026-11-22T05:00:00Z", &employed))
        .await;
    // The tables have no statistics about them yet, as after a first read of a large company.
    app.sql(
        "ALTER TABLE leaver.employees SET (autovacuum_enabled = false);
         ALTER TABLE leaver.deliveries SET (autovacuum_enabled = false)",
    )
    .await;
    for n in 0..count {
        let fields = json!({"status": "Active", "workEmail": format!("u{n}@example.com")});
        let entry = employee(&n.to_string(), "2026-11-22T06:00:00Z", &["status"], &fields);
        app.send("bamboohr", JSON, employees(&[entry]).to_string())
            .await;
    }
    app.work().await;
    app.publish_statistics().await;

    let limits = [
        ("relname = 'employees'", 60),
        ("indexrelname = 'deliveries_pending_idx'", 4),
    ];
    for (which, limit) in limits {
        let read = app
            .count(&format!(
                "SELECT sum(idx_tup_read)::bigint / {count} FROM pg_stat_user_indexes
                 WHERE schemaname = 'leaver' AND {which}"
            ))
            .await;
        assert!(read < limit, "{which}: {read} entries for each delivery");
    }
}
