//! The presence of roster records in the HR systems, as far as reads and linked accounts show.

use std::collections::{HashMap, HashSet};

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
    /// The linked accounts that are the companies of sources without `linked_accounts`.
    companies: HashMap<SourceName, String>,
}

impl Records {
    /// Loads them for these sources.
    pub(super) async fn load(
        conn: &mut PgConnection,
        sources: &[SourceName],
    ) -> Result<Self, sqlx::Error> {
        let reads = sync_state::store::list(conn, sources).await?;
        let accounts = linked_accounts::store::list(conn, sources).await?;
        let company = |source: &SourceName| {
            let company = linked_accounts::company(&accounts, source)?;
            Some((source.clone(), company.id.clone()))
        };
        let companies = sources.iter().filter_map(company).collect();
        let deleted = accounts
            .into_iter()
            .filter(|account| account.deleted_at.is_some())
            .map(|account| (account.source, account.id))
            .collect();
        Ok(Self {
            reads,
            deleted,
            companies,
        })
    }

    /// Returns why a record belongs to no configured company any more; `None` if it belongs to one.
    pub(super) fn why_outside(&self, policies: &Policies, employee: &Employee) -> Option<String> {
        let key = &employee.key;
        let source = &key.source;
        let config = policies.provider_config(source.as_str())?;
        if !policies.has_tenant(key) {
            let tenant = &key.tenant;
            return Some(format!(
                "tenant {tenant} is no tenant of source {source} any more"
            ));
        }
        let account = employee.linked_account_id.as_ref()?;
        match &config.tenancy {
            Tenancy::ByLinkedAccount(listed) if !listed.contains_key(account) => Some(format!(
                "linked account {account} is not in `linked_accounts` of source {source} any more"
            )),
            Tenancy::One(_) if self.companies.get(source).is_some_and(|id| id != account) => Some(
                format!("linked account {account} is not the company of source {source} any more"),
            ),
            _ => None,
        }
    }

    /// Returns the presence of a record in the HR system.
    pub(super) fn presence(&self, policies: &Policies, employee: &Employee) -> Presence {
        let source = &employee.key.source;
        let account = employee.linked_account_id.as_ref();
        let is_deleted =
            account.is_some_and(|id| self.deleted.contains(&(source.clone(), id.clone())));
        if is_deleted || self.why_outside(policies, employee).is_some() {
            return Presence::Disconnected;
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
