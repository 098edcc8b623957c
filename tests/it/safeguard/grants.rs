//! Grants: exactly so many changes, then the limits again.

use chrono::TimeDelta;
use leaver::base::clock::{Clock as _, SystemClock};
use leaver::engine::batches::Direction;
use leaver::engine::safeguard::Scope;
use leaver::engine::safeguard::grants::{self, Given};
use leaver_core::domain::Tenant;
use serde_json::{Value, json};

use super::limits::{app_with_limits, employ, held, inactive, report};
use super::release::{list, release};
use crate::support::{TestApp, ada};

async fn tenant(app: &mut TestApp) -> String {
    let tenants = "SELECT DISTINCT tenant FROM leaver.employees";
    app.lines(tenants).await.remove(0)
}

pub(crate) async fn grant(app: &mut TestApp, allowed: u32, lasts: TimeDelta) -> Given {
    let scope = Scope {
        tenant: Tenant::new(tenant(app).await),
        direction: Direction::Deactivated,
    };
    let now = app.clock.now();
    let conn = &mut app.session.conn;
    grants::give(conn, &scope, allowed, lasts, "site closes", &ada(), now)
        .await
        .unwrap()
}

/// Releases the open trip.
async fn release_all(app: &mut TestApp, trip: i64) {
    let digest = list(app, trip).await.unwrap().digest;
    release(app, trip, &digest).await.unwrap();
}

#[tokio::test]
async fn a_grant_of_40_lets_40_go_and_holds_the_next() {
    let mut app = app_with_limits((5, 5), (10, 10)).await;
    employ(&mut app, 60).await;
    grant(&mut app, 40, TimeDelta::hours(2)).await;
    report(&mut app, 0..30, false).await;
    for n in 30..40 {
        app.advance(TimeDelta::seconds(1));
        report(&mut app, n..n + 1, false).await;
    }
    assert_eq!((inactive(&mut app).await, held(&mut app).await), (40, 0));
    report(&mut app, 40..41, false).await;
    assert_eq!((inactive(&mut app).await, held(&mut app).await), (40, 1));
    let trip =
        "SELECT concat_ws(' ', limited_by, window_count, limit_count, state) FROM leaver.trips";
    assert_eq!(app.lines(trip).await, ["grant 41 40 open"]);
    app.advance(TimeDelta::minutes(1));
    release_all(&mut app, 1).await;
    assert_eq!(inactive(&mut app).await, 41);

    // After the grant the default limit applies, and what went under the grant does not count.
    app.advance(TimeDelta::hours(2));
    report(&mut app, 41..46, false).await;
    assert_eq!((inactive(&mut app).await, held(&mut app).await), (46, 0));
    report(&mut app, 46..47, false).await;
    assert_eq!((inactive(&mut app).await, held(&mut app).await), (46, 1));
    let limited_by = "SELECT limited_by FROM leaver.trips WHERE state = 'open'";
    assert_eq!(app.lines(limited_by).await, ["hour"]);
}

#[tokio::test]
async fn changes_under_a_grant_do_not_count_after_it() {
    let mut app = app_with_limits((5, 5), (10, 10)).await;
    employ(&mut app, 60).await;
    grant(&mut app, 20, TimeDelta::seconds(30)).await;
    report(&mut app, 0..20, false).await;
    app.advance(TimeDelta::seconds(30));
    report(&mut app, 20..25, false).await;
    assert_eq!((inactive(&mut app).await, held(&mut app).await), (25, 0));
    report(&mut app, 25..26, false).await;
    assert_eq!((inactive(&mut app).await, held(&mut app).await), (25, 1));
}

#[tokio::test]
async fn a_batch_that_exceeds_what_is_left_is_held_as_a_whole() {
    let mut app = app_with_limits((5, 5), (10, 10)).await;
    employ(&mut app, 60).await;
    grant(&mut app, 40, TimeDelta::hours(2)).await;
    report(&mut app, 0..41, false).await;
    assert_eq!((inactive(&mut app).await, held(&mut app).await), (0, 41));
    let used = "SELECT used::text FROM leaver.grants";
    assert_eq!(app.lines(used).await, ["0"]);
}

#[tokio::test]
async fn a_grant_that_is_used_up_ends_with_the_decision_about_its_trip() {
    let mut app = app_with_limits((2, 1), (10, 1)).await;
    employ(&mut app, 20).await;
    grant(&mut app, 4, TimeDelta::hours(2)).await;
    report(&mut app, 0..4, false).await;
    report(&mut app, 4..5, false).await;
    assert_eq!((inactive(&mut app).await, held(&mut app).await), (4, 1));
    app.advance(TimeDelta::minutes(1));
    release_all(&mut app, 1).await;
    app.advance(TimeDelta::minutes(1));
    report(&mut app, 5..7, false).await;
    assert_eq!((inactive(&mut app).await, held(&mut app).await), (7, 0));
    report(&mut app, 7..8, false).await;
    assert_eq!((inactive(&mut app).await, held(&mut app).await), (7, 1));
}

#[tokio::test]
async fn a_grant_is_in_effect_whichever_clock_is_ahead() {
    let mut app = app_with_limits((2, 1), (10, 1)).await;
    employ(&mut app, 20).await;
    grant(&mut app, 10, TimeDelta::hours(2)).await;
    // The clock of the person's host is ahead.
    app.advance(TimeDelta::minutes(10));
    grant(&mut app, 4, TimeDelta::hours(2)).await;
    app.advance(TimeDelta::minutes(-10));
    report(&mut app, 0..4, false).await;
    assert_eq!((inactive(&mut app).await, held(&mut app).await), (4, 0));
    report(&mut app, 4..5, false).await;
    assert_eq!((inactive(&mut app).await, held(&mut app).await), (4, 1));
}

#[tokio::test]
async fn what_the_database_refuses_uses_up_no_grant() {
    let mut app = app_with_limits((2, 1), (10, 1)).await;
    employ(&mut app, 20).await;
    grant(&mut app, 4, TimeDelta::hours(12)).await;
    app.refuse_to_change(&[1], "P0001").await;
    report(&mut app, 0..2, false).await;
    for _ in 0..5 {
        app.advance(TimeDelta::hours(1));
        app.run_due().await;
    }
    let used = "SELECT used::text FROM leaver.grants";
    assert_eq!(app.lines(used).await, ["1"]);
    report(&mut app, 2..4, false).await;
    app.allow_changes().await;
    app.advance(TimeDelta::hours(2));
    app.run_due().await;
    assert_eq!((inactive(&mut app).await, held(&mut app).await), (4, 0));
    report(&mut app, 4..5, false).await;
    assert_eq!((inactive(&mut app).await, held(&mut app).await), (4, 1));
}

#[tokio::test]
async fn a_grant_ends_an_earlier_one_and_opens_no_trip() {
    let mut app = app_with_limits((3, 1), (10, 1)).await;
    employ(&mut app, 20).await;
    let first = grant(&mut app, 40, TimeDelta::hours(2)).await;
    assert!(first.ended.is_empty() && first.open_trip.is_none());
    report(&mut app, 0..2, false).await;
    app.advance(TimeDelta::minutes(1));
    let second = grant(&mut app, 5, TimeDelta::hours(2)).await;
    let ended: Vec<_> = second
        .ended
        .iter()
        .map(|ended| (ended.id, ended.used))
        .collect();
    assert_eq!(ended, [(first.grant.id, 2)]);
    report(&mut app, 2..8, false).await;
    assert_eq!((inactive(&mut app).await, held(&mut app).await), (2, 6));

    app.advance(TimeDelta::minutes(1));
    let third = grant(&mut app, 40, TimeDelta::hours(2)).await;
    assert_eq!(third.open_trip, Some(1));
    report(&mut app, 8..9, false).await;
    assert_eq!((inactive(&mut app).await, held(&mut app).await), (2, 7));
    let granted = app.audit().await;
    let granted = granted.iter().filter(|line| *line == "granted -").count();
    assert_eq!(granted, 3);
}

#[tokio::test]
async fn a_grant_of_the_other_direction_permits_nothing() {
    let mut app = app_with_limits((3, 1), (10, 1)).await;
    employ(&mut app, 20).await;
    let scope = Scope {
        tenant: Tenant::new(tenant(&mut app).await),
        direction: Direction::Reactivated,
    };
    let now = app.clock.now();
    let lasts = TimeDelta::hours(2);
    grants::give(
        &mut app.session.conn,
        &scope,
        40,
        lasts,
        "back",
        &ada(),
        now,
    )
    .await
    .unwrap();
    report(&mut app, 0..4, false).await;
    assert_eq!((inactive(&mut app).await, held(&mut app).await), (0, 4));
}

#[tokio::test]
async fn the_command_grants_for_a_known_tenant() {
    let mut app = app_with_limits((3, 1), (10, 1)).await;
    app.clock.set(SystemClock.now());
    employ(&mut app, 10).await;
    let tenant = tenant(&mut app).await;
    let unknown = app.run(&[
        "safeguard",
        "grant",
        "--tenant",
        "acme",
        "--count",
        "4",
        "--for",
        "2h",
        "--reason",
        "x",
    ]);
    assert_eq!(unknown.code, Some(2));
    assert!(
        unknown.err.contains("no source has the tenant acme") && unknown.err.contains(&tenant),
        "{unknown:?}"
    );
    let given = [
        "safeguard",
        "grant",
        "--tenant",
        &tenant,
        "--count",
        "4",
        "--for",
        "2h",
        "--as",
        "Kim",
    ];
    let reason = ["--reason", "site closes"];
    let shown = app.run(&[&given[..], &reason].concat()).succeeded();
    assert!(shown.out.contains("4 accounts of tenant"), "{shown:?}");
    let again = app
        .run(&[&given[..], &reason, &["--json"]].concat())
        .succeeded()
        .json();
    assert_eq!(again["ended"][0]["id"], json!(1));
    assert_eq!(again["open_trip"], Value::Null);
    let state = app.run(&["safeguard", "--json"]).succeeded().json();
    assert_eq!(
        (
            &state["scopes"][0]["grant"]["allowed"],
            &state["scopes"][0]["grant"]["granted_by"]
        ),
        (&json!(4), &json!("cli:Kim"))
    );
    app.clock.set(SystemClock.now());
    report(&mut app, 0..4, false).await;
    assert_eq!((inactive(&mut app).await, held(&mut app).await), (4, 0));
    report(&mut app, 4..5, false).await;
    let warned = app.run(&[&given[..], &reason].concat()).succeeded();
    assert!(
        warned.out.contains("grant 2 ended: 4 of 4 were used")
            && warned.err.contains("trip 1 is open"),
        "{warned:?}"
    );
}
