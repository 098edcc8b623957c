//! Other accounts of people who left.

use sqlx::PgConnection;

use super::TerminatedWithAccess;
use super::compare::terminated_with_access;
use crate::engine::accounts::{self, AccountsTable};
use crate::engine::evaluate::Evaluated;
use crate::roster::{self, sharing::Sharing};
use leaver_core::decision::assess::Employment;
use leaver_core::domain::Account;

/// Finds active accounts with the work e-mail of a person who left and is linked to another account. An account that is linked
/// to any employee does not count: it may be that of a successor.
///
/// # Errors
/// Returns the database's error.
pub(super) async fn other_accounts(
    conn: &mut PgConnection,
    table: &AccountsTable,
    sharing: &Sharing,
    decided: &[Evaluated],
) -> Result<Vec<TerminatedWithAccess>, sqlx::Error> {
    let mut linked = vec![];
    let mut wanted = vec![];
    for decided in decided {
        let employee = &decided.employee;
        let left = matches!(decided.employment, Employment::Left { .. });
        let is_linked = employee.account_id.is_some() && decided.account().is_some();
        if let (true, true, Some(email)) = (left, is_linked, employee.work_email()) {
            wanted.push((email.clone(), employee.key.tenant.clone()));
            linked.push(decided);
        }
    }
    let found = accounts::store::find_by_email(conn, table, &wanted).await?;
    let others: Vec<(&Evaluated, Account)> = linked
        .into_iter()
        .zip(found)
        .flat_map(|(decided, found)| found.into_iter().map(move |account| (decided, account)))
        .filter(|(decided, account)| {
            account.is_active && decided.employee.account_id.as_ref() != Some(&account.id)
        })
        .collect();
    if others.is_empty() {
        return Ok(vec![]);
    }
    let ids: Vec<&str> = others
        .iter()
        .map(|(_, account)| account.id.as_str())
        .collect();
    let claimed = roster::scan::store::find_claimed_accounts(conn, sharing, &ids, &[]).await?;
    Ok(others
        .into_iter()
        .filter(|(_, account)| !claimed.has_link(&account.id))
        .map(|(decided, account)| TerminatedWithAccess {
            account_id: Some(account.id),
            reason: format!(
                "{}; the employee is linked to another account, and this one has the same e-mail",
                decided.decision.reason
            ),
            planned: false,
            failure: None,
            blocked_since: None,
            ..terminated_with_access(decided, None)
        })
        .collect())
}
