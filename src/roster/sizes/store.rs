//! Counts rows of `leaver.employees` and `leaver.observations`.

use sqlx::PgConnection;

use leaver_core::domain::SourceName;

/// Returns the number of employees of these sources.
///
/// # Errors
/// Returns the database's error.
pub(crate) async fn employees(
    conn: &mut PgConnection,
    sources: &[SourceName],
) -> Result<u64, sqlx::Error> {
    let names: Vec<&str> = sources.iter().map(SourceName::as_str).collect();
    let count = sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM leaver.employees WHERE source = ANY($1)"#,
        &names as &[&str],
    )
    .fetch_one(conn)
    .await?;
    Ok(u64::try_from(count).unwrap_or_default())
}

/// Returns the number of recorded observations.
///
/// # Errors
/// Returns the database's error.
pub(crate) async fn observations(conn: &mut PgConnection) -> Result<u64, sqlx::Error> {
    let count = sqlx::query_scalar!(r#"SELECT count(*) AS "count!" FROM leaver.observations"#)
        .fetch_one(conn)
        .await?;
    Ok(u64::try_from(count).unwrap_or_default())
}
