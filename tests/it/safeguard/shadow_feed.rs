//! Many deliveries in shadow mode, by a role that cannot change accounts.

use std::sync::Arc;

use leaver::base::clock::Clock as _;
use leaver::engine::accounts::AccountsTable;
use leaver::engine::previews;
use leaver::engine::shadow::change_mode::{Backlog, leave_shadow_mode};
use leaver::service;
use serde_json::json;
use sqlx::Row;

use super::shadow::{SHADOW, bamboohr};
use super::shadow_roles::{as_role, shadow_role};
use super::{employ, inactive, report, reported};
use crate::support::database::Session;
use crate::support::{TestApp, ada, employee, employees};

const PEOPLE: usize = 5_000;
/// Every user's row, and who wrote it.
const CHECKSUM: &str =
    "SELECT md5(string_agg(u::text || xmin::text, ',' ORDER BY id)) FROM users u";
const CHANGES: &str = "SELECT concat_ws(E'\\t', direction, source, tenant, employee_id, account_id) FROM leaver.changes";

/// Adds users, and stores two deliveries about each: hired, then left or still employed.
async fn fill(app: &mut TestApp) {
    app.sql(&format!(
        "INSERT INTO users (email) SELECT 'u' || n || '@example.com' FROM generate_series(0, {PEOPLE} - 1) n"
    ))
    .await;
    let mut bodies: Vec<Vec<u8>> = vec![];
    for n in 0..PEOPLE {
        let mail = format!("u{n}@example.com");
        let works = json!({"status": "Active", "workEmail": mail});
        let left = json!({"status": "Inactive", "employmentHistoryStatus": "Terminated", "workEmail": mail});
        let second = if n % 2 == 0 { &left } else { &works };
        for (at, fields) in [("09", &works), ("10", second)] {
            let time = format!("2026-11-22T{at}:00:00Z");
            let entry = employee(&n.to_string(), &time, &["status"], fields);
            bodies.push(employees(&[entry]).to_string().into_bytes());
        }
    }
    let now = app.clock.now();
    sqlx::query(
        "INSERT INTO leaver.deliveries
             (id, source, digest, content_type, received_at, body, body_bytes, state, next_attempt_at)
         SELECT gen_random_uuid(), 'bamboohr', sha256(body), 'application/json', $2, body, length(body), 'pending', $2
         FROM unnest($1::bytea[]) AS body",
    )
    .bind(&bodies)
    .bind(now)
    .execute(&mut app.session.conn)
    .await
    .unwrap();
}

#[tokio::test]
async fn the_plan_of_ten_thousand_deliveries_is_what_enforce_does() {
    let mut app = TestApp::builder().settings(&[SHADOW]).build().await;
    fill(&mut app).await;
    let before = app.text(CHECKSUM).await;
    let role = shadow_role(&mut app).await;
    let clock = Arc::new(app.clock.clone());
    let options = as_role(&app.options, &role);
    let mut service = app.replica(&["bamboohr"], &[SHADOW], clock, options).await;
    service.work().await;
    let processed = "SELECT count(*) FROM leaver.deliveries WHERE state = 'processed'";
    assert_eq!(app.count(processed).await, 10_000);
    assert_eq!(app.text(CHECKSUM).await, before);
    assert_eq!(app.count("SELECT count(*) FROM leaver.changes").await, 0);
    assert_eq!(app.count("SELECT count(*) FROM leaver.plan").await, 2_500);
    let plan = app.run(&["plan", "--json"]).json();

    let mut enforcing = TestApp::new().await;
    fill(&mut enforcing).await;
    enforcing.work().await;
    let lines = sqlx::query(CHANGES)
        .fetch_all(&mut enforcing.session.conn)
        .await
        .unwrap();
    assert_eq!(lines.len(), 2_500);
    let digest = previews::digest(lines.iter().map(|row| row.get(0)));
    assert_eq!(plan["digest"], digest);

    let release = [
        "enforce",
        "--source",
        "bamboohr",
        "--backlog",
        "release",
        "--json",
    ];
    let out = app.run(&release).succeeded();
    assert_eq!(out.json()["digest"], digest);
    let same = "SELECT string_agg(is_active::text, ',' ORDER BY id) FROM users";
    assert_eq!(app.text(same).await, enforcing.text(same).await);
}

#[tokio::test]
async fn no_leaver_is_lost_while_the_mode_changes() {
    let mut app = TestApp::builder()
        .settings(&[SHADOW, ("LEAVER__WORKER__BATCH_SIZE", "5")])
        .build()
        .await;
    employ(&mut app, 200).await;
    app.advance(chrono::TimeDelta::minutes(1));
    report(&mut app, 0..40, false).await;
    for n in 40..200 {
        let body = reported(&app, n..n + 1, false);
        app.store("bamboohr", &body).await;
    }
    let (mut other, mut watching) = (app.connect().await, Session::open(&app.options).await);
    let table = AccountsTable::inspect(&mut other, &app.settings.accounts).await;
    let (table, policies) = (table.unwrap(), service::policies(&app.settings));
    let (source, now) = (bamboohr(), app.clock.now());
    let leaving = async {
        // Some of the deliveries are processed, and others are not.
        while watching.count("SELECT count(*) FROM leaver.plan").await < 60 {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
        let backlog = Some(Backlog::Release);
        leave_shadow_mode(&mut other, &table, &policies, &source, backlog, &ada(), now).await
    };
    let (change, ()) = tokio::join!(leaving, app.work());
    let change = change.unwrap();
    assert!(change.results.iter().all(|result| result.why.is_none()));
    // Each leaver was planned and released, or deactivated after the mode had changed.
    assert_eq!(inactive(&mut app).await, 200);
    assert_eq!(app.count("SELECT count(*) FROM leaver.plan").await, 0);
    assert_eq!(app.count("SELECT count(*) FROM leaver.changes").await, 200);
}
