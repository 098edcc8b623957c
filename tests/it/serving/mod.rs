//! `leaver serve` as a process: started, queried, killed and stopped from outside.

mod database;
mod embedded;
mod listeners;
mod observed;
mod stop;
mod syncing;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use leaver::base::clock::{Clock, SystemClock};
use serde_json::json;

use crate::support::{TestApp, merge_changed};

const PEOPLE: &str =
    "INSERT INTO users (email) VALUES ('dana.ruiz@example.com'), ('other@example.com');
    INSERT INTO sessions (user_id) SELECT id FROM users, generate_series(1, 2);";

/// A database with two users.
async fn app() -> TestApp {
    let mut app = TestApp::builder().unmigrated().build().await;
    app.sql(PEOPLE).await;
    app
}

/// A Merge delivery: Dana is active and her termination date is this instant, or none.
fn leaves_at(instant: Option<DateTime<Utc>>) -> String {
    let date = instant.map(|at| at.to_rfc3339_opts(SecondsFormat::Millis, true));
    merge_changed(&json!({
        "id": "m-dana", "first_name": "Dana", "last_name": "Ruiz", "work_email": "dana.ruiz@example.com",
        "employment_status": "ACTIVE", "termination_date": date, "start_date": "2020-01-01T00:00:00Z",
        "ssn": "078-05-1120", "modified_at": SystemClock.now().to_rfc3339(),
    }))
    .to_string()
}

#[tokio::test]
async fn ends_access_at_the_scheduled_time_despite_a_kill_9() {
    let mut app = app().await;
    let mut service = app.serve(&[]);
    let moment = SystemClock.now() + TimeDelta::seconds(4);
    let file = app.file("leaves.json", &leaves_at(Some(moment)));
    service.send(&app, "merge", &file).succeeded();
    app.wait_until_processed().await;
    assert_eq!(app.active().await.len(), 2);
    service.process.kill();

    let service = app.serve(&[]);
    let active = "SELECT count(*) FROM users WHERE is_active AND email = 'dana.ruiz@example.com'";
    while SystemClock.now() < moment - TimeDelta::milliseconds(200) {
        assert_eq!(app.count(active).await, 1, "lost access too early");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    app.wait_for_count(0, active).await;
    let late = SystemClock.now() - moment;
    assert!(
        late >= TimeDelta::zero() && late < TimeDelta::seconds(2),
        "{late} after the moment"
    );
    let sessions =
        "SELECT count(*) FROM sessions s JOIN users u ON u.id = s.user_id WHERE NOT u.is_active";
    assert_eq!(app.count(sessions).await, 0);
    assert_eq!(app.active().await, ["other@example.com"]);
    let audit = "SELECT action || ' by ' || actor FROM leaver.audit ORDER BY id";
    assert_eq!(
        app.lines(audit).await,
        ["scheduled by system:worker", "deactivated by system:timer"]
    );
    service.stop();
}

#[tokio::test]
async fn executes_overdue_access_ends_at_start() {
    let mut app = app().await;
    let mut service = app.serve(&[]);
    let moment = SystemClock.now() + TimeDelta::milliseconds(1_500);
    let file = app.file("leaves.json", &leaves_at(Some(moment)));
    service.send(&app, "merge", &file).succeeded();
    app.wait_until_processed().await;
    service.process.kill();
    while SystemClock.now() < moment {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!(app.active().await.len(), 2);
    let service = app.serve(&[]);
    app.wait_for_count(1, "SELECT count(*) FROM users WHERE is_active")
        .await;
    service.stop();
}

#[tokio::test]
async fn a_withdrawn_termination_date_keeps_access() {
    let mut app = app().await;
    let service = app.serve(&[]);
    let moment = SystemClock.now() + TimeDelta::seconds(2);
    for (name, date) in [("leaves.json", Some(moment)), ("stays.json", None)] {
        let file = app.file(name, &leaves_at(date));
        service.send(&app, "merge", &file).succeeded();
        app.wait_until_processed().await;
    }
    assert_eq!(
        app.lines("SELECT action FROM leaver.audit ORDER BY id")
            .await,
        ["scheduled", "unscheduled"]
    );
    while SystemClock.now() < moment + TimeDelta::milliseconds(1_200) {
        assert_eq!(app.active().await.len(), 2);
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}
