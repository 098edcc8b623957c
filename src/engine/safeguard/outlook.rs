//! How the safeguard would admit changes that are not made yet.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgConnection;

use super::admit::{Refusal, refusal};
use super::{Scope, store};
use crate::engine::accounts::AccountsTable;
use crate::engine::policies::Policies;
use leaver_core::domain::AccountId;

/// How changes of a tenant in one direction would be admitted.
#[derive(Clone, Debug, Serialize)]
pub struct Outlook {
    /// The tenant.
    pub tenant: String,
    /// `deactivated` or `reactivated`.
    pub direction: String,
    /// Accounts to be changed.
    pub accounts: usize,
    /// True if the safeguard would hold all of them.
    pub would_be_held: bool,
    /// Why.
    pub reason: Option<String>,
}

/// Returns how these changes would be admitted now. Locks nothing, so it is only a forecast.
///
/// # Errors
/// Returns the database's error.
pub(in crate::engine) async fn outlooks(
    conn: &mut PgConnection,
    table: &AccountsTable,
    policies: &Policies,
    wanted: &BTreeMap<Scope, BTreeSet<AccountId>>,
    now: DateTime<Utc>,
) -> Result<Vec<Outlook>, sqlx::Error> {
    if wanted.is_empty() {
        return Ok(vec![]);
    }
    let usages = store::usages(conn, wanted, now).await?;
    let mut outlooks = vec![];
    for ((scope, accounts), usage) in wanted.iter().zip(usages) {
        let refusal = refusal(conn, table, policies, scope, accounts, &usage, now).await?;
        outlooks.push(Outlook {
            tenant: scope.tenant.to_string(),
            direction: scope.direction.as_str().to_owned(),
            accounts: accounts.len(),
            would_be_held: refusal.is_some(),
            reason: refusal.map(|refusal| text(&refusal)),
        });
    }
    Ok(outlooks)
}

fn text(refusal: &Refusal) -> String {
    match refusal {
        Refusal::Open(trip) => format!("trip {trip} is open"),
        Refusal::Exceeded(exceeded) => format!(
            "{} changes within {}, limit {} of {} accounts",
            exceeded.changes,
            match exceeded.window.as_str() {
                "hour" => "60 minutes",
                _ => "24 hours",
            },
            exceeded.limit,
            exceeded.population
        ),
        Refusal::Grant { changes, allowed } => {
            format!("{changes} changes under a grant of {allowed}")
        }
    }
}
