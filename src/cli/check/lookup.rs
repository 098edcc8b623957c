//! Checks that an index serves the look-up of accounts by e-mail.

use sqlx::PgConnection;

use super::{CheckReport, CheckStatus};
use crate::db::error::redacted_message;
use crate::engine::accounts::AccountsTable;
use crate::engine::accounts::lookup::{Advice, EmailLookup, Trial, advise, inspect};

/// Name of the line.
const CHECK: &str = "accounts.email_column";

/// Reports how the look-up finds accounts. Without an index, adds the statement that creates one.
pub(super) async fn check_lookup(
    report: &mut CheckReport,
    conn: &mut PgConnection,
    table: &AccountsTable,
) {
    if let Err(error) = add_lookup(report, conn, table).await {
        let message = format!(
            "cannot inspect the look-up by e-mail: {}",
            redacted_message(&error)
        );
        report.add(status_of(&error), CHECK, message);
    }
}

/// Returns the status of a failed inspection. A lock of the application, or a lack of time, is no error of the setup.
pub(super) fn status_of(error: &sqlx::Error) -> CheckStatus {
    let code = error
        .as_database_error()
        .and_then(sqlx::error::DatabaseError::code);
    match code.as_deref() {
        Some("55P03" | "57014") => CheckStatus::Warning,
        _ => CheckStatus::Error,
    }
}

async fn add_lookup(
    report: &mut CheckReport,
    conn: &mut PgConnection,
    table: &AccountsTable,
) -> Result<(), sqlx::Error> {
    let (unusable, is_migrated) = match inspect(conn, table).await? {
        EmailLookup::Indexed(indexes) => {
            let message = format!("indexed: the look-up uses {}", indexes.join(", "));
            report.add(CheckStatus::Ok, CHECK, message);
            return Ok(());
        }
        EmailLookup::Unindexed(unusable) => (unusable, true),
        EmailLookup::NotMigrated => (vec![], false),
    };
    let advice = advise(conn, table).await?;
    let message = message(&unusable, &advice, is_migrated, &table.relation.kind);
    report.add(CheckStatus::Warning, CHECK, message);
    Ok(())
}

fn message(unusable: &[String], advice: &Advice, is_migrated: bool, kind: &str) -> String {
    let because = if unusable.is_empty() {
        String::new()
    } else {
        format!(" ({})", unusable.join("; "))
    };
    let problem = format!(
        "no index on `leaver.email_key` serves the look-up by e-mail, so it reads all rows{because}"
    );
    let (statements, trial) = match advice {
        Advice::Impossible(reason) => return format!("{problem}: {reason}"),
        Advice::Create(statements, trial) => (statements.join(" "), trial),
    };
    if !is_migrated {
        return format!("{problem}; after `leaver migrate`, run: {statements}");
    }
    let tried = match trial {
        Trial::Used => "tried on an empty copy of the table: the look-up uses it".to_owned(),
        Trial::Accepted => "tried on an empty copy of the table: Postgres accepts it".to_owned(),
        Trial::Untried(reason) => format!("not tried: {reason}"),
        Trial::Refused(reason) => {
            return format!(
                "{problem}; an index was tried on an empty copy of the table: {reason}"
            );
        }
    };
    let writes = if kind == "p" {
        "; it blocks writes to the table while it is built, so run it in a quiet hour"
    } else {
        ""
    };
    // The statement ends the line, so that it can be copied.
    format!("{problem}; an index was {tried}{writes}; run: {statements}")
}
