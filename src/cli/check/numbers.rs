//! Reports the size of the users table, and how fast it is searched.

use std::time::Duration;

use sqlx::PgConnection;

use super::lookup::status_of;
use super::{CheckReport, CheckStatus};
use crate::db::error::redacted_message;
use crate::engine::accounts::AccountsTable;
use crate::engine::accounts::numbers::{Numbers, SEARCH, SharedEmails, measure};

/// A look-up that takes longer is a warning.
const SLOW_LOOKUP: Duration = Duration::from_millis(50);

/// Measures the table, and adds a line for each number.
pub(super) async fn check_numbers(
    report: &mut CheckReport,
    conn: &mut PgConnection,
    table: &AccountsTable,
) {
    let numbers = match measure(conn, table).await {
        Ok(numbers) => numbers,
        Err(error) => {
            let message = format!("cannot measure the table: {}", redacted_message(&error));
            return report.add(status_of(&error), "accounts.rows", message);
        }
    };
    add_rows(report, &numbers);
    if table.relation.has_row_security {
        add_visible(report, &numbers, &table.relation.role);
    }
    if numbers.has_key {
        add_shared(report, numbers.shared);
        add_times(report, &numbers);
    }
}

fn add_rows(report: &mut CheckReport, numbers: &Numbers) {
    let message = match (numbers.rows, numbers.estimated_rows) {
        (Some(rows), _) => {
            let estimated = if rows.is_estimated {
                " (estimated: counting took too long)"
            } else {
                ""
            };
            format!(
                "{} rows, {} accounts, {} with access{estimated}",
                rows.visible, rows.accounts, rows.active
            )
        }
        (None, Some(all)) => format!("{all} rows (estimated: counting took too long)"),
        (None, None) => {
            "counting took too long, and there are no statistics; run: ANALYZE".to_owned()
        }
    };
    report.add(CheckStatus::Ok, "accounts.rows", message);
}

/// Adds how many rows the role sees where row level security applies to it.
fn add_visible(report: &mut CheckReport, numbers: &Numbers, role: &str) {
    let counted = numbers.rows.filter(|rows| !rows.is_estimated);
    let (status, message) = match (counted, numbers.estimated_rows) {
        // The statistics may be a little old.
        (Some(rows), Some(all)) if rows.visible < all - all / 10 => (
            CheckStatus::Warning,
            format!(
                "row level security lets role {role} see {} of about {all} rows; accounts in the others keep their access; create a policy FOR ALL for it, or grant it BYPASSRLS",
                rows.visible
            ),
        ),
        (Some(rows), Some(all)) => (
            CheckStatus::Ok,
            format!("role {role} sees {} of about {all} rows", rows.visible),
        ),
        (Some(rows), None) => (
            CheckStatus::Warning,
            format!(
                "role {role} sees {} rows; how many row level security hides is unknown until the table has statistics; run: ANALYZE",
                rows.visible
            ),
        ),
        (None, _) => (
            CheckStatus::Warning,
            format!(
                "row level security applies to role {role}; the rows that it sees were not counted in time; compare `SELECT count(*)` as this role and as the owner"
            ),
        ),
    };
    report.add(status, "accounts rows visible", message);
}

fn add_shared(report: &mut CheckReport, shared: Option<SharedEmails>) {
    let (status, message) = match shared {
        Some(SharedEmails { emails: 0, .. }) => (
            CheckStatus::Ok,
            "each e-mail belongs to one account".to_owned(),
        ),
        Some(SharedEmails { emails, accounts }) => (
            CheckStatus::Warning,
            format!(
                "{emails} e-mails belong to several accounts, {accounts} accounts in all; the end of such a person waits as a hold until somebody decides"
            ),
        ),
        None => (CheckStatus::Ok, "not counted: it took too long; run `leaver check` again when the database is less busy"
                .to_owned()),
    };
    report.add(status, "accounts e-mails shared", message);
}

fn add_times(report: &mut CheckReport, numbers: &Numbers) {
    let (status, message) = match numbers.lookup {
        Some(took) if took > SLOW_LOOKUP => (
            CheckStatus::Warning,
            format!(
                "one look-up by e-mail takes {}; each webhook waits for it",
                duration(took)
            ),
        ),
        Some(took) => (
            CheckStatus::Ok,
            format!("one look-up by e-mail takes {}", duration(took)),
        ),
        None => (
            CheckStatus::Warning,
            format!(
                "one look-up by e-mail takes more than {}; each webhook waits for it",
                duration(SEARCH)
            ),
        ),
    };
    report.add(status, "accounts look-up", message);
    let message = match (numbers.sweep(), numbers.page) {
        (Some(took), Some((_, accounts))) => format!(
            "reading and looking up all active accounts takes about {} (estimated from {accounts})",
            duration(took)
        ),
        (_, Some((took, accounts))) => format!(
            "reading and looking up {accounts} accounts takes {}; their number is unknown",
            duration(took)
        ),
        (_, None) => format!(
            "reading and looking up 500 accounts takes more than {}",
            duration(SEARCH)
        ),
    };
    let status = if numbers.page.is_some() {
        CheckStatus::Ok
    } else {
        CheckStatus::Warning
    };
    report.add(status, "accounts sweep", message);
}

/// Returns a time with its unit: milliseconds, seconds, minutes or hours.
fn duration(took: Duration) -> String {
    match took.as_secs() {
        0 if took < Duration::from_millis(10) => {
            format!("{:.1} ms", took.as_secs_f64() * 1_000.0)
        }
        0 => format!("{} ms", took.as_millis()),
        1..10 => format!("{:.1} s", took.as_secs_f64()),
        seconds @ 10..120 => format!("{seconds} s"),
        seconds @ 120..7_200 => format!("{} min", seconds / 60),
        seconds => format!("{} h", seconds / 3_600),
    }
}
