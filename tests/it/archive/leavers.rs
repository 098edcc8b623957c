//! Everybody who left in a period, and how access ended.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::{installed_in_january, november};
use crate::support::database::Session;
use crate::support::{TestApp, employee, employees};

/// Returns an entry about a person at a time.
fn entry(id: &str, at: &str, fields: &Value) -> Value {
    let mut fields = fields.clone();
    fields["workEmail"] = json!(format!("p{id}@example.com"));
    employee(id, at, &["status"], &fields)
}

fn left() -> Value {
    json!({"status": "Inactive", "employmentHistoryStatus": "Terminated"})
}

fn active() -> Value {
    json!({"status": "Active", "employmentHistoryStatus": "Full-Time", "hireDate": "2020-01-06"})
}

/// Returns the rows by the id of the employee, as `state|how|exception`.
fn rows(output: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let mut rows: Vec<String> = output["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            let exception = text(&row["exception"]);
            let exception = exception
                .split([':', ' '])
                .next()
                .unwrap_or_default()
                .to_owned();
            format!(
                "{} {}|{}|{exception}",
                text(&row["employee_id"]),
                text(&row["state"]),
                text(&row["how"])
            )
        })
        .collect();
    rows.sort();
    rows
}

/// Makes everything complete: all sources were read just now.
async fn read_everything(app: &mut TestApp) {
    installed_in_january(app).await;
    app.sql(
        "INSERT INTO leaver.sync_state (source, linked_account_id, last_complete_started_at, last_full_started_at,
                                        last_started_at, last_completed_at, state)
         SELECT s, '', now(), now(), now(), now(), 'complete' FROM unnest('{bamboohr,merge}'::text[]) s",
    )
    .await;
}

#[tokio::test]
async fn every_way_to_leave_is_a_row() {
    let mut app = TestApp::new().await;
    read_everything(&mut app).await;
    let emails: Vec<String> = (1..=8).map(|n| format!("p{n}@example.com")).collect();
    let emails: Vec<&str> = emails.iter().map(String::as_str).collect();
    app.add_users(&emails).await;
    // 6 has no account, 7 has two, and 8 stays.
    app.sql(
        "DELETE FROM users WHERE email = 'p6@example.com';
         INSERT INTO users (email) VALUES ('P7@example.com');
         UPDATE users SET is_active = false WHERE email = 'p5@example.com'",
    )
    .await;
    let at = "2026-11-22T11:00:00Z";
    let scheduled = json!({"status": "Active", "terminationDate": "2026-11-22"});
    let ahead = json!({"status": "Active", "terminationDate": "2199-01-01"});
    let body = employees(&[
        entry("1", at, &left()),
        entry("2", at, &scheduled),
        entry("3", at, &left()),
        entry("4", at, &ahead),
        entry("5", at, &left()),
        entry("6", at, &left()),
        entry("7", at, &left()),
        entry("8", at, &active()),
    ]);
    app.deliver("bamboohr", &body).await;
    app.advance(TimeDelta::hours(13));
    app.run_due().await;
    // 3 is back.
    let back = json!({"status": "Active", "employmentHistoryStatus": "Full-Time", "hireDate": "2026-11-23"});
    app.deliver(
        "bamboohr",
        &employees(&[entry("3", "2026-11-23T00:30:00Z", &back)]),
    )
    .await;

    let output = app.run(&november("leavers", &["--json"]));
    assert_eq!(output.code, Some(1), "{output:?}");
    let output = output.json();
    let found = rows(&output);
    assert_eq!(
        found,
        [
            "1 ended|webhook|-",
            "2 ended|timer|-",
            "3 held|webhook|hold",
            "5 ended|found inactive|-",
            "6 no account|-|no",
            "7 held|-|hold",
        ],
        "{output:#}"
    );
    assert_eq!(output["counts"], json!({"leavers": 6, "exceptions": 3}));
    assert_eq!(output["missing"], json!([]));
    let rows = output["rows"].as_array().unwrap();
    let row = |id: &str| rows.iter().find(|row| row["employee_id"] == id).unwrap();
    // The end of the day, 13 hours before the timer ran.
    assert_eq!(row("2")["effective_at"], "2026-11-23T00:00:00Z");
    assert_eq!(row("2")["delay_seconds"], 3_600);
    assert_eq!(row("1")["reported_at"], at);
    assert_eq!(row("1")["received_at"], "2026-11-22T12:00:00Z");
    assert_eq!(row("1")["delay_seconds"], 0);
    assert_eq!(row("1")["work_email"], "p1@example.com");
}

#[tokio::test]
async fn ends_without_exception_exit_with_0() {
    let mut app = TestApp::new().await;
    read_everything(&mut app).await;
    app.add_users(&["p1@example.com"]).await;
    let body = employees(&[entry("1", "2026-11-22T11:00:00Z", &left())]);
    app.deliver("bamboohr", &body).await;
    let output = app
        .run(&november("leavers", &["--format", "csv"]))
        .succeeded();
    let lines: Vec<&str> = output.out.lines().collect();
    assert_eq!(lines.len(), 2, "{output:?}");
    assert!(lines[0].starts_with("employee_id,work_email,source,"));
    assert!(lines[1].starts_with("1,p1@example.com,bamboohr,"));
    assert!(output.err.contains("complete"), "{output:?}");
    // Nobody left in another month.
    let other = [
        "leavers",
        "--from",
        "2026-02-01",
        "--to",
        "2026-02-28",
        "--json",
    ];
    assert_eq!(app.run(&other).succeeded().json()["rows"], json!([]));
}

#[tokio::test]
async fn a_person_s_part_is_shown() {
    let mut app = TestApp::new().await;
    app.add_users(&[
        "p1@example.com",
        "p2@example.com",
        "p3@example.com",
        "nobody@example.com",
    ])
    .await;
    app.sql("INSERT INTO users (email) VALUES ('P1@example.com')")
        .await;
    let at = "2026-11-22T11:00:00Z";
    let body = employees(&[
        entry("1", at, &left()),
        entry("2", at, &active()),
        entry("3", at, &left()),
    ]);
    app.deliver("bamboohr", &body).await;
    let hold = app.text("SELECT id::text FROM leaver.holds").await.unwrap();
    app.run(&["holds", "approve", &hold, "--account", "1", "--as", "ada"])
        .succeeded();
    for who in ["p2@example.com", "account:4"] {
        app.run(&["end", who, "--reason", "fraud", "--yes", "--as", "ada"])
            .succeeded();
    }
    app.sql("UPDATE users SET is_active = true WHERE id = 3")
        .await;
    let args = [
        "leavers",
        "--from",
        "2026-11-01",
        "--to",
        "2199-01-01",
        "--json",
    ];
    let output = app.run(&args).json();
    let rows = output["rows"].as_array().unwrap();
    let of = |id: &str| rows.iter().find(|row| row["employee_id"] == id).unwrap();
    for id in ["1", "2", "-"] {
        assert_eq!(of(id)["approved_by"], "cli:ada", "{output:#}");
        assert_eq!(of(id)["how"], "cli", "{output:#}");
    }
    assert_eq!(of("-")["account_id"], "4");
    assert_eq!(of("3")["state"], "has access", "{output:#}");
}

#[tokio::test]
async fn filters_select_leavers() {
    let mut app = TestApp::new().await;
    read_everything(&mut app).await;
    app.add_users(&["p1@example.com", "p2@example.com", "nobody@example.com"])
        .await;
    let at = "2026-11-22T11:00:00Z";
    let body = employees(&[entry("1", at, &left()), entry("2", at, &left())]);
    app.deliver("bamboohr", &body).await;
    app.run(&["end", "account:3", "--reason", "fraud", "--yes"])
        .succeeded();
    app.sql("UPDATE leaver.changes SET at = '2026-11-22T12:00:00Z'")
        .await;
    let all = ["- ended|cli|-", "1 ended|webhook|-", "2 ended|webhook|-"];
    for (filter, found) in [
        (&[][..], &all[..]),
        (&["--person", "1"], &["1 ended|webhook|-"]),
        (&["--person", "P2@Example.com"], &["2 ended|webhook|-"]),
        (&["--source", "bamboohr"], &all[1..]),
        (&["--source", "merge"], &[]),
        (&["--tenant", "default"], &all[1..]),
        (&["--tenant", "default", "--person", "2"], &all[2..]),
    ] {
        let args = november("leavers", &[filter, &["--json"]].concat());
        let output = app.run(&args).json();
        assert_eq!(rows(&output), found, "{filter:?}: {output:#}");
    }
    // The report of one source misses no others.
    app.sql(
        "INSERT INTO leaver.employees (source, tenant, employee_id, facts, first_observed_at, modified_at)
         VALUES ('gone', 'acme', '9', '{}', now(), now())",
    )
    .await;
    let one = november("leavers", &["--source", "bamboohr", "--json"]);
    assert_eq!(app.run(&one).succeeded().json()["missing"], json!([]));
    let all = app.run(&november("leavers", &["--json"])).json();
    assert_eq!(all["missing"][0]["code"], "not_configured");
}

#[tokio::test]
async fn a_blocked_end_is_an_exception_with_its_cause() {
    let mut app = TestApp::new().await;
    app.add_users(&["p1@example.com"]).await;
    app.sql(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no'; END $$;
         CREATE TRIGGER refuse BEFORE UPDATE ON users FOR EACH ROW EXECUTE FUNCTION refuse()",
    )
    .await;
    let body = employees(&[entry("1", "2026-11-22T11:00:00Z", &left())]);
    app.deliver("bamboohr", &body).await;
    let output = app.run(&november("leavers", &["--json"])).json();
    assert_eq!(rows(&output), ["1 blocked|-|blocked"], "{output:#}");
}

#[tokio::test]
async fn leavers_that_may_be_missing_are_named() {
    let mut app = TestApp::new().await;
    installed_in_january(&mut app).await;
    app.sql(
        "INSERT INTO leaver.sync_state (source, linked_account_id, last_full_started_at, last_started_at, state, reason)
         VALUES ('bamboohr', '', '2026-11-10T00:00:00Z', now(), 'incomplete', 'x');
         INSERT INTO leaver.employees (source, tenant, employee_id, facts, first_observed_at, modified_at)
         VALUES ('gone', 'acme', '1', '{}', now(), now());
         INSERT INTO leaver.pending_reads (source, tenant, employee_id, since, next_attempt_at)
         VALUES ('bamboohr', 'default', '1', '2026-11-20T00:00:00Z', now())",
    )
    .await;
    let failed = app
        .send("bamboohr", crate::support::JSON, "{}".to_owned())
        .await;
    assert!(failed.status.is_success());
    app.work().await;
    app.run(&["shadow", "--source", "merge"]).succeeded();
    let output = app.run(&november("leavers", &["--json"]));
    assert_eq!(output.code, Some(1));
    let missing = output.json()["missing"].clone();
    let codes = missing
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["code"].as_str().unwrap());
    assert_eq!(
        codes.collect::<Vec<_>>(),
        [
            "not_configured",
            "not_read_since",
            "never_read",
            "shadow",
            "failed_deliveries",
            "pending_reads"
        ],
        "{missing:#}"
    );
}

#[tokio::test]
async fn a_report_is_one_state_of_the_database() {
    let mut app = TestApp::new().await;
    read_everything(&mut app).await;
    app.add_users(&["p1@example.com"]).await;
    let body = employees(&[entry("1", "2026-11-22T11:00:00Z", &left())]);
    app.deliver("bamboohr", &body).await;
    // While another session changes the row, the report waits for nothing.
    let mut other = Session::open(&app.options).await;
    other
        .sql("BEGIN; UPDATE leaver.employees SET facts = '{}'; DELETE FROM leaver.changes")
        .await;
    let output = app.run(&november("leavers", &["--json"])).succeeded();
    assert_eq!(rows(&output.json()), ["1 ended|webhook|-"]);
}
