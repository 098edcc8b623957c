//! Approves or rejects a hold, in one transaction with its audit entries.

use chrono::{DateTime, Utc};
use sqlx::{Connection, PgConnection};

use crate::db::employee_keys::employee_key;
use crate::db::error::is_malformed_value;
use crate::engine::accounts::{self, AccountsTable};
use crate::engine::audit::{self, Actor, AuditAction, AuditEntry};
use crate::engine::holds::{self, Hold};
use crate::roster;
use leaver_core::decision::{Action, Decision};
use leaver_core::domain::{AccountId, DeliveryId, EmployeeKey};

/// Why a hold cannot be resolved.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    /// There is no such hold.
    #[error("there is no hold {0}; `leaver holds list` shows the open ones")]
    Unknown(i64),
    /// Another person resolved it, or newer facts withdrew it.
    #[error("hold {id} is not open any more: it is {state}")]
    Closed {
        /// The hold.
        id: i64,
        /// Its state.
        state: String,
    },
    /// The hold has no account.
    #[error("hold {0} has no account; name it with --account ID")]
    NoAccount(i64),
    /// The hold has an account, and another one was named.
    #[error("hold {id} is about account {account}; --account is only for holds without an account")]
    OtherAccount {
        /// The hold.
        id: i64,
        /// Its account.
        account: AccountId,
    },
    /// The named account does not exist.
    #[error("there is no account {0} in the accounts table")]
    NoSuchAccount(AccountId),
    /// The database failed.
    #[error("cannot resolve the hold; nothing was changed")]
    Database(#[from] sqlx::Error),
}

/// The effect of an approved hold.
#[derive(Debug)]
pub struct Approved {
    /// The hold.
    pub hold: Hold,
    /// Its account.
    pub account: AccountId,
    /// True if the account was changed, false if it already was in that state.
    pub changed: bool,
}

/// Approves a hold and executes it. `named` is the account for a hold that has none.
///
/// # Errors
/// Returns a [`ResolveError`]; nothing has changed then.
pub async fn approve(
    conn: &mut PgConnection,
    table: &AccountsTable,
    id: i64,
    named: Option<AccountId>,
    person: &str,
    now: DateTime<Utc>,
) -> Result<Approved, ResolveError> {
    let mut tx = conn.begin().await?;
    let (hold, key) = close(&mut tx, id, "approved", person, now).await?;
    let account = match (hold.account_id.clone().map(AccountId::new), named) {
        (Some(account), Some(named)) if account != named => {
            return Err(ResolveError::OtherAccount { id, account });
        }
        (Some(account), _) | (None, Some(account)) => account,
        (None, None) => return Err(ResolveError::NoAccount(id)),
    };
    let link = (account.clone(), key.tenant.clone());
    let exists = accounts::store::find_by_id(&mut tx, table, &[link].into())
        .await
        .or_else(|error| {
            // A text that is not a value of the id column's type is not the id of an account.
            if is_malformed_value(&error) {
                Ok(std::collections::HashMap::new())
            } else {
                Err(error)
            }
        })?;
    if exists.is_empty() {
        return Err(ResolveError::NoSuchAccount(account));
    }
    let reactivates = hold.requested_action == "reactivate";
    let decision = Decision {
        action: if reactivates {
            Action::Reactivate(account.clone())
        } else {
            Action::Deactivate(account.clone())
        },
        access_ends_at: None,
        link: Some(account.clone()),
        reason: hold.reason.clone(),
    };
    let applied = accounts::apply(&mut tx, table, [&decision]).await?;
    roster::store::forget_deactivation(&mut tx, &applied.reactivated).await?;
    let changed = !applied.deactivated.is_empty() || !applied.reactivated.is_empty();

    for mut employee in roster::store::lock(&mut tx, std::slice::from_ref(&key), &[], now).await? {
        if changed {
            employee.deactivated_at = (!reactivates).then_some(now);
        } else if employee.account_id.as_ref() != Some(&account) {
            // The deactivation was that of the earlier account.
            employee.deactivated_at = None;
        }
        employee.account_id = Some(account.clone());
        roster::store::save(&mut tx, &[employee], now).await?;
    }
    let entry = |action| AuditEntry {
        action,
        reason: hold.reason.clone(),
        employee: key.clone(),
        account: Some(account.clone()),
        delivery: hold.delivery_id.map(DeliveryId),
        actor: Actor::Person(person.to_owned()),
    };
    let mut entries = vec![entry(AuditAction::Approved)];
    if changed {
        entries.push(entry(if reactivates {
            AuditAction::Reactivated
        } else {
            AuditAction::Deactivated
        }));
    }
    audit::store::record(&mut tx, &entries, now).await?;
    tx.commit().await?;
    Ok(Approved {
        hold,
        account,
        changed,
    })
}

/// Rejects a hold. It is opened again only if the facts it was based on change.
///
/// # Errors
/// Returns a [`ResolveError`]; nothing has changed then.
pub async fn reject(
    conn: &mut PgConnection,
    id: i64,
    person: &str,
    now: DateTime<Utc>,
) -> Result<Hold, ResolveError> {
    let mut tx = conn.begin().await?;
    let (hold, key) = close(&mut tx, id, "rejected", person, now).await?;
    let entry = AuditEntry {
        action: AuditAction::Rejected,
        reason: hold.reason.clone(),
        employee: key,
        account: hold.account_id.clone().map(AccountId::new),
        delivery: hold.delivery_id.map(DeliveryId),
        actor: Actor::Person(person.to_owned()),
    };
    audit::store::record(&mut tx, &[entry], now).await?;
    tx.commit().await?;
    Ok(hold)
}

/// Closes the hold. The roster entry is locked first: execution locks in this order, and the reverse would deadlock.
async fn close(
    conn: &mut PgConnection,
    id: i64,
    state: &str,
    person: &str,
    now: DateTime<Utc>,
) -> Result<(Hold, EmployeeKey), ResolveError> {
    let found = holds::store::find(conn, id)
        .await?
        .ok_or(ResolveError::Unknown(id))?;
    let key = employee_key(&found.source, found.tenant, found.employee_id)?;
    roster::store::lock(conn, std::slice::from_ref(&key), &[], now).await?;
    if let Some(hold) = holds::store::close(conn, id, state, person, now).await? {
        return Ok((hold, key));
    }
    let hold = holds::store::find(conn, id).await?;
    Err(
        hold.map_or(ResolveError::Unknown(id), |hold| ResolveError::Closed {
            id,
            state: hold.state,
        }),
    )
}
