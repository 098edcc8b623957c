//! One client per source, whichever its provider is.

use chrono::{DateTime, Utc};

use super::ReadError;
use super::bamboohr::{self, BambooHrApi, ReadWay};
use super::merge::{self, LinkedAccount, MergeApi};
use leaver_core::domain::{EmployeeChange, EmployeeId};

/// The API client of one source.
#[derive(Clone)]
pub enum ProviderClient {
    /// One company's BambooHR.
    BambooHr(BambooHrApi),
    /// Merge, with the linked accounts that have a token.
    Merge(MergeApi, Vec<LinkedAccount>),
}

impl ProviderClient {
    /// Lists the accounts that are synced one by one.
    pub(crate) fn accounts(&self) -> Vec<SyncedAccount<'_>> {
        match self {
            Self::BambooHr(api) => vec![SyncedAccount::BambooHr(api)],
            Self::Merge(api, accounts) => accounts
                .iter()
                .map(|account| SyncedAccount::Merge(api, account))
                .collect(),
        }
    }

    /// Returns the client that reads single employees, where the provider sends changes without values.
    #[must_use]
    pub(crate) fn employee_api(&self) -> Option<&BambooHrApi> {
        self.bamboohr()
    }

    /// Returns the client that manages webhooks, where the provider's API can do so.
    #[must_use]
    pub(crate) fn webhook_api(&self) -> Option<&BambooHrApi> {
        self.bamboohr()
    }

    fn bamboohr(&self) -> Option<&BambooHrApi> {
        match self {
            Self::BambooHr(api) => Some(api),
            Self::Merge(..) => None,
        }
    }
}

/// One account of a source, synced by itself.
#[derive(Clone, Copy)]
pub(crate) enum SyncedAccount<'a> {
    BambooHr(&'a BambooHrApi),
    Merge(&'a MergeApi, &'a LinkedAccount),
}

impl<'a> SyncedAccount<'a> {
    /// Returns Merge's id of the linked account; empty for BambooHR.
    pub(crate) fn id(self) -> &'a str {
        match self {
            Self::BambooHr(_) => "",
            Self::Merge(_, account) => &account.id,
        }
    }

    /// Returns true if employees near their termination date must be read although nothing changed.
    pub(crate) fn rereads_terminations(self) -> bool {
        // BambooHR lists an employee as changed when a field is edited, not when a date passes.
        matches!(self, Self::BambooHr(_))
    }

    /// Returns the way of the last read that met an employee, where there are several ways.
    pub(crate) fn read_way(self) -> Option<ReadWay> {
        match self {
            Self::BambooHr(api) => api.read_way(),
            Self::Merge(..) => None,
        }
    }

    /// Starts a read of the selected employees.
    pub(crate) fn employees(self, selection: Selection) -> EmployeeBatches<'a> {
        match self {
            Self::BambooHr(api) => EmployeeBatches::BambooHr(api.changed_batches(selection)),
            Self::Merge(api, account) => {
                EmployeeBatches::Merge(api.batches(account, selection.since))
            }
        }
    }
}

/// The employees to read.
#[derive(Debug, Default)]
pub(crate) struct Selection {
    /// The time since which changes are read; `None` for everybody.
    pub(crate) since: Option<DateTime<Utc>>,
    /// The time until which all changes were read before; `None` if there was no read.
    pub(crate) complete_until: Option<DateTime<Utc>>,
    /// Employees to read in any case, where [`SyncedAccount::rereads_terminations`].
    pub(crate) also: Vec<EmployeeId>,
    /// Employees with an announced end, where [`SyncedAccount::rereads_terminations`].
    pub(crate) announced: Vec<EmployeeId>,
}

/// Records of one read that arrived together.
#[derive(Debug, Default)]
pub(crate) struct EmployeeBatch {
    pub(crate) changes: Vec<EmployeeChange>,
    /// The `as_of` of changes that carry no time of their own; `None` means the time of arrival.
    pub(crate) fallback_as_of: Option<DateTime<Utc>>,
    /// Why a record is missing or incomplete, one entry per record.
    pub(crate) warnings: Vec<String>,
}

/// The batches of one read, fetched one at a time.
pub(crate) enum EmployeeBatches<'a> {
    BambooHr(bamboohr::EmployeeBatches),
    Merge(merge::EmployeeBatches<'a>),
}

impl EmployeeBatches<'_> {
    /// Fetches the next batch; `None` after the last. Only a read that reached `None` is complete.
    ///
    /// # Errors
    /// [`ReadError`]; the batches returned before it are valid.
    pub(crate) async fn next(&mut self) -> Result<Option<EmployeeBatch>, ReadError> {
        match self {
            Self::BambooHr(batches) => batches.next().await,
            Self::Merge(batches) => batches.next().await,
        }
    }
}
