//! Finds out if anything is known of a source or a tenant.

use sqlx::PgConnection;

/// Returns true if the audit log has an entry of a source.
///
/// # Errors
/// Returns the database's error.
pub(crate) async fn has_source(conn: &mut PgConnection, source: &str) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM leaver.audit WHERE source = $1) AS "exists!""#,
        source,
    )
    .fetch_one(conn)
    .await
}

/// Returns true if an employee or a change of a tenant is stored.
///
/// # Errors
/// Returns the database's error.
pub(crate) async fn has_tenant(conn: &mut PgConnection, tenant: &str) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM leaver.employees WHERE tenant = $1)
               OR EXISTS (SELECT FROM leaver.changes WHERE tenant = $1) AS "exists!""#,
        tenant,
    )
    .fetch_one(conn)
    .await
}
