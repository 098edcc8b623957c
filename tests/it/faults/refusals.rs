//! Postgres rolls a batch back: a deadlock, a serialization failure, a time limit.

use crate::support::TestApp;
use crate::support::driving::terminated;
use crate::support::{JSON, employees};
use leaver::jobs::deliveries::Round;

const PEOPLE: usize = 16;

/// An app with a crowd of leavers whose deliveries wait.
async fn crowd() -> TestApp {
    let mut app = TestApp::new().await;
    let emails: Vec<String> = (0..PEOPLE).map(|n| format!("p{n}@example.com")).collect();
    let emails: Vec<&str> = emails.iter().map(String::as_str).collect();
    app.add_users(&emails).await;
    for (n, email) in emails.iter().enumerate() {
        let body = employees(&[terminated(&n.to_string(), email, "2026-11-22T11:00:00Z")]);
        app.send("bamboohr", JSON, body.to_string()).await;
    }
    app
}

/// A trigger of the application's that says this while its condition holds.
async fn refuse(app: &mut TestApp, condition: &str, code: &str) {
    app.sql(&format!(
        "CREATE SEQUENCE tries;
         CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN
             IF {condition} THEN RAISE EXCEPTION 'taken back' USING ERRCODE = '{code}'; END IF;
             RETURN NULL;
         END $$;
         CREATE TRIGGER refuse AFTER UPDATE ON users REFERENCING NEW TABLE AS changed
             FOR EACH STATEMENT EXECUTE FUNCTION refuse();"
    ))
    .await;
}

async fn all_are_off_once_and_nobody_is_to_blame(app: &mut TestApp) {
    let crowd = i64::try_from(PEOPLE).unwrap();
    for (sql, wanted) in [
        ("SELECT count(*) FROM users WHERE is_active", 0),
        ("SELECT count(*) FROM sessions", 0),
        (
            "SELECT count(*) FROM leaver.audit WHERE action = 'deactivated'",
            crowd,
        ),
        (
            "SELECT count(*) FROM leaver.deliveries WHERE state = 'processed'",
            crowd,
        ),
        (
            "SELECT COALESCE(sum(attempts), 0)::bigint FROM leaver.deliveries",
            0,
        ),
    ] {
        assert_eq!(app.count(sql).await, wanted, "{sql}");
    }
}

#[tokio::test]
async fn a_deadlock_is_retried_and_counts_no_attempt() {
    for code in ["40P01", "40001"] {
        let mut app = crowd().await;
        refuse(&mut app, "nextval('tries') <= 2", code).await;
        assert_eq!(app.round().await, Round::Outage);
        assert_eq!(app.round().await, Round::Outage);
        app.work().await;
        all_are_off_once_and_nobody_is_to_blame(&mut app).await;
    }
}

#[tokio::test]
async fn a_batch_that_takes_too_long_is_done_in_parts() {
    let mut app = crowd().await;
    refuse(&mut app, "(SELECT count(*) FROM changed) > 3", "57014").await;
    assert_eq!(app.round().await, Round::Processed(PEOPLE));
    all_are_off_once_and_nobody_is_to_blame(&mut app).await;
}
