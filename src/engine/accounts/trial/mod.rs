//! Tries the statements on the accounts table for `leaver check`. Nothing that they change remains.

mod store;

use std::collections::BTreeSet;

use sqlx::PgConnection;

use super::{AccountsTable, switch};
use leaver_core::domain::AccountId;

/// The result of the update, both ways.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum UpdateTrial {
    /// No account is visible and active, so nothing was tried.
    NoAccount,
    /// Both directions were seen to have their effect on this account.
    Works(AccountId),
    /// The row stayed as it was, with the reason.
    Blocked(AccountId, String),
}

/// Deactivates and reactivates the first active account, and rolls it back.
///
/// # Errors
/// Returns why Postgres rejects an update.
pub(crate) async fn try_update(
    conn: &mut PgConnection,
    table: &AccountsTable,
) -> Result<UpdateTrial, sqlx::Error> {
    let mut tx = store::begin(conn).await?;
    let first = super::store::active_after(&mut tx, table, None, 1).await?;
    let Some(account) = first.into_iter().next() else {
        return Ok(UpdateTrial::NoAccount);
    };
    let ids = BTreeSet::from([account.id.clone()]);
    super::store::enter_search_path(&mut tx, table).await?;
    for direction in [&table.statements.deactivate, &table.statements.reactivate] {
        let mut switched = switch::switch(&mut tx, table, direction, &ids).await?;
        if let Some(reason) = switched.blocked.remove(&account.id) {
            return Ok(UpdateTrial::Blocked(account.id, reason));
        }
    }
    tx.rollback().await?;
    Ok(UpdateTrial::Works(account.id))
}

/// Why a statement that ends sessions is refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SessionsError {
    /// The statement is one of those that end a transaction or start one.
    #[error("{0} ends or starts a transaction; remove it, since the statement runs inside one")]
    Transaction(String),
    /// The statement ignores the ids.
    #[error(
        "it does not use $1, the ids of the accounts; add a condition such as `user_id::text = ANY($1)`"
    )]
    NoIds,
    /// The statement changes rows without any id.
    #[error("it changes rows although no account is named; limit it to the ids with `= ANY($1)`")]
    Unlimited,
    /// Postgres rejects the statement.
    #[error("rejected by Postgres")]
    Rejected(#[from] sqlx::Error),
}

/// Runs a statement that ends sessions, without ids and with one, and rolls it back.
///
/// # Errors
/// Returns why it is refused.
pub(crate) async fn try_end_sessions(
    conn: &mut PgConnection,
    table: &AccountsTable,
    statement: &str,
    account: Option<&AccountId>,
) -> Result<(), SessionsError> {
    let keyword = first_keyword(statement);
    if is_transaction_control(&keyword) {
        return Err(SessionsError::Transaction(keyword));
    }
    if !statement.contains("$1") {
        return Err(SessionsError::NoIds);
    }
    let mut tx = store::begin(conn).await?;
    super::store::enter_search_path(&mut tx, table).await?;
    let rows = store::run(&mut tx, table, statement, None).await?;
    // A SELECT that calls a function returns a row and changes none.
    if rows > 0 && keyword != "SELECT" {
        return Err(SessionsError::Unlimited);
    }
    if account.is_some() {
        store::run(&mut tx, table, statement, account).await?;
    }
    tx.rollback().await?;
    Ok(())
}

fn is_transaction_control(keyword: &str) -> bool {
    matches!(
        keyword,
        "COMMIT"
            | "ROLLBACK"
            | "END"
            | "ABORT"
            | "BEGIN"
            | "START"
            | "PREPARE"
            | "SAVEPOINT"
            | "RELEASE"
    )
}

/// Returns the first word in capitals, behind comments and blanks.
fn first_keyword(statement: &str) -> String {
    let mut rest = statement.trim_start();
    loop {
        let after = if let Some(comment) = rest.strip_prefix("--") {
            comment.split_once('\n').map_or("", |(_, after)| after)
        } else if let Some(comment) = rest.strip_prefix("/*") {
            comment.split_once("*/").map_or("", |(_, after)| after)
        } else {
            break;
        };
        rest = after.trim_start();
    }
    let word = rest.split(|c: char| !c.is_ascii_alphabetic()).next();
    word.unwrap_or_default().to_ascii_uppercase()
}

#[cfg(test)]
mod tests {
    use super::{first_keyword, is_transaction_control};

    #[test]
    fn finds_transaction_control_behind_comments() {
        for statement in ["commit", " -- done\n ROLLBACK;", "/* a */ End", "BEGIN;"] {
            assert!(
                is_transaction_control(&first_keyword(statement)),
                "{statement}"
            );
        }
        for statement in ["DELETE FROM commit", "/* COMMIT */ SELECT 1", ""] {
            assert!(
                !is_transaction_control(&first_keyword(statement)),
                "{statement}"
            );
        }
    }
}
