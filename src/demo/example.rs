//! An example application: a table of users and one of sessions, as Leaver would find them anywhere.

use anyhow::Context;
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, PgConnection, Row};

use super::story::{Fate, PEOPLE};
use crate::base::clock::{Clock, SystemClock};
use crate::config::Settings;
use crate::engine::accounts::{AccountsMapping, AccountsTable};
use crate::engine::evaluate::evaluate;
use crate::roster;
use crate::service;
use embedded_postgres::Embedded;

/// The database of the showing.
pub(super) const DATABASE: &str = "leaver_demo";
/// How the example application's sessions end, as a list in TOML.
pub(super) const END_SESSIONS: &str = r#"["DELETE FROM sessions WHERE user_id::text = ANY($1)"]"#;

const END_SESSIONS_STATEMENT: &str = "DELETE FROM sessions WHERE user_id::text = ANY($1)";

const TABLES: &str = "
    CREATE TABLE users (
        id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        email           text NOT NULL UNIQUE,
        hashed_password text NOT NULL,
        is_active       boolean NOT NULL DEFAULT true
    );
    CREATE INDEX users_email_lower_idx ON users (lower(email));
    CREATE TABLE sessions (
        id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        user_id bigint NOT NULL REFERENCES users
    );";

/// A user as the demo shows one.
#[derive(Clone, Debug)]
pub(super) struct User {
    pub(super) id: i64,
    pub(super) email: String,
    pub(super) is_active: bool,
    pub(super) sessions: i64,
    pub(super) why: Option<String>,
}

/// Makes the example's tables in a database that has no users table yet, so that `serve --embedded` has
/// something to look after, and ends its sessions where the mapping does not say how.
///
/// # Errors
/// Whatever the database says.
pub async fn create_if_missing(
    options: &PgConnectOptions,
    mapping: &mut AccountsMapping,
) -> anyhow::Result<()> {
    let mut conn = options.connect().await?;
    let row = sqlx::query(
        "SELECT to_regclass('public.users') IS NOT NULL AS users,
                to_regclass('public.sessions') IS NOT NULL AS sessions",
    )
    .fetch_one(&mut conn)
    .await?;
    let (users, sessions): (bool, bool) = (row.try_get("users")?, row.try_get("sessions")?);
    let is_example = mapping.table == "public.users";
    if is_example && !users && !sessions {
        sqlx::raw_sql(TABLES).execute(&mut conn).await?;
    }
    if is_example && mapping.end_sessions.is_empty() && (sessions || !users) {
        mapping.end_sessions = vec![END_SESSIONS_STATEMENT.to_owned()];
    }
    Ok(())
}

/// A fresh database with the example's tables and people in it.
pub(super) async fn fresh_database(postgres: &Embedded) -> anyhow::Result<PgConnectOptions> {
    let mut admin = postgres.connect_options("postgres").connect().await?;
    sqlx::raw_sql("DROP DATABASE IF EXISTS leaver_demo WITH (FORCE)")
        .execute(&mut admin)
        .await?;
    sqlx::raw_sql("CREATE DATABASE leaver_demo")
        .execute(&mut admin)
        .await?;
    let options = postgres.connect_options(DATABASE);
    let mut conn = options.connect().await?;
    sqlx::raw_sql(TABLES)
        .execute(&mut conn)
        .await
        .context("cannot make the example's tables")?;
    let emails: Vec<&str> = PEOPLE.iter().map(|(email, _)| *email).collect();
    sqlx::query(
        "WITH made AS (
             INSERT INTO users (email, hashed_password)
             SELECT email, 'not a password' FROM unnest($1::text[]) WITH ORDINALITY AS p (email, n) ORDER BY n
             RETURNING id
         )
         INSERT INTO sessions (user_id) SELECT id FROM made, generate_series(1, 2)",
    )
    .bind(emails)
    .execute(&mut conn)
    .await?;
    Ok(options)
}

/// Everybody as they are now, with the last line of the record about them.
pub(super) async fn users(conn: &mut PgConnection) -> anyhow::Result<Vec<User>> {
    let rows = sqlx::query(
        "SELECT u.id, u.email, u.is_active,
                (SELECT count(*) FROM sessions s WHERE s.user_id = u.id) AS sessions,
                (SELECT replace(a.action, '_', ' ') || ': ' || a.reason FROM leaver.audit a
                 WHERE a.account_id = u.id::text ORDER BY a.id DESC LIMIT 1) AS why
         FROM users u ORDER BY u.id",
    )
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(User {
                id: row.try_get("id")?,
                email: row.try_get("email")?,
                is_active: row.try_get("is_active")?,
                sessions: row.try_get("sessions")?,
                why: row.try_get("why")?,
            })
        })
        .collect()
}

/// Says of those about whom nothing was recorded why: they were never named, or the decision was to keep.
pub(super) async fn explain_kept(
    conn: &mut PgConnection,
    settings: &Settings,
    users: &mut [User],
) -> anyhow::Result<()> {
    let table = AccountsTable::inspect(conn, &settings.accounts).await?;
    let rules = service::policies(settings);
    for user in users.iter_mut().filter(|user| user.why.is_none()) {
        let email = user.email.to_lowercase();
        let known = roster::store::find_by_email_or_id(conn, &email, "").await?;
        user.why = Some(match known.first() {
            None => "not named in any delivery that was authentic".to_owned(),
            Some(employee) => {
                let (slice, now) = (vec![employee.clone()], SystemClock.now());
                let deliberated = evaluate(conn, &table, &rules, slice, now).await?;
                let decided = deliberated.decided.first();
                decided.map_or_else(String::new, |decided| {
                    format!("{}: {}", decided.label(), decided.decision.reason)
                })
            }
        });
    }
    Ok(())
}

/// What has become of somebody, by the application's own tables and by ours.
pub(super) async fn fate(conn: &mut PgConnection, user: &User) -> anyhow::Result<Fate> {
    let row = sqlx::query(
        "SELECT EXISTS (SELECT FROM leaver.holds h WHERE h.account_id = $1 AND h.state = 'open') AS held,
                EXISTS (SELECT FROM leaver.employees e WHERE e.account_id = $1 AND e.access_ends_at IS NOT NULL) AS scheduled",
    )
    .bind(user.id.to_string())
    .fetch_one(conn)
    .await?;
    let (held, scheduled): (bool, bool) = (row.try_get("held")?, row.try_get("scheduled")?);
    Ok(match (user.is_active, user.sessions) {
        (false, 0) => Fate::Deactivated,
        (true, 2) if held => Fate::Held,
        (true, 2) if scheduled => Fate::Scheduled,
        (true, 2) => Fate::Untouched,
        (active, sessions) => anyhow::bail!(
            "user {}: is_active {active} with {sessions} sessions",
            user.id
        ),
    })
}

/// How many deliveries are not settled.
pub(super) async fn waiting(conn: &mut PgConnection) -> anyhow::Result<i64> {
    let row = sqlx::query("SELECT count(*) AS n FROM leaver.deliveries WHERE state = 'pending'")
        .fetch_one(conn)
        .await?;
    Ok(row.try_get("n")?)
}
