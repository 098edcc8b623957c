//! Deactivates the right account in any users table, and changes nothing else.

mod at_once;
mod columns;
mod matching;

use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::support::{JSON, TestApp, USERS, employee, employees};

fn terminated(email: &str) -> Value {
    json!({"status": "Inactive", "employmentHistoryStatus": "Terminated", "workEmail": email})
}

fn active(email: &str) -> Value {
    json!({"status": "Active", "employmentHistoryStatus": "Full-Time", "workEmail": email})
}

/// Has BambooHR say these facts of employees, at a full hour of the day.
async fn says(app: &mut TestApp, hour: u32, said: &[(&str, Value)]) {
    let as_of = format!("2026-11-22T{hour:02}:00:00Z");
    let entries: Vec<Value> = said
        .iter()
        .map(|(id, fields)| employee(id, &as_of, &["status"], fields))
        .collect();
    app.deliver("bamboohr", &employees(&entries)).await;
}

async fn outcome(app: &mut TestApp) -> Value {
    let outcome = app
        .text("SELECT outcome::text FROM leaver.deliveries ORDER BY id DESC LIMIT 1")
        .await;
    serde_json::from_str(&outcome.unwrap()).unwrap()
}

/// The reasons of the open holds.
async fn questions(app: &mut TestApp) -> String {
    app.text("SELECT string_agg(reason, '|') FROM leaver.holds WHERE state = 'open'")
        .await
        .unwrap_or_default()
}

#[tokio::test]
async fn only_the_active_column_and_the_sessions_change() {
    let tables = r#"
        CREATE TABLE users (id int PRIMARY KEY, email text, hashed_password text, is_active boolean,
                            role text, created_at timestamptz DEFAULT now(), settings jsonb, xs int[]);
        CREATE TABLE sessions (id int PRIMARY KEY, user_id int, data bytea);
        CREATE TABLE invoices (id int PRIMARY KEY, user_id int);
        INSERT INTO users SELECT n, 'u' || n || '@example.com', md5(n::text), true, 'admin', now(), '{"a": 1}', '{1,2}'
        FROM generate_series(1, 5) n;
        INSERT INTO sessions SELECT n, 1 + n % 5, '\x00' FROM generate_series(1, 20) n;
        INSERT INTO invoices SELECT n, 1 + n % 5 FROM generate_series(1, 20) n;"#;
    let mut app = TestApp::builder().tables(tables).build().await;
    let whole = r"SELECT concat_ws(E'\n',
        (SELECT string_agg(u::text, E'\n' ORDER BY id) FROM users u),
        (SELECT string_agg(s::text, E'\n' ORDER BY id) FROM sessions s),
        (SELECT string_agg(i::text, E'\n' ORDER BY id) FROM invoices i))";
    // What should happen, done by hand and taken back.
    app.sql("BEGIN; UPDATE users SET is_active = false WHERE id = 3; DELETE FROM sessions WHERE user_id = 3")
        .await;
    let expected = app.text(whole).await;
    app.sql("ROLLBACK").await;

    let said = [
        ("1", terminated("u3@example.com")),
        ("2", active("u4@example.com")),
    ];
    says(&mut app, 9, &said).await;
    assert_eq!(app.text(whole).await, expected);
}

#[tokio::test]
async fn a_failing_session_statement_blocks_the_deactivation() {
    let mut app = TestApp::new().await;
    app.add_users(&["dana@example.com"]).await;
    app.sql(
        "CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'not now'; END $$;
         CREATE TRIGGER no BEFORE DELETE ON sessions FOR EACH STATEMENT EXECUTE FUNCTION no();",
    )
    .await;
    says(&mut app, 9, &[("1", terminated("dana@example.com"))]).await;
    assert_eq!(app.user("dana@example.com").await, (true, 2));
    assert_eq!(app.audit().await, ["blocked 1"]);
    assert_eq!(outcome(&mut app).await, json!({"blocked": 1}));

    app.sql("DROP TRIGGER no ON sessions").await;
    app.run_due().await;
    assert_eq!(
        app.user("dana@example.com").await,
        (true, 2),
        "it waits its time"
    );
    app.advance(TimeDelta::minutes(1));
    app.run_due().await;
    assert_eq!(app.user("dana@example.com").await, (false, 0));
    assert_eq!(app.audit().await, ["blocked 1", "deactivated 1"]);
}

#[tokio::test]
async fn a_blocked_deactivation_does_not_block_its_neighbours() {
    let mut app = TestApp::new().await;
    let emails: Vec<String> = (0..9).map(|n| format!("u{n}@example.com")).collect();
    app.add_users(&emails.iter().map(String::as_str).collect::<Vec<_>>())
        .await;
    app.sql(
        "CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS
             $$ BEGIN IF NEW.email = 'u4@example.com' THEN RAISE 'never'; END IF; RETURN NEW; END $$;
         CREATE TRIGGER no BEFORE UPDATE ON users FOR EACH ROW EXECUTE FUNCTION no();",
    )
    .await;
    for (n, email) in emails.iter().enumerate() {
        let entry = employee(
            &n.to_string(),
            "2026-11-22T09:00:00Z",
            &["status"],
            &terminated(email),
        );
        app.send("bamboohr", JSON, employees(&[entry]).to_string())
            .await;
    }
    app.work().await;
    let left = app
        .text("SELECT string_agg(email, ',') FROM users WHERE is_active")
        .await;
    assert_eq!(left.as_deref(), Some("u4@example.com"));
    let unsettled =
        "SELECT count(*) FROM leaver.deliveries WHERE state <> 'processed' OR body IS NOT NULL";
    assert_eq!(app.count(unsettled).await, 0);
    let blocked = "SELECT employee_id FROM leaver.employees WHERE blocked_since IS NOT NULL";
    assert_eq!(app.lines(blocked).await, ["4"]);
}

#[tokio::test]
async fn an_inactive_account_of_a_leaver_loses_its_sessions_once() {
    let mut app = TestApp::new().await;
    app.add_users(&["dana@example.com"]).await;
    app.sql("UPDATE users SET is_active = false").await;
    for hour in [9, 10] {
        says(&mut app, hour, &[("1", terminated("dana@example.com"))]).await;
        assert_eq!(app.user("dana@example.com").await, (false, 0));
        assert_eq!(app.audit().await, ["sessions_ended 1"]);
    }
    assert_eq!(questions(&mut app).await, "");
}

#[tokio::test]
async fn an_account_without_a_word_on_activity_counts_as_active() {
    let tables = USERS.replace("boolean NOT NULL DEFAULT true", "boolean");
    let mut app = TestApp::builder().tables(&tables).build().await;
    app.add_users(&["dana@example.com", "other@example.com"])
        .await;
    let said = [
        ("1", terminated("dana@example.com")),
        ("2", active("other@example.com")),
    ];
    says(&mut app, 9, &said).await;
    assert_eq!(app.user("dana@example.com").await, (false, 0));
    let untouched = app
        .count("SELECT count(*) FROM users WHERE is_active IS NULL")
        .await;
    assert_eq!(untouched, 1);
}

#[tokio::test]
async fn only_accounts_that_we_deactivated_are_reactivated() {
    let mut app = TestApp::builder()
        .settings(&[("LEAVER__POLICY__REHIRE", "reactivate")])
        .build()
        .await;
    app.add_users(&["ours@example.com", "theirs@example.com"])
        .await;
    app.sql("UPDATE users SET is_active = false WHERE email = 'theirs@example.com'")
        .await;
    let both = |facts: fn(&str) -> Value| {
        [
            ("1", facts("ours@example.com")),
            ("2", facts("theirs@example.com")),
        ]
    };
    says(&mut app, 9, &both(terminated)).await;
    says(&mut app, 10, &both(active)).await;
    assert_eq!(app.user("ours@example.com").await, (true, 0));
    assert_eq!(app.user("theirs@example.com").await, (false, 0));
    assert_eq!(
        app.audit().await,
        ["deactivated 1", "sessions_ended 2", "reactivated 1"]
    );
}

#[tokio::test]
async fn a_failing_scheduled_end_does_not_block_the_others() {
    let mut app = TestApp::new().await;
    let emails: Vec<String> = (0..20).map(|n| format!("u{n}@example.com")).collect();
    app.add_users(&emails.iter().map(String::as_str).collect::<Vec<_>>())
        .await;
    app.sql(
        "CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS
             $$ BEGIN IF NEW.email IN ('u0@example.com', 'u13@example.com') THEN RAISE 'never'; END IF; RETURN NEW; END $$;
         CREATE TRIGGER no BEFORE UPDATE ON users FOR EACH ROW EXECUTE FUNCTION no();",
    )
    .await;
    let ids: Vec<String> = (0..20).map(|n| n.to_string()).collect();
    let said: Vec<(&str, Value)> = ids
        .iter()
        .zip(&emails)
        .map(|(id, email)| {
            let mut fields = active(email);
            let day = if id == "0" {
                "2026-11-23"
            } else {
                "2026-11-24"
            };
            fields["terminationDate"] = json!(day);
            (id.as_str(), fields)
        })
        .collect();
    says(&mut app, 9, &said).await;
    app.advance(TimeDelta::days(5));
    let left = "SELECT string_agg(email, ',' ORDER BY email) FROM users WHERE is_active";
    for _ in 0..2 {
        app.run_due().await;
        let left = app.text(left).await;
        assert_eq!(left.as_deref(), Some("u0@example.com,u13@example.com"));
        app.advance(TimeDelta::minutes(1));
    }
    app.sql("DROP TRIGGER no ON users").await;
    app.run_due().await;
    assert_eq!(app.text(left).await, None);
}
