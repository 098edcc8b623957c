//! What trips the safeguard, whatever changes the accounts.

use chrono::TimeDelta;
use leaver::jobs::drift;
use leaver::jobs::sync::{SyncMode, Syncer};
use leaver_core::decision::policy::DriftMode;
use serde_json::Value;
use std::sync::Arc;

pub(super) use super::{app_with, app_with_limits, email, employ, held, inactive, report};
use super::{changes, limits, trips};
use crate::support::apis::{StandIn, bamboohr_company, bamboohr_employee};
use crate::support::apis_setup::{source_with_api, terminated_bamboohr_employee};
use crate::support::driving::{REACTIVATE, merge_record};
use crate::support::{BAMBOOHR_KEY, END_SESSIONS, TestApp};

#[tokio::test]
async fn the_floor_passes_and_the_next_is_held() {
    let mut app = app_with_limits((3, 1), (10, 1)).await;
    employ(&mut app, 6).await;
    for n in 0..5 {
        app.advance(TimeDelta::minutes(1));
        report(&mut app, n..n + 1, false).await;
    }
    assert_eq!(inactive(&mut app).await, 3);
    assert_eq!(held(&mut app).await, 2);
    assert_eq!(trips(&mut app).await, ["open deactivated hour 4 3 6"]);
    assert_eq!(changes(&mut app).await, ["deactivated webhook counted 3"]);
    let audit = app.audit().await;
    let tripped = audit.iter().filter(|line| line.starts_with("tripped"));
    assert_eq!(tripped.count(), 1, "{audit:?}");
}

#[tokio::test]
async fn a_percentage_of_the_linked_accounts_passes() {
    // 5 % of 119 is 5, of 120 it is 6. Users whom no source reports do not count.
    for (people, expected) in [(119, 5), (120, 6)] {
        let mut app = app_with_limits((1, 5), (1, 50)).await;
        app.sql("INSERT INTO users (email) SELECT 'customer' || n FROM generate_series(1, 1000) n")
            .await;
        employ(&mut app, people).await;
        for n in 0..10 {
            report(&mut app, n..n + 1, false).await;
        }
        assert_eq!(inactive(&mut app).await, expected, "{people}");
    }
}

#[tokio::test]
async fn a_delivery_above_the_limit_changes_nobody() {
    let mut app = app_with_limits((3, 1), (10, 1)).await;
    employ(&mut app, 10).await;
    report(&mut app, 0..4, false).await;
    assert_eq!(inactive(&mut app).await, 0);
    assert_eq!(held(&mut app).await, 4);
    // The facts are known, and the delivery is processed.
    let left = "SELECT count(*) FROM leaver.employees WHERE status = 'inactive'";
    assert_eq!(app.count(left).await, 4);
    let failed = "SELECT count(*) FROM leaver.deliveries WHERE state <> 'processed'";
    assert_eq!(app.count(failed).await, 0);
}

#[tokio::test]
async fn the_hour_slides_and_the_day_limits_too() {
    let mut app = app_with_limits((2, 1), (5, 1)).await;
    employ(&mut app, 10).await;
    for n in 0..5 {
        report(&mut app, n..n + 1, false).await;
        app.advance(TimeDelta::minutes(31));
    }
    assert_eq!(inactive(&mut app).await, 5);
    report(&mut app, 5..6, false).await;
    assert_eq!(trips(&mut app).await, ["open deactivated day 6 5 10"]);
}

#[tokio::test]
async fn one_a_minute_over_many_people_stops_at_the_same_number() {
    let mut app = app_with_limits((5, 5), (10, 6)).await;
    employ(&mut app, 500).await;
    for n in 0..60 {
        app.advance(TimeDelta::minutes(1));
        report(&mut app, n..n + 1, false).await;
    }
    // 5 % of 500 within the hour.
    assert_eq!(inactive(&mut app).await, 25);
    assert_eq!(held(&mut app).await, 35);
    let mut app = app_with_limits((5, 5), (10, 6)).await;
    employ(&mut app, 500).await;
    for n in 0..60 {
        app.advance(TimeDelta::minutes(10));
        report(&mut app, n..n + 1, false).await;
    }
    // Never more than 6 within an hour, and 6 % of 500 within the day.
    assert_eq!(inactive(&mut app).await, 30);
}

#[tokio::test]
async fn the_timer_is_limited() {
    let mut app = app_with_limits((3, 1), (10, 1)).await;
    let emails: Vec<String> = (0..6).map(email).collect();
    let emails: Vec<&str> = emails.iter().map(String::as_str).collect();
    app.add_users(&emails).await;
    for (n, email) in emails.iter().enumerate() {
        let at = format!("2026-11-23T10:{n:02}:00Z");
        let id = n.to_string();
        let record = merge_record(&id, email, "2026-11-22T11:00:00Z", "ACTIVE", Some(&at));
        app.deliver("merge", &record).await;
    }
    for n in 0..6 {
        app.set_clock(&format!("2026-11-23T10:{n:02}:30Z"));
        app.run_due().await;
    }
    assert_eq!(inactive(&mut app).await, 3);
    assert_eq!(held(&mut app).await, 3);
    assert_eq!(changes(&mut app).await, ["deactivated timer counted 3"]);
    // Nothing stays due, so the timer does not repeat them without end.
    let due = "SELECT count(*) FROM leaver.employees WHERE access_ends_at IS NOT NULL";
    assert_eq!(app.count(due).await, 0);
}

#[tokio::test]
async fn a_sync_is_limited() {
    let people = |left: usize| -> Vec<Value> {
        (0..40)
            .map(|n| {
                if (10..10 + left).contains(&n) {
                    terminated_bamboohr_employee(n)
                } else {
                    bamboohr_employee(n)
                }
            })
            .collect()
    };
    for (left, off) in [(4, 4), (6, 0)] {
        let api = StandIn::start(bamboohr_company(people(left))).await;
        let mut variables = vec![
            ("SECRET", BAMBOOHR_KEY),
            ("API_KEY", "api-key"),
            END_SESSIONS,
        ];
        variables.extend([
            ("LEAVER__SAFEGUARD__HOUR__FLOOR", "5"),
            ("LEAVER__SAFEGUARD__DAY__FLOOR", "5"),
        ]);
        let mut app = TestApp::builder()
            .config_file(&source_with_api("bamboohr", "bamboohr", &api), &variables)
            .build()
            .await;
        app.add_employees_users(0..=40).await;
        let source = app.sync_sources(3).remove(0);
        let syncer = Syncer::new(Arc::clone(&app.parts.engine));
        let reports = syncer.sync(&source, SyncMode::Full, &|_, _| {}).await;
        reports.unwrap().unwrap();
        assert_eq!(inactive(&mut app).await, off);
        assert_eq!(held(&mut app).await, if off == 0 { 6 } else { 0 });
    }
}

#[tokio::test]
async fn a_drift_fix_is_limited() {
    for (people, off) in [(3, 3), (4, 0)] {
        let mut app = app_with_limits((3, 1), (100, 1)).await;
        employ(&mut app, 10).await;
        for n in 0..people {
            report(&mut app, n..n + 1, false).await;
            app.advance(TimeDelta::hours(1));
        }
        app.advance(TimeDelta::hours(24));
        app.sql("UPDATE users SET is_active = true").await;
        drift::compare(&app.parts.engine, DriftMode::Fix)
            .await
            .unwrap();
        assert_eq!(inactive(&mut app).await, off, "{people}");
        let expected = if off == 0 { 4 } else { 0 };
        assert_eq!(held(&mut app).await, expected, "{people}");
    }
}

#[tokio::test]
async fn all_causes_count_together() {
    let mut app = app_with_limits((3, 1), (10, 1)).await;
    employ(&mut app, 4).await;
    report(&mut app, 0..2, false).await;
    let record = |n: usize, date| {
        let at = "2026-11-22T11:00:00Z";
        merge_record(&format!("m{n}"), &email(n), at, "ACTIVE", Some(date))
    };
    app.add_users(&[&email(8), &email(9)]).await;
    app.deliver("merge", &record(8, "2026-11-22T12:10:00Z"))
        .await;
    app.deliver("merge", &record(9, "2026-11-22T12:20:00Z"))
        .await;
    app.set_clock("2026-11-22T12:15:00Z");
    app.run_due().await;
    assert_eq!(inactive(&mut app).await, 3);
    app.set_clock("2026-11-22T12:25:00Z");
    app.run_due().await;
    report(&mut app, 2..3, false).await;
    assert_eq!(inactive(&mut app).await, 3);
    assert_eq!(held(&mut app).await, 2);
    assert_eq!(trips(&mut app).await, ["open deactivated hour 4 3 6"]);
}

#[tokio::test]
async fn an_account_counts_once_per_window() {
    let mut app = app_with_limits((2, 1), (4, 1)).await;
    employ(&mut app, 4).await;
    for _ in 0..5 {
        report(&mut app, 0..1, false).await;
        app.sql("UPDATE users SET is_active = true").await;
        app.advance(TimeDelta::minutes(1));
        report(&mut app, 0..1, true).await;
        app.advance(TimeDelta::minutes(1));
    }
    assert_eq!(trips(&mut app).await, [""; 0]);
    report(&mut app, 1..2, false).await;
    assert_eq!(inactive(&mut app).await, 1);
}

#[tokio::test]
async fn returns_are_limited_apart() {
    let settings = limits((3, 1), (10, 1));
    let mut settings: Vec<(&str, &str)> = settings.iter().map(|(n, v)| (*n, v.as_str())).collect();
    settings.push(REACTIVATE);
    let mut app = TestApp::builder().settings(&settings).build().await;
    employ(&mut app, 8).await;
    for n in 0..8 {
        report(&mut app, n..n + 1, false).await;
        app.advance(TimeDelta::hours(3));
    }
    assert_eq!(inactive(&mut app).await, 8);
    for n in 0..8 {
        app.advance(TimeDelta::minutes(1));
        report(&mut app, n..n + 1, true).await;
    }
    assert_eq!(inactive(&mut app).await, 5);
    assert_eq!(held(&mut app).await, 5);
    let open = trips(&mut app).await;
    assert!(open[0].starts_with("open reactivated hour 4 3"), "{open:?}");
    // Ends are not stopped by it.
    report(&mut app, 0..1, false).await;
    assert_eq!(inactive(&mut app).await, 6);
}

#[tokio::test]
async fn what_a_person_decides_does_not_count() {
    let mut app = app_with_limits((2, 1), (10, 1)).await;
    employ(&mut app, 8).await;
    report(&mut app, 0..4, false).await;
    assert_eq!(held(&mut app).await, 4);
    for hold in app
        .lines("SELECT id::text FROM leaver.holds ORDER BY id")
        .await
    {
        app.approve(hold.parse().unwrap(), None).await.unwrap();
    }
    assert_eq!(inactive(&mut app).await, 4);
    assert_eq!(changes(&mut app).await, ["deactivated cli uncounted 4"]);
    let ended = app.run(&["end", &email(7), "--reason", "left today", "--yes"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(inactive(&mut app).await, 5);
    // The trip is still open: it never closes by itself.
    report(&mut app, 4..5, false).await;
    assert_eq!(inactive(&mut app).await, 5);
}

#[tokio::test]
async fn accounts_found_inactive_do_not_count() {
    let mut app = app_with_limits((2, 1), (10, 1)).await;
    employ(&mut app, 8).await;
    app.sql("UPDATE users SET is_active = false").await;
    report(&mut app, 0..8, false).await;
    assert_eq!(trips(&mut app).await, [""; 0]);
    assert_eq!(changes(&mut app).await, [""; 0]);
}
