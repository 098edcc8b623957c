//! Decisions that the database does not carry out: the facts are kept, the person is blocked, and it is tried again.

use std::sync::Arc;

use chrono::TimeDelta;
use leaver::base::clock::Clock;
use leaver::db::schema;
use leaver::ingest::inbox::{self, Replay};
use leaver::jobs::drift::{DriftReport, compare};
use leaver_core::decision::policy::DriftMode;
use leaver_core::domain::DeliveryId;
use serde_json::{Value, json};
use sqlx::Row;

use crate::support::driving::{event, leaving, merge_record, terminated, working};
use crate::support::{JSON, TestApp, at, employees};

pub(super) const DANA: &str = "dana@example.com";
pub(super) const EVE: &str = "eve@example.com";
pub(super) const AS_OF: &str = "2026-11-22T11:00:00Z";
/// Longer than the first wait, with its jitter.
const WAIT: TimeDelta = TimeDelta::seconds(7);

/// An obstacle in the application's schema, what the reason names, and how it goes away. Dana's user has the id 1.
type Obstacle = (&'static str, &'static str, &'static str);

const RAISES: &str = "CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS
                      $$ BEGIN RAISE 'user % stays', OLD; END $$;";

const OBSTACLES: [Obstacle; 5] = [
    (
        "CREATE TRIGGER no BEFORE UPDATE ON users FOR EACH ROW WHEN (OLD.id = 1) EXECUTE FUNCTION no()",
        "no()",
        "DROP TRIGGER no ON users",
    ),
    (
        "CREATE CONSTRAINT TRIGGER no AFTER UPDATE ON users DEFERRABLE INITIALLY DEFERRED
             FOR EACH ROW WHEN (OLD.id = 1) EXECUTE FUNCTION no()",
        "no()",
        "DROP TRIGGER no ON users",
    ),
    (
        "ALTER TABLE users ADD CONSTRAINT owner_is_active CHECK (is_active OR id <> 1)",
        "owner_is_active",
        "ALTER TABLE users DROP CONSTRAINT owner_is_active",
    ),
    (
        "CREATE TRIGGER no BEFORE DELETE ON sessions FOR EACH ROW WHEN (OLD.user_id = 1) EXECUTE FUNCTION no()",
        "no()",
        "DROP TRIGGER no ON sessions",
    ),
    (
        "ALTER TABLE sessions RENAME TO visits",
        "sessions",
        "ALTER TABLE visits RENAME TO sessions",
    ),
];

/// Dana and Eve, with an obstacle to end Dana's access.
async fn obstructed(obstacle: Obstacle) -> TestApp {
    let mut app = TestApp::new().await;
    app.add_users(&[DANA, EVE]).await;
    app.sql(RAISES).await;
    app.sql(obstacle.0).await;
    app
}

/// Dana has left, by BambooHR or by Merge. Her employee id is 7 in both.
pub(super) fn departures() -> [(&'static str, Value); 2] {
    let date = Some("2026-11-20T00:00:00Z");
    [
        ("bamboohr", employees(&[terminated("7", DANA, AS_OF)])),
        ("merge", merge_record("7", DANA, AS_OF, "INACTIVE", date)),
    ]
}

pub(super) async fn delivery(app: &mut TestApp) -> (String, Value, bool) {
    let sql =
        "SELECT state, outcome, body IS NOT NULL FROM leaver.deliveries ORDER BY id DESC LIMIT 1";
    let row = sqlx::query(sql).fetch_one(&mut app.conn).await.unwrap();
    (row.get(0), row.get(1), row.get(2))
}

/// Why Dana is blocked.
async fn blocked(app: &mut TestApp) -> Option<String> {
    app.text("SELECT blocked_reason FROM leaver.employees WHERE employee_id = '7'")
        .await
}

pub(super) async fn drift(app: &TestApp, mode: DriftMode) -> DriftReport {
    compare(&app.parts.engine, mode).await.unwrap()
}

async fn is_in_drift_as_blocked(app: &TestApp, mode: DriftMode, cause: &str) {
    let found = drift(app, mode).await;
    assert!(found.fixed.is_empty(), "{:?}", found.fixed);
    let [one] = found.terminated_with_access.as_slice() else {
        panic!("{:?}", found.terminated_with_access)
    };
    assert!(one.blocked_since.is_some(), "{one:?}");
    assert!(one.failure.as_ref().unwrap().contains(cause), "{one:?}");
}

#[tokio::test]
async fn facts_outlive_an_effect_that_the_database_rejects() {
    for obstacle in OBSTACLES {
        let (what, cause, remedy) = obstacle;
        for (source, body) in departures() {
            let mut app = obstructed(obstacle).await;
            app.deliver(source, &body).await;
            let expected = ("processed".to_owned(), json!({"blocked": 1}), false);
            assert_eq!(delivery(&mut app).await, expected, "{what}");
            assert_eq!(app.active().await, [DANA, EVE], "{what}");
            assert_eq!(app.audit().await, ["blocked 7"], "{what}");
            let known = "SELECT status || ' ' || account_id || ' ' || (deactivated_at IS NULL) FROM leaver.employees";
            assert_eq!(app.text(known).await.unwrap(), "inactive 1 true", "{what}");
            let reason = blocked(&mut app).await.unwrap();
            assert!(reason.contains(cause), "{reason}");
            assert!(!reason.contains("example.com"), "{reason}");
            is_in_drift_as_blocked(&app, DriftMode::Report, cause).await;
            is_in_drift_as_blocked(&app, DriftMode::Fix, cause).await;

            app.sql(remedy).await;
            app.advance(TimeDelta::seconds(20));
            app.run_due().await;
            assert_eq!(app.user(DANA).await, (false, 0), "{what}");
            let audit = app.audit().await;
            assert_eq!(audit, ["blocked 7", "deactivated 7"], "{what}");
            assert_eq!(blocked(&mut app).await, None, "{what}");
            assert!(
                drift(&app, DriftMode::Report)
                    .await
                    .terminated_with_access
                    .is_empty()
            );
        }
    }
}

#[tokio::test]
async fn a_rejected_effect_spoils_no_neighbour() {
    for obstacle in OBSTACLES.into_iter().take(4) {
        let mut app = obstructed(obstacle).await;
        let both = [terminated("7", DANA, AS_OF), terminated("8", EVE, AS_OF)];
        app.bamboohr(&both).await;
        let (_, outcome, _) = delivery(&mut app).await;
        assert_eq!(outcome, json!({"blocked": 1, "deactivated": 1}));
        assert_eq!(app.user(EVE).await, (false, 0));
        assert_eq!(app.user(DANA).await, (true, 2));
    }
}

#[tokio::test]
async fn deferred_constraints_wait_for_each_part() {
    let mut app = TestApp::new().await;
    app.add_users(&[DANA, EVE, "fay@example.com", "gus@example.com"])
        .await;
    // Sessions end after the update of the account, so the constraint holds at the end only.
    app.sql(
        "CREATE FUNCTION no_session() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
             IF EXISTS (SELECT FROM sessions WHERE user_id = NEW.id) THEN RAISE 'sessions are left'; END IF;
             RETURN NULL; END $$;
         CREATE CONSTRAINT TRIGGER no_session AFTER UPDATE ON users DEFERRABLE INITIALLY DEFERRED
             FOR EACH ROW EXECUTE FUNCTION no_session()",
    )
    .await;
    app.refuse_to_save(&[1]).await;
    let emails = [DANA, EVE, "fay@example.com", "gus@example.com"];
    let all: Vec<Value> = (1..)
        .zip(emails)
        .map(|(id, email)| terminated(&id.to_string(), email, AS_OF))
        .collect();
    app.bamboohr(&all).await;
    assert_eq!(app.active().await, [DANA]);
    let blocked = "SELECT count(*) FROM leaver.employees WHERE blocked_since IS NOT NULL";
    assert_eq!(app.count(blocked).await, 0);
}

#[tokio::test]
async fn row_level_security_blocks_and_is_named() {
    let mut app = TestApp::new().await;
    app.add_users(&[DANA, EVE]).await;
    app.sql(
        "DO $$ BEGIN CREATE ROLE leaver_acting LOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN END $$;
         GRANT SELECT, UPDATE ON users TO leaver_acting; GRANT SELECT, DELETE ON sessions TO leaver_acting;
         ALTER TABLE users ENABLE ROW LEVEL SECURITY;
         CREATE POLICY owners_stay ON users USING (true) WITH CHECK (is_active OR id <> 1)",
    )
    .await;
    schema::grant_to(&mut app.conn, "leaver_acting")
        .await
        .unwrap();
    let clock = Arc::new(app.clock.clone());
    let options = app.options.clone().username("leaver_acting");
    let settings = [("LEAVER__DATABASE__MIGRATE", "false")];
    let sources = ["bamboohr", "merge"];
    let mut service = app.replica(&sources, &settings, clock, options).await;
    let both = [terminated("7", DANA, AS_OF), terminated("8", EVE, AS_OF)];
    service.bamboohr(&both).await;
    assert!(app.is_active(DANA).await && !app.is_active(EVE).await);
    let reason = blocked(&mut app).await.unwrap();
    assert!(reason.contains("row-level security"), "{reason}");
}

#[tokio::test]
async fn a_blocked_end_keeps_its_schedule_and_is_retried() {
    let mut app = obstructed(OBSTACLES[0]).await;
    app.bamboohr(&[leaving("7", DANA, AS_OF, "2026-11-22")])
        .await;
    let end = at("2026-11-23T00:00:00Z");
    app.set_clock("2026-11-23T00:00:00Z");
    let mut waits = vec![];
    for _ in 0..16 {
        app.run_due().await;
        assert_eq!(app.access_ends_at("7").await, Some(end));
        let due = "SELECT extract(epoch FROM blocked_retry_at)::bigint FROM leaver.employees";
        let due = chrono::DateTime::from_timestamp(app.count(due).await, 0).unwrap();
        waits.push((due - app.clock.now()).num_seconds());
        app.clock.set(due + TimeDelta::seconds(1));
    }
    assert!((5..=6).contains(&waits[0]), "{waits:?}");
    assert!((3_600..=4_500).contains(&waits[15]), "{waits:?}");
    assert!(
        waits.is_sorted_by(|one, next| one < next || *next >= 3_599),
        "{waits:?}"
    );
    assert_eq!(app.audit().await, ["scheduled 7", "blocked 7"]);
    is_in_drift_as_blocked(&app, DriftMode::Fix, "no()").await;

    app.sql(OBSTACLES[0].2).await;
    app.advance(TimeDelta::hours(2));
    app.run_due().await;
    assert_eq!(app.user(DANA).await, (false, 0));
    assert_eq!(app.access_ends_at("7").await, None);
    let last = app.audit_in_full().await.pop();
    assert_eq!(last.as_deref(), Some("deactivated 7 1 system:timer"));
}

#[tokio::test]
async fn a_new_reason_is_recorded_once() {
    let mut app = obstructed(OBSTACLES[0]).await;
    app.bamboohr(&[terminated("7", DANA, AS_OF)]).await;
    app.sql(OBSTACLES[0].2).await;
    app.sql(OBSTACLES[2].0).await;
    for _ in 0..3 {
        app.advance(TimeDelta::minutes(2));
        app.run_due().await;
    }
    assert_eq!(app.audit().await, ["blocked 7", "blocked 7"]);
    assert!(blocked(&mut app).await.unwrap().contains("owner_is_active"));
}

#[tokio::test]
async fn newer_facts_end_the_blocked_state() {
    let mut app = obstructed(OBSTACLES[0]).await;
    app.bamboohr(&[terminated("7", DANA, AS_OF)]).await;
    app.bamboohr(&[working("7", DANA, "2026-11-22T11:30:00Z")])
        .await;
    assert_eq!(blocked(&mut app).await, None);
    app.sql(OBSTACLES[0].2).await;
    app.advance(WAIT);
    app.run_due().await;
    assert!(app.is_active(DANA).await);
    assert_eq!(app.audit().await, ["blocked 7"]);
}

#[tokio::test]
async fn a_blocked_approval_keeps_its_hold_open() {
    for obstacle in OBSTACLES {
        let mut app = obstructed(obstacle).await;
        let changed = event("employee.updated", "7", AS_OF);
        app.bamboohr(&[working("7", DANA, "2026-11-22T10:00:00Z")])
            .await;
        app.deliver("bamboohr", &changed).await;
        let hold = app.open_hold().await;
        let error = app.approve(hold, None).await.unwrap_err().to_string();
        assert!(
            error.contains(obstacle.1) && error.contains("still open"),
            "{error}"
        );
        assert_eq!(app.active().await, [DANA, EVE]);
        assert_eq!(app.open_hold().await, hold);
        assert_eq!(app.audit().await, ["hold_opened 7"]);

        app.sql(obstacle.2).await;
        assert!(app.approve(hold, None).await.unwrap().is_change());
        assert_eq!(app.user(DANA).await, (false, 0));
    }
}

#[tokio::test]
async fn a_replay_repeats_no_blocked_effect() {
    let mut app = obstructed(OBSTACLES[0]).await;
    let [one, two] = [("7", DANA), ("8", EVE)].map(|(id, email)| terminated(id, email, AS_OF));
    let unreadable = two.to_string().replace(EVE, r"\ud83d@example.com");
    let body = format!(r#"{{"employees": [{one}, {unreadable}]}}"#);
    let answer = app.send("bamboohr", JSON, body).await;
    let id = answer.body["delivery"].as_str().unwrap().parse().unwrap();
    app.work().await;
    let expected = json!({"blocked": 1, "bad_entries": 1});
    assert_eq!(delivery(&mut app).await.1, expected);
    let now = app.clock.now();
    let replayed = inbox::store::replay(&mut app.conn, &[DeliveryId(id)], now).await;
    assert_eq!(replayed.unwrap()[0].1, Replay::Queued);
    app.work().await;
    let expected = json!({"unchanged": 1, "bad_entries": 1});
    assert_eq!(delivery(&mut app).await.1, expected);
    assert!(blocked(&mut app).await.is_some());
    app.sql(OBSTACLES[0].2).await;
    app.advance(WAIT);
    app.run_due().await;
    assert_eq!(app.user(DANA).await, (false, 0));
}
