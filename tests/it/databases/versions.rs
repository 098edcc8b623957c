//! The main job on real servers of the oldest and the newest supported version of Postgres.
//!
//! `.ci/ensure-versions` downloads them. With `POSTGRES_VERSIONS=all` the tests run on every supported version.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use leaver::jobs::sync::{SyncMode, Syncer};

use super::nodes::Pair;
use crate::faults::checker::check;
use crate::faults::ledger::{Delivery, Endpoints, Senders, people};
use crate::faults::load_test::{LoadTest, gather};
use crate::faults::own_postgres::OwnPostgres;
use crate::support::apis::{StandIn, merge_company, merge_employee};
use crate::support::apis_setup::{source_with_api, terminated_merge_employee};
use crate::support::driving::{merge_record, terminated};
use crate::support::{END_SESSIONS, MERGE_KEY, TestApp, USERS, employees, scratch};

const OLDEST_AND_NEWEST: [u32; 2] = [13, 18];

/// Returns the folders of the programs. Fails if a version is missing.
fn versions() -> Vec<PathBuf> {
    let wants_all = std::env::var_os("POSTGRES_VERSIONS").is_some_and(|value| value == "all");
    let [oldest, newest] = OLDEST_AND_NEWEST;
    let majors: Vec<u32> = if wants_all {
        (oldest..=newest).collect()
    } else {
        OLDEST_AND_NEWEST.to_vec()
    };
    let argument = if wants_all { " all" } else { "" };
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/postgres");
    let folder = |major: &u32| {
        let folder = root.join(format!("{major}/bin"));
        assert!(
            folder.join("postgres").exists(),
            "no Postgres {major} in {}; run: .ci/ensure-versions{argument}",
            folder.display()
        );
        folder
    };
    majors.iter().map(folder).collect()
}

async fn start(bin_dir: &Path) -> OwnPostgres {
    OwnPostgres::start_with(Some(bin_dir.to_path_buf()), scratch::folder()).await
}

/// Asserts that the server is of the version of the folder.
async fn assert_version(app: &mut TestApp, bin_dir: &Path) {
    let major = app
        .text("SELECT (current_setting('server_version_num')::int / 10000)::text")
        .await;
    let folder = bin_dir.parent().unwrap().file_name().unwrap();
    assert_eq!(major.as_deref(), folder.to_str());
}

#[tokio::test(flavor = "multi_thread")]
async fn webhooks_of_both_providers_end_access() {
    for bin_dir in versions() {
        let mut own = start(&bin_dir).await;
        let mut app = own.app(0).await;
        assert_version(&mut app, &bin_dir).await;
        app.run(&["migrate"]).succeeded();
        app.add_users(&["ada@example.com", "bob@example.com", "eve@example.com"])
            .await;
        let index = "CREATE INDEX ON users (leaver.email_key(email))";
        app.sql(index).await;
        let checked = app.run(&["check"]).succeeded();
        assert!(!checked.out.contains("error"), "{checked:?}");
        let as_of = "2026-11-20T12:00:00Z";
        let ada = employees(&[terminated("1", "ada@example.com", as_of)]);
        app.deliver("bamboohr", &ada).await;
        let bob = merge_record("2", "bob@example.com", as_of, "INACTIVE", Some(as_of));
        app.deliver("merge", &bob).await;
        let others = ["p0@example.com", "eve@example.com"];
        assert_eq!(app.active().await, others, "{bin_dir:?}");
        assert_eq!(app.user("ada@example.com").await, (false, 0));
        let health = app.get("/health").await;
        assert_eq!(health.status, 200, "{:?}", health.body);
        own.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sync_finds_the_leavers() {
    for bin_dir in versions() {
        let mut own = start(&bin_dir).await;
        let company = vec![
            merge_employee(1),
            terminated_merge_employee(2),
            merge_employee(3),
        ];
        let api = StandIn::start(merge_company(company)).await;
        let variables = [
            ("SECRET", MERGE_KEY),
            ("API_KEY", "api-key"),
            ("TOKEN", "token"),
            END_SESSIONS,
        ];
        let mut app = TestApp::builder()
            .config_file(&source_with_api("merge", "merge", &api), &variables)
            .on_server(own.url(), own.options())
            .tables(USERS)
            .build()
            .await;
        app.run(&["migrate"]).succeeded();
        app.add_employees_users(1..=3).await;
        let syncer = Syncer::new(Arc::clone(&app.parts.engine));
        let source = app.sync_sources(3).remove(0);
        let done = syncer.sync(&source, SyncMode::Full, &|_, _| {}).await;
        let reports = done.unwrap().unwrap();
        assert_eq!((reports[0].records, reports[0].full), (3, true));
        let off = "SELECT email FROM users WHERE NOT is_active";
        assert_eq!(
            app.lines(off).await,
            ["dana.2@widgets.example"],
            "{bin_dir:?}"
        );
        own.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_under_load_loses_nothing() {
    for bin_dir in versions() {
        let mut test = LoadTest::over(start(&bin_dir).await, 100, "8s").await;
        let senders = test.load(8, 200);
        test.endpoints.wait_until_acknowledged(50).await;
        test.own.crash().await;
        test.own.start_again().await;
        let (found, _) = test.end(senders).await;
        assert_eq!(found.acknowledged, found.sent, "{bin_dir:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failover_loses_nothing() {
    for bin_dir in versions() {
        let mut pair = Pair::start(Some(bin_dir.clone())).await;
        let mut app = TestApp::builder()
            .on_server(pair.url(""), pair.primary.options())
            .tables(&(USERS.to_owned() + &people(100)))
            .build()
            .await;
        let service = app.serve(&[("LEAVER__SERVER__STORE_TIMEOUT", "8s")]);
        let endpoints = Endpoints::default();
        endpoints.set(0, Some(service.address()));
        let senders = Senders {
            connections: 8,
            minute: Duration::from_millis(40),
            seed: 5,
        };
        let deliveries = (0..200).map(|n| Delivery::about(n % 100, n)).collect();
        let sending = senders.send(&endpoints, deliveries);
        endpoints.wait_until_acknowledged(50).await;
        pair.fail_over().await;
        let ledger = gather(sending).await;
        app.session = pair.standby.session().await;
        let found = check(&mut app, &ledger).await;
        assert!(found.acknowledged > 100, "{bin_dir:?}");
        service.stop();
    }
}
