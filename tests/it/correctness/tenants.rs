//! Users tables whose ids are unique only together with the tenant: two companies have a user 7, and one of them leaves.

use leaver::engine::accounts::AccountsTable;
use leaver::engine::holds::resolve::Named;
use leaver::jobs::drift::compare;
use leaver_core::decision::policy::DriftMode;
use leaver_core::domain::AccountId;
use serde_json::{Value, json};

use crate::support::driving::{leaving, merge_record, terminated, working};
use crate::support::{BAMBOOHR_KEY, JSON, MERGE_KEY, TestApp, employees};

const USERS: &str = "CREATE TABLE users (org {tenant} NOT NULL, id int, email text, is_active bool DEFAULT true, PRIMARY KEY (org, id));
    CREATE TABLE sessions (org {tenant} NOT NULL, user_id int NOT NULL);
    INSERT INTO users VALUES ('{a}', 7, 'ana@a.example'), ('{b}', 7, 'bo@b.example'), ('{b}', 8, 'ana@a.example');
    INSERT INTO sessions SELECT org, id FROM users;";
const SESSIONS: &str = "DELETE FROM sessions WHERE org::text = $2 AND user_id::text = ANY($1)";
const EMPLOYED: &str = "2026-11-22T09:00:00Z";
const LEFT: &str = "2026-11-22T11:00:00Z";
/// Active users and sessions.
const STATE: &str =
    "SELECT org || ':' || id || ':' || is_active || ':' || (SELECT count(*) FROM sessions s
    WHERE (s.org, s.user_id) = (u.org, u.id)) FROM users u ORDER BY org, id";

const ACCOUNTS: &str = "[accounts]";

const ALL: [&str; 3] = ["a:7:true:1", "b:7:true:1", "b:8:true:1"];
const A_ENDED: [&str; 3] = ["a:7:false:0", "b:7:true:1", "b:8:true:1"];

/// Returns the configuration. `head` ends inside the section `[accounts]`.
fn config(a: &str, b: &str, head: &str) -> String {
    format!(
        "{head}
tenant_column = \"org\"
end_sessions = [\"{SESSIONS}\"]
[[sources]]
name = \"a\"
provider = \"bamboohr\"
tenant = \"{a}\"
webhook_secrets = [\"env:BAMBOOHR_WEBHOOK_SECRET\"]
[[sources]]
name = \"b\"
provider = \"bamboohr\"
tenant = \"{b}\"
webhook_secrets = [\"env:KEY_OF_B\"]
[[sources]]
name = \"merge\"
provider = \"merge\"
webhook_secrets = [\"env:MERGE_WEBHOOK_SECRET\"]
linked_accounts = [{{ id = \"{LINKED_A}\", tenant = \"{a}\" }}, {{ id = \"{LINKED_B}\", tenant = \"{b}\" }}]
"
    )
}

const LINKED_A: &str = "5b0f3a9e-1c2d-4e3f-8a4b-6c7d8e9f0a1b";
const LINKED_B: &str = "22222222-2222-4333-8444-555555555555";

async fn companies(head: &str) -> TestApp {
    of_type("text", ["a", "b"], head).await
}

async fn of_type(kind: &str, [a, b]: [&str; 2], head: &str) -> TestApp {
    let tables = USERS.replace("{tenant}", kind);
    let tables = tables.replace("{a}", a).replace("{b}", b);
    let keys = [
        ("BAMBOOHR_WEBHOOK_SECRET", BAMBOOHR_KEY),
        ("KEY_OF_B", "a key of company b"),
        ("MERGE_WEBHOOK_SECRET", MERGE_KEY),
    ];
    TestApp::builder()
        .config_file(&config(a, b, head), &keys)
        .tables(&tables)
        .build()
        .await
}

/// Ana of company a and Bo of company b, both with the employee id 7 and linked to their user 7.
async fn employed(head: &str) -> TestApp {
    let mut app = companies(head).await;
    deliver(&mut app, "a", working("7", "ana@a.example", EMPLOYED)).await;
    deliver(&mut app, "b", working("7", "bo@b.example", EMPLOYED)).await;
    assert_eq!(app.lines(STATE).await, ALL);
    app
}

async fn deliver(app: &mut TestApp, source: &str, entry: Value) {
    app.deliver(source, &employees(&[entry])).await;
}

#[tokio::test]
async fn a_leaver_of_one_company_spares_the_same_id_elsewhere() {
    let mut app = employed(ACCOUNTS).await;
    deliver(&mut app, "a", terminated("7", "ana@a.example", LEFT)).await;
    assert_eq!(app.lines(STATE).await, A_ENDED);
    assert_eq!(app.audit_in_full().await, ["deactivated 7 7 system:worker"]);
}

#[tokio::test]
async fn two_linked_accounts_of_one_source_stay_apart() {
    let mut app = companies(ACCOUNTS).await;
    for (company, id, email) in [
        (LINKED_A, "m1", "ana@a.example"),
        (LINKED_B, "m2", "bo@b.example"),
    ] {
        let mut record = merge_record(id, email, EMPLOYED, "ACTIVE", None);
        record["linked_account"]["id"] = json!(company);
        app.deliver("merge", &record).await;
    }
    let mut record = merge_record("m1", "ana@a.example", LEFT, "INACTIVE", None);
    record["data"]["termination_date"] = json!("2026-11-20T00:00:00Z");
    app.deliver("merge", &record).await;
    assert_eq!(app.lines(STATE).await, A_ENDED);
    assert_eq!(app.holds().await, [""; 0]);
}

#[tokio::test]
async fn the_leavers_of_both_companies_end_in_one_batch() {
    let mut app = employed(ACCOUNTS).await;
    for (source, email) in [("a", "ana@a.example"), ("b", "bo@b.example")] {
        let body = employees(&[terminated("7", email, LEFT)]);
        app.send(source, JSON, body.to_string()).await;
    }
    app.work().await;
    let expected = ["a:7:false:0", "b:7:false:0", "b:8:true:1"];
    assert_eq!(app.lines(STATE).await, expected);
    assert_eq!(app.audit().await.len(), 2);
}

#[tokio::test]
async fn a_scheduled_end_spares_the_same_id_elsewhere() {
    let mut app = employed(ACCOUNTS).await;
    deliver(
        &mut app,
        "a",
        leaving("7", "ana@a.example", LEFT, "2026-11-24"),
    )
    .await;
    app.set_clock("2026-11-26T00:00:00Z");
    app.run_due().await;
    assert_eq!(app.lines(STATE).await, A_ENDED);
}

#[tokio::test]
async fn a_drift_fix_spares_the_same_id_elsewhere() {
    let mut app = employed(ACCOUNTS).await;
    deliver(&mut app, "a", terminated("7", "ana@a.example", LEFT)).await;
    app.sql("UPDATE users SET is_active = true; INSERT INTO sessions VALUES ('a', 7)")
        .await;
    let report = compare(&app.parts.engine, DriftMode::Fix).await.unwrap();
    assert_eq!(report.fixed.len(), 1);
    assert_eq!(app.lines(STATE).await, A_ENDED);
    let strangers: Vec<_> = report
        .active_without_employee
        .iter()
        .map(|row| (row.tenant.as_deref(), row.account_id.as_str()))
        .collect();
    assert_eq!(strangers, [(Some("b"), "8")]);
}

#[tokio::test]
async fn pages_of_accounts_contain_each_tenant() {
    let mut app = employed(ACCOUNTS).await;
    app.sql("INSERT INTO users SELECT org, id, 'x' || id || '@' || org FROM unnest('{a,b,c}'::text[]) org, generate_series(100, 999) id")
        .await;
    let report = compare(&app.parts.engine, DriftMode::Report).await.unwrap();
    assert_eq!(report.counts.active_without_employee, 2701);
}

#[tokio::test]
async fn an_approval_spares_the_same_id_elsewhere() {
    let protected = "[accounts]\nprotected = [\"ana@a.example\", \"bo@b.example\"]";
    for named in [Named::OfHold, Named::Accounts(vec![AccountId::new("7")])] {
        let mut app = employed(protected).await;
        deliver(&mut app, "b", terminated("7", "bo@b.example", LEFT)).await;
        let other = app.open_hold().await;
        deliver(&mut app, "a", terminated("7", "ana@a.example", LEFT)).await;
        assert_eq!(app.lines(STATE).await, ALL);
        app.approve_for(other + 1, &named).await.unwrap();
        assert_eq!(app.lines(STATE).await, A_ENDED);
        // The question about the other company's user 7 stays.
        assert_eq!(app.open_hold().await, other);
    }
}

#[tokio::test]
async fn a_return_spares_the_same_id_elsewhere() {
    let mut app = employed("[policy]\nrehire = \"reactivate\"\n[accounts]").await;
    for (source, email) in [("a", "ana@a.example"), ("b", "bo@b.example")] {
        deliver(&mut app, source, terminated("7", email, LEFT)).await;
    }
    let later = "2026-11-22T11:30:00Z";
    deliver(&mut app, "a", working("7", "ana@a.example", later)).await;
    let state = ["a:7:true:0", "b:7:false:0", "b:8:true:1"];
    assert_eq!(app.lines(STATE).await, state);
    let ended = "SELECT source FROM leaver.employees WHERE deactivated_at IS NOT NULL";
    assert_eq!(app.lines(ended).await, ["b"]);
}

#[tokio::test]
async fn an_end_by_hand_names_the_tenant() {
    let mut app = employed(ACCOUNTS).await;
    let end = [
        "end",
        "account:7",
        "--reason",
        "left",
        "--as",
        "kim",
        "--yes",
    ];
    let several = app.run(&end);
    assert_eq!(several.code, Some(2), "{several:?}");
    assert!(several.out.contains("account:7 --tenant b"), "{several:?}");
    assert_eq!(app.lines(STATE).await, ALL);
    let ended = app
        .run(&[&end[..], &["--tenant", "a"]].concat())
        .succeeded();
    assert!(ended.out.contains("account 7 of tenant a"), "{ended:?}");
    assert_eq!(app.lines(STATE).await, A_ENDED);
    // Somebody whom no source has named.
    let end = [
        "end",
        "account:8",
        "--reason",
        "left",
        "--as",
        "kim",
        "--yes",
    ];
    app.run(&end).succeeded();
    let audit = "SELECT concat_ws(' ', source, tenant, employee_id, account_id) FROM leaver.audit WHERE action <> 'roster_read' ORDER BY id";
    assert_eq!(app.lines(audit).await, ["a a 7 7", "- b - 8"]);
    assert_eq!(app.lines(STATE).await[1..], ["b:7:true:1", "b:8:false:0"]);
}

#[tokio::test]
async fn a_blocked_account_does_not_block_its_namesake() {
    let mut app = employed(ACCOUNTS).await;
    app.sql(
        "CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN OLD; END $$;
         CREATE TRIGGER no BEFORE UPDATE ON users FOR EACH ROW WHEN (OLD.org = 'b') EXECUTE FUNCTION no();",
    )
    .await;
    for (source, email) in [("a", "ana@a.example"), ("b", "bo@b.example")] {
        let body = employees(&[terminated("7", email, LEFT)]);
        app.send(source, JSON, body.to_string()).await;
    }
    app.work().await;
    assert_eq!(app.lines(STATE).await, A_ENDED);
    let blocked = "SELECT source FROM leaver.employees WHERE blocked_since IS NOT NULL";
    assert_eq!(app.lines(blocked).await, ["b"]);
}

#[tokio::test]
async fn tenants_of_every_type_are_compared() {
    let uuids = [
        "5b0f3a9e-1c2d-4e3f-8a4b-6c7d8e9f0a1b",
        "22222222-2222-4333-8444-555555555555",
    ];
    for (kind, tenants) in [
        ("int", ["1", "2"]),
        ("bigint", ["-41", "9000000000"]),
        ("uuid", uuids),
        ("varchar(40)", ["a", "b"]),
        ("char(8)", ["a", "b"]),
        ("numeric", ["1.50", "2"]),
    ] {
        let mut app = of_type(kind, tenants, ACCOUNTS).await;
        for (source, email) in [("a", "ana@a.example"), ("b", "bo@b.example")] {
            deliver(&mut app, source, working("7", email, EMPLOYED)).await;
        }
        deliver(&mut app, "a", terminated("7", "ana@a.example", LEFT)).await;
        let inactive = "SELECT org::text || ':' || id FROM users WHERE NOT is_active";
        let expected = format!("{}:7", tenants[0]);
        assert_eq!(app.lines(inactive).await, [expected], "{kind}");
        assert_eq!(
            app.count("SELECT count(*) FROM sessions").await,
            2,
            "{kind}"
        );
    }
    // A tenant that is not a value of the column's type has no account.
    let mut app = of_type("int", ["1", "2"], ACCOUNTS).await;
    app.sql("UPDATE users SET org = 3 WHERE org = 1").await;
    deliver(&mut app, "a", terminated("7", "ana@a.example", LEFT)).await;
    assert_eq!(
        app.count("SELECT count(*) FROM users WHERE NOT is_active")
            .await,
        0
    );
}

#[tokio::test]
async fn the_remembered_status_belongs_to_a_tenant() {
    let keys = [
        ("BAMBOOHR_WEBHOOK_SECRET", BAMBOOHR_KEY),
        ("KEY_OF_B", "a key of company b"),
        ("MERGE_WEBHOOK_SECRET", MERGE_KEY),
    ];
    let shape = "[accounts]\nstatus_column = \"status\"\nactive_values = [\"active\", \"invited\"]\ninactive_value = \"off\"";
    let head = format!("[policy]\nrehire = \"reactivate\"\n{shape}");
    let mut app = TestApp::builder()
        .config_file(&config("a", "b", &head), &keys)
        .tables(
            "CREATE TABLE users (org text, id int, email text, status text, PRIMARY KEY (org, id));
             CREATE TABLE sessions (org text, user_id int);
             INSERT INTO users VALUES ('a', 7, 'ana@a.example', 'invited'), ('b', 7, 'bo@b.example', 'active');",
        )
        .build()
        .await;
    for (source, email) in [("a", "ana@a.example"), ("b", "bo@b.example")] {
        deliver(&mut app, source, terminated("7", email, LEFT)).await;
    }
    let rows = "SELECT org || ' ' || status FROM users ORDER BY org";
    assert_eq!(app.lines(rows).await, ["a off", "b off"]);
    for (source, email) in [("a", "ana@a.example"), ("b", "bo@b.example")] {
        deliver(
            &mut app,
            source,
            working("7", email, "2026-11-22T11:30:00Z"),
        )
        .await;
    }
    assert_eq!(app.lines(rows).await, ["a invited", "b active"]);
}

#[tokio::test]
async fn sessions_must_name_the_tenant_where_ids_repeat() {
    let mut app = companies(ACCOUNTS).await;
    let mut mapping = app.settings.accounts.clone();
    mapping.end_sessions = vec!["DELETE FROM sessions WHERE user_id::text = ANY($1)".to_owned()];
    let error = AccountsTable::inspect(&mut app.session.conn, &mapping).await;
    let error = error.unwrap_err().to_string();
    assert!(error.contains("accounts.end_sessions[0]"), "{error}");
    // An index on the id alone makes ids unique.
    app.sql("DELETE FROM users WHERE org = 'a'; CREATE UNIQUE INDEX ON users (id)")
        .await;
    AccountsTable::inspect(&mut app.session.conn, &mapping)
        .await
        .unwrap();
}

#[tokio::test]
async fn an_id_that_repeats_inside_a_tenant_is_refused() {
    for table in [
        "CREATE TABLE users (org text, id int, email text, is_active bool);
         INSERT INTO users VALUES ('a', 7), ('a', 7);",
        "CREATE TABLE users (org text, team int, id int, email text, is_active bool, PRIMARY KEY (org, team, id));",
        // Rows without a tenant may repeat the id.
        "CREATE TABLE users (org text, id int, email text, is_active bool, UNIQUE (org, id));",
    ] {
        let mut app = TestApp::builder()
            .settings(&[
                ("LEAVER__ACCOUNTS__TENANT_COLUMN", "org"),
                ("LEAVER__ACCOUNTS__END_SESSIONS", "[]"),
            ])
            .tables(table)
            .build()
            .await;
        let inspected = AccountsTable::inspect(&mut app.session.conn, &app.settings.accounts);
        let error = inspected.await.unwrap_err().to_string();
        assert!(error.contains("accounts.id_column"), "{error}");
    }
}
