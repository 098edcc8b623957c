//! Our own tables: the migrations, built into the binary, and who may do what to them.

use std::sync::LazyLock;

use sqlx::migrate::{Migrate, MigrateError, Migrator};
use sqlx::{AssertSqlSafe, PgConnection};

/// The one migrator, for the service and for every test: each `migrate!` would embed all files again.
pub static MIGRATOR: LazyLock<Migrator> = LazyLock::new(|| {
    let mut migrator = sqlx::migrate!();
    migrator.create_schema("leaver");
    migrator.dangerous_set_table_name(TABLE);
    migrator
});

const TABLE: &str = "leaver._sqlx_migrations";

/// Applies what is pending. Replicas that start together wait for each other.
///
/// Whoever owns the schema may do this: the right to create schemas, which Postgres wants to see even when
/// there is nothing to create, is needed only where the schema is not there yet.
///
/// # Errors
/// When a migration fails, or the database has one that this binary does not know.
pub async fn migrate(conn: &mut PgConnection) -> Result<(), MigrateError> {
    let there: (bool,) = sqlx::query_as("SELECT to_regnamespace('leaver') IS NOT NULL")
        .fetch_one(&mut *conn)
        .await?;
    if !there.0 {
        return MIGRATOR.run_direct(None, conn, false).await;
    }
    let mut migrator = Migrator::with_migrations(MIGRATOR.iter().cloned().collect());
    migrator.dangerous_set_table_name(TABLE);
    migrator.run_direct(None, conn, false).await
}

/// How many migrations are pending.
///
/// # Errors
/// Whatever the database says; a database without our schema has all of them pending.
pub async fn pending(conn: &mut PgConnection) -> Result<usize, MigrateError> {
    let known: Vec<i64> = MIGRATOR.iter().map(|migration| migration.version).collect();
    let there: (bool,) =
        sqlx::query_as("SELECT to_regclass('leaver._sqlx_migrations') IS NOT NULL")
            .fetch_one(&mut *conn)
            .await?;
    if !there.0 {
        return Ok(known.len());
    }
    let applied = conn.list_applied_migrations(TABLE).await?;
    Ok(known
        .iter()
        .filter(|version| !applied.iter().any(|done| done.version == **version))
        .count())
}

/// What the role that we connect as may do with our schema.
#[derive(Clone, Debug)]
pub struct SchemaPrivileges {
    /// The role.
    pub role: String,
    /// Whether it could apply migrations.
    pub may_migrate: bool,
    /// What the service needs of the tables that are there and this role has not.
    pub lacking: Vec<String>,
}

/// What the role that we connect as may do with our schema, as it is now.
///
/// # Errors
/// Whatever the database says.
pub async fn standing(conn: &mut PgConnection) -> Result<SchemaPrivileges, sqlx::Error> {
    let (role, may_migrate): (String, bool) = sqlx::query_as(
        "SELECT current_user::text, has_database_privilege(current_database(), 'CREATE')",
    )
    .fetch_one(&mut *conn)
    .await?;
    let lacking: Vec<(String,)> = sqlx::query_as(
        "SELECT 'USAGE on schema leaver' FROM pg_namespace
         WHERE nspname = 'leaver' AND NOT has_schema_privilege(oid, 'USAGE')
         UNION ALL
         SELECT string_agg(needed, ', ') || ' on leaver.' || t.relname
         FROM pg_class t
         CROSS JOIN unnest(CASE t.relname WHEN 'audit' THEN '{INSERT}'::text[]
                                          WHEN '_sqlx_migrations' THEN '{SELECT}'
                                          ELSE '{SELECT,INSERT,UPDATE,DELETE}' END) AS needed
         WHERE t.relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = 'leaver')
           AND t.relkind = 'r' AND NOT has_table_privilege(t.oid, needed)
         GROUP BY t.relname",
    )
    .fetch_all(&mut *conn)
    .await?;
    Ok(SchemaPrivileges {
        role,
        may_migrate,
        lacking: lacking.into_iter().map(|(what,)| what).collect(),
    })
}

/// Gives a role what the service needs of our schema and no more: of the audit, only to add to it.
///
/// # Errors
/// Whatever the database says, an unknown role included.
pub async fn grant_to(conn: &mut PgConnection, role: &str) -> Result<(), sqlx::Error> {
    let role = format!("\"{}\"", role.replace('"', "\"\""));
    for statement in [
        format!("GRANT USAGE ON SCHEMA leaver TO {role}"),
        format!(
            "GRANT SELECT, INSERT, UPDATE, DELETE ON leaver.deliveries, leaver.employees, leaver.holds, leaver.pending_reads, leaver.sync_state, leaver.provider_webhooks, leaver.source_status, leaver.drift, leaver.in_flight_batches TO {role}"
        ),
        format!("REVOKE ALL ON leaver.audit FROM {role}"),
        format!("GRANT INSERT ON leaver.audit TO {role}"),
        format!("GRANT SELECT ON leaver._sqlx_migrations TO {role}"),
    ] {
        sqlx::query(AssertSqlSafe(statement))
            .execute(&mut *conn)
            .await?;
    }
    Ok(())
}
