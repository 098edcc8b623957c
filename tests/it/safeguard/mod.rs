//! The safeguard: limits, trips, releases and everything that a person can do about them.

mod approvals;
mod beside;
mod commands;
mod concurrent;
#[cfg(feature = "failpoints")]
mod killed;
pub(crate) mod grants;
mod limits;
pub(crate) mod reject;
pub(crate) mod release;
mod shadow;
mod shadow_commands;
mod shadow_feed;
mod shadow_roles;
mod tripped;
pub(crate) mod undo;

use std::ops::Range;

use leaver::base::clock::{Clock as _, SystemClock};
use serde_json::{Value, json};

use crate::support::{TestApp, employee, employees};

/// Returns the settings of these limits: floor and percentage.
pub(crate) fn limits(hour: (u32, u32), day: (u32, u32)) -> [(&'static str, String); 4] {
    [
        ("LEAVER__SAFEGUARD__HOUR__FLOOR", hour.0.to_string()),
        ("LEAVER__SAFEGUARD__HOUR__PERCENT", hour.1.to_string()),
        ("LEAVER__SAFEGUARD__DAY__FLOOR", day.0.to_string()),
        ("LEAVER__SAFEGUARD__DAY__PERCENT", day.1.to_string()),
    ]
}

/// Returns an app whose safeguard has these limits.
pub(crate) async fn app_with_limits(hour: (u32, u32), day: (u32, u32)) -> TestApp {
    app_with(hour, day, &[]).await
}

/// Returns an app whose safeguard has these limits, with other settings.
pub(crate) async fn app_with(
    hour: (u32, u32),
    day: (u32, u32),
    settings: &[(&str, &str)],
) -> TestApp {
    let limits = limits(hour, day);
    let limits: Vec<(&str, &str)> = limits.iter().map(|(n, v)| (*n, v.as_str())).collect();
    TestApp::builder()
        .settings(&limits)
        .settings(settings)
        .build()
        .await
}

/// Returns an app with a limit of three, whose clock is that of the commands, with a trip that holds five.
async fn tripped_now() -> TestApp {
    let mut app = app_with_limits((3, 1), (10, 1)).await;
    app.clock.set(SystemClock.now());
    employ(&mut app, 10).await;
    report(&mut app, 0..5, false).await;
    app
}

/// Returns the digest of a list that a command printed as JSON.
fn digest(list: &Value) -> &str {
    list["digest"].as_str().unwrap()
}

pub(crate) fn email(n: usize) -> String {
    format!("person{n}@example.com")
}

/// Adds users, and reports all of them as employed.
pub(crate) async fn employ(app: &mut TestApp, count: usize) {
    let emails: Vec<String> = (0..count).map(email).collect();
    let emails: Vec<&str> = emails.iter().map(String::as_str).collect();
    app.add_users(&emails).await;
    report(app, 0..count, true).await;
}

/// Returns a body that reports these people as employed, or as left.
pub(crate) fn reported(app: &TestApp, people: Range<usize>, works: bool) -> serde_json::Value {
    let time = app.clock.now().to_rfc3339();
    let entries: Vec<_> = people
        .map(|n| {
            let (status, history) = if works {
                ("Active", "Full-Time")
            } else {
                ("Inactive", "Terminated")
            };
            let fields = json!({"status": status, "employmentHistoryStatus": history, "workEmail": email(n)});
            employee(&n.to_string(), &time, &["status"], &fields)
        })
        .collect();
    employees(&entries)
}

/// Sends one delivery that reports these people as employed, or as left, and processes it.
pub(crate) async fn report(app: &mut TestApp, people: Range<usize>, works: bool) {
    let body = reported(app, people, works);
    app.deliver("bamboohr", &body).await;
}

pub(crate) async fn inactive(app: &mut TestApp) -> i64 {
    app.count("SELECT count(*) FROM users WHERE NOT is_active")
        .await
}

/// Returns the number of open holds that belong to a trip.
pub(crate) async fn held(app: &mut TestApp) -> i64 {
    app.count("SELECT count(*) FROM leaver.holds WHERE state = 'open' AND trip_id IS NOT NULL")
        .await
}

/// Returns all trips as `state direction limited_by count limit population`.
pub(crate) async fn trips(app: &mut TestApp) -> Vec<String> {
    app.lines(
        "SELECT concat_ws(' ', state, direction, limited_by, window_count, limit_count, population)
         FROM leaver.trips ORDER BY id",
    )
    .await
}

/// Returns how many changes there are, by direction, cause and whether they count.
pub(crate) async fn changes(app: &mut TestApp) -> Vec<String> {
    app.lines(
        "SELECT concat_ws(' ', direction, cause, CASE WHEN counted THEN 'counted' ELSE 'uncounted' END, count(*))
         FROM leaver.changes GROUP BY direction, cause, counted ORDER BY 1",
    )
    .await
}
