//! `safeguard.*` events, and those of the holds of a trip.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::{CHANGES, assert_like_example};
use crate::safeguard::reject::reject;
use crate::safeguard::release::{list, release};
use crate::safeguard::{employ, limits, report};
use crate::support::TestApp;

/// Five people of ten have left, and the limit is three: trip 1.
async fn tripped() -> TestApp {
    let limits = limits((3, 1), (10, 1));
    let limits: Vec<(&str, &str)> = limits.iter().map(|(n, v)| (*n, v.as_str())).collect();
    let app = TestApp::builder().settings(&limits).wanting(CHANGES);
    let mut app = app.build().await;
    employ(&mut app, 10).await;
    app.advance(TimeDelta::minutes(1));
    report(&mut app, 0..5, false).await;
    app.advance(TimeDelta::minutes(1));
    app
}

/// Returns how many events there are of a type and state.
async fn counted(app: &mut TestApp) -> Vec<String> {
    app.lines(
        "SELECT concat_ws(' ', count(*), type, data ->> 'state') FROM leaver.outbox
         GROUP BY type, data ->> 'state' ORDER BY type, data ->> 'state'",
    )
    .await
}

#[tokio::test]
async fn a_trip_is_recorded_with_its_holds() {
    let mut app = tripped().await;
    app.changes_have_events().await;
    let events = app.events().await;
    assert_eq!(events.len(), 6);
    let trip = &events[0];
    assert_like_example(trip);
    assert_eq!(
        trip["data"],
        json!({"direction": "deactivated", "held": 5, "limit_count": 3, "limited_by": "hour", "population": 10, "trip_id": 1,
               "window_count": 5})
    );
    assert_eq!(trip["tenant"], "default");
    let of_trip = |event: &&Value| event["type"] == "hold.opened" && event["data"]["trip_id"] == 1;
    assert_eq!(events.iter().filter(of_trip).count(), 5);
}

#[tokio::test]
async fn holds_that_join_an_open_trip_make_no_second_one() {
    let mut app = tripped().await;
    report(&mut app, 5..7, false).await;
    app.changes_have_events().await;
    assert_eq!(
        counted(&mut app).await,
        ["7 hold.opened", "1 safeguard.tripped"]
    );
}

#[tokio::test]
async fn a_release_approves_the_holds_it_carries_out() {
    let mut app = tripped().await;
    report(&mut app, 0..1, true).await;
    let listed = list(&mut app, 1).await.unwrap();
    release(&mut app, 1, &listed.digest).await.unwrap();
    app.changes_have_events().await;
    assert_eq!(
        counted(&mut app).await,
        [
            "4 account.deactivated",
            "4 hold.closed approved",
            "1 hold.closed withdrawn",
            "5 hold.opened",
            "1 safeguard.released released",
            "1 safeguard.tripped"
        ]
    );
    assert_like_example(&app.events_of("safeguard.released").await[0]);
}

#[tokio::test]
async fn a_release_in_part_leaves_the_trip_open() {
    let mut app = tripped().await;
    let listed = list(&mut app, 1).await.unwrap();
    report(&mut app, 5..7, false).await;
    release(&mut app, 1, &listed.digest).await.unwrap();
    assert_eq!(app.events_of("safeguard.released").await.len(), 0);
    let listed = list(&mut app, 1).await.unwrap();
    release(&mut app, 1, &listed.digest).await.unwrap();
    app.changes_have_events().await;
    assert_eq!(app.events_of("safeguard.released").await.len(), 1);
}

#[tokio::test]
async fn a_rejected_trip_closes_all_its_holds() {
    let mut app = tripped().await;
    reject(&mut app, 1).await.unwrap();
    app.changes_have_events().await;
    assert_eq!(
        counted(&mut app).await,
        [
            "5 hold.closed rejected",
            "5 hold.opened",
            "1 safeguard.released rejected",
            "1 safeguard.tripped"
        ]
    );
}
