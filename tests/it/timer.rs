//! Access that ends later: scheduled, executed when due, cancelled or moved by newer facts.

use std::sync::Arc;
use std::time::Duration;

use chrono::{SecondsFormat, TimeDelta};
use leaver::base::clock::{Clock, SystemClock};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use leaver::jobs::deliveries::DeliveryWorker;
use leaver::jobs::runner::run;

use crate::support::driving::{leaving, merge_record, terminated, working};
use crate::support::{TestApp, UNSYNCED, at, employee};

const DANA: &str = "dana@example.com";
const BOTH: [&str; 2] = ["bamboohr", "merge"];

/// Dana, whose end Merge announces for the last of November.
async fn announced() -> TestApp {
    let mut app = TestApp::new().await;
    app.add_users(&[DANA, "other@example.com"]).await;
    let date = Some("2026-11-30T00:00:00Z");
    let record = merge_record("m1", DANA, "2026-11-22T11:00:00Z", "ACTIVE", date);
    app.deliver("merge", &record).await;
    app
}

#[tokio::test]
async fn a_future_leaver_keeps_access_until_the_end() {
    let mut app = announced().await;
    assert_eq!(app.audit_in_full().await, ["scheduled m1 1 system:worker"]);
    assert_eq!(
        app.access_ends_at("m1").await,
        Some(at("2026-12-01T00:00:00Z"))
    );
    let schedule = app.get("/health").await.body["schedule"].clone();
    assert_eq!(
        schedule,
        json!({"pending": 1, "next_at": "2026-12-01T00:00:00Z"})
    );

    app.set_clock("2026-11-30T23:59:59Z");
    app.run_due().await;
    assert_eq!(app.user(DANA).await, (true, 2));

    app.set_clock("2026-12-01T00:00:00Z");
    app.run_due().await;
    app.run_due().await;
    assert_eq!(app.user(DANA).await, (false, 0));
    assert_eq!(app.user("other@example.com").await, (true, 2));
    assert_eq!(
        app.audit_in_full().await,
        [
            "scheduled m1 1 system:worker",
            "deactivated m1 1 system:timer"
        ]
    );
    assert_eq!(app.access_ends_at("m1").await, None);
    let schedule = app.get("/health").await.body["schedule"].clone();
    assert_eq!(schedule, json!({"pending": 0, "next_at": null}));
}

#[tokio::test]
async fn a_bamboohr_date_ends_at_the_cutoff_in_the_time_zone() {
    let settings = [
        ("LEAVER__POLICY__TIMEZONE", "Europe/Berlin"),
        ("LEAVER__POLICY__CUTOFF", "17:30"),
    ];
    let mut app = TestApp::builder().settings(&settings).build().await;
    app.add_users(&[DANA]).await;
    app.bamboohr(&[leaving("7", DANA, "2026-11-22T11:00:00+0000", "2026-11-25")])
        .await;
    assert_eq!(app.audit().await, ["scheduled 7"]);
    for (now, expected) in [
        ("2026-11-25T16:29:59Z", true),
        ("2026-11-25T16:30:00Z", false),
    ] {
        app.set_clock(now);
        app.run_due().await;
        assert_eq!(app.is_active(DANA).await, expected, "{now}");
    }
}

#[tokio::test]
async fn an_end_missed_by_days_is_executed_after_a_restart() {
    let app = announced().await;
    app.set_clock("2026-12-09T08:00:00Z");
    let mut restarted = app.beside(&BOTH, &[]).await;
    restarted.run_due().await;
    assert_eq!(restarted.user(DANA).await, (false, 0));
}

#[tokio::test]
async fn a_newer_record_without_the_date_withdraws_the_end() {
    let mut app = announced().await;
    let record = merge_record("m1", DANA, "2026-11-22T11:30:00Z", "ACTIVE", None);
    app.deliver("merge", &record).await;
    app.add_users(&["lee@example.com"]).await;
    app.bamboohr(&[leaving(
        "7",
        "lee@example.com",
        "2026-11-22T11:00:00+0000",
        "2026-11-25",
    )])
    .await;
    app.bamboohr(&[working("7", "lee@example.com", "2026-11-22T11:30:00+0000")])
        .await;

    assert_eq!(
        app.audit().await,
        [
            "scheduled m1",
            "unscheduled m1",
            "scheduled 7",
            "unscheduled 7"
        ]
    );
    app.set_clock("2026-12-09T08:00:00Z");
    app.run_due().await;
    assert!(app.is_active(DANA).await);
    assert!(app.is_active("lee@example.com").await);
}

#[tokio::test]
async fn an_older_record_without_the_date_withdraws_nothing() {
    let mut app = announced().await;
    let record = merge_record("m1", DANA, "2026-11-22T10:59:59Z", "ACTIVE", None);
    app.deliver("merge", &record).await;
    assert_eq!(app.audit().await, ["scheduled m1"]);
    app.set_clock("2026-12-01T00:00:00Z");
    app.run_due().await;
    assert!(!app.is_active(DANA).await);
}

#[tokio::test]
async fn a_moved_date_moves_the_end() {
    let mut app = announced().await;
    let date = Some("2026-12-10T00:00:00Z");
    let record = merge_record("m1", DANA, "2026-11-22T11:30:00Z", "ACTIVE", date);
    app.deliver("merge", &record).await;
    assert_eq!(app.audit().await, ["scheduled m1", "scheduled m1"]);
    for (now, expected) in [
        ("2026-12-01T00:00:00Z", true),
        ("2026-12-11T00:00:00Z", false),
    ] {
        app.set_clock(now);
        app.run_due().await;
        assert_eq!(app.is_active(DANA).await, expected, "{now}");
    }
}

#[tokio::test]
async fn a_repeated_date_schedules_nothing_again() {
    let mut app = announced().await;
    let date = Some("2026-11-30T00:00:00Z");
    let record = merge_record("m1", DANA, "2026-11-22T11:30:00Z", "ACTIVE", date);
    app.deliver("merge", &record).await;
    assert_eq!(app.audit().await, ["scheduled m1"]);
}

#[tokio::test]
async fn a_termination_now_does_not_wait_for_the_date() {
    let mut app = TestApp::new().await;
    app.add_users(&[DANA]).await;
    app.bamboohr(&[leaving("7", DANA, "2026-11-22T11:00:00+0000", "2026-12-31")])
        .await;
    app.bamboohr(&[terminated("7", DANA, "2026-11-22T11:30:00+0000")])
        .await;
    assert!(!app.is_active(DANA).await);
    assert_eq!(app.audit().await, ["scheduled 7", "deactivated 7"]);
    assert_eq!(app.access_ends_at("7").await, None);
}

#[tokio::test]
async fn a_due_end_of_an_inactive_account_succeeds() {
    let mut app = announced().await;
    app.sql("UPDATE users SET is_active = false WHERE id = 1")
        .await;
    app.set_clock("2026-12-01T00:00:00Z");
    app.run_due().await;
    assert_eq!(app.audit().await, ["scheduled m1", "sessions_ended m1"]);
    assert_eq!(app.access_ends_at("m1").await, None);
}

#[tokio::test]
async fn a_manually_reactivated_account_still_ends_on_the_day() {
    let mut app = announced().await;
    app.sql("UPDATE users SET is_active = false WHERE id = 1; UPDATE users SET is_active = true WHERE id = 1")
        .await;
    app.set_clock("2026-12-01T00:00:00Z");
    app.run_due().await;
    assert!(!app.is_active(DANA).await);
}

#[tokio::test]
async fn an_account_protected_meanwhile_is_asked_about_on_the_day() {
    let app = announced().await;
    app.set_clock("2026-12-01T00:00:00Z");
    let protected = [("LEAVER__ACCOUNTS__PROTECTED", r#"["dana@example.com"]"#)];
    let mut restarted = app.beside(&BOTH, &protected).await;
    restarted.run_due().await;
    restarted.run_due().await;
    assert!(restarted.is_active(DANA).await);
    assert_eq!(restarted.holds().await, ["open deactivate m1 1"]);
    assert_eq!(restarted.audit().await, ["scheduled m1", "hold_opened m1"]);
}

#[tokio::test]
async fn an_end_of_a_source_that_is_not_configured_stays_due() {
    let mut app = announced().await;
    app.set_clock("2026-12-01T00:00:00Z");
    let mut without = app.beside(&["bamboohr"], &[]).await;
    without.run_due().await;
    assert!(app.is_active(DANA).await);
    app.run_due().await;
    assert!(!app.is_active(DANA).await);
}

#[tokio::test]
async fn an_instant_within_the_day_is_that_very_instant() {
    let mut app = TestApp::new().await;
    app.add_users(&[DANA]).await;
    let date = Some("2026-11-22T15:45:30.250Z");
    let record = merge_record("m1", DANA, "2026-11-22T11:00:00Z", "ACTIVE", date);
    app.deliver("merge", &record).await;
    for (now, expected) in [
        ("2026-11-22T15:45:30.249Z", true),
        ("2026-11-22T15:45:30.250Z", false),
    ] {
        app.set_clock(now);
        app.run_due().await;
        assert_eq!(app.is_active(DANA).await, expected, "{now}");
    }
}

/// This many people whose end is the last of November, in the order of their ids.
async fn crowd(app: &mut TestApp, people: usize) {
    app.sql(&format!(
        "INSERT INTO users (email) SELECT 'u' || n || '@example.com' FROM generate_series(1, {people}) n"
    ))
    .await;
    let entries: Vec<_> = (1..=people)
        .map(|n| {
            let fields = json!({"status": "Active", "terminationDate": "2026-11-30",
                                "workEmail": format!("u{n}@example.com")});
            employee(&n.to_string(), "2026-11-22T11:00:00+0000", &[], &fields)
        })
        .collect();
    app.bamboohr(&entries).await;
    app.set_clock("2026-12-01T00:00:00Z");
}

#[tokio::test]
async fn two_timers_at_once_do_everything_once() {
    let mut app = TestApp::new().await;
    crowd(&mut app, 1_200).await;
    let mut other = app.beside(&BOTH, &[]).await;
    tokio::join!(app.run_due(), other.run_due());
    assert_eq!(
        app.count("SELECT count(*) FROM users WHERE is_active")
            .await,
        0
    );
    assert_eq!(
        app.count("SELECT count(*) FROM leaver.audit WHERE action = 'deactivated'")
            .await,
        1_200
    );
}

#[tokio::test]
async fn a_blocked_deactivation_stays_due_and_blocks_no_other() {
    let mut app = TestApp::new().await;
    crowd(&mut app, 600).await;
    app.refuse_to_change(&[1, 2, 300, 600], "P0001").await;

    app.run_due().await;

    let said =
        "SELECT DISTINCT blocked_reason FROM leaver.employees WHERE blocked_since IS NOT NULL";
    let said = app.text(said).await.unwrap();
    assert!(said.contains("SQLSTATE P0001"), "{said}");
    assert!(!said.contains("@example.com"), "{said}");
    let left = "SELECT id::text FROM users WHERE is_active ORDER BY users.id";
    assert_eq!(app.lines(left).await, ["1", "2", "300", "600"]);
    let due = "SELECT count(*) FROM leaver.employees WHERE access_ends_at IS NOT NULL";
    assert_eq!(app.count(due).await, 4);

    app.allow_changes().await;
    app.advance(TimeDelta::seconds(7));
    app.run_due().await;
    assert_eq!(app.count(due).await, 0);
    assert_eq!(
        app.count(
            "SELECT count(DISTINCT account_id) FROM leaver.audit WHERE action = 'deactivated'"
        )
        .await,
        600
    );
}

#[tokio::test]
async fn an_outage_leaves_everything_due() {
    let mut app = TestApp::new().await;
    crowd(&mut app, 20).await;
    app.refuse_to_change(&[7], "57P01").await;
    app.try_run_due().await.unwrap_err();
    assert_eq!(
        app.count("SELECT count(*) FROM users WHERE is_active")
            .await,
        20
    );
    app.allow_changes().await;
    app.run_due().await;
    assert_eq!(
        app.count("SELECT count(*) FROM users WHERE is_active")
            .await,
        0
    );
}

#[tokio::test]
async fn the_running_timer_carries_an_end_out_within_two_seconds() {
    let mut app = TestApp::new().await;
    app.add_users(&[DANA]).await;
    let running = app
        .replica(&BOTH, &[], Arc::new(SystemClock), app.options.clone())
        .await;
    app.clock.set(SystemClock.now());
    let end = SystemClock.now() + TimeDelta::seconds(2);
    let [said, date] =
        [app.clock.now(), end].map(|t| t.to_rfc3339_opts(SecondsFormat::Micros, true));
    let record = merge_record("m1", DANA, &said, "ACTIVE", Some(&date));

    let answered = running.send("merge", "application/json", record.to_string());
    answered.await;
    // From here on only the timer is measured, and not the disk.
    app.sql(UNSYNCED).await;
    let stop = CancellationToken::new();
    let loops = {
        let worker = DeliveryWorker::new(Arc::clone(&running.parts.deliveries));
        let (timer, stop) = (running.parts.scheduled_ends.clone(), stop.clone());
        tokio::spawn(async move {
            tokio::join!(run(worker, &stop), run(timer, &stop));
        })
    };
    let deadline = end + TimeDelta::seconds(2);
    loop {
        let observed_at = SystemClock.now();
        if !app.is_active(DANA).await {
            assert!(SystemClock.now() >= end, "access ended too early");
            break;
        }
        assert!(observed_at <= deadline, "access did not end in time");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    stop.cancel();
    loops.await.unwrap();
    assert_eq!(
        app.audit_in_full().await,
        [
            "scheduled m1 1 system:worker",
            "deactivated m1 1 system:timer"
        ]
    );
    assert_eq!(
        app.count("SELECT count(*) FROM leaver.audit WHERE action = 'deactivated' AND reason LIKE '%announced%'").await,
        1
    );
}
