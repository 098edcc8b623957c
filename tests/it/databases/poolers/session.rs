//! `PgBouncer` with its defaults, which pool sessions.

use std::time::Duration;

use serde_json::json;

use super::{DANA, left};
use crate::support::apis::{Answer, MERGE_EMPLOYEES, StandIn, merge_company, merge_employee};
use crate::support::apis_setup::{source_with_api, terminated_merge_employee};
use crate::support::pgbouncer::PgBouncer;
use crate::support::process::{RunningProcess, RunningService, command, wait_until};
use crate::support::{BAMBOOHR_KEY, JSON, TestApp, scratch};

const ADVISORY_LOCKS: &str =
    "SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database
     WHERE l.locktype = 'advisory' AND d.datname = current_database()";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_main_job_works_with_pgbouncers_defaults() {
    let pooler = PgBouncer::start("").await;
    let mut app = TestApp::builder().unmigrated().build().await;
    app.add_users(&[DANA, "other@example.com"]).await;
    let url = pooler.url(app.database_name());

    let env = [("DATABASE_URL", url.as_str())];
    app.run_with(&["migrate"], &env).succeeded();
    let service = app.serve(&env);
    let file = app.file("left.json", &left());
    service.send(&app, "merge", &file).succeeded();
    app.wait_for_count(1, "SELECT count(*) FROM users WHERE NOT is_active")
        .await;
    assert_eq!(app.active().await, ["other@example.com"]);
    assert_eq!(service.get("/health").await.0, 200);
    for args in [&["check"][..], &["drift"], &["holds", "list"]] {
        app.run_with(args, &env).succeeded();
    }
    service.stop();
    app.wait_for_count(0, ADVISORY_LOCKS).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_notification_wakes_the_workers_behind_a_pooler() {
    let pooler = PgBouncer::start("").await;
    let mut app = TestApp::new().await;
    app.add_users(&[DANA]).await;
    let url = pooler.url(app.database_name());
    let service = app.serve(&[
        ("DATABASE_URL", &url),
        ("LEAVER__WORKER__POLL_INTERVAL", "1h"),
    ]);
    let listening = "SELECT count(*) FROM pg_stat_activity
         WHERE datname = current_database() AND query LIKE 'LISTEN%'";
    app.wait_for_count(1, listening).await;
    // Stored by another replica.
    app.send("merge", JSON, left()).await;
    app.sql("NOTIFY leaver, 'deliveries'").await;
    app.wait_until_processed().await;
    assert_eq!(app.active().await, [""; 0]);
    service.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_replicas_start_at_once_behind_a_pooler() {
    let pooler = PgBouncer::start("").await;
    let app = TestApp::builder().unmigrated().build().await;
    let url = pooler.url(app.database_name());
    let env = app.env(&[("DATABASE_URL", &url)]);
    let mut replicas = [(); 3].map(|()| RunningService::start(&env));
    for replica in &mut replicas {
        replica.wait_until_ready();
    }
    for replica in replicas {
        replica.stop();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lock_ends_with_its_process_behind_a_pooler() {
    let pooler = PgBouncer::start("").await;
    let api = StandIn::start(merge_company(vec![
        terminated_merge_employee(1),
        merge_employee(2),
    ]))
    .await;
    let secrets = [("SECRET", BAMBOOHR_KEY), ("API_KEY", "k"), ("TOKEN", "t")];
    let mut app = TestApp::builder()
        .config_file(&source_with_api("merge", "merge", &api), &secrets)
        .build()
        .await;
    app.add_employees_users(1..=2).await;
    let url = pooler.url(app.database_name());
    let env = [("DATABASE_URL", url.as_str())];

    let late = Answer::status(500).after(Duration::from_mins(2));
    api.script(MERGE_EMPLOYEES, [late]);
    let mut hanging = RunningProcess::start(command(&["sync"], &app.env(&env)));
    app.wait_for_count(1, ADVISORY_LOCKS).await;
    wait_until("it reads the API", || {
        let requests = api.requests();
        requests.iter().any(|asked| asked.path == MERGE_EMPLOYEES)
    });
    hanging.kill();
    app.wait_for_count(0, ADVISORY_LOCKS).await;

    let output = app.run_with(&["sync", "--json"], &env).succeeded();
    assert_eq!(
        output.json()[0]["outcome"],
        json!({"deactivated": 1, "kept": 1})
    );
    app.wait_for_count(0, ADVISORY_LOCKS).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_left_by_transaction_pooling_do_no_harm() {
    let pooler = PgBouncer::start("pool_mode = transaction").await;
    let app = TestApp::new().await;
    let options = pooler.to(app.database_name());
    let refused = leaver::service::connect(&options).await;
    assert!(refused.is_err());
    pooler.reload("pool_mode = session");
    app.run_with(
        &["migrate"],
        &[("DATABASE_URL", &pooler.url(app.database_name()))],
    )
    .succeeded();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pooler_works_over_a_socket_and_without_a_password() {
    let sockets = scratch::open_folder();
    let folder = sockets.path().to_str().unwrap();
    let pooler = PgBouncer::start(&format!("unix_socket_dir = {folder}\nauth_type = trust")).await;
    let app = TestApp::new().await;
    let (port, name) = (pooler.port(), app.database_name());
    let socket = folder.replace('/', "%2F");
    for url in [
        format!("postgres://postgres@localhost:{port}/{name}?host={socket}"),
        format!("postgres://postgres@127.0.0.1:{port}/{name}"),
        pooler.url(name),
    ] {
        app.run_with(&["migrate"], &[("DATABASE_URL", &url)])
            .succeeded();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_local_pooler_that_asks_for_md5_is_refused_with_the_remedy() {
    let pooler = PgBouncer::start("").await;
    pooler.forget_secret();
    let app = TestApp::new().await;
    let url = pooler.url(app.database_name());
    let words = ["as an md5 hash", "PgBouncer: `auth_type`"];
    app.run_with(&["migrate"], &[("DATABASE_URL", &url)])
        .failed(&words);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pooler_that_refuses_a_password_is_named() {
    let pooler = PgBouncer::start("").await;
    let app = TestApp::new().await;
    let url = pooler.url(app.database_name());
    let url = url.replace("pooler-password", "hush");
    let words = ["authentication failed", "08P01", "127.0.0.1", "password"];
    let output = app
        .run_with(&["migrate"], &[("DATABASE_URL", &url)])
        .failed(&words);
    assert!(!output.err.contains("hush"), "{output:?}");
}
