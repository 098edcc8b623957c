//! The schema `leaver`: its migrations, built into the binary, and privileges on it.

use std::sync::LazyLock;

use sqlx::migrate::{Migrate, MigrateError, Migrator};
use sqlx::{AssertSqlSafe, PgConnection};

/// The only migrator, for the service and all tests: each `migrate!` would embed all files again.
pub static MIGRATOR: LazyLock<Migrator> = LazyLock::new(|| {
    let mut migrator = sqlx::migrate!();
    migrator.create_schema("leaver");
    migrator.dangerous_set_table_name(TABLE);
    migrator
});

const TABLE: &str = "leaver._sqlx_migrations";

/// The database cannot hold what HR systems send.
#[derive(Debug, thiserror::Error)]
pub enum EncodingError {
    /// It is not UTF8.
    #[error(
        "the encoding of this database is {0}, and HR systems send Unicode; use a database that was created with `ENCODING 'UTF8'`"
    )]
    Unsupported(String),
    /// It could not be read.
    #[error("cannot read the encoding of the database")]
    Database(#[from] sqlx::Error),
}

/// Why migrations were not applied.
#[derive(Debug, thiserror::Error)]
pub enum MigrationError {
    /// The database cannot hold what HR systems send.
    #[error(transparent)]
    Encoding(#[from] EncodingError),
    /// A migration failed.
    #[error(transparent)]
    Failed(#[from] MigrateError),
}

/// Checks that the encoding of the database is UTF8.
///
/// # Errors
/// Returns the encoding if it is another one, or the database's error.
pub async fn check_encoding(conn: &mut PgConnection) -> Result<(), EncodingError> {
    let (encoding,): (String,) = sqlx::query_as("SELECT current_setting('server_encoding')")
        .fetch_one(conn)
        .await?;
    if encoding == "UTF8" {
        Ok(())
    } else {
        Err(EncodingError::Unsupported(encoding))
    }
}

/// Applies pending migrations. Replicas that start together wait for each other.
///
/// The owner of the schema can do this. The privilege to create schemas is needed only if the schema does not exist: Postgres
/// checks it even for `CREATE SCHEMA IF NOT EXISTS`.
///
/// # Errors
/// Returns an error if the database is not in UTF8, if a migration fails, or if it has a migration that this binary lacks.
pub async fn migrate(conn: &mut PgConnection) -> Result<(), MigrationError> {
    check_encoding(conn).await?;
    let there: (bool,) = sqlx::query_as("SELECT to_regnamespace('leaver') IS NOT NULL")
        .fetch_one(&mut *conn)
        .await
        .map_err(MigrateError::from)?;
    if !there.0 {
        return Ok(MIGRATOR.run_direct(None, conn, false).await?);
    }
    let mut migrator = Migrator::with_migrations(MIGRATOR.iter().cloned().collect());
    migrator.dangerous_set_table_name(TABLE);
    Ok(migrator.run_direct(None, conn, false).await?)
}

/// Returns the number of pending migrations; all of them if the schema does not exist.
///
/// # Errors
/// Returns the database's error.
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

/// Privileges of the connected role on the schema.
#[derive(Clone, Debug)]
pub struct SchemaPrivileges {
    /// The role.
    pub role: String,
    /// True if it can apply migrations.
    pub may_migrate: bool,
    /// Privileges that the service needs and this role lacks, as text for people.
    pub missing_privileges: Vec<String>,
}

/// Returns the privileges of the connected role on the schema.
///
/// # Errors
/// Returns the database's error.
pub async fn privileges(conn: &mut PgConnection) -> Result<SchemaPrivileges, sqlx::Error> {
    let (role, may_migrate): (String, bool) = sqlx::query_as(
        // Changing a table needs its owner; only a missing schema needs a privilege on the database.
        "SELECT current_user::text,
                CASE WHEN to_regnamespace('leaver') IS NULL
                     THEN has_database_privilege(current_database(), 'CREATE')
                     ELSE (SELECT pg_has_role(n.nspowner, 'USAGE') FROM pg_namespace n WHERE n.nspname = 'leaver')
                          AND NOT EXISTS (SELECT FROM pg_class t
                                          WHERE t.relnamespace = to_regnamespace('leaver') AND t.relkind = 'r'
                                            AND NOT pg_has_role(t.relowner, 'USAGE'))
                END",
    )
    .fetch_one(&mut *conn)
    .await?;
    let missing: Vec<(String,)> = sqlx::query_as(
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
         GROUP BY t.relname
         UNION ALL
         SELECT 'USAGE on sequence leaver.revisions' FROM pg_class t
         WHERE t.relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = 'leaver')
           AND t.relname = 'revisions' AND NOT has_sequence_privilege(t.oid, 'USAGE')",
    )
    .fetch_all(&mut *conn)
    .await?;
    Ok(SchemaPrivileges {
        role,
        may_migrate,
        missing_privileges: missing.into_iter().map(|(what,)| what).collect(),
    })
}

/// Grants a role the privileges that the service needs, and no more: entries of the audit log can only be added.
///
/// # Errors
/// Returns the database's error, for example for an unknown role.
pub async fn grant_to(conn: &mut PgConnection, role: &str) -> Result<(), sqlx::Error> {
    let role = format!("\"{}\"", role.replace('"', "\"\""));
    for statement in [
        format!("GRANT USAGE ON SCHEMA leaver TO {role}"),
        format!(
            "GRANT SELECT, INSERT, UPDATE, DELETE ON leaver.deliveries, leaver.employees, leaver.holds, leaver.pending_reads, leaver.sync_state, leaver.linked_accounts, leaver.provider_webhooks, leaver.source_status, leaver.drift, leaver.in_flight_batches, leaver.account_status, leaver.batches, leaver.changes, leaver.trips, leaver.grants, leaver.plan, leaver.observations, leaver.previews, leaver.protected_accounts, leaver.lineage, leaver.lineage_marks, leaver.restores, leaver.write_probes, leaver.confirmations, leaver.outbox, leaver.outbox_attempts, leaver.outbox_people, leaver.outbox_problems, leaver.destinations TO {role}"
        ),
        format!("REVOKE ALL ON leaver.audit FROM {role}"),
        format!("GRANT INSERT ON leaver.audit TO {role}"),
        format!("GRANT SELECT ON leaver._sqlx_migrations TO {role}"),
        format!("GRANT USAGE ON SEQUENCE leaver.revisions TO {role}"),
        format!("GRANT EXECUTE ON FUNCTION leaver.confirmation_of(text, bigint, bigint) TO {role}"),
    ] {
        sqlx::query(AssertSqlSafe(statement))
            .execute(&mut *conn)
            .await?;
    }
    Ok(())
}

/// Runs statements that grant or revoke privileges on the application's table.
///
/// # Errors
/// Returns the database's error, for example if the connected role does not own the table.
pub async fn run_grants(conn: &mut PgConnection, statements: &[String]) -> Result<(), sqlx::Error> {
    for statement in statements {
        sqlx::query(AssertSqlSafe(statement.clone()))
            .execute(&mut *conn)
            .await?;
    }
    Ok(())
}
