//! Checks at the moment of an approval what may have changed since the hold was opened: the tenant and protection.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::engine::accounts::AccountsTable;
use crate::engine::holds::Hold;
use crate::engine::policies::Policies;
use crate::engine::records::Records;
use crate::engine::shared_accounts::SharedAccounts;
use crate::engine::tenants::unmentioned_protection;
use leaver_core::decision::RequestedAction;
use leaver_core::domain::{Account, AccountId, Employee};

/// Returns why the record of a hold belongs to no configured company any more; `None` if it belongs to one.
pub(super) async fn why_outside(
    conn: &mut PgConnection,
    policies: &Policies,
    employee: &Employee,
) -> Result<Option<String>, sqlx::Error> {
    let source = &employee.key.source;
    if policies.policy(source).is_none() {
        return Ok(Some(format!("source {source} is not configured any more")));
    }
    let records = Records::load(conn, std::slice::from_ref(source)).await?;
    Ok(records.why_outside(policies, employee))
}

/// Returns what speaks against a change of these accounts and is not in the reason of the hold, which the person has read.
pub(super) async fn unread(
    conn: &mut PgConnection,
    table: &AccountsTable,
    policies: &Policies,
    hold: &Hold,
    employee: &Employee,
    accounts: &BTreeMap<AccountId, Account>,
    now: DateTime<Utc>,
) -> Result<Vec<String>, sqlx::Error> {
    let requested_action = if hold.requested_action == "reactivate" {
        RequestedAction::Reactivate
    } else {
        RequestedAction::Deactivate
    };
    let mut unread = vec![];
    for account in accounts.values() {
        if requested_action == RequestedAction::Deactivate {
            unread.extend(unmentioned_protection(policies, account, &hold.reason));
        }
        let found = HashMap::from([(employee.key.clone(), vec![account.clone()])]);
        let own = std::slice::from_ref(employee);
        let shared = SharedAccounts::load(conn, table, policies, own, &found, now).await?;
        let objection = shared.objection(employee, &account.id, requested_action);
        unread.extend(objection.filter(|text| !hold.reason.contains(text.as_str())));
    }
    Ok(unread)
}
