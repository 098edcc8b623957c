//! The texts of database errors fit their SQLSTATE.

use super::*;
use crate::support::process::run;

#[tokio::test]
async fn commands_name_the_cause_of_a_refused_connection() {
    let server = Server::start().await;
    let app = server.app(&[]).await;
    let check = |url: &str| {
        let env = app.env(&[("DATABASE_URL", url)]);
        run(&["check"], &env).out
    };
    let good = server.url(server::PASSWORD);
    for (url, words) in [
        (server.url("wrong"), "refuses the role or its password"),
        (good.replace("/postgres?", "/absent?"), "no such database"),
    ] {
        let out = check(&url);
        assert!(out.contains(words), "{out}");
    }
    server.sql(&["ALTER ROLE service CONNECTION LIMIT 0"]).await;
    let out = check(&good);
    assert!(out.contains("CONNECTION LIMIT"), "{out}");
    assert!(!out.contains("check `database.url`"), "{out}");

    server
        .sql(&[
            "ALTER ROLE service CONNECTION LIMIT -1",
            "DROP SCHEMA leaver CASCADE",
            "ALTER DATABASE postgres OWNER TO service",
            "ALTER ROLE service SET default_transaction_read_only = on",
        ])
        .await;
    let migrated = app.run(&["migrate"]);
    migrated.failed(&["25006", "default_transaction_read_only"]);
    server
        .sql(&["ALTER ROLE service CONNECTION LIMIT -1"])
        .await;
}

#[tokio::test]
async fn a_read_only_start_does_not_claim_an_absent_database() {
    let server = Server::start().await;
    let app = server.app(&[]).await;
    server
        .sql(&["ALTER ROLE service SET default_transaction_read_only = on"])
        .await;
    let mut service = crate::support::process::RunningService::start(&app.env(&[]));
    service
        .process
        .wait_for("cannot use the database yet: read only");
    server
        .sql(&["ALTER ROLE service RESET default_transaction_read_only"])
        .await;
    service.wait_until_ready();
    let log = service.stop().err;
    assert!(!log.contains("cannot reach the database"), "{log}");
}

#[tokio::test]
async fn the_owner_of_the_schema_may_apply_migrations() {
    let server = Server::start().await;
    let app = server.app(&[]).await;
    server
        .sql(&[
            "DROP SCHEMA leaver CASCADE",
            "CREATE SCHEMA leaver AUTHORIZATION service",
        ])
        .await;
    let line = |app: &TestApp| {
        let lines = app.run(&["check", "--json"]).json();
        let lines = lines.as_array().unwrap().clone();
        let line = lines
            .into_iter()
            .find(|line| line["check"] == "schema leaver");
        line.unwrap()
    };
    let owned = line(&app);
    assert_eq!(owned["status"], "ok", "{owned}");
    app.run(&["migrate"]).succeeded();
    assert_eq!(line(&app)["status"], "ok");

    // A role that may create schemas and does not own this one.
    server
        .sql(&[
            "DELETE FROM leaver._sqlx_migrations WHERE version = (SELECT max(version) FROM leaver._sqlx_migrations)",
            "ALTER SCHEMA leaver OWNER TO postgres",
            "GRANT CREATE ON DATABASE postgres TO service",
            "GRANT USAGE ON SCHEMA leaver TO service",
        ])
        .await;
    let foreign = line(&app);
    assert_eq!(foreign["status"], "error", "{foreign}");
}
