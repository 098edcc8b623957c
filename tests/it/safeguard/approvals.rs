//! `leaver holds approve` for several holds, and commands that meet a trip.

use chrono::TimeDelta;
use leaver::base::clock::{Clock as _, SystemClock};
use leaver::engine::accounts::AccountsTable;
use leaver::engine::holds::resolve::{Named, ResolveError};
use leaver::engine::holds::selection::{self, HoldFilter, approve_listed};
use leaver_core::domain::SourceName;
use serde_json::{Value, json};

use super::{app_with_limits, digest, employ, held, inactive, report, tripped_now};
use crate::support::apis::{StandIn, bamboohr_company};
use crate::support::apis_setup::{source_with_api, terminated_bamboohr_employee};
use crate::support::driving::terminated;
use crate::support::{BAMBOOHR_KEY, TestApp, ada};

#[tokio::test]
async fn several_holds_are_approved_and_each_result_is_shown() {
    let mut app = tripped_now().await;
    let shown = app.run(&["holds", "list", "--json"]).succeeded().json();
    assert_eq!(
        (&shown[0]["trip_id"], &shown[0]["cause"]),
        (&json!(1), &json!("webhook"))
    );
    let shown = app.run(&["holds", "list"]).succeeded();
    assert!(shown.out.contains("\tdeactivate\t1\t"), "{shown:?}");

    let done = app
        .run(&["holds", "approve", "1", "2", "--as", "Kim"])
        .succeeded();
    assert_eq!(done.out.lines().count(), 2, "{done:?}");
    assert_eq!((inactive(&mut app).await, held(&mut app).await), (2, 3));
    let mixed = app.run(&["holds", "approve", "2", "3", "99"]);
    assert_eq!(mixed.code, Some(1));
    for words in [
        "hold 2 not approved: hold 2 is not open any more",
        "hold 3 approved",
        "hold 99 not approved: there is no hold 99",
    ] {
        assert!(mixed.out.contains(words), "no {words:?} in {mixed:?}");
    }
    let mixed = app.run(&["holds", "approve", "3", "4", "--json"]);
    assert_eq!(mixed.code, Some(1));
    let rows = mixed.json();
    assert!(
        rows[0]["error"].as_str().unwrap().contains("not open"),
        "{rows}"
    );
    assert_eq!(
        (&rows[1]["id"], &rows[1]["state"]),
        (&json!(4), &json!("approved"))
    );
    assert_eq!((inactive(&mut app).await, held(&mut app).await), (4, 1));
    let counted = "SELECT count(*) FROM leaver.changes WHERE counted";
    assert_eq!(app.count(counted).await, 0);

    let accounts = app.run(&["holds", "approve", "5", "6", "--account", "5"]);
    assert_eq!(accounts.code, Some(2));
    assert_eq!(held(&mut app).await, 1);
}

#[tokio::test]
async fn a_filter_lists_until_its_digest_is_confirmed() {
    let mut app = tripped_now().await;
    let by_trip = ["holds", "approve", "--trip", "1"];
    let listed = app
        .run(&[&by_trip[..], &["--json"]].concat())
        .succeeded()
        .json();
    assert_eq!(
        (&listed["count"], listed["holds"].as_array().unwrap().len()),
        (&json!(5), 5)
    );
    let shown = app.run(&by_trip).succeeded();
    assert!(
        shown.err.contains("5 holds, digest: ") && shown.err.contains(digest(&listed)),
        "{shown:?}"
    );
    let by_reason = [
        "holds",
        "approve",
        "--source",
        "bamboohr",
        "--reason-contains",
        "SAFEGUARD",
    ];
    let same = app
        .run(&[&by_reason[..], &["--json"]].concat())
        .succeeded()
        .json();
    assert_eq!(same["count"], json!(5));
    let other = app
        .run(&["holds", "approve", "--source", "merge", "--json"])
        .succeeded()
        .json();
    assert_eq!(other["count"], json!(0));
    assert_eq!((inactive(&mut app).await, held(&mut app).await), (0, 5));

    // The digest belongs to the filter with which it was shown.
    for wrong in ["0000-0000-0000-0000", digest(&listed)] {
        let filter = ["holds", "approve", "--source", "merge", "--confirm", wrong];
        let refused = app.run(&filter);
        assert_eq!(
            (refused.code, refused.out.as_str()),
            (Some(2), ""),
            "{refused:?}"
        );
    }
    // A hold that joins later is not in the list.
    report(&mut app, 5..6, false).await;
    let confirm = [&by_trip[..], &["--confirm", digest(&listed), "--as", "Kim"]].concat();
    let done = app.run(&confirm).succeeded();
    assert_eq!(done.out.lines().count(), 5, "{done:?}");
    assert_eq!((inactive(&mut app).await, held(&mut app).await), (5, 1));
    assert_eq!(app.run(&confirm).code, Some(2));
    assert_eq!(inactive(&mut app).await, 5);
}

/// Returns an app with a protected account whose owner left, and the list with the hold of it.
async fn listed_owner() -> (TestApp, Value) {
    let tables = "CREATE TABLE users (id int PRIMARY KEY, email text, is_active bool DEFAULT true);
                  CREATE TABLE sessions (user_id int);
                  INSERT INTO users VALUES (1, 'dana@example.com', true)";
    let settings = [
        ("LEAVER__ACCOUNTS__PROTECTED_WHERE", "id > 0"),
        ("LEAVER__ACCOUNTS__END_SESSIONS", "[]"),
    ];
    let builder = TestApp::builder().settings(&settings).tables(tables);
    let mut app = builder.build().await;
    app.clock.set(SystemClock.now());
    let now = app.clock.now().to_rfc3339();
    app.bamboohr(&[terminated("1", "dana@example.com", &now)])
        .await;
    let list = ["holds", "approve", "--source", "bamboohr", "--json"];
    let listed = app.run(&list).succeeded().json();
    assert_eq!(listed["holds"][0]["account_id"], "1");
    (app, listed)
}

#[tokio::test]
async fn a_hold_that_changed_since_the_list_is_not_approved() {
    let (mut app, listed) = listed_owner().await;
    app.sql("UPDATE leaver.holds SET account_id = NULL").await;
    let confirm = [
        "holds",
        "approve",
        "--source",
        "bamboohr",
        "--all",
        "--confirm",
        digest(&listed),
    ];
    let refused = app.run(&confirm);
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(refused.err.contains("has changed since"), "{refused:?}");
    assert_eq!(inactive(&mut app).await, 0);
    // The digest was not used.
    app.sql("UPDATE leaver.holds SET account_id = '1'").await;
    app.run(&confirm).succeeded();
    assert_eq!(inactive(&mut app).await, 1);
}

#[tokio::test]
async fn a_hold_that_changes_after_the_confirmation_stays_open() {
    let (mut app, listed) = listed_owner().await;
    let filter = HoldFilter {
        source: SourceName::parse("bamboohr").ok(),
        ..HoldFilter::default()
    };
    let (day, now) = (TimeDelta::days(1), app.clock.now());
    let mut conn = app.connect().await;
    let confirmed = selection::confirm(&mut conn, &filter, digest(&listed), day, now).await;
    let hold = confirmed.unwrap().remove(0);
    app.sql("UPDATE leaver.holds SET account_id = NULL").await;
    let table = AccountsTable::inspect(&mut conn, &app.settings.accounts)
        .await
        .unwrap();
    let policies = leaver::service::policies(&app.settings);
    let all = Named::All;
    let approved = approve_listed(&mut conn, &table, &policies, &hold, &all, &ada(), now).await;
    assert!(matches!(approved, Err(ResolveError::Changed(id)) if id == hold.id));
    assert_eq!(app.open_hold().await, hold.id);
    assert_eq!(inactive(&mut app).await, 0);
}

#[tokio::test]
async fn one_hold_that_cannot_be_approved_exits_3() {
    let app = tripped_now().await;
    app.run(&["holds", "approve", "99"]).failed(&["no hold 99"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sync_and_a_drift_fix_that_meet_a_trip_exit_1() {
    let company = (1..=8).map(terminated_bamboohr_employee).collect();
    let api = StandIn::start(bamboohr_company(company)).await;
    let secrets = [
        ("SECRET", BAMBOOHR_KEY),
        ("API_KEY", "api-key"),
        ("LEAVER__SAFEGUARD__HOUR__FLOOR", "5"),
        ("LEAVER__SAFEGUARD__DAY__FLOOR", "10"),
    ];
    let mut app = TestApp::builder()
        .config_file(&source_with_api("bamboohr", "bamboohr", &api), &secrets)
        .build()
        .await;
    app.add_employees_users(1..=8).await;
    for args in [&["sync"][..], &["sync", "--full"], &["drift", "--fix"]] {
        let met = app.run(args);
        assert_eq!(met.code, Some(1), "{args:?}: {met:?}");
        assert!(
            met.err.contains("trip 1 of tenant") && met.err.contains("holds 8 changes"),
            "{args:?}: {met:?}"
        );
        assert_eq!((inactive(&mut app).await, held(&mut app).await), (0, 8));
    }
    let lines = app.run(&["sync", "--json"]).json();
    assert_eq!(lines[0]["trips"], json!([1]));
    let shown = app.run(&["drift", "--fix", "--json"]).json();
    assert_eq!(shown["trips"], json!([1]));
    assert_eq!(shown["terminated_with_access"].as_array().unwrap().len(), 8);
    app.run(&["safeguard", "reject", "1"]).succeeded();
    app.run(&["sync", "--full"]).succeeded();
    app.run(&["drift", "--fix"]).succeeded();
    assert_eq!((inactive(&mut app).await, held(&mut app).await), (0, 0));
}

#[tokio::test]
async fn a_drift_fix_that_trips_the_safeguard_lists_whom_it_holds() {
    let mut app = app_with_limits((100, 1), (100, 1)).await;
    app.clock.set(SystemClock.now());
    employ(&mut app, 10).await;
    report(&mut app, 0..5, false).await;
    assert_eq!(inactive(&mut app).await, 5);
    app.sql("UPDATE users SET is_active = true; DELETE FROM leaver.changes")
        .await;
    let limit = [
        ("LEAVER__SAFEGUARD__HOUR__FLOOR", "3"),
        ("LEAVER__SAFEGUARD__DAY__FLOOR", "3"),
    ];
    let found = app.run_with(&["drift", "--fix", "--json"], &limit);
    assert_eq!(found.code, Some(1));
    assert!(found.err.contains("trip 1 of tenant"), "{found:?}");
    let found = found.json();
    assert_eq!(found["terminated_with_access"].as_array().unwrap().len(), 5);
    assert_eq!((inactive(&mut app).await, held(&mut app).await), (0, 5));
    let causes = "SELECT DISTINCT cause FROM leaver.holds WHERE state = 'open'";
    assert_eq!(app.lines(causes).await, ["drift"]);
}

#[tokio::test]
async fn a_replay_while_tripped_exits_1() {
    let mut app = tripped_now().await;
    let id = app.store("bamboohr", &json!("nonsense")).await;
    app.work().await;
    let replayed = app.run(&["replay", &id.0.to_string()]);
    assert_eq!(replayed.code, Some(1), "{replayed:?}");
    assert!(
        replayed.out.contains("queued") && replayed.err.contains("trip 1 of tenant"),
        "{replayed:?}"
    );
}
