//! The example application: a table of users and a table of sessions.

use std::collections::BTreeSet;

use anyhow::Context;
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection, Row};

use super::story::{DemoOutcome, PEOPLE};
use crate::base::clock::{Clock, SystemClock};
use crate::config::Settings;
use crate::db::connection::{self, Servers};
use crate::engine::accounts::{AccountsMapping, AccountsTable};
use crate::engine::evaluate::evaluate;
use crate::roster;
use crate::service;
use embedded_postgres::Embedded;
use leaver_core::domain::WorkEmail;

/// Database of the demo.
pub(super) const DATABASE: &str = "leaver_demo";
/// Value of `accounts.end_sessions` for the example application.
pub(super) const END_SESSIONS: &str = r#"["DELETE FROM sessions WHERE user_id::text = ANY($1)"]"#;

const END_SESSIONS_STATEMENT: &str = "DELETE FROM sessions WHERE user_id::text = ANY($1)";

const TABLES: &str = "
    CREATE TABLE public.users (
        id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        email           text NOT NULL UNIQUE,
        hashed_password text NOT NULL,
        is_active       boolean NOT NULL DEFAULT true
    );
    CREATE TABLE public.sessions (
        id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        user_id bigint NOT NULL REFERENCES public.users
    );";

/// A user of the example application.
#[derive(Clone, Debug)]
pub(super) struct User {
    pub(super) id: i64,
    pub(super) email: String,
    pub(super) is_active: bool,
    pub(super) sessions: i64,
    pub(super) why: Option<String>,
}

/// Creates the example's tables for `serve --embedded` if the database has no users table, with users and two sessions for
/// each. Sets `accounts.end_sessions` for them if it is empty.
///
/// # Errors
/// Returns the database's error.
pub(crate) async fn create_if_missing(
    servers: &Servers,
    mapping: &mut AccountsMapping,
) -> anyhow::Result<()> {
    let mut conn = connection::open(servers).await?;
    let row = sqlx::query(
        "SELECT to_regclass('public.users') IS NOT NULL AS users,
                to_regclass('public.sessions') IS NOT NULL AS sessions",
    )
    .fetch_one(&mut conn)
    .await?;
    let (users, sessions): (bool, bool) = (row.try_get("users")?, row.try_get("sessions")?);
    let is_example = mapping.table == "public.users";
    if is_example && !users && !sessions {
        create(&mut conn).await?;
    }
    if is_example && mapping.end_sessions.is_empty() && (sessions || !users) {
        mapping.end_sessions = vec![END_SESSIONS_STATEMENT.to_owned()];
    }
    Ok(())
}

/// Recreates the demo database, with the example's tables and users.
pub(super) async fn fresh_database(postgres: &Embedded) -> anyhow::Result<PgConnectOptions> {
    let mut admin = connection::open(&postgres.connect_options("postgres")).await?;
    sqlx::raw_sql("DROP DATABASE IF EXISTS leaver_demo WITH (FORCE)")
        .execute(&mut admin)
        .await?;
    sqlx::raw_sql("CREATE DATABASE leaver_demo")
        .execute(&mut admin)
        .await?;
    let options = postgres.connect_options(DATABASE);
    let mut conn = connection::open(&options).await?;
    create(&mut conn).await?;
    Ok(options)
}

/// Creates the example's tables, users and sessions.
async fn create(conn: &mut PgConnection) -> anyhow::Result<()> {
    let mut tx = conn.begin().await?;
    sqlx::raw_sql(TABLES)
        .execute(&mut *tx)
        .await
        .context("cannot create the example's tables")?;
    let emails: Vec<&str> = PEOPLE.iter().map(|(email, _)| *email).collect();
    sqlx::query(
        "WITH made AS (
             INSERT INTO public.users (email, hashed_password)
             SELECT email, 'not a password' FROM unnest($1::text[]) WITH ORDINALITY AS p (email, n) ORDER BY n
             RETURNING id
         )
         INSERT INTO public.sessions (user_id) SELECT id FROM made, generate_series(1, 2)",
    )
    .bind(emails)
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(())
}

/// Returns all users with their newest audit record.
pub(super) async fn users(conn: &mut PgConnection) -> anyhow::Result<Vec<User>> {
    let rows = sqlx::query(
        "SELECT u.id, u.email, u.is_active,
                (SELECT count(*) FROM public.sessions s WHERE s.user_id = u.id) AS sessions,
                (SELECT replace(a.action, '_', ' ') || ': ' || a.reason FROM leaver.audit a
                 WHERE a.account_id = u.id::text ORDER BY a.id DESC LIMIT 1) AS why
         FROM public.users u ORDER BY u.id",
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

/// Fills in the reason for users without an audit record: not in any delivery, or decided to keep access.
pub(super) async fn explain_unchanged(
    conn: &mut PgConnection,
    settings: &Settings,
    users: &mut [User],
) -> anyhow::Result<()> {
    let table = AccountsTable::inspect(conn, &settings.accounts).await?;
    let policies = service::policies(settings);
    for user in users.iter_mut().filter(|user| user.why.is_none()) {
        let emails: BTreeSet<WorkEmail> = WorkEmail::parse(&user.email).into_iter().collect();
        let known = roster::store::find_by_email_or_id(conn, &emails, "").await?;
        user.why = Some(match known.first() {
            None => "not named in an authentic delivery".to_owned(),
            Some(employee) => {
                let (slice, now) = (vec![employee.clone()], SystemClock.now());
                let evaluation = evaluate(conn, &table, &policies, slice, now).await?;
                let decided = evaluation.decided.first();
                decided.map_or_else(String::new, |decided| {
                    format!("{}: {}", decided.label(), decided.decision.reason)
                })
            }
        });
    }
    Ok(())
}

/// Returns a user's outcome, by the application's tables and Leaver's.
pub(super) async fn outcome(conn: &mut PgConnection, user: &User) -> anyhow::Result<DemoOutcome> {
    let row = sqlx::query(
        "SELECT EXISTS (SELECT FROM leaver.holds h WHERE h.account_id = $1 AND h.state = 'open') AS held,
                EXISTS (SELECT FROM leaver.employees e WHERE e.account_id = $1 AND e.access_ends_at IS NOT NULL) AS scheduled",
    )
    .bind(user.id.to_string())
    .fetch_one(conn)
    .await?;
    let (held, scheduled): (bool, bool) = (row.try_get("held")?, row.try_get("scheduled")?);
    Ok(match (user.is_active, user.sessions) {
        (false, 0) => DemoOutcome::Deactivated,
        (true, 2) if held => DemoOutcome::Held,
        (true, 2) if scheduled => DemoOutcome::Scheduled,
        (true, 2) => DemoOutcome::Untouched,
        (active, sessions) => anyhow::bail!(
            "user {}: is_active {active} with {sessions} sessions",
            user.id
        ),
    })
}

/// Returns the number of deliveries not yet processed.
pub(super) async fn count_pending(conn: &mut PgConnection) -> anyhow::Result<i64> {
    let row = sqlx::query("SELECT count(*) AS n FROM leaver.deliveries WHERE state = 'pending'")
        .fetch_one(conn)
        .await?;
    Ok(row.try_get("n")?)
}

/// Returns the open trip of the safeguard.
pub(super) async fn open_trip(conn: &mut PgConnection) -> anyhow::Result<Option<i64>> {
    let row = sqlx::query("SELECT max(id) AS id FROM leaver.trips WHERE state = 'open'")
        .fetch_one(conn)
        .await?;
    Ok(row.try_get("id")?)
}

/// Returns whether each of these users is active.
pub(super) async fn are_active(
    conn: &mut PgConnection,
    emails: &[&str],
) -> anyhow::Result<Vec<bool>> {
    let mut active = vec![];
    for email in emails {
        let row = sqlx::query("SELECT is_active FROM public.users WHERE email = $1")
            .bind(*email)
            .fetch_one(&mut *conn)
            .await?;
        active.push(row.try_get("is_active")?);
    }
    Ok(active)
}
