//! What `leaver check` reports of rights.

use crate::support::TestApp;
use crate::support::process::CommandOutput;

/// Returns the warnings about rights, as `check: message`.
fn warnings(output: &CommandOutput) -> Vec<String> {
    let lines = output.json();
    let lines = lines.as_array().unwrap().iter();
    lines
        .filter(|line| line["status"] == "warning")
        .map(|line| {
            let text = |name: &str| line[name].as_str().unwrap().to_owned();
            format!("{}: {}", text("check"), text("message"))
        })
        .filter(|line| line.contains("rights") || line.starts_with("role:"))
        .collect()
}

#[track_caller]
fn assert_warned(warnings: &[String], check: &str, words: &str) {
    let found = warnings
        .iter()
        .any(|line| line.starts_with(check) && line.contains(words));
    assert!(found, "no {words:?} for {check} in {warnings:#?}");
}

#[tokio::test]
async fn a_superuser_and_rights_of_others_are_reported() {
    let mut app = TestApp::builder()
        .settings(&[("LEAVER__ACCOUNTS__SEARCH_PATH", "public, extra, missing")])
        .build()
        .await;
    let id = uuid::Uuid::new_v4().simple();
    let (mallory, owner) = (format!("mallory_{id}"), format!("owner_{id}"));
    app.sql(&format!(
        "CREATE ROLE {mallory}; CREATE ROLE {owner}; CREATE SCHEMA extra AUTHORIZATION {owner};
         GRANT CREATE ON SCHEMA public TO PUBLIC; GRANT CREATE ON SCHEMA leaver TO {mallory};"
    ))
    .await;
    let output = app.run(&["check", "--json"]).succeeded();
    let found = warnings(&output);
    assert_warned(&found, "role:", "is a superuser");
    assert_warned(&found, "role:", "CREATE ROLE leaver_service LOGIN;");
    let public = "REVOKE CREATE ON SCHEMA \"public\" FROM PUBLIC;";
    assert_warned(&found, "schema public rights", public);
    let leaver = format!("REVOKE CREATE ON SCHEMA \"leaver\" FROM \"{mallory}\";");
    assert_warned(&found, "schema leaver rights", &leaver);
    let extra = "ALTER SCHEMA \"extra\" OWNER TO \"postgres\";";
    assert_warned(&found, "schema extra rights", extra);
    // Each statement is one that Postgres accepts, and ends the warning.
    for statement in [public, &leaver, extra] {
        app.sql(statement).await;
    }
    let output = app.run(&["check", "--json"]).succeeded();
    assert_eq!(warnings(&output).len(), 1, "{output:?}");
    app.sql(&format!("DROP ROLE {mallory}; DROP ROLE {owner}"))
        .await;
}

#[tokio::test]
async fn a_role_past_row_level_security_is_reported() {
    let mut app = TestApp::new().await;
    let role = format!("past_{}", uuid::Uuid::new_v4().simple());
    app.sql(&format!(
        "CREATE ROLE {role} NOSUPERUSER BYPASSRLS LOGIN; GRANT SELECT, UPDATE ON users TO {role};
         GRANT SELECT, DELETE ON sessions TO {role};
         REVOKE CREATE ON SCHEMA public FROM PUBLIC;"
    ))
    .await;
    app.run(&["migrate", "--grant-to", &role]).succeeded();
    let url = app
        .url
        .replacen("postgres://postgres@", &format!("postgres://{role}@"), 1);
    let output = app.run_with(&["check", "--json"], &[("DATABASE_URL", &url)]);
    let statement = format!("ALTER ROLE \"{role}\" NOBYPASSRLS;");
    assert_warned(&warnings(&output), "role:", &statement);
    app.sql(&statement).await;
    let output = app.run_with(&["check", "--json"], &[("DATABASE_URL", &url)]);
    assert_eq!(warnings(&output), [""; 0], "{output:?}");
}
