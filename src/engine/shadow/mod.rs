//! Shadow mode: the changes of a source are planned and not made. The database stores the mode of each source, so a change of
//! it has an effect in all replicas at once.

pub mod change_mode;
pub mod plan;
pub(crate) mod store;

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgConnection;

use self::plan::Planned;
use crate::engine::batches::Direction;
use crate::engine::evaluate::Evaluated;
use crate::engine::policies::Policies;
use leaver_core::decision::{Action, NoActionReason};
use leaver_core::domain::SourceName;
use leaver_core::safeguard::SourceMode;

/// The mode of a source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ModeOfSource {
    /// The source.
    pub source: SourceName,
    /// The mode in the database; of a source that was never seen, the mode in which it starts.
    pub mode: SourceMode,
    /// Since when; `None` if the source was never seen.
    pub since: Option<DateTime<Utc>>,
    /// The person who changed it.
    pub by: Option<String>,
    /// The mode in the configuration.
    pub configured: SourceMode,
}

/// How modes are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ModeRead {
    /// For a report.
    Shown,
    /// Locked until the transaction ends, so that no change follows a command that starts shadow mode.
    Locked,
}

/// Returns the modes of all configured sources, in the order of their names.
///
/// # Errors
/// Returns the database's error.
pub async fn modes(
    conn: &mut PgConnection,
    policies: &Policies,
) -> Result<Vec<ModeOfSource>, sqlx::Error> {
    let names = policies.names();
    let stored = store::modes(conn, &names, ModeRead::Shown).await?;
    let of_source = |source: SourceName| {
        let configured = policies.start_mode(&source);
        let stored = stored.iter().find(|stored| stored.source == source);
        ModeOfSource {
            mode: stored.map_or(configured, |stored| stored.mode),
            since: stored.and_then(|stored| stored.since),
            by: stored.and_then(|stored| stored.by.clone()),
            configured,
            source,
        }
    };
    Ok(names.into_iter().map(of_source).collect())
}

/// Stores the mode of each configured source that has none yet: the one of the configuration.
///
/// # Errors
/// Returns the database's error.
pub async fn store_start_modes(
    conn: &mut PgConnection,
    policies: &Policies,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let names = policies.names().into_iter().collect();
    let known = store::modes(conn, &policies.names(), ModeRead::Shown).await?;
    store_missing(conn, policies, &names, &known, now).await
}

async fn store_missing(
    conn: &mut PgConnection,
    policies: &Policies,
    sources: &BTreeSet<SourceName>,
    known: &[store::StoredMode],
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let is_new = |source: &&SourceName| known.iter().all(|known| known.source != **source);
    let missing: Vec<(SourceName, SourceMode)> = sources
        .iter()
        .filter(is_new)
        .map(|source| (source.clone(), policies.start_mode(source)))
        .collect();
    store::insert_new(conn, &missing, now).await
}

/// Returns those of the sources that are in shadow mode.
///
/// # Errors
/// Returns the database's error.
pub(crate) async fn in_shadow_mode(
    conn: &mut PgConnection,
    policies: &Policies,
    sources: &BTreeSet<SourceName>,
    read: ModeRead,
    now: DateTime<Utc>,
) -> Result<BTreeSet<SourceName>, sqlx::Error> {
    let names: Vec<SourceName> = sources.iter().cloned().collect();
    let mut stored = store::modes(conn, &names, read).await?;
    if read == ModeRead::Locked && stored.len() < names.len() {
        store_missing(conn, policies, sources, &stored, now).await?;
        stored = store::modes(conn, &names, read).await?;
    }
    let mode = |source: &SourceName| {
        let stored = stored.iter().find(|stored| stored.source == *source);
        stored.map_or(policies.start_mode(source), |stored| stored.mode)
    };
    Ok(names
        .into_iter()
        .filter(|source| mode(source) == SourceMode::Shadow)
        .collect())
}

/// Replaces the changes of sources in shadow mode by planned ones. Without a change that is due, it runs no statement.
///
/// # Errors
/// Returns the database's error.
pub(crate) async fn plan_changes(
    conn: &mut PgConnection,
    policies: &Policies,
    decided: &mut [Evaluated],
    read: ModeRead,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let sources: BTreeSet<SourceName> = decided
        .iter()
        .filter(|evaluated| writes_account(&evaluated.decision.action))
        .map(|evaluated| evaluated.employee.key.source.clone())
        .collect();
    if sources.is_empty() {
        return Ok(());
    }
    let shadowed = in_shadow_mode(conn, policies, &sources, read, now).await?;
    for evaluated in decided {
        if shadowed.contains(&evaluated.employee.key.source) {
            plan_change(evaluated);
        }
    }
    Ok(())
}

/// Returns whether an action changes an account or ends sessions.
pub(crate) fn writes_account(action: &Action) -> bool {
    match action {
        Action::Deactivate(_) | Action::EndSessions(_) | Action::Reactivate(_) => true,
        Action::Hold(_) | Action::Keep(_) => false,
    }
}

fn plan_change(evaluated: &mut Evaluated) {
    let decision = &mut evaluated.decision;
    let (account, direction) = match &decision.action {
        Action::Deactivate(account) => (account.clone(), Direction::Deactivated),
        Action::Reactivate(account) => (account.clone(), Direction::Reactivated),
        Action::EndSessions(_) => {
            decision.action = Action::Keep(NoActionReason::AlreadyInactive);
            return;
        }
        Action::Hold(_) | Action::Keep(_) => return,
    };
    evaluated.planned = Some(Planned {
        account,
        direction,
        reason: decision.reason.clone(),
    });
    decision.action = Action::Keep(NoActionReason::Planned(direction.requested_action()));
    decision.reason += "; the source is in shadow mode, so the change is only planned";
}
