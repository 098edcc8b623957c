//! An undo in users tables of every shape.

use super::{NINE, restored, undo_last};
use crate::support::TestApp;
use crate::support::driving::terminated;

const ROWS: &str = "SELECT users::text FROM users ORDER BY id";

/// Users 1 and 2 leave, and the undo makes the rows what they were.
async fn leaves_and_is_restored(tables: &str, settings: &[(&str, &str)]) {
    let mut env = vec![("LEAVER__ACCOUNTS__END_SESSIONS", "[]")];
    env.extend(settings);
    let mut app = TestApp::builder()
        .settings(&env)
        .tables(tables)
        .build()
        .await;
    let before = app.lines(ROWS).await;
    let left = [("1", "a"), ("2", "b")]
        .map(|(id, name)| terminated(id, &format!("{name}@example.com"), NINE));
    app.bamboohr(&left).await;
    let between = app.lines(ROWS).await;
    assert!(
        before.iter().zip(&between).all(|(one, other)| one != other),
        "{between:?}"
    );
    let report = undo_last(&mut app).await;
    assert_eq!(restored(&report), ["1", "2"]);
    assert_eq!(app.lines(ROWS).await, before);
}

#[tokio::test]
async fn booleans_are_restored() {
    let tables = "CREATE TABLE users (id int PRIMARY KEY, email text, is_active bool);
                  INSERT INTO users VALUES (1, 'a@example.com', true), (2, 'b@example.com', true);";
    leaves_and_is_restored(tables, &[]).await;
    let tables = "CREATE TABLE users (id int PRIMARY KEY, email text, disabled bool);
                  INSERT INTO users VALUES (1, 'a@example.com', false), (2, 'b@example.com', false);";
    let settings = [("LEAVER__ACCOUNTS__DISABLED_COLUMN", "disabled")];
    leaves_and_is_restored(tables, &settings).await;
}

#[tokio::test]
async fn a_deactivation_time_is_cleared() {
    let tables = "CREATE TABLE users (id int PRIMARY KEY, email text, ended timestamptz(0));
                  INSERT INTO users VALUES (1, 'a@example.com'), (2, 'b@example.com');";
    let settings = [("LEAVER__ACCOUNTS__DEACTIVATED_AT_COLUMN", "ended")];
    leaves_and_is_restored(tables, &settings).await;
}

#[tokio::test]
async fn the_remembered_status_is_restored() {
    for kind in ["text", "state"] {
        let tables = format!(
            "CREATE TYPE state AS ENUM ('active', 'invited', 'suspended');
             CREATE TABLE users (id int PRIMARY KEY, email text, status {kind});
             INSERT INTO users VALUES (1, 'a@example.com', 'invited'), (2, 'b@example.com', 'active');"
        );
        let settings = [
            ("LEAVER__ACCOUNTS__STATUS_COLUMN", "status"),
            ("LEAVER__ACCOUNTS__ACTIVE_VALUES", "['active', 'invited']"),
            ("LEAVER__ACCOUNTS__INACTIVE_VALUE", "suspended"),
        ];
        leaves_and_is_restored(&tables, &settings).await;
    }
}

#[tokio::test]
async fn a_partitioned_table_is_restored() {
    let tables = "CREATE TABLE users (id int PRIMARY KEY, email text, is_active bool) PARTITION BY RANGE (id);
                  CREATE TABLE users_1 PARTITION OF users FOR VALUES FROM (0) TO (2);
                  CREATE TABLE users_2 PARTITION OF users FOR VALUES FROM (2) TO (9);
                  INSERT INTO users VALUES (1, 'a@example.com', true), (2, 'b@example.com', true);";
    leaves_and_is_restored(tables, &[]).await;
}
