//! Admits the changes of a transaction, or holds all of a scope back.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use tracing::error;

use super::store::{self, Usage};
use super::trips::entry_about_tenant;
use super::{Scope, Wanted, change_of};
use crate::base::failpoints;
use crate::engine::accounts::{self, AccountsTable};
use crate::engine::audit::{self, AuditAction};
use crate::engine::batches::{Change, Direction};
use crate::engine::evaluate::Evaluated;
use crate::engine::origin::Origin;
use crate::engine::outbox::{self, Events, NewEvent, OpenedTrip};
use crate::engine::policies::Policies;
use leaver_core::decision::{Action, request_change};
use leaver_core::domain::{AccountId, Tenant};
use leaver_core::safeguard::Exceeded;

/// The decision of the safeguard about the changes of a transaction.
#[derive(Debug, Default)]
pub(crate) struct Admission {
    /// Scopes whose changes go under a grant, and so do not count, with the ID of the grant.
    granted: BTreeMap<Scope, i64>,
    /// The events of trips that were opened.
    pub(crate) tripped: Events,
}

impl Admission {
    /// Returns whether a change counts in the windows.
    pub(crate) fn is_counted(&self, tenant: &Tenant, direction: Direction) -> bool {
        let scope = Scope {
            tenant: tenant.clone(),
            direction,
        };
        !self.granted.contains_key(&scope)
    }

    /// Uses up grants by the changes that were seen in the database. What the database did not change uses up nothing, so an
    /// account that is tried again and again takes no other's place.
    ///
    /// # Errors
    /// Returns the database's error; the transaction must be rolled back then.
    pub(crate) async fn use_grants(
        &self,
        conn: &mut PgConnection,
        seen: &[Change],
    ) -> Result<(), sqlx::Error> {
        for (scope, grant) in &self.granted {
            let own = seen.iter().filter(|change| {
                change.direction == scope.direction && change.employee.tenant == scope.tenant
            });
            match own.count() {
                0 => {}
                accounts => store::use_grant(conn, *grant, accounts).await?,
            }
        }
        Ok(())
    }
}

/// Why the changes of a scope are held.
pub(super) enum Refusal {
    /// A trip is open already.
    Open(i64),
    /// A limit is exceeded.
    Exceeded(Exceeded),
    /// A grant is used up.
    Grant { changes: u64, allowed: u64 },
}

/// Counts the changes that are due against the limits. If they stay within, nothing changes; otherwise all changes of the
/// scope become holds of a trip. Without a change that is due, it runs no statement.
///
/// # Errors
/// Returns the database's error; the transaction must be rolled back then.
pub(crate) async fn admit(
    conn: &mut PgConnection,
    table: &AccountsTable,
    policies: &Policies,
    decided: &mut [Evaluated],
    origin: &Origin,
    now: DateTime<Utc>,
) -> Result<Admission, sqlx::Error> {
    let mut admission = Admission::default();
    let wanted = wanted(decided);
    if wanted.is_empty() || origin.is_decided_by_person {
        return Ok(admission);
    }
    let scopes: Vec<&Scope> = wanted.keys().collect();
    // A statement of its own: the snapshot of the count must be younger than the lock.
    store::lock(conn, &scopes).await?;
    failpoints::reach("safeguard_locked", []);
    let counted = with_announced(&wanted, origin);
    let usages = store::usages(conn, &counted, now).await?;
    failpoints::reach("safeguard_counted", []);
    for ((scope, accounts), usage) in counted.iter().zip(usages) {
        let refusal = refusal(conn, table, policies, scope, accounts, &usage, now).await?;
        match refusal {
            None => {
                if let Some(grant) = usage.grant {
                    admission.granted.insert(scope.clone(), grant.id);
                }
            }
            Some(refusal) => {
                let trip = match refusal {
                    Refusal::Open(trip) => trip,
                    other => {
                        let held = accounts.len();
                        let (trip, event) =
                            open_trip(conn, scope, &other, held, origin, now).await?;
                        admission.tripped.extend(event);
                        trip
                    }
                };
                hold(decided, scope, trip);
            }
        }
    }
    Ok(admission)
}

/// Adds what the origin announces for later slices of the transaction, in the scopes of these changes.
fn with_announced(wanted: &Wanted, origin: &Origin) -> Wanted {
    let mut counted = wanted.clone();
    for (scope, accounts) in &mut counted {
        if let Some(announced) = origin.announced.get(scope) {
            accounts.extend(announced.iter().cloned());
        }
    }
    counted
}

/// Returns the accounts to be changed, by scope.
pub(in crate::engine) fn wanted(decided: &[Evaluated]) -> Wanted {
    let mut wanted = Wanted::new();
    for evaluated in decided {
        if let Some((account, direction)) = change_of(&evaluated.decision) {
            let tenant = evaluated.employee.key.tenant.clone();
            let scope = Scope { tenant, direction };
            wanted.entry(scope).or_default().insert(account.clone());
        }
    }
    wanted
}

/// Returns why the changes of a scope are held; `None` if they are within the limits.
///
/// # Errors
/// Returns the database's error.
pub(super) async fn refusal(
    conn: &mut PgConnection,
    table: &AccountsTable,
    policies: &Policies,
    scope: &Scope,
    accounts: &BTreeSet<AccountId>,
    usage: &Usage,
    now: DateTime<Utc>,
) -> Result<Option<Refusal>, sqlx::Error> {
    if let Some(trip) = usage.open_trip {
        return Ok(Some(Refusal::Open(trip)));
    }
    if let Some(grant) = usage.grant {
        let changes = grant.used + u64::try_from(accounts.len()).unwrap_or(u64::MAX);
        let allowed = grant.allowed;
        return Ok((changes > allowed).then_some(Refusal::Grant { changes, allowed }));
    }
    let limits = policies.limits();
    // Nearly always. The population takes a query of the accounts.
    if limits.allow_any_population(usage.changes) {
        return Ok(None);
    }
    let population =
        accounts::safeguarded::store::population(conn, table, &scope.tenant, accounts, now).await?;
    let exceeded = limits.exceeded(usage.changes, population);
    Ok(exceeded.map(Refusal::Exceeded))
}

async fn open_trip(
    conn: &mut PgConnection,
    scope: &Scope,
    refusal: &Refusal,
    held: usize,
    origin: &Origin,
    now: DateTime<Utc>,
) -> Result<(i64, Option<NewEvent>), sqlx::Error> {
    let (limited_by, changes, limit, population) = match refusal {
        Refusal::Exceeded(exceeded) => (
            exceeded.window.as_str(),
            exceeded.changes,
            exceeded.limit,
            exceeded.population,
        ),
        Refusal::Grant { changes, allowed } => ("grant", *changes, *allowed, 0),
        Refusal::Open(trip) => return Ok((*trip, None)),
    };
    let trip = store::open(conn, scope, limited_by, changes, limit, population, now).await?;
    let what = match scope.direction {
        Direction::Deactivated => "ends of access",
        Direction::Reactivated => "returns of access",
    };
    let bound = match limited_by {
        "hour" => format!("within 60 minutes, limit {limit} of {population} accounts"),
        "day" => format!("within 24 hours, limit {limit} of {population} accounts"),
        _ => format!("under a grant of {limit}"),
    };
    let reason = format!("the safeguard tripped (trip {trip}): {changes} {what} {bound}");
    error!(
        trip,
        tenant = scope.tenant.as_str(),
        direction = scope.direction.as_str(),
        changes,
        limit,
        "safeguard.admit: tripped; no account is changed until `leaver safeguard release {trip}` or `reject {trip}`"
    );
    let actor = origin.actor.clone();
    let entry = entry_about_tenant(AuditAction::Tripped, &scope.tenant, actor, reason)?;
    audit::store::record(conn, &[entry], now).await?;
    let event = outbox::of_opened_trip(&OpenedTrip {
        id: trip,
        scope,
        limited_by,
        changes,
        limit,
        population,
        held,
    });
    Ok((trip, Some(event)))
}

/// Turns all changes of a scope into holds of a trip.
fn hold(decided: &mut [Evaluated], scope: &Scope, trip: i64) {
    for evaluated in decided {
        let Some((account, direction)) = change_of(&evaluated.decision) else {
            continue;
        };
        if evaluated.employee.key.tenant != scope.tenant || direction != scope.direction {
            continue;
        }
        let request = request_change(&evaluated.employee, direction.requested_action(), account);
        evaluated.decision.reason += "; but the safeguard has tripped";
        evaluated.decision.action = Action::Hold(request);
        evaluated.trip = Some(trip);
    }
}
