//! Compares BambooHR's delivery logs with the inbox, and reads the employees of deliveries that never arrived.

use std::collections::BTreeSet;

use bytes::Bytes;
use chrono::{DateTime, Utc};

use super::collect::{Progress, SyncRun};
use super::{GapsError, SyncReport, SyncSource, Syncer};
use crate::connect::{BambooHrApi, EmployeeBatches, WebhookError};
use crate::ingest::inbox;
use crate::jobs::provider_webhooks::gaps::{
    LoggedDelivery, MAX_EARLY, RecordedDelivery, missing_employees,
};
use crate::jobs::provider_webhooks::targets_this_service;
use leaver_core::domain::{EmployeeId, SourceName};
use leaver_core::providers::{LogEntry, Opened, Parsed, open};

/// The most entries that a log has. A log of this length may not reach back its whole 14 days
/// (`tests/openapi/bamboohr.yaml`, `list-webhook-logs`).
const MAX_LOG_ENTRIES: usize = 200;

/// The result of comparing the logs of a source's webhooks with its inbox.
#[derive(Debug)]
pub struct GapReport {
    /// Each webhook that was compared.
    pub webhooks: Vec<WebhookGaps>,
    /// The read of the missing employees; `None` if nobody was missing.
    pub sync: Option<SyncReport>,
}

/// The result for one webhook.
#[derive(Debug)]
pub struct WebhookGaps {
    /// BambooHR's id of the webhook.
    pub id: String,
    /// The number of deliveries in its log.
    pub entries: usize,
    /// True if the log is as long as logs get, so older deliveries may be missing from it.
    pub is_log_truncated: bool,
    /// The deliveries that are missing here, in the log's order.
    pub gaps: Vec<Gap>,
    /// Why the log could not be read.
    pub log_error: Option<WebhookError>,
}

/// A delivery in the log that did not arrive here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// When BambooHR last tried it; `None` if the log has a text instead.
    pub sent_at: Option<DateTime<Utc>>,
    /// The result in the log: an HTTP status, or a text.
    pub status: String,
    /// True if BambooHR will try again.
    pub retry_state: DeliveryLogStatus,
    /// The employees that it named and no delivery in the inbox did.
    pub employees: Vec<EmployeeId>,
}

/// True if BambooHR will try a delivery again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum DeliveryLogStatus {
    /// Some server accepted it.
    Accepted,
    /// BambooHR will try it again.
    StillTrying,
    /// BambooHR will not try it again.
    GivenUp,
}

impl DeliveryLogStatus {
    /// Returns the label for tables and JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

impl Syncer {
    /// Compares the log of each webhook that posts here, or of the one named, with the inbox. Reads the employees whose
    /// deliveries are missing. Calls `progress` with the number of records applied so far.
    ///
    /// # Errors
    /// [`GapsError`] if nothing could be compared. A log that cannot be read is in the report instead.
    pub async fn gaps(
        &self,
        company: &SyncSource,
        webhook: Option<&str>,
        progress: &(dyn Fn(&str, u64) + Sync),
    ) -> Result<GapReport, GapsError> {
        let source = &company.source;
        let api = company.client.webhook_api();
        let api = api.ok_or_else(|| GapsError::NoLogs(source.clone()))?;
        let ids = match webhook {
            Some(id) => vec![id.to_owned()],
            None => webhooks_of(api, source, company.webhook_url.as_deref()).await?,
        };
        let mut webhooks = vec![];
        for id in ids {
            // The log first: what arrives in between is then in the inbox and not in the log.
            let log = api.webhook_log(&id).await;
            webhooks.push(self.compare(source, id, log).await?);
        }
        let missing: BTreeSet<EmployeeId> = webhooks
            .iter()
            .flat_map(|webhook| &webhook.gaps)
            .flat_map(|gap| gap.employees.iter().cloned())
            .collect();
        let sync = if missing.is_empty() {
            None
        } else {
            Some(self.read(company, api, missing, progress).await)
        };
        Ok(GapReport { webhooks, sync })
    }

    async fn compare(
        &self,
        source: &SourceName,
        id: String,
        log: Result<Vec<LogEntry>, WebhookError>,
    ) -> Result<WebhookGaps, sqlx::Error> {
        let log = match log {
            Ok(log) => log,
            Err(error) => {
                return Ok(WebhookGaps {
                    id,
                    entries: 0,
                    is_log_truncated: false,
                    gaps: vec![],
                    log_error: Some(error),
                });
            }
        };
        let logged: Vec<LoggedDelivery> = log
            .iter()
            .map(|entry| LoggedDelivery {
                at: entry.sent_at(),
                employees: entry.employee_ids.iter().cloned().collect(),
            })
            .collect();
        let recorded = self.recorded(source, &logged).await?;
        let now = self.engine.clock.now();
        let gaps = log
            .iter()
            .zip(missing_employees(&logged, &recorded))
            .filter(|(_, missing)| !missing.is_empty())
            .map(|(entry, missing)| Gap {
                sent_at: entry.sent_at(),
                status: entry.status.clone(),
                retry_state: retry_state(entry, now),
                employees: missing.into_iter().collect(),
            })
            .collect();
        Ok(WebhookGaps {
            id,
            entries: log.len(),
            is_log_truncated: log.len() >= MAX_LOG_ENTRIES,
            gaps,
            log_error: None,
        })
    }

    /// Loads the deliveries in the inbox that may be those of the log.
    async fn recorded(
        &self,
        source: &SourceName,
        logged: &[LoggedDelivery],
    ) -> Result<Vec<RecordedDelivery>, sqlx::Error> {
        let Some(earliest) = logged.iter().filter_map(|delivery| delivery.at).min() else {
            return Ok(vec![]);
        };
        let named: BTreeSet<&EmployeeId> = logged.iter().flat_map(|d| &d.employees).collect();
        let named: Vec<EmployeeId> = named.into_iter().cloned().collect();
        let pool = &self.engine.pool;
        let arrived = async {
            let mut conn = pool.acquire().await?;
            let since = earliest - MAX_EARLY;
            let arrived = inbox::queries::store::arrived(&mut conn, source, since, &named).await?;
            let mut recorded = Vec::with_capacity(arrived.len());
            for delivery in arrived {
                let employees = if let Some(ids) = delivery.employee_ids {
                    ids.into_iter().collect()
                } else {
                    // The ids are stored on processing, so until then they are in the body only.
                    let body = inbox::store::body(&mut conn, delivery.id).await?;
                    self.named_employees(source, &body.into())
                };
                recorded.push(RecordedDelivery {
                    at: delivery.received_at,
                    employees,
                });
            }
            Ok::<_, sqlx::Error>(recorded)
        };
        pool.with_silence_timeout(arrived).await
    }

    fn named_employees(&self, source: &SourceName, body: &Bytes) -> BTreeSet<EmployeeId> {
        let Some(provider_config) = self.engine.policies.provider_config(source.as_str()) else {
            return BTreeSet::new();
        };
        match open(provider_config, body, 1) {
            Ok(Opened::Many(entries)) => entries.ids().map(EmployeeId::new).collect(),
            Ok(Opened::Parsed(Parsed::Changes(changes))) => changes
                .changes
                .into_iter()
                .map(|change| change.employee_id)
                .collect(),
            Ok(Opened::Parsed(Parsed::Ignored(_))) | Err(_) => BTreeSet::new(),
        }
    }

    /// Reads these employees, also while a replica reads the source.
    // Without the lock of a sync: that keeps two replicas from the same requests and from the same row of `leaver.sync_state`.
    // Here few employees are read singly, as for pending reads, and no such row is written. Facts are merged by their own
    // times under the lock of the employee, so the order of two reads does not matter. With the lock, a read of everybody
    // would keep an operator waiting for minutes after an outage.
    async fn read(
        &self,
        company: &SyncSource,
        api: &BambooHrApi,
        employees: BTreeSet<EmployeeId>,
        progress: Progress<'_>,
    ) -> SyncReport {
        let mut run = SyncRun::new(&self.engine, &company.source, "", progress);
        let batches = api.employee_batches(employees.into_iter().collect());
        let result = run.apply_all(EmployeeBatches::BambooHr(batches)).await;
        run.report(false, &company.client.host(), result)
    }
}

async fn webhooks_of(
    api: &BambooHrApi,
    source: &SourceName,
    webhook_url: Option<&str>,
) -> Result<Vec<String>, GapsError> {
    let ids: Vec<String> = api
        .webhooks()
        .await?
        .into_iter()
        .filter(|webhook| targets_this_service(&webhook.url, source, webhook_url))
        .map(|webhook| webhook.id)
        .collect();
    if ids.is_empty() {
        return Err(GapsError::NoWebhook(source.clone()));
    }
    Ok(ids)
}

fn retry_state(entry: &LogEntry, now: DateTime<Utc>) -> DeliveryLogStatus {
    if entry.was_accepted() {
        return DeliveryLogStatus::Accepted;
    }
    // BambooHR never retries a 4xx, and makes its last retry 155 minutes after the first attempt
    // (https://documentation.bamboohr.com/reference/employee-updated-webhook, read 2026-11-22).
    let refused = entry
        .status
        .parse()
        .is_ok_and(|code: u16| (400..500).contains(&code));
    match entry.last_attempted.at() {
        Some(at) if !refused && now - at < MAX_EARLY => DeliveryLogStatus::StillTrying,
        _ => DeliveryLogStatus::GivenUp,
    }
}
