//! The changes that an undo selects, and both directions.

use chrono::TimeDelta;
use leaver::base::clock::Clock as _;
use leaver::engine::undo::{Selection, Undo};

use super::super::limits::{app_with_limits, employ, held, inactive, report};
use super::{
    DANA, ELEVEN, EVE, NINE, TEN, kept, last_batch, listed, of_last_batch, restored, undo_last,
    undone,
};
use crate::support::TestApp;
use crate::support::driving::{REACTIVATE, terminated, working};

fn of(selection: Selection) -> Undo {
    Undo {
        selection,
        also_touched: false,
    }
}

/// Dana and Eve, who have left in a delivery each, an hour apart.
async fn two_leavers() -> TestApp {
    let mut app = TestApp::new().await;
    app.add_users(&[DANA, EVE]).await;
    app.bamboohr(&[terminated("1", DANA, NINE)]).await;
    app.advance(TimeDelta::hours(1));
    app.bamboohr(&[terminated("2", EVE, NINE)]).await;
    app
}

#[tokio::test]
async fn a_delivery_is_undone_and_others_are_not() {
    let mut app = two_leavers().await;
    let delivery = last_batch(&mut app).await;
    let report = undone(&mut app, &of(Selection::Delivery(delivery))).await;
    assert_eq!(restored(&report), ["2"]);
    assert_eq!(app.active().await, [EVE]);
    assert_eq!(app.count("SELECT count(*) FROM sessions").await, 0);
    let batch = report.batch.unwrap();
    let marks = "SELECT concat_ws(' ', id, cause, direction, counted, undone_by IS NOT NULL) FROM leaver.changes ORDER BY id";
    assert_eq!(
        app.lines(marks).await,
        [
            "1 webhook deactivated t f",
            "2 webhook deactivated t t",
            "3 undo reactivated f f"
        ]
    );
    let marked = format!("SELECT count(*) FROM leaver.changes WHERE undone_by = '{batch}'");
    assert_eq!(app.count(&marked).await, 1);
    assert_eq!(
        app.audit_in_full().await[2..],
        ["reactivated 2 2 cli:ada", "undone - - cli:ada"]
    );
    let reasons = "SELECT reason FROM leaver.audit WHERE action = 'reactivated'";
    let reason = format!(
        "undo of batch {delivery} (webhook): the account was deactivated at 2026-11-22T13:00:00Z"
    );
    assert_eq!(app.lines(reasons).await, [reason]);
}

#[tokio::test]
async fn a_time_selects_what_was_changed_in_it() {
    let mut app = two_leavers().await;
    let now = app.clock.now();
    let from = |from, until| of(Selection::Since { from, until });
    let report = listed(&mut app, &from(now, None)).await.unwrap();
    assert_eq!(restored(&report), ["2"]);
    let hour_ago = now - TimeDelta::hours(1);
    let early = from(hour_ago, Some(now - TimeDelta::minutes(1)));
    let report = listed(&mut app, &early).await.unwrap();
    assert_eq!(restored(&report), ["1"]);
    let report = undone(&mut app, &from(hour_ago, None)).await;
    assert_eq!(restored(&report), ["1", "2"]);
    // The undo itself is not selected.
    let report = listed(&mut app, &from(hour_ago, None)).await.unwrap();
    assert_eq!(kept(&report), ["1 undone_already", "2 undone_already"]);
    assert_eq!(report.digest, None);
}

#[tokio::test]
async fn several_changes_of_an_account_go_back_to_the_first() {
    let mut app = TestApp::builder().settings(&[REACTIVATE]).build().await;
    app.add_users(&[DANA, EVE]).await;
    let from = app.clock.now();
    for (time, left) in [(NINE, true), (TEN, false), (ELEVEN, true)] {
        let report = if left { terminated } else { working };
        app.bamboohr(&[report("1", DANA, time)]).await;
    }
    app.bamboohr(&[terminated("2", EVE, NINE)]).await;
    app.bamboohr(&[working("2", EVE, TEN)]).await;
    let report = undone(&mut app, &of(Selection::Since { from, until: None })).await;
    assert_eq!(restored(&report), ["1"]);
    assert_eq!(kept(&report), ["2 active_again"]);
    assert_eq!(app.active().await, [DANA, EVE]);
    assert_eq!(
        app.count("SELECT count(*) FROM leaver.changes WHERE undone_by IS NOT NULL")
            .await,
        3
    );
}

#[tokio::test]
async fn a_trip_selects_what_led_to_it_and_its_release() {
    let mut app = app_with_limits((3, 1), (10, 1)).await;
    employ(&mut app, 7).await;
    report(&mut app, 0..1, false).await;
    app.advance(TimeDelta::hours(2));
    for n in 1..6 {
        app.advance(TimeDelta::minutes(1));
        report(&mut app, n..n + 1, false).await;
    }
    // One of an earlier hour, three within the hour, and two that are held.
    assert_eq!((inactive(&mut app).await, held(&mut app).await), (4, 2));
    let trip: i64 = app.count("SELECT id FROM leaver.trips").await;
    let undo = of(Selection::Trip(trip));
    let listed_before = listed(&mut app, &undo).await.unwrap();
    assert_eq!(restored(&listed_before), ["2", "3", "4"]);
    app.sql("UPDATE leaver.changes SET cause = 'release', counted = false, at = at + interval '1 hour' WHERE account_id = '4'")
        .await;
    let report = undone(&mut app, &undo).await;
    assert_eq!(restored(&report), ["2", "3", "4"]);
    app.sql(
        "UPDATE leaver.trips SET state = 'rejected', closed_at = opened_at + interval '30 minutes'",
    )
    .await;
    app.sql("INSERT INTO leaver.trips (tenant, direction, opened_at, limited_by, window_count, limit_count, population)
             SELECT tenant, direction, closed_at + interval '1 minute', 'hour', 4, 3, 7 FROM leaver.trips")
        .await;
    // The second trip begins where the first was closed, and the release belongs to it.
    let second = listed(&mut app, &of(Selection::Trip(trip + 1)))
        .await
        .unwrap();
    assert_eq!(kept(&second), ["4 undone_already"]);
}

#[tokio::test]
async fn an_undone_return_ends_access_and_sessions() {
    let mut app = TestApp::builder().settings(&[REACTIVATE]).build().await;
    app.add_users(&[DANA]).await;
    app.bamboohr(&[terminated("1", DANA, NINE)]).await;
    app.bamboohr(&[working("1", DANA, TEN)]).await;
    app.sql("INSERT INTO sessions (user_id) VALUES (1)").await;
    let report = undo_last(&mut app).await;
    assert_eq!(restored(&report), ["1"]);
    assert_eq!(app.user(DANA).await, (false, 0));
    // The HR system repeats that Dana works there.
    app.advance(TimeDelta::minutes(1));
    app.bamboohr(&[working("1", DANA, ELEVEN)]).await;
    assert_eq!(app.user(DANA).await, (false, 0));
    assert_eq!(
        app.count("SELECT count(*) FROM leaver.holds WHERE state = 'open'")
            .await,
        0
    );
    // Facts that change give it back.
    app.bamboohr(&[terminated("1", DANA, "2026-11-22T11:30:00Z")])
        .await;
    app.advance(TimeDelta::minutes(1));
    app.bamboohr(&[working("1", DANA, "2026-11-22T11:40:00Z")])
        .await;
    assert!(app.is_active(DANA).await);
}

#[tokio::test]
async fn an_undo_can_be_undone_by_its_batch() {
    let mut app = two_leavers().await;
    undo_last(&mut app).await;
    assert_eq!(app.active().await, [EVE]);
    let report = undo_last(&mut app).await;
    assert_eq!(restored(&report), ["2"]);
    assert_eq!(app.active().await, [""; 0]);
    let undo = of_last_batch(&mut app).await;
    let report = undone(&mut app, &undo).await;
    assert_eq!(restored(&report), ["2"]);
}

#[tokio::test]
async fn a_later_batch_is_named() {
    let mut app = two_leavers().await;
    let undo = of_last_batch(&mut app).await;
    app.sql("UPDATE users SET is_active = true WHERE id = 2")
        .await;
    app.advance(TimeDelta::minutes(1));
    app.bamboohr(&[terminated("2", EVE, TEN)]).await;
    let later = last_batch(&mut app).await;
    let report = listed(&mut app, &undo).await.unwrap();
    assert_eq!(kept(&report), ["2 changed_later"]);
    let reason = report.accounts[0].kept_because.as_ref().unwrap();
    assert_eq!(reason.text(), format!("changed later by batch {later}"));
}

#[tokio::test]
async fn a_trip_under_a_grant_selects_what_went_under_it() {
    let mut app = app_with_limits((9, 1), (9, 1)).await;
    employ(&mut app, 5).await;
    report(&mut app, 0..1, false).await;
    app.advance(TimeDelta::minutes(1));
    let now = app.clock.now().to_rfc3339();
    app.sql(&format!(
        "INSERT INTO leaver.grants (tenant, direction, allowed, reason, granted_by, granted_at, expires_at)
         SELECT tenant, direction, 2, 'lay-off', 'ada', '{now}', '2026-11-22T16:00:00Z' FROM leaver.changes"
    ))
    .await;
    for n in 1..5 {
        app.advance(TimeDelta::minutes(1));
        report(&mut app, n..n + 1, false).await;
    }
    assert_eq!((inactive(&mut app).await, held(&mut app).await), (3, 2));
    let trip: i64 = app.count("SELECT id FROM leaver.trips").await;
    let report = undone(&mut app, &of(Selection::Trip(trip))).await;
    assert_eq!(restored(&report), ["2", "3"]);
}
