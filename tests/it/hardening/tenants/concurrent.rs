//! Protection and tenants that another session changes while access is about to end.

use leaver::engine::holds::resolve::ResolveError;
use sqlx::PgConnection;

use super::{EMAIL, LEFT};
use crate::support::TestApp;
use crate::support::driving::{merge_record, terminated};

const TABLES: &str = "
    CREATE TABLE users (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, email text NOT NULL, company text DEFAULT 'default',
                        is_owner boolean NOT NULL DEFAULT false, is_active boolean NOT NULL DEFAULT true);
    CREATE TABLE sessions (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, user_id bigint NOT NULL);";
const OWNERS: (&str, &str) = ("LEAVER__ACCOUNTS__PROTECTED_WHERE", "is_owner");
const LISTED: (&str, &str) = ("LEAVER__ACCOUNTS__PROTECTED", "[\"owner@example.com\"]");
const COMPANY: (&str, &str) = ("LEAVER__ACCOUNTS__TENANT_COLUMN", "company");
const OWNER: &str = "UPDATE users SET is_owner = true";
const RENAMED: &str = "UPDATE users SET email = 'owner@example.com'";
const MOVED: &str = "UPDATE users SET company = 'other'";

async fn app(setting: (&str, &str)) -> TestApp {
    let builder = TestApp::builder().settings(&[setting]).tables(TABLES);
    let mut app = builder.build().await;
    app.add_users(&[EMAIL]).await;
    app
}

/// Changes the account in a transaction of another session, which stays open.
async fn change(app: &TestApp, statement: &'static str) -> PgConnection {
    let mut other = app.connect().await;
    sqlx::raw_sql("BEGIN").execute(&mut other).await.unwrap();
    sqlx::raw_sql(statement).execute(&mut other).await.unwrap();
    other
}

/// Commits once the service waits for the other session.
async fn commit(mut watcher: PgConnection, mut other: PgConnection) {
    let waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    loop {
        let sessions: i64 = sqlx::query_scalar(waiting)
            .fetch_one(&mut watcher)
            .await
            .unwrap();
        if sessions > 0 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    sqlx::raw_sql("COMMIT").execute(&mut other).await.unwrap();
}

#[tokio::test]
async fn an_approval_sees_what_a_session_before_it_commits() {
    for (setting, statement) in [(OWNERS, OWNER), (LISTED, RENAMED), (COMPANY, MOVED)] {
        let mut app = app(setting).await;
        app.deliver("merge", &merge_record("1", EMAIL, LEFT, "INACTIVE", None))
            .await;
        let hold = app.open_hold().await;
        let other = change(&app, statement).await;
        let committed = commit(app.connect().await, other);
        let (approved, ()) = tokio::join!(app.approve(hold, None), committed);
        let refused = approved.unwrap_err();
        let is_expected = match refused {
            ResolveError::Unread { .. } => statement != MOVED,
            ResolveError::NoSuchAccount(_) => statement == MOVED,
            _ => false,
        };
        assert!(is_expected, "{statement}: {refused:?}");
        assert_eq!(
            app.count("SELECT count(*) FROM users WHERE is_active")
                .await,
            1
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_by_hand_sees_what_a_session_before_it_commits() {
    for (setting, statement) in [(OWNERS, OWNER), (LISTED, RENAMED)] {
        let app = app(setting).await;
        let other = change(&app, statement).await;
        let committed = tokio::spawn(commit(app.connect().await, other));
        let end = [
            "end",
            EMAIL,
            "--reason",
            "left today",
            "--yes",
            "--as",
            "kim",
        ];
        let ended = app.run(&end);
        committed.await.unwrap();
        let mut app = app;
        let active = "SELECT count(*) FROM users WHERE is_active";
        assert_eq!(app.count(active).await, 1, "{ended:?}");
        ended.failed(&["became protected"]);
    }
}

#[tokio::test]
async fn a_delivery_sees_what_a_session_before_it_commits() {
    for (setting, statement) in [(OWNERS, OWNER), (LISTED, RENAMED), (COMPANY, MOVED)] {
        let mut app = app(setting).await;
        app.store(
            "bamboohr",
            &crate::support::employees(&[terminated("1", EMAIL, LEFT)]),
        )
        .await;
        let other = change(&app, statement).await;
        let committed = commit(app.connect().await, other);
        tokio::join!(app.work(), committed);
        assert_eq!(
            app.count("SELECT count(*) FROM users WHERE is_active")
                .await,
            1,
            "{statement}"
        );
        app.advance(chrono::TimeDelta::minutes(1));
        app.run_due().await;
        assert_eq!(
            app.count("SELECT count(*) FROM users WHERE is_active")
                .await,
            1,
            "{statement}"
        );
        let expected: &[&str] = if statement == MOVED {
            &[]
        } else {
            &["open deactivate 1 1"]
        };
        assert_eq!(app.holds().await, expected, "{statement}");
    }
}
