//! Row level security that begins while the service runs.

use std::sync::Arc;

use chrono::TimeDelta;
use leaver::db::schema;
use leaver::jobs::drift::compare;
use leaver_core::decision::policy::DriftMode;

use crate::support::TestApp;
use crate::support::driving::terminated;

const AS_OF: &str = "2026-11-22T11:00:00Z";
const ANA: &str = "ana@example.com";
const BO: &str = "bo@example.com";

/// The service under a role that policies apply to, after its first leaver.
async fn running_service() -> (TestApp, TestApp) {
    let mut app = TestApp::new().await;
    app.add_users(&[ANA, BO]).await;
    app.sql(
        "DO $$ BEGIN CREATE ROLE leaver_acting LOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN END $$;
         GRANT SELECT, UPDATE ON users TO leaver_acting; GRANT SELECT, DELETE ON sessions TO leaver_acting;
         CREATE TABLE flags (shown boolean NOT NULL); INSERT INTO flags VALUES (true);
         GRANT SELECT ON flags TO leaver_acting;",
    )
    .await;
    schema::grant_to(&mut app.conn, "leaver_acting")
        .await
        .unwrap();
    let clock = Arc::new(app.clock.clone());
    let options = app.options.clone().username("leaver_acting");
    let settings = [("LEAVER__DATABASE__MIGRATE", "false")];
    let mut service = app
        .replica(&["bamboohr", "merge"], &settings, clock, options)
        .await;
    service.bamboohr(&[terminated("1", ANA, AS_OF)]).await;
    assert!(!app.is_active(ANA).await);
    app.advance(TimeDelta::seconds(10));
    (app, service)
}

#[tokio::test]
async fn a_new_policy_runs_under_the_configured_search_path() {
    let (mut app, mut service) = running_service().await;
    // It hides every row where it finds no table `flags`.
    app.sql(
        "CREATE FUNCTION shown() RETURNS boolean LANGUAGE plpgsql STABLE AS $$
         BEGIN RETURN (SELECT shown FROM flags); EXCEPTION WHEN undefined_table THEN RETURN false; END $$;
         ALTER TABLE users ENABLE ROW LEVEL SECURITY; CREATE POLICY seen ON users USING (shown());",
    )
    .await;
    service.bamboohr(&[terminated("2", BO, AS_OF)]).await;
    assert!(!app.is_active(BO).await);
}

#[tokio::test]
async fn an_account_that_a_new_policy_hides_is_explained_and_ended_later() {
    let (mut app, mut service) = running_service().await;
    app.sql(
        "ALTER TABLE users ENABLE ROW LEVEL SECURITY; CREATE POLICY seen ON users USING (false);",
    )
    .await;
    service.bamboohr(&[terminated("2", BO, AS_OF)]).await;
    assert!(app.is_active(BO).await);
    let url = app.url.replacen("postgres@", "leaver_acting@", 1);
    let explained = app.run_with(&["explain", "2"], &[("DATABASE_URL", &url)]);
    let hint = "row level security applies to role leaver_acting and may hide one";
    assert!(explained.out.contains(hint), "{explained:?}");
    app.sql("DROP POLICY seen ON users; CREATE POLICY seen ON users USING (true);")
        .await;
    app.advance(TimeDelta::seconds(10));
    compare(&service.parts.engine, DriftMode::Fix)
        .await
        .unwrap();
    assert!(!app.is_active(BO).await);
}
