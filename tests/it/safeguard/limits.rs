//! What trips the safeguard, and what does not.

use chrono::TimeDelta;
use leaver::base::clock::Clock as _;
use serde_json::json;

use crate::support::{TestApp, employee, employees};

/// Returns an app whose safeguard has these floors and percentages.
pub(super) async fn app_with_limits(hour: (u32, u32), day: (u32, u32)) -> TestApp {
    app_with(hour, day, &[]).await
}

/// Returns an app whose safeguard has these floors and percentages, with other settings.
pub(super) async fn app_with(
    hour: (u32, u32),
    day: (u32, u32),
    settings: &[(&str, &str)],
) -> TestApp {
    let texts = [hour.0, hour.1, day.0, day.1].map(|n| n.to_string());
    TestApp::builder()
        .settings(&[
            ("LEAVER__SAFEGUARD__HOUR__FLOOR", &texts[0]),
            ("LEAVER__SAFEGUARD__HOUR__PERCENT", &texts[1]),
            ("LEAVER__SAFEGUARD__DAY__FLOOR", &texts[2]),
            ("LEAVER__SAFEGUARD__DAY__PERCENT", &texts[3]),
        ])
        .settings(settings)
        .build()
        .await
}

pub(super) fn email(n: usize) -> String {
    format!("person{n}@example.com")
}

/// Adds users, and reports all of them as employed.
pub(super) async fn employ(app: &mut TestApp, count: usize) {
    let emails: Vec<String> = (0..count).map(email).collect();
    let emails: Vec<&str> = emails.iter().map(String::as_str).collect();
    app.add_users(&emails).await;
    report(app, 0..count, true).await;
}

/// Sends one delivery that reports these people as employed, or as left.
pub(super) async fn report(app: &mut TestApp, people: std::ops::Range<usize>, works: bool) {
    let time = app.clock.now().to_rfc3339();
    let entries: Vec<_> = people
        .map(|n| {
            let fields = if works {
                json!({"status": "Active", "workEmail": email(n)})
            } else {
                json!({"status": "Inactive", "employmentHistoryStatus": "Terminated", "workEmail": email(n)})
            };
            employee(&n.to_string(), &time, &["status"], &fields)
        })
        .collect();
    app.deliver("bamboohr", &employees(&entries)).await;
}

pub(super) async fn inactive(app: &mut TestApp) -> i64 {
    app.count("SELECT count(*) FROM users WHERE NOT is_active")
        .await
}

pub(super) async fn held(app: &mut TestApp) -> i64 {
    app.count("SELECT count(*) FROM leaver.holds WHERE state = 'open' AND trip_id IS NOT NULL")
        .await
}

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
    assert_eq!(app.count("SELECT count(*) FROM leaver.trips WHERE state = 'open' AND window_count = 4 AND limit_count = 3 AND population = 6").await, 1);
    assert_eq!(
        app.count("SELECT count(*) FROM leaver.changes WHERE counted AND xid IS NOT NULL")
            .await,
        3
    );
}
