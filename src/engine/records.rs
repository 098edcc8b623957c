//! The presence of roster records in the HR systems, as far as reads and linked accounts show.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::policies::Policies;
use crate::roster::linked_accounts;
use crate::roster::sync_state::{self, SyncState};
use leaver_core::decision::Presence;
use leaver_core::decision::policy::Policy;
use leaver_core::domain::{Employee, SourceName};
use leaver_core::providers::Tenancy;

/// The last reads of the sources, and their deleted linked accounts.
#[derive(Default)]
pub(super) struct Records {
    reads: Vec<SyncState>,
    deleted: HashSet<(SourceName, String)>,
}

impl Records {
    /// Loads them for these sources.
    pub(super) async fn load(
        conn: &mut PgConnection,
        sources: &[SourceName],
    ) -> Result<Self, sqlx::Error> {
        let reads = sync_state::store::list(conn, sources).await?;
        let accounts = linked_accounts::store::list(conn, sources).await?;
        let deleted = accounts
            .into_iter()
            .filter(|account| account.deleted_at.is_some())
            .map(|account| (account.source, account.id))
            .collect();
        Ok(Self { reads, deleted })
    }

    /// Returns the presence of a record in the HR system.
    pub(super) fn presence(&self, policies: &Policies, employee: &Employee) -> Presence {
        let source = &employee.key.source;
        if let Some(id) = &employee.linked_account_id {
            let is_listed = match policies
                .provider_config(source.as_str())
                .map(|c| &c.tenancy)
            {
                Some(Tenancy::ByLinkedAccount(listed)) => listed.contains_key(id),
                Some(Tenancy::One(_)) | None => true,
            };
            if !is_listed || self.deleted.contains(&(source.clone(), id.clone())) {
                return Presence::Disconnected;
            }
        }
        if employee.missing_since.is_some() {
            Presence::Missing
        } else {
            Presence::Present
        }
    }

    /// Returns when a record was last confirmed: by a report of its status, or by a complete read that had it.
    pub(super) fn confirmed_at(&self, employee: &Employee) -> Option<DateTime<Utc>> {
        let reported = employee.status.as_ref().map(|fact| fact.observed_at);
        let read = self
            .reads_of(employee)
            .filter_map(|read| read.last_full_started_at)
            .min()
            .filter(|at| {
                employee.missing_since.is_none() && employee.first_observed_at < Some(*at)
            });
        reported.max(read)
    }

    /// Returns whether the API was read completely, and within twice the time between two reads.
    pub(super) fn is_fresh(
        &self,
        policy: &Policy,
        employee: &Employee,
        now: DateTime<Utc>,
    ) -> bool {
        let since = policy
            .sync_interval
            .and_then(|interval| interval.checked_mul(2))
            .and_then(|age| now.checked_sub_signed(age));
        let is_fresh = |read: &SyncState| {
            since.is_some() && read.incomplete.is_none() && read.last_completed_at >= since
        };
        let mut reads = self.reads_of(employee).peekable();
        reads.peek().is_some() && reads.all(is_fresh)
    }

    /// Returns the last reads of the record's linked account, or of the whole source if it is unknown.
    fn reads_of<'a>(&'a self, employee: &'a Employee) -> impl Iterator<Item = &'a SyncState> {
        self.reads.iter().filter(|read| {
            let linked_account = employee.linked_account_id.as_ref();
            read.source == employee.key.source
                && linked_account.is_none_or(|id| *id == read.linked_account_id)
        })
    }
}
