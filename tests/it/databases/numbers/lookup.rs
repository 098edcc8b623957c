//! Which index serves the look-up by e-mail, and the advice that creates one.

use super::checked;
use crate::support::TestApp;

const CHECK: &str = "accounts.email_column";
const USERS: &str = "CREATE TABLE users (id bigint PRIMARY KEY, email text, is_active boolean NOT NULL DEFAULT true)";

async fn app(tables: &str, settings: &[(&str, &str)]) -> TestApp {
    let none = [("LEAVER__ACCOUNTS__END_SESSIONS", "[]")];
    let mut all = none.to_vec();
    all.extend_from_slice(settings);
    let mut app = TestApp::builder().settings(&all).tables("").build().await;
    app.sql(tables).await;
    app
}

/// Runs the advice, and expects that the look-up then is indexed.
async fn follow(app: &mut TestApp, words: &[&str]) {
    let (status, message) = checked(app, CHECK);
    assert_eq!(status, "warning", "{message}");
    for word in words {
        assert!(message.contains(word), "no {word:?} in {message}");
    }
    let (_, statements) = message.split_once("run: ").unwrap();
    for statement in statements.split_inclusive(';') {
        app.sql(statement).await;
    }
    let (status, message) = checked(app, CHECK);
    assert_eq!(status, "ok", "{message}");
}

#[tokio::test]
async fn an_index_that_the_look_up_uses_is_good() {
    for index in [
        "(leaver.email_key(email))",
        "(leaver.email_key(email::text), id)",
        "USING hash (leaver.email_key(email))",
    ] {
        // The planner would read a table of this size as a whole.
        let app = app(&format!("{USERS}; CREATE INDEX ON users {index}"), &[]).await;
        let (status, message) = checked(&app, CHECK);
        assert_eq!(status, "ok", "{index}: {message}");
    }
}

#[tokio::test]
async fn an_index_that_the_look_up_cannot_use_is_a_warning() {
    for (index, because) in [
        (
            "INDEX x ON users ((leaver.email_key(email) COLLATE \"C\"))",
            "collation",
        ),
        (
            "INDEX x ON users (id, leaver.email_key(email))",
            "order of its keys",
        ),
        (
            "INDEX x ON users (leaver.email_key(email)) WHERE is_active",
            "part of the rows",
        ),
        ("INDEX x ON users (email)", "reads all rows"),
        ("INDEX x ON users (lower(email))", "reads all rows"),
    ] {
        let mut app = app(&format!("{USERS}; CREATE {index}"), &[]).await;
        follow(&mut app, &[because, "CONCURRENTLY", "the look-up uses it"]).await;
    }
}

#[tokio::test]
async fn an_invalid_index_is_a_warning() {
    let mut app = app(USERS, &[]).await;
    app.sql(
        "CREATE INDEX x ON users (leaver.email_key(email));
         UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'x'::regclass",
    )
    .await;
    follow(&mut app, &["index x is invalid"]).await;
}

#[tokio::test]
async fn a_partial_index_that_covers_all_accounts_is_good() {
    let tables = format!("{USERS}; CREATE INDEX ON users (leaver.email_key(email)) WHERE id > 0");
    let app = app(&tables, &[("LEAVER__ACCOUNTS__WHERE", "id > 0")]).await;
    let (status, message) = checked(&app, CHECK);
    assert_eq!(status, "ok", "{message}");
}

#[tokio::test]
async fn the_columns_own_collation_does_not_matter() {
    let tables = USERS.replace("email text", "email text COLLATE \"C\"");
    follow(&mut app(&tables, &[]).await, &["the look-up uses it"]).await;
}

#[tokio::test]
async fn a_table_with_tenants_has_its_index() {
    let tables = "CREATE TABLE users (id bigint PRIMARY KEY, org int NOT NULL, email text, is_active boolean)";
    let settings = [("LEAVER__ACCOUNTS__TENANT_COLUMN", "org")];
    let mut app = app(tables, &settings).await;
    app.sql("CREATE INDEX ON users (org, leaver.email_key(email))")
        .await;
    // The tenant is compared as text, so an index that starts with another type is not entered with it.
    follow(&mut app, &["order of its keys"]).await;
}

#[tokio::test]
async fn a_partitioned_table_needs_an_index_on_each_partition() {
    let tables = "CREATE TABLE users (id bigint PRIMARY KEY, email text, is_active boolean) PARTITION BY RANGE (id);
                  CREATE TABLE users_1 PARTITION OF users FOR VALUES FROM (0) TO (100);
                  CREATE TABLE users_2 PARTITION OF users FOR VALUES FROM (100) TO (200);
                  CREATE INDEX ON users_1 (leaver.email_key(email));";
    let mut app = app(tables, &[]).await;
    follow(&mut app, &["CREATE INDEX ON", "blocks writes"]).await;
}

#[tokio::test]
async fn the_index_of_a_view_belongs_to_its_tables() {
    for view in [
        "SELECT id, mail AS email, is_active FROM app.people WHERE id > 0",
        "SELECT p.id, mail::varchar AS email, is_active FROM app.people p JOIN app.teams t ON t.id = p.team",
        "SELECT id, mail AS email, is_active FROM app.people UNION ALL SELECT -id, mail, is_active FROM app.\"Old \"\"ones\"",
    ] {
        let tables = format!(
            "CREATE SCHEMA app; CREATE TABLE app.teams (id int PRIMARY KEY);
             CREATE TABLE app.people (id bigint PRIMARY KEY, mail text, is_active boolean, team int);
             CREATE TABLE app.\"Old \"\"ones\" (id bigint PRIMARY KEY, mail text, is_active boolean);
             CREATE VIEW users AS {view};"
        );
        let mut app = app(&tables, &[]).await;
        follow(&mut app, &["\"app\".\"people\"", "Postgres accepts it"]).await;
    }
}

#[tokio::test]
async fn a_view_that_no_index_serves_gets_no_statement() {
    for view in [
        "VIEW users WITH (security_barrier) AS SELECT id, mail AS email, is_active FROM people",
        "VIEW users AS SELECT DISTINCT ON (id) id, mail AS email, is_active FROM people ORDER BY id",
        "VIEW users AS SELECT p.id, p.mail || q.mail AS email, p.is_active FROM people p JOIN people q USING (id)",
    ] {
        let tables = format!(
            "CREATE TABLE people (id bigint PRIMARY KEY, mail text, is_active boolean); CREATE {view};"
        );
        let app = app(&tables, &[]).await;
        let (status, message) = checked(&app, CHECK);
        assert_eq!(status, "warning", "{view}");
        assert!(
            !message.contains("CREATE INDEX") && message.contains("map a table"),
            "{view}: {message}"
        );
    }
}

#[tokio::test]
async fn the_trial_of_an_index_locks_and_leaves_nothing() {
    let mut app = app(USERS, &[]).await;
    let before = "SELECT count(*) FROM pg_class WHERE relkind IN ('r', 'i') AND relname NOT LIKE 'pg_toast%'";
    let relations = app.count(before).await;
    // An application that writes, and holds its lock.
    app.sql("INSERT INTO users VALUES (1, 'ana@example.com'); BEGIN; LOCK TABLE users IN ROW EXCLUSIVE MODE")
        .await;
    let (_, message) = checked(&app, CHECK);
    assert!(message.contains("the look-up uses it"), "{message}");
    app.sql("COMMIT").await;
    assert_eq!(app.count(before).await, relations);
}
