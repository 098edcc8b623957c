//! Database privileges: the append-only audit log, a minimal service role, and migrations by the owner.

use std::sync::Arc;

use leaver::base::clock::SystemClock;
use leaver::config::{Environment, Settings};
use leaver::db::schema;
use leaver::service::Service;
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, PgConnection};
use uuid::Uuid;

use crate::support::database::empty_database;
use crate::support::driving::terminated;
use crate::support::{BAMBOOHR_KEY, TestApp};

const DANA: &str = "dana@example.com";
const BOTH: [&str; 2] = ["bamboohr", "merge"];

async fn sql(conn: &mut PgConnection, sql: &str) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))
        .execute(conn)
        .await
        .map(drop)
}

/// Returns the SQLSTATE of an error.
fn code(outcome: Result<(), sqlx::Error>) -> String {
    let error = outcome.unwrap_err();
    let answer = error.as_database_error().expect("an answer of Postgres's");
    answer.code().unwrap_or_default().into_owned()
}

/// Creates a role that may only log in.
async fn role(admin: &mut PgConnection) -> String {
    let name = format!("Role {}", Uuid::new_v4().simple());
    sql(admin, &format!(r#"CREATE ROLE "{name}" NOSUPERUSER LOGIN"#))
        .await
        .unwrap();
    name
}

fn as_role(options: &PgConnectOptions, role: &str) -> PgConnectOptions {
    options.clone().username(role)
}

/// Starts an app and creates a service role with the documented privileges.
async fn with_service_role() -> (TestApp, String) {
    let mut app = TestApp::new().await;
    app.add_users(&[DANA, "other@example.com"]).await;
    let role = role(&mut app.conn).await;
    schema::grant_to(&mut app.conn, &role).await.unwrap();
    app.sql(&format!(
        r#"GRANT SELECT, UPDATE (is_active) ON users TO "{role}";
           GRANT SELECT, DELETE ON sessions TO "{role}";"#
    ))
    .await;
    (app, role)
}

const DENIED: &str = "42501";
const FORBIDDEN: [&str; 4] = [
    "UPDATE leaver.audit SET reason = 'another'",
    "DELETE FROM leaver.audit",
    "TRUNCATE leaver.audit",
    "INSERT INTO leaver.audit OVERRIDING SYSTEM VALUE SELECT * FROM leaver.audit
     ON CONFLICT ON CONSTRAINT audit_pkey DO UPDATE SET reason = 'another'",
];

#[tokio::test]
async fn a_superuser_cannot_change_the_audit_log() {
    let mut app = TestApp::new().await;
    app.add_users(&[DANA]).await;
    app.bamboohr(&[terminated("7", DANA, "2026-11-22T10:00:00+0000")])
        .await;
    for statement in FORBIDDEN {
        assert_eq!(
            code(sql(&mut app.conn, statement).await),
            DENIED,
            "{statement}"
        );
    }
    let nobody = "DELETE FROM leaver.audit WHERE false";
    assert_eq!(code(sql(&mut app.conn, nobody).await), DENIED);
    assert_eq!(app.audit().await, ["deactivated 7"]);
}

#[tokio::test]
async fn a_minimal_role_can_deactivate() {
    let (mut app, role) = with_service_role().await;
    let clock = Arc::new(app.clock.clone());
    let settings = [("LEAVER__DATABASE__MIGRATE", "false")];
    let options = as_role(&app.options, &role);
    let mut service = app.replica(&BOTH, &settings, clock, options).await;

    service
        .bamboohr(&[terminated("7", DANA, "2026-11-22T10:00:00+0000")])
        .await;
    service.run_due().await;

    assert_eq!(app.user(DANA).await, (false, 0));
    assert_eq!(app.user("other@example.com").await, (true, 2));
    assert_eq!(app.audit_in_full().await, ["deactivated 7 1 system:worker"]);
    assert_eq!(app.get("/health").await.body["database"], "ok");
}

#[tokio::test]
async fn the_service_role_can_only_insert_into_the_audit_log() {
    let (app, role) = with_service_role().await;
    let mut conn = as_role(&app.options, &role).connect().await.unwrap();
    let insert = "INSERT INTO leaver.audit (at, action, reason, source, tenant, employee_id, actor)
                  VALUES (now(), 'rejected', 'none', 'hr', 'acme', '7', 'ada')";
    sql(&mut conn, insert).await.unwrap();
    let more = [
        "SELECT * FROM leaver.audit",
        "SELECT count(*) FROM leaver.audit",
        "DROP TRIGGER audit_is_append_only ON leaver.audit",
        "ALTER TABLE leaver.audit DISABLE TRIGGER ALL",
        "DROP TABLE leaver.audit",
        "CREATE TABLE leaver.another (id int)",
        "UPDATE leaver._sqlx_migrations SET success = false",
        "UPDATE users SET email = 'another'",
        "DELETE FROM users",
    ];
    for statement in FORBIDDEN.iter().chain(&more) {
        assert_eq!(code(sql(&mut conn, statement).await), DENIED, "{statement}");
    }
}

#[tokio::test]
async fn a_service_without_migrate_starts_after_migration() {
    let (app, role) = with_service_role().await;
    let env = [
        ("BAMBOOHR_WEBHOOK_SECRET", BAMBOOHR_KEY),
        ("LEAVER__DATABASE__MIGRATE", "false"),
        ("LEAVER_LISTEN", "127.0.0.1:0"),
        ("LEAVER_ADMIN_LISTEN", "127.0.0.1:0"),
    ];
    let settings = Settings::load(None, &Environment::of(env)).unwrap();
    let options = as_role(&app.options, &role);
    let service = Service::start(&settings, options, Arc::new(SystemClock)).unwrap();
    for _ in 0..2_000 {
        if service.is_ready() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    assert!(service.is_ready());
    service.stop().await;
}

#[tokio::test]
async fn a_second_migration_changes_nothing() {
    let (options, _database) = empty_database().await;
    let mut conn = options.connect().await.unwrap();
    let all = schema::MIGRATOR.iter().count();
    assert_eq!(schema::pending(&mut conn).await.unwrap(), all);
    for _ in 0..2 {
        schema::migrate(&mut conn).await.unwrap();
        assert_eq!(schema::pending(&mut conn).await.unwrap(), 0);
    }
    let applied: i64 = sqlx::query_scalar("SELECT count(*) FROM leaver._sqlx_migrations")
        .fetch_one(&mut conn)
        .await
        .unwrap();
    assert_eq!(usize::try_from(applied).unwrap(), all);
}

#[tokio::test]
async fn replicas_migrate_one_after_another() {
    let (options, _database) = empty_database().await;
    let migrate = || async {
        let mut conn = options.connect().await.unwrap();
        schema::migrate(&mut conn).await
    };
    let (one, two, three) = tokio::join!(migrate(), migrate(), migrate());
    for outcome in [one, two, three] {
        outcome.unwrap();
    }
}

#[tokio::test]
async fn a_migration_of_a_newer_version_is_rejected() {
    let mut app = TestApp::new().await;
    app.sql(
        "INSERT INTO leaver._sqlx_migrations (version, description, success, checksum, execution_time)
         VALUES (9999, 'from the future', true, '', 0)",
    )
    .await;
    let error = schema::migrate(&mut app.conn).await.unwrap_err();
    assert!(error.to_string().contains("9999"), "{error}");
}

#[tokio::test]
async fn an_owner_without_superuser_can_migrate() {
    let (options, database) = empty_database().await;
    let mut admin = options.connect().await.unwrap();
    let owner = role(&mut admin).await;
    sql(
        &mut admin,
        &format!(r#"GRANT CREATE ON DATABASE {} TO "{owner}""#, database.name),
    )
    .await
    .unwrap();
    let mut conn = as_role(&options, &owner).connect().await.unwrap();
    schema::migrate(&mut conn).await.unwrap();
    assert_eq!(schema::pending(&mut conn).await.unwrap(), 0);

    for statement in FORBIDDEN {
        assert_eq!(code(sql(&mut conn, statement).await), DENIED, "{statement}");
    }
}

#[tokio::test]
async fn an_owner_of_only_the_schema_can_migrate_and_grant() {
    let (options, _database) = empty_database().await;
    let mut admin = options.connect().await.unwrap();
    let (owner, service) = (role(&mut admin).await, role(&mut admin).await);
    sql(
        &mut admin,
        &format!(r#"CREATE SCHEMA leaver AUTHORIZATION "{owner}""#),
    )
    .await
    .unwrap();
    let mut conn = as_role(&options, &owner).connect().await.unwrap();
    for _ in 0..2 {
        schema::migrate(&mut conn).await.unwrap();
        schema::grant_to(&mut conn, &service).await.unwrap();
    }
    let mut conn = as_role(&options, &service).connect().await.unwrap();
    assert_eq!(schema::pending(&mut conn).await.unwrap(), 0);
    sql(&mut conn, "SELECT * FROM leaver.holds").await.unwrap();
}

#[tokio::test]
async fn granting_to_an_unknown_role_is_an_error() {
    let mut app = TestApp::new().await;
    let error = schema::grant_to(&mut app.conn, "nobody \"here\"").await;
    assert_eq!(code(error), "42704");
}

#[tokio::test]
async fn every_table_has_a_comment() {
    let mut app = TestApp::new().await;
    let silent = "SELECT c.relname::text FROM pg_class c
                  WHERE c.relnamespace = 'leaver'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm')
                    AND c.relname <> '_sqlx_migrations' AND obj_description(c.oid, 'pg_class') IS NULL";
    assert_eq!(app.lines(silent).await, Vec::<String>::new());
    let ours = "SELECT count(*) FROM pg_class
                WHERE relnamespace = 'leaver'::regnamespace AND relkind = 'r'";
    assert!(app.count(ours).await > 4);
}

#[tokio::test]
async fn every_migration_starts_with_a_comment() {
    for migration in schema::MIGRATOR.iter() {
        let sql = migration.sql.as_str();
        assert!(sql.starts_with("-- "), "{}", migration.description);
    }
}
