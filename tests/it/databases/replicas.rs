//! Standbys that commits wait for or not, a hot standby and a logical replica as the database.

use leaver::db::replication::store::{logical_replica, replication};
use serde_json::Value;
use sqlx::ConnectOptions;

use super::cluster::{self, Node};
use super::failover::reasons;
use crate::support::TestApp;
use crate::support::process::RunningService;

/// Returns the status and the message of a line of `leaver check`.
fn check_line(app: &TestApp, name: &str) -> (String, String) {
    let report = app.run(&["check", "--json"]).json();
    let lines = report.as_array().unwrap();
    let line = lines.iter().find(|line| line["check"] == name);
    let text = |key: &str| line.and_then(|line| line[key].as_str()).unwrap_or_default();
    (text("status").to_owned(), text("message").to_owned())
}

async fn set(node: &Node, setting: &str) {
    let mut session = node.session().await;
    session.sql(&format!("ALTER SYSTEM SET {setting}")).await;
    session.sql("SELECT pg_reload_conf()").await;
    let (name, value) = setting.split_once(" = ").unwrap();
    let value = value.trim_matches('\'');
    let waiting = format!("SELECT (current_setting('{name}') = '{value}')::int::bigint");
    session.wait_for_count(1, &waiting).await;
}

#[tokio::test]
async fn commits_that_wait_for_no_standby_are_a_warning() {
    let (primary, _standby) = cluster::pair(1, &[], &[]).await;
    let app = primary.app(&[]).await;
    let health = app.get("/health").await;
    assert_eq!(health.status, 200);
    assert_eq!(health.body["status"], "degraded", "{:?}", health.body);
    assert_eq!(reasons(&app).await, ["standby_not_synchronous"]);
    let (status, message) = check_line(&app, "replication");
    assert_eq!(status, "warning");
    for words in [
        "answered 200",
        "WAL at this moment",
        "synchronous_standby_names",
    ] {
        assert!(message.contains(words), "{message}");
    }

    set(&primary, "synchronous_standby_names = 'b'").await;
    assert_eq!(reasons(&app).await, Vec::<String>::new());
    let (status, message) = check_line(&app, "replication");
    assert_eq!(status, "ok", "{message}");
    assert!(message.contains("for a standby"), "{message}");

    // The role's own setting counts, not the server's.
    let local = "ALTER ROLE postgres SET synchronous_commit = local";
    primary.session().await.sql(local).await;
    let app = primary.app(&[]).await;
    assert_eq!(reasons(&app).await, ["standby_not_synchronous"]);
    let (status, message) = check_line(&app, "replication");
    assert_eq!(status, "warning");
    assert!(
        message.contains("`synchronous_commit` is local"),
        "{message}"
    );
}

#[tokio::test]
async fn a_role_without_rights_counts_standbys() {
    let mut primary = Node::stopped(1).await;
    let mut standby = primary.copy();
    primary.start(&[]);
    let mut session = primary.session().await;
    let slot = "SELECT pg_create_physical_replication_slot('b')";
    session.sql(slot).await;
    standby.follow(&primary, "b", &["primary_slot_name=b"]);
    let connected = "SELECT count(*) FROM pg_stat_replication";
    session.wait_for_count(1, connected).await;
    session.sql("CREATE ROLE plain LOGIN").await;
    let plain = primary.options().username("plain");
    let mut conn = plain.connect().await.unwrap();
    let found = replication(&mut conn).await.unwrap();
    assert_eq!(
        (found.standbys, found.behind_bytes, found.sees_details),
        (1, None, false)
    );
    assert!(found.failover_warning().unwrap().contains("pg_monitor"));

    // A standby that is down can be promoted too, and its slot is known once it has reported a position.
    let reported = "SELECT count(*) FROM pg_replication_slots WHERE restart_lsn IS NOT NULL";
    session.wait_for_count(1, reported).await;
    standby.end(nix::sys::signal::Signal::SIGINT);
    session.wait_for_count(0, connected).await;
    assert_eq!(replication(&mut conn).await.unwrap().standbys, 1);
}

#[tokio::test]
async fn a_standby_as_the_database_is_named_and_waited_for() {
    let (primary, standby) = cluster::pair(1, &[], &[]).await;
    let app = standby.app(&[]).await;
    let (status, message) = check_line(&app, "replication");
    assert_eq!(status, "error", "{message}");
    assert!(message.contains("in recovery"), "{message}");
    let mut service = RunningService::start(&app.env(&[]));
    service.process.wait_for("in recovery");
    drop(primary);
    standby.promote().await;
    service.wait_until_ready();
    service.stop();
}

#[tokio::test]
async fn a_logical_replica_is_refused_and_is_no_standby() {
    let mut publisher = Node::stopped(1).await;
    let mut replica = publisher.copy();
    publisher.start(&["wal_level=logical"]);
    replica.start(&[]);
    let mut session = publisher.session().await;
    session
        .sql("CREATE PUBLICATION everything FOR TABLE users, leaver.deliveries")
        .await;
    let subscribe = format!(
        "CREATE SUBSCRIPTION copied CONNECTION 'host=127.0.0.1 port={} user=postgres dbname=postgres'
         PUBLICATION everything WITH (copy_data = false)",
        publisher.port
    );
    replica.session().await.sql(&subscribe).await;
    let streaming = "SELECT count(*) FROM pg_replication_slots WHERE active";
    session.wait_for_count(1, streaming).await;
    let found = replication(&mut session.conn).await.unwrap();
    assert_eq!(found.standbys, 0, "{found:?}");

    // Any role can see it.
    let mut owner = replica.session().await;
    owner.sql("CREATE ROLE plain LOGIN").await;
    let plain = replica.options().username("plain");
    let mut conn = plain.connect().await.unwrap();
    for table in ["public.users", "public.sessions"] {
        let found = logical_replica(&mut conn, table).await.unwrap();
        assert_eq!(found.unwrap().subscription, "copied");
    }

    let app = replica.app(&[]).await;
    let (status, message) = check_line(&app, "replica");
    assert_eq!(status, "error", "{message}");
    assert!(message.contains("subscription copied"), "{message}");
    app.run(&["serve"]).failed(&["copied", "logical replica"]);

    // After a switch-over the replica is the primary.
    let disable = "ALTER SUBSCRIPTION copied DISABLE";
    replica.session().await.sql(disable).await;
    assert_eq!(check_line(&app, "replica"), (String::new(), String::new()));
    app.serve(&[]).stop();
    assert_eq!(app.get("/health").await.body["database"], Value::from("ok"));
}
