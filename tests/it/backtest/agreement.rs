//! The replay of the present policy agrees with what the service did on the same deliveries.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, NaiveTime, TimeDelta, Utc};
use fastrand::Rng;
use leaver::base::clock::{Clock, SystemClock};
use serde_json::{Map, Value, json};

use crate::support::driving::REACTIVATE;
use crate::support::{MERGE_KEY, TestApp, employee, employees};

const PEOPLE: u32 = 60;
const ROUNDS: u32 = 10;

/// Any of the fields that BambooHR posts, each with any value.
fn fields(random: &mut Rng, n: u32, now: DateTime<Utc>) -> Value {
    let mut fields = Map::new();
    let mut post = |name: &str, value: &str| {
        fields.insert(name.to_owned(), json!(value));
    };
    post("workEmail", &format!("u{n}@example.com"));
    if random.u8(..4) > 0 {
        post(
            "status",
            random.choice(["Active", "Active", "Inactive"]).unwrap(),
        );
    }
    if random.u8(..3) > 0 {
        let words = ["Full-Time", "Terminated", "Terminated"];
        post("employmentHistoryStatus", random.choice(words).unwrap());
    }
    let day = |random: &mut Rng| {
        let day = now + TimeDelta::days(random.i64(-4..4));
        day.date_naive().to_string()
    };
    match random.u8(..4) {
        0 => post("terminationDate", "0000-00-00"),
        1 | 2 => post("terminationDate", &day(random)),
        _ => {}
    }
    match random.u8(..4) {
        0 => post("hireDate", "2020-01-31"),
        1 => post("hireDate", &day(random)),
        _ => {}
    }
    Value::Object(fields)
}

/// Returns the access of each employee by the database, in the words of the report.
async fn carried_out(app: &mut TestApp) -> BTreeMap<String, String> {
    let rows = app
        .lines(
            "SELECT concat_ws(' ', e.employee_id, CASE
                        WHEN u.is_active AND h.id IS NULL THEN 'access'
                        WHEN u.is_active THEN 'end_held'
                        WHEN h.id IS NULL THEN 'ended'
                        ELSE 'return_held' END)
             FROM leaver.employees e
             JOIN users u ON u.email = 'u' || e.employee_id || '@example.com'
             LEFT JOIN leaver.holds h ON h.employee_id = e.employee_id AND h.state = 'open'",
        )
        .await;
    let pairs = rows.iter().map(|row| row.split_once(' ').unwrap());
    pairs
        .map(|(id, standing)| (id.to_owned(), standing.to_owned()))
        .collect()
}

/// Returns the access of each employee under the present policy. A configuration without the source differs wherever it is no
/// plain access.
fn replayed(app: &TestApp) -> BTreeMap<String, String> {
    let new = app.file(
        "new.toml",
        "[[sources]]\nname = \"other\"\nprovider = \"merge\"\nwebhook_secrets = [\"env:OTHER\"]\n",
    );
    let args = ["backtest", "--json", "--against", new.to_str().unwrap()];
    let report = app.run_with(&args, &[("OTHER", MERGE_KEY)]).json();
    let mut standings: BTreeMap<String, String> = (1..=PEOPLE)
        .map(|n| (n.to_string(), "access".to_owned()))
        .collect();
    let now = app.clock.now();
    let time = |value: &Value| -> Option<DateTime<Utc>> { value.as_str()?.parse().ok() };
    for row in report["differences"].as_array().unwrap() {
        let has_begun = time(&row["from"]).unwrap() <= now;
        if has_begun && time(&row["until"]).is_none_or(|until| until > now) {
            let text = |name: &str| row[name].as_str().unwrap().to_owned();
            standings.insert(text("employee_id"), text("present"));
        }
    }
    standings
}

/// Advances the clock. The timer runs at each midnight in between, when access ends by date.
async fn advance(app: &mut TestApp, by: TimeDelta) {
    let until = app.clock.now() + by;
    loop {
        let tomorrow = app.clock.now().date_naive() + TimeDelta::days(1);
        let midnight = tomorrow.and_time(NaiveTime::MIN).and_utc();
        if midnight > until {
            break;
        }
        app.clock.set(midnight);
        app.run_due().await;
    }
    app.clock.set(until);
}

#[tokio::test]
async fn replay_agrees_with_what_was_carried_out() {
    let mut seen = BTreeSet::new();
    for (seed, settings) in [(1, &[][..]), (2, &[REACTIVATE]), (3, &[REACTIVATE])] {
        let mut random = Rng::with_seed(seed);
        let mut app = TestApp::builder().settings(settings).build().await;
        app.clock.set(SystemClock.now() - TimeDelta::days(30));
        app.sql(&format!(
            "INSERT INTO users (email) SELECT 'u' || n || '@example.com' FROM generate_series(1, {PEOPLE}) n"
        ))
        .await;
        for round in 0..ROUNDS {
            let now = app.clock.now();
            let as_of = now.to_rfc3339();
            let entries: Vec<Value> = (1..=PEOPLE)
                .filter(|_| round == 0 || random.bool())
                .collect::<Vec<u32>>()
                .into_iter()
                .map(|n| {
                    employee(
                        &n.to_string(),
                        &as_of,
                        &["status"],
                        &fields(&mut random, n, now),
                    )
                })
                .collect();
            app.deliver("bamboohr", &employees(&entries)).await;
            advance(&mut app, TimeDelta::hours(random.i64(1..40))).await;
            let carried_out = carried_out(&mut app).await;
            assert_eq!(carried_out, replayed(&app), "seed {seed}, round {round}");
            seen.extend(carried_out.into_values());
        }
    }
    let all = ["access", "end_held", "ended", "return_held"];
    assert!(seen.iter().eq(&all), "{seen:?}");
}
