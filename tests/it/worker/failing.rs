//! A delivery that fails alone is retried and fails for good after its last attempt. An outage counts no attempt.

use leaver::ingest::inbox::Replay;
use leaver::jobs::deliveries::Round;
use leaver_core::domain::DeliveryId;

use super::{crowd, departure, email, replay};
use crate::support::TestApp;

/// Eleven departures, of which the sixth cannot be recorded.
async fn with_one_that_fails(settings: &[(&str, &str)]) -> (TestApp, DeliveryId) {
    let mut app = TestApp::builder().settings(settings).build().await;
    crowd(&mut app, 11).await;
    let mut ids = vec![];
    for n in 1..=11 {
        ids.push(app.store("bamboohr", &departure(n)).await);
    }
    app.refuse_to_save(&[6]).await;
    (app, ids[5])
}

async fn active(app: &mut TestApp) -> Vec<String> {
    app.lines("SELECT id::text FROM users WHERE is_active ORDER BY users.id")
        .await
}

const ATTEMPTS: &str = "SELECT count(*) FROM leaver.deliveries WHERE attempts > 0";

#[tokio::test]
async fn a_failing_delivery_is_postponed_alone() {
    let (mut app, id) = with_one_that_fails(&[]).await;
    app.work().await;

    assert_eq!(active(&mut app).await, ["6"]);
    let waiting =
        "SELECT id::text || ' ' || attempts FROM leaver.deliveries WHERE state = 'pending'";
    assert_eq!(app.lines(waiting).await, [format!("{id} 1")]);
    let reason = "SELECT reason FROM leaver.deliveries WHERE state = 'pending'";
    let reason = app.text(reason).await.unwrap();
    assert!(reason.contains("(SQLSTATE P0001)"), "{reason}");
    assert!(!reason.contains(&email(6)), "{reason}");
    assert_eq!(app.count(ATTEMPTS).await, 1);
    let due = "SELECT count(*) FROM leaver.deliveries WHERE next_attempt_at - received_at BETWEEN '2 s' AND '3 s'";
    assert_eq!(app.count(due).await, 1);
    assert_eq!(app.audit().await.len(), 10);
}

#[tokio::test]
async fn what_was_put_aside_is_tried_again_and_done_when_it_can_be() {
    let (mut app, id) = with_one_that_fails(&[]).await;
    app.work().await;
    app.allow_saves().await;
    app.work().await;
    assert_eq!(active(&mut app).await, ["6"], "not before its time");
    app.advance(chrono::TimeDelta::seconds(3));
    app.work().await;
    assert!(active(&mut app).await.is_empty());
    replay(&mut app, id, Replay::BodyGone).await;
    let reason = "SELECT reason FROM leaver.deliveries WHERE attempts > 0";
    assert_eq!(app.text(reason).await, None);
}

#[tokio::test]
async fn a_delivery_fails_after_its_last_attempt_until_replayed() {
    let (mut app, id) = with_one_that_fails(&[("LEAVER__WORKER__MAX_ATTEMPTS", "3")]).await;
    let state = "SELECT state FROM leaver.deliveries WHERE id IN
                 (SELECT id FROM leaver.deliveries ORDER BY id OFFSET 5 LIMIT 1)";
    for expected in ["pending", "pending", "failed"] {
        app.work().await;
        assert_eq!(app.text(state).await.as_deref(), Some(expected));
        app.advance(chrono::TimeDelta::minutes(7));
    }
    let reason = "SELECT reason FROM leaver.deliveries WHERE state = 'failed' AND body IS NOT NULL";
    let reason = app.text(reason).await.unwrap();
    assert!(reason.starts_with("failed 3 times, last: "), "{reason}");
    let health = app.get("/health").await.body;
    assert_eq!(health["backlog"]["failed"], 1);
    assert_eq!(health["status"], "degraded");

    app.work().await;
    assert_eq!(active(&mut app).await, ["6"], "failed stays failed");
    replay(&mut app, id, Replay::Queued).await;
    replay(&mut app, id, Replay::AlreadyPending).await;
    app.allow_saves().await;
    app.work().await;
    assert!(active(&mut app).await.is_empty());
    assert_eq!(
        app.count("SELECT count(*) FROM leaver.deliveries WHERE body IS NOT NULL")
            .await,
        0
    );
    let nobody = DeliveryId(uuid::Uuid::nil());
    replay(&mut app, nobody, Replay::Unknown).await;
}

#[tokio::test]
async fn several_that_fail_are_each_put_aside() {
    let mut app = TestApp::new().await;
    crowd(&mut app, 40).await;
    for n in 1..=40 {
        app.store("bamboohr", &departure(n)).await;
    }
    app.refuse_to_save(&[1, 2, 20, 40]).await;
    app.work().await;
    assert_eq!(active(&mut app).await, ["1", "2", "20", "40"]);
    assert_eq!(app.count(ATTEMPTS).await, 4);
}

#[tokio::test]
async fn a_refusal_at_the_commit_is_a_failure_like_any_other() {
    let mut app = TestApp::new().await;
    crowd(&mut app, 5).await;
    for n in 1..=5 {
        app.store("bamboohr", &departure(n)).await;
    }
    app.sql(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN RAISE EXCEPTION 'not this one'; END $$;
         CREATE CONSTRAINT TRIGGER refuse AFTER UPDATE ON leaver.employees DEFERRABLE INITIALLY DEFERRED
             FOR EACH ROW WHEN (OLD.employee_id = '3') EXECUTE FUNCTION refuse();",
    )
    .await;
    app.work().await;
    assert_eq!(active(&mut app).await, ["3"]);
    assert_eq!(app.audit().await.len(), 4);
    app.allow_saves().await;
    app.advance(chrono::TimeDelta::seconds(3));
    app.work().await;
    assert!(active(&mut app).await.is_empty());
}

#[tokio::test]
async fn an_outage_counts_no_attempt() {
    for code in [
        "57P01", "57P03", "53300", "40001", "40P01", "08006", "25006",
    ] {
        let mut app = TestApp::new().await;
        crowd(&mut app, 3).await;
        for n in 1..=3 {
            app.store("bamboohr", &departure(n)).await;
        }
        app.refuse_to_change(&[2], code).await;
        for _ in 0..12 {
            assert_eq!(app.round().await, Round::Outage, "{code}");
        }
        assert_eq!(app.count(ATTEMPTS).await, 0, "{code}");
        app.allow_changes().await;
        app.work().await;
        assert!(active(&mut app).await.is_empty(), "{code}");
    }
}

#[tokio::test]
async fn a_users_table_that_is_altered_meanwhile_heals() {
    let tables = "CREATE TABLE users (id bigint PRIMARY KEY, email text, is_active boolean NOT NULL DEFAULT true);
                  CREATE TABLE sessions (id bigint, user_id bigint);
                  INSERT INTO users SELECT n, 'u' || n || '@example.com' FROM generate_series(1, 6) n";
    let mut app = TestApp::builder().tables(tables).build().await;
    app.deliver("bamboohr", &departure(1)).await;
    let changes = [
        "ALTER TABLE users ADD COLUMN note text DEFAULT 'x'",
        "ALTER TABLE users ALTER email TYPE varchar(300)",
        "ALTER TABLE users ALTER id TYPE text",
        "ALTER TABLE users DROP COLUMN note; ALTER TABLE users ALTER is_active DROP NOT NULL",
        "ALTER TABLE users RENAME TO people; CREATE TABLE users (LIKE people INCLUDING ALL);
         INSERT INTO users SELECT * FROM people",
    ];
    for (n, change) in (2..).zip(changes) {
        app.sql(change).await;
        app.store("bamboohr", &departure(n)).await;
        app.work().await;
        // A delivery that failed is retried after 3 s, a blocked deactivation after 7 s.
        app.advance(chrono::TimeDelta::seconds(7));
        app.work().await;
        app.run_due().await;
        assert!(!active(&mut app).await.contains(&n.to_string()), "{change}");
    }
    let deactivated = "SELECT count(*) FROM leaver.audit WHERE action = 'deactivated'";
    assert_eq!(app.count(deactivated).await, 6);
}

#[tokio::test]
async fn deliveries_wait_while_the_users_table_does_not_fit() {
    let mut app = TestApp::new().await;
    crowd(&mut app, 2).await;
    app.deliver("bamboohr", &departure(1)).await;
    app.store("bamboohr", &departure(2)).await;
    app.sql("ALTER TABLE users RENAME COLUMN is_active TO enabled")
        .await;
    // The first round may still hold the old statements.
    app.round().await;
    app.advance(chrono::TimeDelta::seconds(3));
    assert_eq!(app.round().await, Round::Outage);
    app.sql("ALTER TABLE users RENAME COLUMN enabled TO is_active")
        .await;
    app.work().await;
    assert!(active(&mut app).await.is_empty());
}
