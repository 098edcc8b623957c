//! The state of a person in `leaver explain`.

use serde_json::{Value, json};

use super::acting::{AS_OF, DANA, EVE};
use crate::support::TestApp;
use crate::support::driving::{leaving, merge_record, terminated, working};
use crate::support::terminal::run_on_terminal;

/// What `leaver explain` prints of the employee with the id 7, as JSON and as the line about the state.
fn explained(app: &TestApp) -> (Value, String) {
    let json = app.run(&["explain", "7", "--json"]).succeeded().json();
    let text = run_on_terminal(&["explain", "7"], &app.env(&[]), 600)
        .succeeded()
        .out;
    let line = text.lines().find(|line| line.starts_with("state:"));
    let line = line.unwrap().trim_start_matches("state:").trim();
    (json[0].clone(), line.to_owned())
}

#[tokio::test]
async fn explain_shows_each_state() {
    let gone = terminated("7", DANA, AS_OF);
    let later = leaving("7", DANA, AS_OF, "2099-12-24");
    let works = working("7", DANA, AS_OF);
    for (entry, preparation, state, text) in [
        (works, "", "employed", "employed"),
        (later, "", "scheduled", "scheduled for 2099-12-25 "),
        (gone.clone(), "", "ended", "ended"),
        (
            gone.clone(),
            "DELETE FROM users",
            "no account",
            "left, and no account found, since 2026-11-22 ",
        ),
        (
            gone,
            "INSERT INTO users (email) VALUES ('Dana@example.com')",
            "held",
            "held; `leaver holds approve 1` or `leaver holds reject 1`",
        ),
    ] {
        let mut app = TestApp::new().await;
        app.add_users(&[DANA, EVE]).await;
        app.sql(preparation).await;
        app.bamboohr(&[entry]).await;
        let (explained, line) = explained(&app);
        assert_eq!(explained["state"], state, "{explained}");
        assert!(line.starts_with(text), "{line}");
    }
}

#[tokio::test]
async fn explain_shows_a_blocked_person_with_the_reason() {
    let mut app = TestApp::new().await;
    let ids = app.add_users(&[DANA]).await;
    app.refuse_to_change(&ids, "P0001").await;
    let date = Some("2026-11-20T00:00:00Z");
    let record = merge_record("7", DANA, AS_OF, "INACTIVE", date);
    app.deliver("merge", &record).await;
    let (explained, line) = explained(&app);
    assert_eq!(explained["state"], "blocked");
    assert_eq!(explained["blocked"]["since"], "2026-11-22T12:00:00Z");
    assert!(explained["blocked"]["retry_at"].is_string());
    let reason = explained["blocked"]["reason"].as_str().unwrap();
    assert!(reason.contains("refuse()"), "{reason}");
    assert!(line.starts_with("blocked since 2026-11-22 12:00"), "{line}");
    assert!(line.contains(reason), "{line}");
}

#[tokio::test]
async fn explain_shows_access_given_back_by_hand() {
    let mut app = TestApp::new().await;
    app.add_users(&[DANA]).await;
    app.bamboohr(&[terminated("7", DANA, AS_OF)]).await;
    app.sql("UPDATE users SET is_active = true").await;
    let (explained, line) = explained(&app);
    assert_eq!(explained["state"], "has access");
    assert!(line.contains("leaver drift"), "{line}");
}

#[tokio::test]
async fn explain_shows_a_rejected_hold() {
    let settings = [("LEAVER__ACCOUNTS__PROTECTED", r#"["dana@example.com"]"#)];
    let mut app = TestApp::builder().settings(&settings).build().await;
    app.add_users(&[DANA]).await;
    app.bamboohr(&[terminated("7", DANA, AS_OF)]).await;
    let hold = app.open_hold().await;
    assert_eq!(explained(&app).0["state"], "held");
    app.reject(hold).await.unwrap();
    let (explained, _) = explained(&app);
    assert_eq!(explained["state"], "has access");
    assert_eq!(explained["hold"], json!({"id": hold, "rejected": true}));
}
