//! Tries what the service does to the users table, in transactions that are rolled back.

use sqlx::PgConnection;

use super::{CheckReport, CheckStatus};
use crate::db::error::redacted_message;
use crate::engine::accounts::trial::{SessionsError, UpdateTrial, try_end_sessions, try_update};
use crate::engine::accounts::{AccountsMapping, AccountsTable, Shape, first_words};
use leaver_core::domain::AccountId;

/// Words in the name of a column that is true for an account without access.
const WITHOUT_ACCESS: [&str; 10] = [
    "archived",
    "banned",
    "blocked",
    "deactivated",
    "deleted",
    "disabled",
    "inactive",
    "locked",
    "suspended",
    "terminated",
];
/// Words in the name of a column that is true for an account with access.
const WITH_ACCESS: [&str; 3] = ["active", "enabled", "activated"];

/// Checks the shape, then tries the update and the statements that end sessions. Without privileges the update is not tried.
pub(super) async fn check_trials(
    report: &mut CheckReport,
    conn: &mut PgConnection,
    mapping: &AccountsMapping,
    table: &AccountsTable,
    has_privileges: bool,
) {
    let check = format!("accounts.{}", mapping.shape.key());
    if let Some(problem) = opposite_name(&mapping.shape) {
        report.add(CheckStatus::Error, &check, problem);
    }
    let relation = &table.relation;
    if !relation.id_is_unique && !relation.id_is_unique_in_tenant && relation.kind == "r" {
        let message = if table.has_tenants {
            "no unique index guarantees that an id names one row of a tenant; add a unique index on the id, or on tenant and id with a tenant that is not null"
        } else {
            "no unique index guarantees that an id names one row; add a primary key or a unique index"
        };
        report.add(CheckStatus::Error, "accounts.id_column", message);
    }
    let account = if has_privileges {
        check_update(report, conn, mapping, table, &check).await
    } else {
        None
    };
    for (position, statement) in mapping.end_sessions.iter().enumerate() {
        let check = format!("accounts.end_sessions[{position}]");
        let words = first_words(statement);
        match try_end_sessions(conn, table, statement, account.as_ref()).await {
            Ok(()) => report.add(CheckStatus::Ok, &check, "accepted by Postgres"),
            Err(SessionsError::Rejected(error)) => report.add(
                CheckStatus::Error,
                &check,
                format!(
                    "{words}: rejected by Postgres: {}",
                    redacted_message(&error)
                ),
            ),
            Err(refused) => report.add(CheckStatus::Error, &check, format!("{words}: {refused}")),
        }
    }
}

/// Tries the update. Returns the account that it was tried on.
async fn check_update(
    report: &mut CheckReport,
    conn: &mut PgConnection,
    mapping: &AccountsMapping,
    table: &AccountsTable,
    check: &str,
) -> Option<AccountId> {
    if let Some(refusal) = table.relation.refusal(mapping.shape.column()) {
        report.add(CheckStatus::Error, check, refusal);
        return None;
    }
    match try_update(conn, table).await {
        Ok(UpdateTrial::Works(account)) => {
            let message = "an update was tried in both directions and rolled back";
            report.add(CheckStatus::Ok, check, message);
            return Some(account);
        }
        Ok(UpdateTrial::Blocked(account, reason)) => {
            report.add(CheckStatus::Error, check, reason);
            return Some(account);
        }
        Ok(UpdateTrial::NoAccount) if table.relation.has_row_security => report.add(
            CheckStatus::Error,
            check,
            format!("no active account is visible: {}", table.relation.obstacles(mapping.shape.column())),
        ),
        Ok(UpdateTrial::NoAccount) => report.add(
            CheckStatus::Warning,
            check,
            "no account is active, so the update was not tried; check the mapping if there should be some",
        ),
        Err(error) => report.add(
            CheckStatus::Error,
            check,
            format!("the update was rejected by Postgres: {}", redacted_message(&error)),
        ),
    }
    None
}

/// Returns the problem of a boolean whose name means the opposite of its key.
fn opposite_name(shape: &Shape) -> Option<String> {
    let (opposite, words): (_, &[&str]) = match shape {
        Shape::Active(_) => ("disabled_column", &WITHOUT_ACCESS),
        Shape::Disabled(_) => ("active_column", &WITH_ACCESS),
        Shape::DeactivatedAt(_) | Shape::Status { .. } => return None,
    };
    let name = shape.column().to_ascii_lowercase();
    let name = name
        .strip_prefix("is")
        .unwrap_or(&name)
        .trim_start_matches('_');
    words.contains(&name).then(|| {
        format!(
            "the name \"{}\" means the opposite; set `accounts.{opposite}` to it instead",
            shape.column()
        )
    })
}

#[cfg(test)]
mod tests {
    use super::opposite_name;
    use crate::engine::accounts::Shape;

    #[test]
    fn a_name_that_means_the_opposite_is_found() {
        for name in [
            "is_disabled",
            "blocked",
            "isSuspended",
            "deleted",
            "Inactive",
        ] {
            assert!(
                opposite_name(&Shape::Active(name.to_owned())).is_some(),
                "{name}"
            );
            assert!(
                opposite_name(&Shape::Disabled(name.to_owned())).is_none(),
                "{name}"
            );
        }
        for name in ["is_active", "enabled"] {
            assert!(
                opposite_name(&Shape::Active(name.to_owned())).is_none(),
                "{name}"
            );
            assert!(
                opposite_name(&Shape::Disabled(name.to_owned())).is_some(),
                "{name}"
            );
        }
    }
}
