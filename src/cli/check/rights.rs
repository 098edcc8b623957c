//! Checks of the role's attributes, and of the rights of others.

use sqlx::PgConnection;

use super::{CheckReport, CheckStatus};
use crate::engine::accounts::AccountsTable;
use crate::engine::accounts::privileges;

/// Reports a role that may do more than the service needs.
pub(super) async fn check_role(
    report: &mut CheckReport,
    conn: &mut PgConnection,
) -> Result<(), sqlx::Error> {
    let attributes = privileges::role_attributes(conn).await?;
    let role = &attributes.role;
    let (status, message) = if attributes.is_superuser {
        (
            CheckStatus::Warning,
            format!(
                "role {role} is a superuser, so SQL in the configuration and triggers of the application run as one; run: CREATE ROLE leaver_service LOGIN; then `leaver migrate --grant-to leaver_service`, and connect as that role"
            ),
        )
    } else if attributes.bypasses_rls {
        (
            CheckStatus::Warning,
            format!(
                "row level security does not apply to role {role}; unless the users table needs it, run: ALTER ROLE \"{}\" NOBYPASSRLS;",
                role.replace('"', "\"\"")
            ),
        )
    } else {
        let text = format!("role {role} is no superuser, and row level security applies to it");
        (CheckStatus::Ok, text)
    };
    report.add(status, "role", message);
    Ok(())
}

/// Reports other roles that can create objects where names are looked up.
pub(super) async fn check_schemas(
    report: &mut CheckReport,
    conn: &mut PgConnection,
    table: &AccountsTable,
) -> Result<(), sqlx::Error> {
    let (schemas, creators) = privileges::schemas_and_creators(conn, table).await?;
    for schema in schemas {
        let check = format!("schema {schema} rights");
        let mut others = creators
            .iter()
            .filter(|one| one.schema == schema)
            .peekable();
        if others.peek().is_none() {
            let text = "no other role can create objects in it";
            report.add(CheckStatus::Ok, &check, text);
        }
        for other in others {
            report.add(CheckStatus::Warning, &check, other.advice());
        }
    }
    Ok(())
}
