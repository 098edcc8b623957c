//! A role for shadow mode, which cannot change accounts.

use sqlx::postgres::PgConnectOptions;
use uuid::Uuid;

use super::shadow::{SHADOW, shadowed_app};
use crate::support::TestApp;

/// Creates a role and grants it what shadow mode needs.
pub(super) async fn shadow_role(app: &mut TestApp) -> String {
    let role = new_role(app).await;
    let out = app.run(&["migrate", "--grant-to", &role, "--shadow"]);
    assert!(out.succeeded().out.contains("no UPDATE"));
    role
}

async fn new_role(app: &mut TestApp) -> String {
    let role = format!("Role {}", Uuid::new_v4().simple());
    app.sql(&format!(r#"CREATE ROLE "{role}" NOSUPERUSER LOGIN"#))
        .await;
    role
}

pub(super) fn as_role(options: &PgConnectOptions, role: &str) -> PgConnectOptions {
    options.clone().username(role)
}

/// Returns the URL of the app's database for a role.
fn url_of(app: &TestApp, role: &str) -> String {
    let role = role.replace(' ', "%20");
    app.url.replacen("postgres@", &format!("{role}@"), 1)
}

#[tokio::test]
async fn a_role_of_shadow_mode_is_confirmed_by_check_and_can_serve() {
    let mut app = shadowed_app().await;
    app.add_users(&["dana@example.com"]).await;
    let role = shadow_role(&mut app).await;
    let url = url_of(&app, &role);
    let env = [("DATABASE_URL", url.as_str())];
    let out = app.run_with(&["check"], &env).succeeded().out;
    assert!(out.contains("may SELECT and not UPDATE"), "{out}");
    assert!(out.contains("no write was tried"), "{out}");
    let service = app.serve(&env);
    let (status, _, body) = service.get("/health").await;
    assert_eq!(status, 200, "{body}");
    assert!(body.contains(r#""mode":"shadow""#), "{body}");
    service.stop();
    // The same role cannot go live.
    let out = app.run_with(&["enforce", "--source", "bamboohr"], &env);
    assert_eq!(out.code, Some(3), "{out:?}");
    assert!(out.err.contains("GRANT SELECT"), "{out:?}");
    let health = app.get("/health").await.body;
    assert_eq!(health["mode"], "shadow");
}

#[tokio::test]
async fn check_warns_of_update_in_shadow_mode() {
    let app = shadowed_app().await;
    let out = app.run(&["check"]).succeeded().out;
    let line = out.lines().find(|line| line.contains("accounts rights"));
    let line = line.unwrap();
    assert!(line.starts_with("warning"), "{line}");
    assert!(line.contains("--shadow"), "{line}");
    // In enforce mode the update is tried as always.
    let out = TestApp::new().await.run_with(&["check"], &[]).out;
    assert!(!out.contains("no write was tried"), "{out}");
}

#[tokio::test]
async fn migrate_with_shadow_revokes_update() {
    let mut app = TestApp::builder().settings(&[SHADOW]).build().await;
    let role = new_role(&mut app).await;
    app.sql(&format!(
        r#"GRANT SELECT, UPDATE ON users TO "{role}"; GRANT UPDATE (is_active) ON users TO "{role}""#
    ))
    .await;
    let args = ["migrate", "--grant-to", &role, "--shadow", "--json"];
    let out = app.run(&args).succeeded().json();
    assert_eq!(out["may_update_accounts"], false);
    // Through PUBLIC it still could.
    app.sql("GRANT UPDATE ON users TO PUBLIC").await;
    let out = app.run(&["migrate", "--grant-to", &role, "--shadow"]);
    assert_eq!(out.code, Some(1), "{out:?}");
    assert!(out.err.contains("PUBLIC"), "{out:?}");
    assert_eq!(app.run(&["migrate", "--shadow"]).code, Some(2));
}

#[tokio::test]
async fn a_role_of_shadow_mode_reads_a_table_of_another_schema() {
    let tables = "CREATE SCHEMA app;
        CREATE TABLE app.members (id bigint PRIMARY KEY, email text, is_active boolean DEFAULT true, kind text);
        INSERT INTO app.members VALUES (1, 'dana@example.com', true, 'staff')";
    let mut app = TestApp::builder()
        .tables(tables)
        .settings(&[
            SHADOW,
            ("LEAVER__ACCOUNTS__TABLE", "app.members"),
            ("LEAVER__ACCOUNTS__WHERE", "kind = 'staff'"),
        ])
        .build()
        .await;
    let role = new_role(&mut app).await;
    let url = url_of(&app, &role);
    let env = [("DATABASE_URL", url.as_str())];
    app.run(&["migrate", "--grant-to", &role]).succeeded();
    app.run_with(&["check"], &env)
        .findings(&["permission denied for schema app"]);
    app.sql(&format!(r#"GRANT USAGE ON SCHEMA app TO "{role}""#))
        .await;
    app.run_with(&["check"], &env)
        .findings(&["lacks SELECT", "reading was rejected"]);
    app.sql(&format!(r#"REVOKE USAGE ON SCHEMA app FROM "{role}""#))
        .await;
    app.run(&["migrate", "--grant-to", &role, "--shadow"])
        .succeeded();
    let out = app.run_with(&["check"], &env).succeeded().out;
    assert!(out.contains("accounts can be read"), "{out}");
}
