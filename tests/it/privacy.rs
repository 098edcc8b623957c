//! Personal data stays out of logs and metrics and, once a delivery is processed, out of our tables.

use axum::http::StatusCode;
use chrono::TimeDelta;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Row};

use crate::support::logs::Captured;
use crate::support::{
    BAMBOOHR_KEY, FORM, JSON, MERGE_KEY, TestApp, employee, employees, merge_changed,
};

/// What no rule needs: it must be nowhere at all.
const SECRET: [&str; 9] = [
    "123-45-6789",
    "1985-07-14",
    "07/14/1985",
    "98765.43",
    "98,765",
    "12 Elm Street",
    "Springfield",
    "Ruiz-Katz",
    "me@home.example",
];
/// What our tables may keep, and nobody else may see.
const PERSONAL: [&str; 5] = ["dana.ruiz", "@example.com", "Dana", "@home", "Ruiz"];

fn has_none(place: &str, text: &str, words: &[&str]) {
    let folded = text.to_lowercase();
    for word in words {
        let found = folded.find(&word.to_lowercase());
        assert_eq!(found, None, "{word} stands in {place}: {text}");
    }
}

/// Every value of every table of ours, as text, with bytes also as the text they spell.
async fn dump(app: &mut TestApp) -> String {
    let tables = sqlx::query(
        "SELECT c.relname AS name, coalesce(string_agg(format('encode(t.%I, ''escape'')', a.attname), ', ') FILTER (WHERE a.attname IS NOT NULL), 'NULL') AS bytes
         FROM pg_class c
         LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.atttypid = 'bytea'::regtype AND NOT a.attisdropped
         WHERE c.relnamespace = 'leaver'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm') GROUP BY 1",
    )
    .fetch_all(&mut app.conn)
    .await
    .unwrap();
    assert!(tables.len() >= 4);
    let mut text = String::new();
    for table in tables {
        let (name, bytes): (String, String) = (table.get("name"), table.get("bytes"));
        let rows = format!("SELECT concat_ws(' ', t::text, {bytes}) AS row FROM leaver.{name} t");
        for row in sqlx::query(AssertSqlSafe(rows))
            .fetch_all(&mut app.conn)
            .await
            .unwrap()
        {
            text.push_str(row.get("row"));
            text.push('\n');
        }
    }
    text
}

/// Posted values with all that HR knows of somebody.
fn everything(status: &str, email: &str) -> Value {
    json!({
        "status": status, "employmentHistoryStatus": if status == "Inactive" { "Terminated" } else { "Full-Time" },
        "workEmail": email, "homeEmail": "me@home.example", "firstName": "Dana", "lastName": "Ruiz-Katz",
        "ssn": "123-45-6789", "dateOfBirth": "1985-07-14", "payRate": "98765.43 USD", "address1": "12 Elm Street",
        "city": {"value": "Springfield"}, "Birth Date": "07/14/1985", "Pay rate": {"value": "98,765"},
    })
}

fn everything_merge(email: &str) -> Value {
    merge_changed(&json!({
        "id": "m1", "modified_at": "2026-11-22T09:00:00Z", "employment_status": "INACTIVE", "termination_date": "2026-11-20T00:00:00Z",
        "work_email": email, "personal_email": "me@home.example", "first_name": "Dana", "last_name": "Ruiz-Katz",
        "display_full_name": "Dana Ruiz-Katz", "ssn": "123-45-6789", "date_of_birth": "1985-07-14T00:00:00Z",
        "home_location": {"street_1": "12 Elm Street", "city": "Springfield"}, "employments": [{"pay_rate": 98765.43}],
    }))
}

#[tokio::test]
async fn nothing_personal_leaves_the_bodies_of_a_whole_run() {
    let (log, _guard) = Captured::start("info,leaver=trace");
    let env = [(
        "LEAVER__ACCOUNTS__PROTECTED",
        r#"["boss.dana@example.com"]"#,
    )];
    let mut app = TestApp::builder().settings(&env).build().await;
    app.add_users(&[
        "dana.ruiz@example.com",
        "dana.ruiz2@example.com",
        "m.dana.ruiz@example.com",
        "boss.dana@example.com",
    ])
    .await;
    app.add_users(&["dana.ruiz@twice.example.com", "Dana.Ruiz@twice.example.com"])
        .await;
    let as_of = "2026-11-22T09:00:00Z";
    let mut thin = json!({"type": "employee.updated", "timestamp": as_of, "data": {"employeeId": "1", "changedFields": ["status"]}});
    thin["data"]["note"] = json!("Dana 123-45-6789");
    let mut other = everything_merge("m.dana.ruiz@example.com");
    other["hook"]["event"] = json!("Candidate.changed");
    let mut ahead = everything("Active", "dana.ruiz2@example.com");
    ahead["terminationDate"] = json!("2026-11-30");
    let body = employees(&[
        employee(
            "1",
            as_of,
            &["status"],
            &everything("Inactive", "dana.ruiz@example.com"),
        ),
        employee("2", as_of, &["terminationDate"], &ahead),
        employee(
            "3",
            as_of,
            &["status"],
            &everything("Inactive", "boss.dana@example.com"),
        ),
        employee(
            "4",
            as_of,
            &["status"],
            &everything("Inactive", "dana.ruiz@nowhere.example.com"),
        ),
        employee(
            "5",
            as_of,
            &["status"],
            &everything("Inactive", "dana.ruiz@twice.example.com"),
        ),
        json!({"id": {"Dana": "123-45-6789"}, "fields": everything("Inactive", "x@example.com")}),
    ]);
    for (source, body) in [
        ("bamboohr", &body),
        ("bamboohr", &body),
        ("bamboohr", &thin),
        ("merge", &other),
        ("merge", &everything_merge("m.dana.ruiz@example.com")),
    ] {
        app.deliver(source, body).await;
    }
    let form = "employees[7][status]=Inactive&employees[7][SSN]=123-45-6789&employees[7][First+name]=Dana&employees[7][workEmail]=dana.ruiz%40example.com";
    app.send("bamboohr", FORM, form).await;
    app.work().await;
    let mut forged = app.signed(
        "bamboohr",
        JSON,
        everything("Inactive", "dana.ruiz@example.com").to_string(),
    );
    forged.headers_mut().insert(
        "x-bamboohr-signature",
        "dana.ruiz@example.com".parse().unwrap(),
    );
    assert_eq!(app.request(forged).await.status, StatusCode::UNAUTHORIZED);
    let elsewhere = axum::http::Request::post("/webhooks/dana.ruiz@example.com");
    app.request(elsewhere.body(axum::body::Body::empty()).unwrap())
        .await;
    app.advance(TimeDelta::days(10));
    app.run_due().await;
    assert_eq!(app.user("dana.ruiz@example.com").await, (false, 0));
    assert_eq!(app.user("dana.ruiz2@example.com").await, (false, 0));
    assert_eq!(app.user("m.dana.ruiz@example.com").await, (false, 0));

    // The body with an unreadable entry was kept for a week.
    app.parts.housekeeping.run_once().await.unwrap();
    has_none("schema leaver", &dump(&mut app).await, &SECRET);
    let said = app
        .text("SELECT string_agg(reason, ' ') FROM leaver.audit")
        .await
        .unwrap();
    has_none("the record", &said, &PERSONAL);
    let keys = [BAMBOOHR_KEY, MERGE_KEY];
    for (place, text) in [
        ("the log", log.text()),
        ("the metrics", app.get("/metrics").await.body.to_string()),
        ("the health", app.get("/health").await.body.to_string()),
    ] {
        assert!(text.len() > 300, "{place} is there: {text}");
        has_none(place, &text, &SECRET);
        has_none(place, &text, &PERSONAL);
        has_none(place, &text, &keys);
    }
}

#[tokio::test]
async fn personal_data_in_database_errors_is_redacted() {
    let raising = |how: &str| {
        format!(
            "CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE {how}; RETURN NEW; END $$;
             CREATE TRIGGER no BEFORE UPDATE ON users FOR EACH ROW EXECUTE FUNCTION no();"
        )
    };
    let failures = [
        raising("'user % must stay', NEW.email"),
        raising("'% (\"%\") must stay', NEW.email, split_part(NEW.email, '.', 1)"),
        raising("check_violation USING MESSAGE = NEW.email, DETAIL = NEW.email, HINT = NEW.email"),
        raising("undefined_table USING MESSAGE = 'no table for ' || NEW.email"),
        raising("USING ERRCODE = '57014', MESSAGE = NEW.email"),
        raising("USING ERRCODE = '40001', MESSAGE = NEW.email"),
        raising("WARNING 'careful with %', NEW.email").replace("RETURN NEW", "PERFORM NEW.email::int"),
        raising("LOG '%', NEW.email").replace("RETURN NEW", "PERFORM split_part(NEW.email, '.', 1)::int"),
        raising("INFO 'about %', NEW.email").replace("RETURN NEW", "EXECUTE NEW.email"),
        "ALTER TABLE users ADD CHECK (is_active OR email NOT LIKE 'dana%')".to_owned(),
        "CREATE UNIQUE INDEX ON users (split_part(email, '.', 1)) WHERE NOT is_active;
         INSERT INTO users (email, is_active) VALUES ('dana.other@example.com', false)".to_owned(),
        "CREATE VIEW v AS SELECT * FROM users; CREATE RULE r AS ON UPDATE TO users DO ALSO SELECT NEW.email::uuid".to_owned(),
    ];
    for failure in failures {
        let (log, _guard) = Captured::start("info,leaver=trace");
        let env = [("LEAVER__WORKER__MAX_ATTEMPTS", "2")];
        let mut app = TestApp::builder().settings(&env).build().await;
        app.add_users(&["dana.ruiz@example.com"]).await;
        app.sql(&failure).await;
        let body = employees(&[employee(
            "1",
            "2026-11-22T09:00:00Z",
            &["status"],
            &everything("Inactive", "dana.ruiz@example.com"),
        )]);
        app.send("bamboohr", JSON, body.to_string()).await;
        for _ in 0..3 {
            app.parts.deliveries.round(&mut app.memory).await;
            let causes = app
                .text("SELECT coalesce(string_agg(reason, ' '), '') FROM leaver.deliveries")
                .await;
            has_none("the reason", &causes.unwrap(), &PERSONAL);
            let causes =
                "SELECT concat((SELECT string_agg(blocked_reason, ' ') FROM leaver.employees),
                                        (SELECT string_agg(reason, ' ') FROM leaver.audit))";
            has_none("the reason", &app.text(causes).await.unwrap(), &PERSONAL);
            app.advance(TimeDelta::minutes(10));
        }
        assert_eq!(
            app.user("dana.ruiz@example.com").await,
            (true, 2),
            "{failure}"
        );
        let text = log.text();
        assert!(
            text.contains("WARN") || text.contains("ERROR"),
            "{failure}: {text}"
        );
        has_none("the log", &text, &PERSONAL);
        has_none("the log", &text, &SECRET);
    }
}

#[tokio::test]
async fn a_failing_scheduled_end_quotes_no_personal_data() {
    let (log, _guard) = Captured::start("info,leaver=trace");
    let mut app = TestApp::new().await;
    app.add_users(&["dana.ruiz@example.com"]).await;
    let mut ahead = everything("Active", "dana.ruiz@example.com");
    ahead["terminationDate"] = json!("2026-11-23");
    app.deliver(
        "bamboohr",
        &employees(&[employee("1", "2026-11-22T09:00:00Z", &[], &ahead)]),
    )
    .await;
    app.sql(
        "CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE '% stays', NEW.email; END $$;
         CREATE TRIGGER no BEFORE UPDATE ON users FOR EACH ROW EXECUTE FUNCTION no();",
    )
    .await;
    app.advance(TimeDelta::days(3));
    app.run_due().await;
    let said = "SELECT string_agg(blocked_reason, ' ') FROM leaver.employees";
    let said = app.text(said).await.unwrap();
    has_none("the reason", &said, &PERSONAL);
    has_none("the log", &log.text(), &PERSONAL);
}

#[tokio::test]
async fn a_failed_body_goes_when_its_time_is_over() {
    let mut app = TestApp::new().await;
    app.send("bamboohr", JSON, "{\"ssn\": \"123-45-6789\"")
        .await;
    app.work().await;
    assert!(
        dump(&mut app).await.contains("123-45-6789"),
        "it is kept for a replay"
    );
    app.advance(TimeDelta::days(7) + TimeDelta::seconds(1));
    app.parts.housekeeping.run_once().await.unwrap();
    has_none("schema leaver", &dump(&mut app).await, &SECRET);
}

#[tokio::test]
async fn what_prints_itself_shows_neither_keys_nor_people() {
    let env = [
        ("DATABASE_URL", "postgres://leaver:pass-word@localhost/app"),
        (
            "LEAVER__ACCOUNTS__PROTECTED",
            r#"["dana.ruiz@example.com"]"#,
        ),
    ];
    let app = TestApp::builder().settings(&env).build().await;
    let state = &app.parts.state;
    let shown = format!(
        "{:?} {:?} {:?} {:?} {:?}",
        app.settings,
        app.parts.engine.policies,
        app.parts.engine.mapping,
        state.webhook_keys,
        state.metrics
    );
    has_none("Debug", &shown, &[BAMBOOHR_KEY, MERGE_KEY, "pass-word"]);
    has_none("Debug", &shown, &PERSONAL);
    let signed = app.signed("bamboohr", JSON, "{}");
    let value = signed.headers()["x-bamboohr-signature"].clone();
    assert!(!value.is_sensitive() || !format!("{signed:?}").contains(value.to_str().unwrap()));
}
