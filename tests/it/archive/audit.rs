//! The audit log of a period: complete, or with the reasons why not.

use serde_json::{Value, json};

use super::{installed_in_january, november};
use crate::support::{TestApp, employee, employees};

/// Inserts an entry of this moment and reason.
async fn insert(app: &mut TestApp, at: &str, reason: &str) {
    app.sql(&format!(
        "INSERT INTO leaver.audit (at, action, reason, source, tenant, employee_id, actor)
         VALUES ('{at}', 'scheduled', '{reason}', 'bamboohr', 'default', '7', 'system:worker')"
    ))
    .await;
}

async fn app_since_january() -> TestApp {
    let mut app = TestApp::new().await;
    installed_in_january(&mut app).await;
    app
}

/// Returns the reasons of the entries.
fn reasons(output: &Value) -> Vec<&str> {
    let rows = output["rows"].as_array().unwrap();
    rows.iter()
        .map(|row| row["reason"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn each_form_has_every_entry_of_the_period() {
    let mut app = app_since_january().await;
    app.add_users(&["ana@example.com", "ben@example.com"]).await;
    let left = |id: &str, email: &str| {
        let fields = json!({"status": "Inactive", "employmentHistoryStatus": "Terminated", "workEmail": email});
        employee(id, "2026-11-22T11:00:00Z", &["status"], &fields)
    };
    let body = employees(&[left("1", "ana@example.com"), left("2", "ben@example.com")]);
    app.deliver("bamboohr", &body).await;
    insert(&mut app, "2026-10-31T23:59:59Z", "before the period").await;

    let output = app.run(&november("audit", &["--json"])).succeeded().json();
    let rows = output["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 2, "{output}");
    assert_eq!(rows[0]["action"], "deactivated");
    assert_eq!(rows[0]["actor"], "system:worker");
    assert_eq!(output["missing"], json!([]));
    assert_eq!(output["counts"], json!({"entries": 2}));
    assert_eq!(output["from"], "2026-11-01T00:00:00Z");
    assert_eq!(output["to"], "2026-11-26T00:00:00Z");

    for (format, separator) in [("csv", ','), ("table", '\t')] {
        let output = app
            .run(&november("audit", &["--format", format]))
            .succeeded();
        let lines: Vec<&str> = output.out.lines().collect();
        assert_eq!(lines.len(), 3, "{output:?}");
        let cells = lines[0].split(separator).count();
        assert!(
            lines
                .iter()
                .all(|line| line.split(separator).count() >= cells)
        );
        assert!(
            output.err.contains("2026-11-26T00:00:00Z (UTC)"),
            "{output:?}"
        );
    }
}

#[tokio::test]
async fn days_begin_and_end_in_the_time_zone() {
    let mut app = app_since_january().await;
    insert(
        &mut app,
        "2026-10-31T22:59:59Z",
        "the last second of October",
    )
    .await;
    insert(
        &mut app,
        "2026-10-31T23:00:00Z",
        "the first second of November",
    )
    .await;
    insert(
        &mut app,
        "2026-11-25T22:59:59Z",
        "the last second of the last day",
    )
    .await;
    insert(&mut app, "2026-11-25T23:00:00Z", "the day after").await;
    let args = november("audit", &["--json", "--timezone", "Europe/Berlin"]);
    assert_eq!(
        reasons(&app.run(&args).succeeded().json()),
        [
            "the first second of November",
            "the last second of the last day"
        ]
    );
    let exact = [
        "audit",
        "--json",
        "--from",
        "2026-11-25T22:59:59Z",
        "--to",
        "2026-11-25T23:00:00Z",
    ];
    assert_eq!(
        reasons(&app.run(&exact).succeeded().json()),
        ["the last second of the last day"]
    );
}

#[tokio::test]
async fn filters_select_entries() {
    let mut app = app_since_january().await;
    app.add_users(&["ana@example.com"]).await;
    let fields = json!({"status": "Active", "workEmail": "ana@example.com"});
    let body = employees(&[employee("7", "2026-11-22T11:00:00Z", &["status"], &fields)]);
    app.deliver("bamboohr", &body).await;
    insert(&mut app, "2026-11-22T12:00:00Z", "of a person").await;
    app.sql(
        "INSERT INTO leaver.audit (at, action, reason, source, tenant, employee_id, account_id, actor)
         VALUES ('2026-11-22T12:00:00Z', 'blocked', 'of another', 'merge', 'acme', '8', '42', 'system:worker')",
    )
    .await;
    for (filter, found) in [
        (["--person", "7"], "of a person"),
        (["--person", "Ana@Example.com"], "of a person"),
        (["--source", "merge"], "of another"),
        (["--tenant", "acme"], "of another"),
        (["--account", "42"], "of another"),
        (["--action", "blocked"], "of another"),
        (["--action", "scheduled"], "of a person"),
    ] {
        let args = november("audit", &[filter[0], filter[1], "--json"]);
        assert_eq!(
            reasons(&app.run(&args).succeeded().json()),
            [found],
            "{filter:?}"
        );
    }
}

#[tokio::test]
async fn an_email_selects_no_other_person_with_the_same_id() {
    let mut app = app_since_january().await;
    app.add_users(&["ana@example.com"]).await;
    let fields = json!({"status": "Active", "workEmail": "ana@example.com"});
    let body = employees(&[employee("7", "2026-11-22T11:00:00Z", &["status"], &fields)]);
    app.deliver("bamboohr", &body).await;
    insert(&mut app, "2026-11-22T12:00:00Z", "of ana").await;
    app.sql(
        "INSERT INTO leaver.audit (at, action, reason, source, tenant, employee_id, actor)
         VALUES ('2026-11-22T12:00:00Z', 'blocked', 'of another', 'merge', 'default', '7', 'system:worker')",
    )
    .await;
    let of = |person| november("audit", &["--json", "--person", person]);
    let by_email = app.run(&of("ana@example.com")).succeeded().json();
    assert_eq!(reasons(&by_email), ["of ana"]);
    assert_eq!(by_email["filter"], json!({"person": "ana@example.com"}));
    let by_id = app.run(&of("7")).succeeded().json();
    assert_eq!(reasons(&by_id), ["of ana", "of another"]);
}

#[tokio::test]
async fn a_filter_that_nothing_fits_is_no_complete_report() {
    let mut app = app_since_january().await;
    insert(&mut app, "2026-11-22T12:00:00Z", "of 7").await;
    for command in ["audit", "leavers"] {
        for (filter, code) in [
            (["--tenant", "acmee"], "unknown_tenant"),
            (["--person", "nobody@example.com"], "unknown_person"),
        ] {
            let args = november(command, &[filter[0], filter[1], "--json"]);
            let output = app.run(&args);
            assert_eq!(output.code, Some(1), "{output:?}");
            let missing = output.json()["missing"].clone();
            let codes = missing.as_array().unwrap();
            assert!(codes.iter().any(|it| it["code"] == code), "{missing}");
            let args = november(command, &filter);
            let noted = app.run(&args).err;
            assert!(!noted.contains("nobody@"), "{noted}");
            assert!(noted.contains("\nonly: "), "{noted}");
        }
        let args = november(command, &["--source", "hibob"]);
        let output = app.run(&args);
        assert_eq!(output.code, Some(2), "{output:?}");
        let listed = "the sources are: bamboohr, merge";
        assert!(output.err.contains(listed), "{output:?}");
    }
    // A source that is not configured any more still has entries.
    app.sql(
        "INSERT INTO leaver.audit (at, action, reason, source, tenant, employee_id, actor)
         VALUES ('2026-11-22T12:00:00Z', 'blocked', 'of hibob', 'hibob', 'default', '7', 'system:worker')",
    )
    .await;
    let args = november("audit", &["--source", "hibob", "--json"]);
    assert_eq!(reasons(&app.run(&args).succeeded().json()), ["of hibob"]);
}

#[tokio::test]
async fn columns_of_reports_are_chosen() {
    let mut app = app_since_january().await;
    insert(&mut app, "2026-11-22T12:00:00Z", "one").await;
    let chosen = ["--columns", "reason,account_id,employee_id"];
    let table = app.run(&november("audit", &chosen)).succeeded();
    assert_eq!(table.out, "reason\taccount_id\temployee_id\none\t-\t7\n");
    let csv = [&chosen[..], &["--format", "csv", "--no-header"]].concat();
    let csv = app.run(&november("audit", &csv)).succeeded();
    assert_eq!(csv.out, "one,,7\r\n");
    let json = [&chosen[..], &["--format", "json"]].concat();
    let json = app.run(&november("audit", &json));
    assert_eq!(json.code, Some(2), "{json:?}");
}

#[tokio::test]
async fn a_spreadsheet_runs_no_cell() {
    let mut app = app_since_january().await;
    insert(
        &mut app,
        "2026-11-22T12:00:00Z",
        "=HYPERLINK(\"https://example.com\",1)",
    )
    .await;
    let output = app
        .run(&november("audit", &["--format", "csv"]))
        .succeeded();
    let quoted = "\"'=HYPERLINK(\"\"https://example.com\"\",1)\"";
    assert!(output.out.contains(quoted), "{output:?}");
    assert!(output.out.ends_with("\r\n"), "{output:?}");
}

#[tokio::test]
async fn what_may_be_missing_is_named_and_changes_the_exit_code() {
    let mut app = TestApp::new().await;
    app.sql(
        "INSERT INTO leaver.restores (found_at, known_until, cause)
         VALUES ('2026-11-20T08:00:00Z', '2026-11-20T07:59:00Z', 'rows_missing')",
    )
    .await;
    let args = [
        "audit",
        "--from",
        "2026-11-01",
        "--to",
        "2199-01-01",
        "--json",
    ];
    let output = app.run(&args);
    assert_eq!(output.code, Some(1), "{output:?}");
    let missing = output.json()["missing"].clone();
    let codes = missing
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["code"].as_str().unwrap());
    assert_eq!(
        codes.collect::<Vec<_>>(),
        ["before_installation", "not_over", "restore"]
    );
    assert!(output.err.contains("incomplete: "), "{output:?}");
}

#[tokio::test]
async fn an_empty_period_and_an_unreadable_time_are_wrong_use() {
    let app = TestApp::new().await;
    for [from, to] in [
        ["2026-11-02", "2026-11-01"],
        ["2026-11-01T00:00:00Z", "2026-11-01T00:00:00Z"],
        ["yesterday", "2026-11-01"],
        ["2026-13-01", "2026-11-01"],
    ] {
        let output = app.run(&["audit", "--from", from, "--to", to]);
        assert_eq!(
            (output.code, output.out.as_str()),
            (Some(2), ""),
            "{output:?}"
        );
    }
}

#[tokio::test]
async fn reading_the_log_is_an_entry_of_the_log() {
    let mut app = app_since_january().await;
    app.run(&november("audit", &["--person", "ana@example.com"]));
    let entry = "SELECT reason FROM leaver.audit WHERE action = 'roster_read'";
    assert_eq!(
        app.lines(entry).await,
        ["audit --from 2026-11-01T00:00:00Z --to 2026-11-26T00:00:00Z"]
    );
}

#[tokio::test]
async fn a_role_that_may_not_read_the_log_gets_advice() {
    let mut app = app_since_january().await;
    let role = format!("service_{}", uuid::Uuid::new_v4().simple());
    app.sql(&format!(
        "CREATE ROLE {role} LOGIN; GRANT SELECT (id, email, is_active), UPDATE (is_active) ON users TO {role}"
    ))
    .await;
    app.run(&["migrate", "--grant-to", &role]).succeeded();
    let url = app
        .url
        .replace("postgres://postgres@", &format!("postgres://{role}@"));
    let output = app.run_with(&november("audit", &[]), &[("DATABASE_URL", &url)]);
    output.failed(&["may read leaver.audit"]);
}
