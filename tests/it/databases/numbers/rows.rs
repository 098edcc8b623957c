//! Counts of rows, and which of them are listed.

use leaver::jobs::drift::{MAX_LISTED, compare};
use leaver_core::decision::policy::DriftMode;
use serde_json::Value;
use uuid::Uuid;

use super::{checked, line};
use crate::support::TestApp;

#[tokio::test]
async fn check_counts_rows_accounts_and_access() {
    let settings = [("LEAVER__ACCOUNTS__WHERE", "id <> 3")];
    let mut app = TestApp::builder().settings(&settings).build().await;
    app.add_users(&["ana@example.com", "ben@example.com", "bot@example.com"])
        .await;
    app.sql("UPDATE users SET is_active = false WHERE id = 1")
        .await;
    let rows = checked(&app, "accounts.rows");
    let counted = "3 rows, 2 accounts, 1 with access";
    assert_eq!(rows, ("ok".to_owned(), counted.to_owned()));
}

#[tokio::test]
async fn check_counts_e_mails_of_several_accounts() {
    let mut app = TestApp::new().await;
    app.add_users(&["ana@example.com", "ben@example.com"]).await;
    let (status, message) = checked(&app, "accounts e-mails shared");
    assert_eq!(status, "ok", "{message}");
    // The same address in other spellings.
    app.add_users(&[
        " Ana@Example.com",
        "ANA@example.com",
        "Jos\u{e9}@example.com",
        "Jose\u{301}@EXAMPLE.com",
    ])
    .await;
    let output = app.run(&["check", "--json"]);
    let (status, message) = line(&output, "accounts e-mails shared");
    assert_eq!(status, "warning");
    assert!(
        message.contains("2 e-mails") && message.contains("5 accounts"),
        "{message}"
    );
    assert!(
        !output.out.to_lowercase().contains("@example"),
        "{output:?}"
    );
}

#[tokio::test]
async fn the_same_e_mail_in_two_tenants_is_not_shared() {
    let settings = [
        ("LEAVER__ACCOUNTS__TENANT_COLUMN", "org"),
        ("LEAVER__ACCOUNTS__END_SESSIONS", "[]"),
    ];
    let tables = "CREATE TABLE users (id int PRIMARY KEY, org text NOT NULL, email text, is_active boolean);
                  INSERT INTO users VALUES (1, 'a', 'ana@example.com', true), (2, 'b', 'ana@example.com', true),
                                           (3, 'b', NULL, true), (4, 'b', NULL, true), (5, 'b', '', true), (6, 'b', '', true);";
    let app = TestApp::builder()
        .settings(&settings)
        .tables(tables)
        .build()
        .await;
    let (status, message) = checked(&app, "accounts e-mails shared");
    assert_eq!(status, "ok", "{message}");
}

#[tokio::test]
async fn check_counts_rows_that_row_level_security_hides() {
    let mut app = TestApp::new().await;
    let role = format!("role_{}", Uuid::new_v4().simple());
    app.sql(&format!(
        "INSERT INTO users (email) SELECT 'u' || n || '@example.com' FROM generate_series(1, 100) n;
         CREATE ROLE {role} LOGIN; GRANT SELECT, UPDATE (is_active) ON users TO {role};
         GRANT SELECT, DELETE ON sessions TO {role};
         ALTER TABLE users ENABLE ROW LEVEL SECURITY; CREATE POLICY few ON users TO {role} USING (id <= 10)"
    ))
    .await;
    leaver::db::schema::grant_to(&mut app.conn, &role)
        .await
        .unwrap();
    let url = app.url.replacen("postgres@", &format!("{role}@"), 1);
    let as_role = [("DATABASE_URL", url.as_str())];
    let visible = || {
        line(
            &app.run_with(&["check", "--json"], &as_role),
            "accounts rows visible",
        )
    };
    let (status, message) = visible();
    assert_eq!(status, "warning");
    assert!(
        message.contains("sees 10 rows") && message.contains("ANALYZE"),
        "{message}"
    );
    let (_, index) = line(
        &app.run_with(&["check", "--json"], &as_role),
        "accounts.email_column",
    );
    assert!(index.contains("row level security"), "{index}");

    app.sql("ANALYZE users").await;
    let visible = || {
        line(
            &app.run_with(&["check", "--json"], &as_role),
            "accounts rows visible",
        )
    };
    let (status, message) = visible();
    assert_eq!(status, "warning");
    assert!(message.contains("10 of about 100 rows"), "{message}");

    app.sql("DROP POLICY few ON users; CREATE POLICY everything ON users USING (true)")
        .await;
    let (status, message) = line(
        &app.run_with(&["check", "--json"], &as_role),
        "accounts rows visible",
    );
    assert_eq!(status, "ok", "{message}");
}

#[tokio::test]
async fn drift_lists_the_first_rows_and_counts_all() {
    let mut app = TestApp::new().await;
    app.sql("INSERT INTO users (email) SELECT 'u' || n || '@example.com' FROM generate_series(1, 1203) n")
        .await;
    let report = compare(&app.parts.engine, DriftMode::Report).await.unwrap();
    assert_eq!(report.counts.active_without_employee, 1203);
    assert_eq!(report.active_without_employee.len(), MAX_LISTED);

    let shown = app.run(&["drift", "--json"]).json();
    assert_eq!(shown["counts"]["active_without_employee"], 1203);
    let listed = shown["active_without_employee"].as_array().unwrap();
    assert_eq!(listed.len(), MAX_LISTED);
    let table = app.run(&["drift"]);
    assert!(table.err.contains("without an employee: 1203"), "{table:?}");
    assert!(table.err.contains("more rows"), "{table:?}");

    let all = app.run(&["drift", "--json", "--all"]);
    let mut lines: Vec<Value> = all
        .out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let last = lines.pop().unwrap();
    assert_eq!(last["counts"]["active_without_employee"], 1203);
    assert_eq!(lines.len(), 1203);
    let in_group = |line: &Value| line["group"] == "active_without_employee";
    assert!(lines.iter().all(in_group));
    assert!(
        lines
            .iter()
            .any(|line| line["email"] == "u1203@example.com")
    );
}
