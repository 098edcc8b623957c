//! `leaver safeguard` and its subcommands, as a person types them.

use chrono::TimeDelta;
use leaver::base::clock::{Clock as _, SystemClock};
use serde_json::{Value, json};

use super::{app_with_limits, digest, email, employ, held, inactive, report, tripped_now};
use crate::support::driving::leaving;

#[tokio::test]
async fn the_state_shows_limits_trips_and_causes() {
    let mut app = app_with_limits((3, 1), (10, 1)).await;
    app.clock.set(SystemClock.now());
    employ(&mut app, 10).await;
    report(&mut app, 0..2, false).await;
    let state = app.run(&["safeguard", "--json"]).succeeded().json();
    let scope = &state["scopes"][0];
    assert_eq!(scope["direction"], "deactivated");
    assert_eq!(
        (&scope["hour"], &scope["day"]),
        (
            &json!({"changes": 2, "limit": 3, "population": 10}),
            &json!({"changes": 2, "limit": 10, "population": 10})
        )
    );
    assert_eq!(
        (&scope["trip"], &scope["grant"]),
        (&Value::Null, &Value::Null)
    );
    let shown = app.run(&["safeguard"]).succeeded();
    assert!(shown.out.contains("2 of 3\t2 of 10\t10\tok"), "{shown:?}");

    report(&mut app, 2..7, false).await;
    let state = app.run(&["safeguard", "--json"]);
    assert_eq!(state.code, Some(1));
    let trip = &state.json()["scopes"][0]["trip"];
    for (name, value) in [
        ("id", json!(1)),
        ("held", json!(5)),
        ("causes", json!({"webhook": 5})),
        ("window_count", json!(7)),
        ("limit_count", json!(3)),
        ("limited_by", json!("hour")),
        ("state", json!("open")),
    ] {
        assert_eq!(trip[name], value, "{name}");
    }
    app.run(&["safeguard"]).findings(&[
        "tripped: trip 1 holds 5",
        "7 ends of access within 60 minutes, limit 3",
        "holds 5: 5 webhook",
    ]);
}

#[tokio::test]
async fn the_forecast_names_the_days_that_need_a_grant() {
    let mut app = app_with_limits((3, 1), (10, 1)).await;
    app.clock.set(SystemClock.now());
    employ(&mut app, 10).await;
    let now = app.clock.now();
    let day = |days| (now + TimeDelta::days(days)).format("%Y-%m-%d").to_string();
    let entries: Vec<Value> = (0..6)
        .map(|n| {
            let last = if n < 4 { day(3) } else { day(5) };
            leaving(&n.to_string(), &email(n), &now.to_rfc3339(), &last)
        })
        .chain([leaving("6", &email(6), &now.to_rfc3339(), &day(20))])
        .collect();
    app.bamboohr(&entries).await;
    let state = app.run(&["safeguard", "--json"]).succeeded().json();
    let forecast = state["scopes"][0]["forecast"].as_array().unwrap();
    assert_eq!(forecast.len(), 2, "{forecast:?}");
    assert_eq!(
        (
            &forecast[0]["accounts"],
            &forecast[0]["exceeded"],
            &forecast[0]["limit_count"]
        ),
        (&json!(4), &json!(true), &json!(3))
    );
    assert_eq!(
        (&forecast[1]["accounts"], &forecast[1]["exceeded"]),
        (&json!(2), &json!(false))
    );
    let shown = app.run(&["safeguard"]).succeeded();
    assert!(shown.err.contains(", limit 3: grant ahead"), "{shown:?}");
    assert!(shown.err.contains("--count 4"), "{shown:?}");
}

#[tokio::test]
async fn a_release_needs_the_digest_of_its_list() {
    let mut app = tripped_now().await;
    let listed = app
        .run(&["safeguard", "release", "1", "--json"])
        .succeeded()
        .json();
    assert_eq!(listed["members"].as_array().unwrap().len(), 5);
    let shown = app.run(&["safeguard", "release", "1"]).succeeded();
    for words in [
        "5 would be deactivated, 0 would be skipped",
        "5 by webhook",
        digest(&listed),
    ] {
        assert!(shown.err.contains(words), "no {words:?} in {shown:?}");
    }
    let wrong = app.run(&["safeguard", "release", "1", "--confirm", "12ab"]);
    assert_eq!((wrong.code, wrong.out.as_str()), (Some(2), ""));
    assert!(wrong.err.contains("12ab is not the digest"), "{wrong:?}");
    assert_eq!((inactive(&mut app).await, held(&mut app).await), (0, 5));

    let confirm = [
        "safeguard",
        "release",
        "1",
        "--confirm",
        digest(&listed),
        "--as",
        "Kim",
    ];
    let done = app.run(&confirm).succeeded();
    assert!(
        done.err.contains("5 accounts deactivated, 0 skipped"),
        "{done:?}"
    );
    assert_eq!((inactive(&mut app).await, held(&mut app).await), (5, 0));
    let used = app.run(&confirm);
    assert_eq!(used.code, Some(2));
    assert!(used.err.contains("carried out already"), "{used:?}");
    app.run(&["safeguard", "release", "1"])
        .failed(&["trip 1 is not open any more", "released by cli:Kim"]);
    app.run(&["safeguard", "release", "9"])
        .failed(&["no trip 9"]);
    app.run(&["safeguard"]).succeeded();
}

#[tokio::test]
async fn a_rejection_is_one_command() {
    let mut app = tripped_now().await;
    let done = app
        .run(&["safeguard", "reject", "1", "--as", "Kim"])
        .succeeded();
    assert!(done.out.contains("5 changes dropped"), "{done:?}");
    assert_eq!((inactive(&mut app).await, held(&mut app).await), (0, 0));
    app.run(&["safeguard", "reject", "1"])
        .failed(&["trip 1 is not open any more", "rejected by cli:Kim"]);
    app.run(&["safeguard"]).succeeded();
}
