//! A database that went back in time: a restore to a point in time, a failover that lost commits, another database.

use leaver::db::lineage::Cause;
use nix::sys::signal::Signal;
use serde_json::json;

use super::cluster::{self, Node};
use super::failover::{Haproxy, fail_over, hold_back, reasons};
use crate::support::driving::terminated;
use crate::support::{TestApp, employees, scratch};

async fn send(app: &TestApp, id: &str) {
    let entry = terminated(id, "p1@example.com", "2026-11-20T08:00:00Z");
    app.store("bamboohr", &employees(&[entry])).await;
}

async fn check(app: &mut TestApp) -> Option<Cause> {
    app.parts.lineage.check().await.unwrap()
}

#[tokio::test]
async fn a_failover_that_loses_nothing_is_no_way_back() {
    let (mut primary, standby) = cluster::pair(1, &["synchronous_standby_names=b"], &[]).await;
    let folder = primary.folder("proxy");
    let proxy = Haproxy::start(&folder, &primary, &standby);
    let mut app = cluster::app(proxy.port, &[]).await;
    assert_eq!(check(&mut app).await, None);
    send(&app, "1").await;
    fail_over(&mut primary, None, &standby).await;
    assert_eq!(check(&mut app).await, None);
    assert_eq!(check(&mut app).await, None);
    let mut after = standby.session().await;
    assert_eq!(
        after.count("SELECT count(*) FROM leaver.deliveries").await,
        1
    );
    assert_eq!(reasons(&app).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_failover_that_loses_a_delivery_is_found_by_both_replicas() {
    let (mut primary, standby) = cluster::pair(1, &[], &[]).await;
    let folder = primary.folder("proxy");
    let proxy = Haproxy::start(&folder, &primary, &standby);
    let mut app = cluster::app(proxy.port, &[]).await;
    let mut other = app.beside(&["bamboohr"], &[]).await;
    for app in [&mut app, &mut other] {
        assert_eq!(check(app).await, None);
    }
    let mut session = primary.session().await;
    let caught_up =
        "SELECT (replay_lsn = pg_current_wal_lsn())::int::bigint FROM pg_stat_replication";
    session.wait_for_count(1, caught_up).await;
    assert_eq!(reasons(&app).await, ["standby_not_synchronous"]);
    let sender = hold_back(&mut session).await;
    send(&app, "1").await;
    fail_over(&mut primary, Some(sender), &standby).await;

    assert_eq!(check(&mut app).await, Some(Cause::RowsMissing));
    // The other replica lost nothing of its own. The reason is in the database.
    assert_eq!(check(&mut other).await, None);
    for app in [&app, &other] {
        assert_eq!(reasons(app).await, ["restored"]);
    }
    // It is found once.
    assert_eq!(check(&mut app).await, None);
    let mut after = standby.session().await;
    assert_eq!(after.count("SELECT count(*) FROM leaver.restores").await, 1);
}

/// Restores a base backup of this server up to the named point, and starts it on the same port.
fn restore(live: &mut Node, mut backup: Node, archive: &str, point: &str) -> Node {
    live.end(Signal::SIGINT);
    backup.port = live.port;
    backup.signal_file("recovery.signal");
    let command = format!("restore_command=cp {archive}/%f %p");
    let target = format!("recovery_target_name={point}");
    backup.start(&[&command, &target, "recovery_target_action=promote"]);
    backup
}

/// Returns a running server that archives its WAL, its base backup and the folder of the archive.
async fn archived() -> (Node, Node, String) {
    let mut live = Node::stopped(1).await;
    let backup = live.copy();
    let archive = live.folder("archive").display().to_string();
    let command = format!("archive_command=cp %p {archive}/%f");
    live.start(&["archive_mode=on", &command]);
    (live, backup, archive)
}

async fn wait_until_promoted(node: &Node) {
    let is_primary = "SELECT (NOT pg_is_in_recovery())::int::bigint";
    node.session().await.wait_for_count(1, is_primary).await;
}

#[tokio::test]
async fn a_restore_to_a_point_in_time_degrades_until_acknowledged() {
    let (mut live, backup, archive) = archived().await;
    let mut app = live.app(&[]).await;
    send(&app, "1").await;
    let mut session = live.session().await;
    session
        .sql("SELECT pg_create_restore_point('before')")
        .await;
    send(&app, "2").await;
    assert_eq!(check(&mut app).await, None);
    drop(session);
    let restored = restore(&mut live, backup, &archive, "before");
    wait_until_promoted(&restored).await;

    assert_eq!(check(&mut app).await, Some(Cause::RowsMissing));
    let health = app.get("/health").await;
    assert_eq!(
        (health.status.as_u16(), &health.body["status"]),
        (200, &json!("degraded"))
    );
    let reason = &health.body["reasons"][0];
    assert_eq!(reason["code"], "restored");
    for command in [
        "leaver sync --full",
        "leaver webhooks gaps",
        "leaver restores acknowledge 1",
    ] {
        assert!(
            reason["text"].as_str().unwrap().contains(command),
            "{reason}"
        );
    }
    app.run(&["restores"]).findings(&["went back in time"]);
    app.run(&["restores", "acknowledge", "1", "--as", "ada"])
        .succeeded();
    app.run(&["restores"]).succeeded();
    app.run(&["restores", "acknowledge", "1", "--as", "ada"])
        .failed(&["no open restore 1"]);
    assert_eq!(reasons(&app).await, Vec::<String>::new());
    assert_eq!(check(&mut app).await, None);
}

#[tokio::test]
async fn a_restore_while_stopped_is_found_by_its_timeline() {
    let (mut live, backup, archive) = archived().await;
    let mut app = live.app(&[]).await;
    assert_eq!(check(&mut app).await, None);
    live.session()
        .await
        .sql("SELECT pg_create_restore_point('before')")
        .await;
    let restored = restore(&mut live, backup, &archive, "before");
    wait_until_promoted(&restored).await;
    // Another process, an hour later, without a file.
    app.advance(chrono::TimeDelta::hours(1));
    let mut app = app.beside(&["bamboohr"], &[]).await;
    assert_eq!(check(&mut app).await, Some(Cause::Timeline));
    assert_eq!(reasons(&app).await, ["restored"]);
}

#[tokio::test]
async fn a_state_file_finds_a_restored_copy_at_start() {
    let mut live = Node::stopped(1).await;
    // A copy of the files has the same timeline.
    let mut backup = live.copy();
    live.start(&[]);
    let folder = scratch::folder();
    let folder = folder.path().join("state");
    let state_dir = folder.to_str().unwrap();
    let setting = [("LEAVER__DATABASE__STATE_DIR", state_dir)];
    let mut app = live.app(&setting).await;
    std::fs::create_dir(&folder).unwrap();
    send(&app, "1").await;
    assert_eq!(check(&mut app).await, None);
    let file = folder.join("lineage.json");
    let mode = std::os::unix::fs::MetadataExt::mode(&std::fs::metadata(&file).unwrap());
    assert_eq!(mode & 0o777, 0o600);
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(!text.contains('@'), "{text}");
    // An ordinary restart finds nothing.
    let mut again = app.beside(&["bamboohr"], &setting).await;
    assert_eq!(check(&mut again).await, None);

    live.end(Signal::SIGINT);
    backup.port = live.port;
    backup.start(&[]);
    let mut after = backup.app(&setting).await;
    assert_eq!(check(&mut after).await, Some(Cause::RowsMissing));
    assert_eq!(reasons(&after).await, ["restored"]);
}

#[tokio::test]
async fn a_fresh_database_for_an_old_state_file_is_found() {
    let folder = scratch::folder();
    let state_dir = folder.path().to_str().unwrap();
    let setting = [("LEAVER__DATABASE__STATE_DIR", state_dir)];
    let mut app = TestApp::builder().settings(&setting).build().await;
    assert_eq!(check(&mut app).await, None);
    let mut fresh = TestApp::builder().settings(&setting).build().await;
    // The databases of the tests are copies of one, with one id.
    fresh
        .sql("UPDATE leaver.lineage SET database_id = gen_random_uuid()")
        .await;
    assert_eq!(check(&mut fresh).await, Some(Cause::AnotherDatabase));
    assert_eq!(reasons(&fresh).await, ["restored"]);
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_ends_the_start() {
    let app = TestApp::new().await;
    let file = app.file("state", "");
    let setting = [("LEAVER__DATABASE__STATE_DIR", file.to_str().unwrap())];
    app.run_with(&["serve"], &setting)
        .failed(&["database.state_dir"]);
    app.run_with(&["check"], &setting)
        .findings(&["database.state_dir"]);
}
