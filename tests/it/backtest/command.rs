//! The command: the real binary over observations that real deliveries recorded.

use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use leaver::base::clock::{Clock, SystemClock};
use serde_json::{Value, json};

use crate::support::driving::{merge_record, terminated, working};
use crate::support::process::{CommandOutput, run};
use crate::support::{TestApp, employee, employees};

const NO_DATE: &str = "[policy]\ninactive_without_date = \"deactivate\"\n";

/// An app whose clock is 30 days behind, so that the command sees a past.
async fn app() -> TestApp {
    let app = TestApp::new().await;
    app.clock.set(SystemClock.now() - TimeDelta::days(30));
    app
}

fn now(app: &TestApp) -> String {
    app.clock.now().format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Runs the command against a new configuration, without the limits of other tests.
#[track_caller]
fn backtest(app: &TestApp, new: &str, args: &[&str]) -> CommandOutput {
    let path = app.file("new.toml", new);
    let mut env = app.env(&[]);
    env.retain(|(name, _)| !name.starts_with("LEAVER__SAFEGUARD"));
    let against = ["backtest", "--against", path.to_str().unwrap()];
    run(&[&against[..], args].concat(), &env)
}

/// Returns the differences as `employee: present -> new`.
fn differences(report: &Value) -> Vec<String> {
    let differences = report["differences"].as_array().unwrap().iter();
    differences
        .map(|row| {
            let text = |name: &str| row[name].as_str().unwrap().to_owned();
            let (present, new) = (text("present"), text("new"));
            format!("{}: {present} -> {new}", text("employee_id"))
        })
        .collect()
}

fn time(value: &Value) -> DateTime<Utc> {
    value.as_str().unwrap().parse().unwrap()
}

/// A Merge employee who is inactive, without a date.
async fn inactive(app: &mut TestApp, id: &str) {
    let record = merge_record(
        id,
        &format!("{id}@example.com"),
        &now(app),
        "INACTIVE",
        None,
    );
    app.deliver("merge", &record).await;
}

#[tokio::test]
async fn one_policy_has_no_difference_over_10000_observations() {
    let mut app = app().await;
    let everybody = |app: &TestApp, fields: &Value| {
        let entry = |n: u32| employee(&n.to_string(), &now(app), &["status"], fields);
        employees(&(1..=2_500).map(entry).collect::<Vec<_>>())
    };
    let in_a_week = (app.clock.now() + TimeDelta::days(7)).date_naive();
    for fields in [
        json!({"status": "Active", "employmentHistoryStatus": "Full-Time", "hireDate": "2020-01-31"}),
        json!({"status": "Active", "terminationDate": in_a_week.to_string()}),
        json!({"status": "Inactive", "employmentHistoryStatus": "Terminated"}),
        json!({"status": "Active", "employmentHistoryStatus": "Full-Time", "hireDate": in_a_week.to_string()}),
    ] {
        app.deliver("bamboohr", &everybody(&app, &fields)).await;
        app.advance(TimeDelta::days(7));
    }
    assert_eq!(
        app.count("SELECT count(*) FROM leaver.observations").await,
        10_000
    );
    let began = Instant::now();
    let output = backtest(&app, "", &["--json"]).succeeded();
    let took = began.elapsed();
    say(&format!("10,000 observations took {took:?}"));
    assert!(took < Duration::from_secs(10), "it took {took:?}");
    let report = output.json();
    assert_eq!(report["observations"], 10_000);
    assert_eq!(report["employees"], 2_500);
    assert_eq!(report["differences"], json!([]));
    assert_eq!(report["trips"]["present"], report["trips"]["new"]);
    assert_ne!(report["trips"]["new"], json!([]));
}

#[tokio::test]
async fn cutoff_and_time_zone_differ_for_some_hours() {
    let mut app = app().await;
    let day = (app.clock.now() + TimeDelta::days(7)).date_naive();
    let fields = json!({"status": "Active", "terminationDate": day.to_string()});
    let entry = employee("1", &now(&app), &["terminationDate"], &fields);
    app.bamboohr(&[entry]).await;
    for (new, words, difference) in [
        ("cutoff = \"17:30\"", "1: access -> ended", (-6, -30)),
        ("timezone = \"Etc/GMT+5\"", "1: ended -> access", (5, 0)),
    ] {
        let output = backtest(&app, &format!("[policy]\n{new}"), &["--json"]);
        let report = output.succeeded().json();
        assert_eq!(differences(&report), [words]);
        let row = &report["differences"][0];
        let reason = row["new_reason"].as_str().unwrap();
        assert!(reason.contains(&day.to_string()), "{reason}");
        let midnight = (day + TimeDelta::days(1)).and_time(chrono::NaiveTime::MIN);
        let other =
            midnight.and_utc() + TimeDelta::hours(difference.0) + TimeDelta::minutes(difference.1);
        let mut expected = [midnight.and_utc(), other];
        expected.sort_unstable();
        assert_eq!([time(&row["from"]), time(&row["until"])], expected);
    }
}

#[tokio::test]
async fn exit_code_1_if_more_would_lose_access() {
    let mut app = app().await;
    app.add_users(&["m1@example.com"]).await;
    inactive(&mut app, "m1").await;
    let output = backtest(&app, NO_DATE, &[]).findings(&[
        "observations: 1 of 1 employee, recorded since ",
        "nothing can be added to the past",
        "1 employee would lose access under the new policy only",
        "access, end held\tno access\tstatus is INACTIVE without a termination date",
    ]);
    let json = backtest(&app, NO_DATE, &["--json"]);
    assert_eq!(json.code, Some(1));
    assert_eq!(differences(&json.json()), ["m1: end_held -> ended"]);
    for text in [&output.out, &output.err, &json.out, &json.err] {
        assert!(!text.contains("example.com"), "{text}");
    }
    assert!(app.is_active("m1@example.com").await, "nothing is changed");

    let ignore = "[policy]\ninactive_without_date = \"ignore\"\n";
    let report = backtest(&app, ignore, &["--json"]).succeeded().json();
    assert_eq!(differences(&report), ["m1: end_held -> access"]);
}

#[tokio::test]
async fn a_rehire_follows_each_policy() {
    let mut app = app().await;
    let entry = terminated("1", "dana@example.com", &now(&app));
    app.bamboohr(&[entry]).await;
    app.advance(TimeDelta::days(1));
    let entry = working("1", "dana@example.com", &now(&app));
    app.bamboohr(&[entry]).await;
    for (rehire, expected) in [
        ("reactivate", "1: return_held -> access"),
        ("ignore", "1: return_held -> ended"),
    ] {
        let new = format!("[policy]\nrehire = \"{rehire}\"\n");
        let report = backtest(&app, &new, &["--json"]).succeeded().json();
        assert_eq!(differences(&report), [expected]);
    }
}

#[tokio::test]
async fn trips_under_the_new_policy_are_listed() {
    let mut app = app().await;
    for n in 1..=8 {
        inactive(&mut app, &format!("m{n}")).await;
        app.advance(TimeDelta::minutes(1));
    }
    let report = backtest(&app, NO_DATE, &["--json"]).json();
    assert_eq!(report["trips"]["present"], json!([]));
    let trips = report["trips"]["new"].as_array().unwrap();
    assert_eq!(trips.len(), 1, "{trips:?}");
    let trip = &trips[0];
    assert_eq!(trip["direction"], "deactivated");
    assert_eq!(trip["limited_by"], "hour");
    assert_eq!(
        (&trip["window_count"], &trip["limit_count"]),
        (&json!(6), &json!(5))
    );
    let higher = format!("{NO_DATE}[safeguard]\nhour = {{ floor = 8, percent = 5 }}\n");
    let report = backtest(&app, &higher, &["--json"]).json();
    assert_eq!(report["trips"]["new"], json!([]));
    backtest(&app, NO_DATE, &[])
        .findings(&["trips:        0 under the present policy, 1 under the new one"]);
}

#[tokio::test]
async fn since_leaves_out_what_ended_before() {
    let mut app = app().await;
    inactive(&mut app, "m1").await;
    app.advance(TimeDelta::days(1));
    let back = merge_record("m1", "m1@example.com", &now(&app), "ACTIVE", None);
    app.deliver("merge", &back).await;
    let ignore = "[policy]\ninactive_without_date = \"ignore\"\n";
    app.advance(TimeDelta::days(1));
    let since = now(&app);
    let report = backtest(&app, ignore, &["--json"]).succeeded().json();
    assert_eq!(differences(&report), ["m1: end_held -> access"]);
    let report = backtest(&app, ignore, &["--json", "--since", &since]);
    let report = report.succeeded().json();
    assert_eq!(differences(&report), [""; 0]);
    assert_eq!(report["observations"], 2);
}

#[tokio::test]
async fn mistakes_have_their_exit_codes() {
    let app = app().await;
    assert_eq!(app.run(&["backtest"]).code, Some(2));
    let ahead = (SystemClock.now() + TimeDelta::days(2)).date_naive();
    let output = backtest(&app, "", &["--since", &ahead.to_string()]);
    assert_eq!(output.code, Some(2), "{output:?}");
    assert_eq!(backtest(&app, "", &["--since", "yesterday"]).code, Some(2));
    let typo = "[policy]\ncutof = \"17:30\"\n";
    backtest(&app, typo, &[]).failed(&["the new configuration", "cutof"]);
    app.run(&["backtest", "--against", "no-such-file.toml"])
        .failed(&["no-such-file.toml"]);

    let output = backtest(&app, "", &[]).succeeded();
    assert!(output.err.contains("none recorded yet"), "{output:?}");
    assert!(output.err.contains("decide alike"), "{output:?}");
}

/// Prints a measured figure.
#[expect(clippy::print_stderr, reason = "the figure is for the reader of a run")]
fn say(words: &str) {
    eprintln!("{words}");
}
