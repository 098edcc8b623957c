//! Releases and rejections beside deliveries, and returns of access.

use chrono::TimeDelta;
use leaver::base::clock::Clock as _;
use leaver::engine::accounts::AccountsTable;
use leaver::engine::safeguard::trips;
use serde_json::Value;
use sqlx::Executor;
use tokio::task::JoinHandle;

use super::limits::{app_with, email, employ, held, inactive, report};
use super::reject::reject;
use super::release::{EXPIRES, list, release, tripped};
use crate::support::driving::{REACTIVATE, working};
use crate::support::{TestApp, ada};

/// What a person does about trip 1.
#[derive(Clone)]
enum Does {
    Release(String),
    Reject,
}

/// Decides about trip 1 over a connection of its own. Returns the numbers of changed, skipped and waiting members.
async fn decide(app: &TestApp, does: Does) -> JoinHandle<Result<(usize, usize, usize), String>> {
    let mut conn = app.connect().await;
    conn.execute("SET application_name = 'leaver'")
        .await
        .unwrap();
    let now = app.clock.now();
    let policies = app.parts.engine.policies.clone();
    let mapping = app.settings.accounts.clone();
    tokio::spawn(async move {
        let conn = &mut conn;
        let digest = match does {
            Does::Release(digest) => digest,
            Does::Reject => {
                let rejected = trips::reject(conn, &policies, 1, &ada(), now).await;
                return rejected
                    .map(|rejected| (0, rejected.holds.len(), 0))
                    .map_err(|error| error.to_string());
            }
        };
        let table = AccountsTable::inspect(conn, &mapping).await.unwrap();
        let released =
            trips::release(conn, &table, &policies, 1, &digest, EXPIRES, &ada(), now).await;
        released
            .map(|done| (done.changed.len(), done.skipped.len(), done.waiting))
            .map_err(|error| error.to_string())
    })
}

const LOCK_ONE: &str = "BEGIN; SELECT FROM leaver.employees WHERE employee_id = '0' FOR UPDATE";

#[tokio::test]
async fn a_delivery_passes_a_release_that_waits_for_an_employee() {
    let mut app = tripped(10, 0..5).await;
    let digest = list(&mut app, 1).await.unwrap().digest;
    let mut other = app.connect().await;
    other.execute(LOCK_ONE).await.unwrap();
    let releasing = decide(&app, Does::Release(digest)).await;
    app.wait_until_the_service_waits_for_a_lock().await;
    report(&mut app, 6..7, false).await;
    assert_eq!(held(&mut app).await, 6);
    other.execute("COMMIT").await.unwrap();
    assert_eq!(releasing.await.unwrap(), Ok((5, 0, 1)));
    assert_eq!((inactive(&mut app).await, held(&mut app).await), (5, 1));
}

#[tokio::test]
async fn a_rejection_includes_holds_that_join_while_it_waits() {
    let mut app = tripped(10, 0..5).await;
    let mut other = app.connect().await;
    other.execute(LOCK_ONE).await.unwrap();
    let rejecting = decide(&app, Does::Reject).await;
    app.wait_until_the_service_waits_for_a_lock().await;
    report(&mut app, 6..7, false).await;
    other.execute("COMMIT").await.unwrap();
    assert_eq!(rejecting.await.unwrap(), Ok((0, 6, 0)));
    assert_eq!((inactive(&mut app).await, held(&mut app).await), (0, 0));
}

#[tokio::test]
async fn of_two_releases_at_once_one_does_it() {
    let mut app = tripped(10, 0..5).await;
    let digest = list(&mut app, 1).await.unwrap().digest;
    let mut other = app.connect().await;
    other.execute(LOCK_ONE).await.unwrap();
    let one = decide(&app, Does::Release(digest.clone())).await;
    let two = decide(&app, Does::Release(digest)).await;
    app.wait_until_services_wait_for_a_lock(2).await;
    other.execute("COMMIT").await.unwrap();
    let mut results = [one.await.unwrap(), two.await.unwrap()];
    results.sort_by_key(Result::is_err);
    assert_eq!(results[0], Ok((5, 0, 0)));
    let used = results[1].as_ref().unwrap_err();
    assert!(used.contains("carried out already"), "{used}");
    let changes = "SELECT count(*) FROM leaver.changes";
    assert_eq!((app.count(changes).await, held(&mut app).await), (5, 0));
}

/// Returns an app in which five people left, and came back: trip 1 holds their returns.
async fn returning() -> TestApp {
    let mut app = app_with((3, 1), (10, 1), &[REACTIVATE]).await;
    employ(&mut app, 10).await;
    for people in [0..3, 3..5] {
        app.advance(TimeDelta::hours(2));
        report(&mut app, people, false).await;
    }
    assert_eq!(inactive(&mut app).await, 5);
    app.advance(TimeDelta::minutes(1));
    come_back(&mut app).await;
    assert_eq!((inactive(&mut app).await, held(&mut app).await), (5, 5));
    app.advance(TimeDelta::minutes(1));
    app
}

async fn come_back(app: &mut TestApp) {
    let time = app.clock.now().to_rfc3339();
    let entries: Vec<Value> = (0..5)
        .map(|n| working(&n.to_string(), &email(n), &time))
        .collect();
    app.bamboohr(&entries).await;
}

#[tokio::test]
async fn a_trip_of_returns_is_released() {
    let mut app = returning().await;
    // Leavers go on meanwhile: they are another direction.
    report(&mut app, 7..8, false).await;
    assert_eq!(inactive(&mut app).await, 6);
    let listed = list(&mut app, 1).await.unwrap();
    assert_eq!(listed.trip.direction, "reactivated");
    let released = release(&mut app, 1, &listed.digest).await.unwrap();
    assert_eq!((released.changed.len(), released.skipped.len()), (5, 0));
    assert_eq!((inactive(&mut app).await, held(&mut app).await), (1, 0));
}

#[tokio::test]
async fn a_trip_of_returns_is_rejected() {
    let mut app = returning().await;
    reject(&mut app, 1).await.unwrap();
    app.advance(TimeDelta::minutes(1));
    come_back(&mut app).await;
    assert_eq!((inactive(&mut app).await, held(&mut app).await), (5, 0));
    let open = "SELECT count(*) FROM leaver.trips WHERE state = 'open'";
    assert_eq!(app.count(open).await, 0);
}
