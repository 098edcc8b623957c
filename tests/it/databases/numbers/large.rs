//! A large users table: 200,000 rows, or as many as `LARGE_TABLE` names.

use std::time::{Duration, Instant};

use super::line;
use crate::support::driving::{terminated, working};
use crate::support::process::RunningService;
use crate::support::{JSON, TestApp, employees};

const THEN: &str = "2026-11-22T11:00:00Z";

fn size() -> usize {
    let size = std::env::var_os("LARGE_TABLE");
    size.map_or(200_000, |size| size.to_str().unwrap().parse().unwrap())
}

/// An app with this many users.
async fn with_users(count: usize) -> TestApp {
    let mut app = TestApp::new().await;
    app.sql(&format!(
        "INSERT INTO users (email) SELECT 'user' || n || '@example.com' FROM generate_series(1, {count}) n;
         CREATE INDEX ON sessions ((user_id::text)); ANALYZE users"
    ))
    .await;
    app
}

/// Starts the service and returns its peak memory in MiB after a comparison.
async fn peak_of_comparison(app: &mut TestApp) -> u64 {
    let service: RunningService = app.serve(&[]);
    let limit = Instant::now() + Duration::from_mins(10);
    while app.count("SELECT count(*) FROM leaver.drift").await == 0 {
        assert!(
            Instant::now() < limit,
            "no comparison: {}",
            service.process.err()
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let peak = service.process.peak_memory_mib();
    service.stop();
    peak
}

#[tokio::test]
async fn memory_of_a_drift_comparison_does_not_grow() {
    let mut peaks = vec![];
    for count in [1_000, size()] {
        let mut app = with_users(count).await;
        peaks.push(peak_of_comparison(&mut app).await);
        let found = app
            .count("SELECT terminated_with_access FROM leaver.drift")
            .await;
        assert_eq!(found, 0);
    }
    crate::faults::say(&format!("peak memory in MiB: {peaks:?}"));
    assert!(peaks[1] < 64, "{peaks:?}");
    // One row of the report takes more than 100 bytes.
    assert!(peaks[1] - peaks[0].min(peaks[1]) < 12, "{peaks:?}");
}

#[tokio::test]
async fn memory_of_a_comparison_does_not_grow_with_leavers() {
    let mut peaks = vec![];
    for count in [1_000, size() / 4] {
        let mut app = with_users(1).await;
        // One leaver without an account, stored as if before the account was looked for, and as many copies.
        app.bamboohr(&[terminated("1", "nobody@example.com", THEN)])
            .await;
        app.sql(&format!(
            "INSERT INTO leaver.employees (source, tenant, employee_id, facts, first_observed_at, modified_at)
             SELECT source, tenant, 'copy ' || n,
                    jsonb_set(facts, '{{work_email,value}}', to_jsonb('nobody' || n || '@example.com')),
                    first_observed_at, modified_at
             FROM leaver.employees, generate_series(1, {count}) n;
             ANALYZE leaver.employees"
        ))
        .await;
        peaks.push(peak_of_comparison(&mut app).await);
        // Each state was outdated, and is stored now.
        let stored = "SELECT count(*) FROM leaver.employees WHERE without_account_since IS NULL";
        assert_eq!(app.count(stored).await, 0);
    }
    crate::faults::say(&format!("peak memory in MiB: {peaks:?}"));
    assert!(peaks[1] - peaks[0].min(peaks[1]) < 12, "{peaks:?}");
}

#[tokio::test]
async fn check_prints_numbers_of_a_large_table_in_10_seconds() {
    let count = size();
    let mut app = with_users(count).await;
    app.sql("UPDATE users SET is_active = false WHERE id <= 100")
        .await;
    for has_index in [true, false] {
        if !has_index {
            app.sql("DROP INDEX users_email_key_idx").await;
        }
        let began = Instant::now();
        let output = app.run(&["check", "--json"]).succeeded();
        let took = began.elapsed();
        crate::faults::say(&format!("check with an index: {has_index}: {took:?}"));
        assert!(took < Duration::from_secs(10), "{took:?}");
        for check in ["rows", "e-mails shared", "look-up", "sweep"] {
            let check = match check {
                "rows" => "accounts.rows".to_owned(),
                other => format!("accounts {other}"),
            };
            crate::faults::say(&format!("{check}: {:?}", line(&output, &check)));
        }
        let (_, rows) = line(&output, "accounts.rows");
        let (active, estimated) = (count - 100, rows.contains("estimated"));
        let counted = format!("{count} rows, {count} accounts, {active} with access");
        assert!(rows == counted || estimated, "{rows}");
        let (status, _) = line(&output, "accounts.email_column");
        assert_eq!(status, if has_index { "ok" } else { "warning" });
        line(&output, "accounts e-mails shared");
        let (_, lookup) = line(&output, "accounts look-up");
        assert!(lookup.contains("one look-up by e-mail takes"), "{lookup}");
        let (_, sweep) = line(&output, "accounts sweep");
        assert!(sweep.contains("reading and looking up"), "{sweep}");
    }
}

#[tokio::test]
async fn a_deactivation_in_a_large_table_takes_50_ms() {
    let mut app = with_users(size()).await;
    let mut took = vec![];
    for n in 1..=9 {
        let email = format!("user{}@example.com", n * 1_000);
        let id = n.to_string();
        app.bamboohr(&[working(&id, &email, THEN)]).await;
        let left = terminated(&id, &email, "2026-11-22T11:30:00Z");
        let body = employees(&[left]).to_string();
        app.send("bamboohr", JSON, body).await;
        let began = Instant::now();
        app.work().await;
        took.push(began.elapsed());
        assert!(!app.is_active(&email).await, "{email}");
    }
    took.sort();
    crate::faults::say(&format!("deactivations: {took:?}"));
    // The fastest: the others also show what else the machine does. A look-up that reads all rows takes longer each time.
    assert!(took[0] < Duration::from_millis(50), "{took:?}");
}
