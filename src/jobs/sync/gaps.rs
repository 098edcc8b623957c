//! What BambooHR's delivery logs say was sent and the inbox lacks: those employees are read, on the way that
//! every read goes.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use super::collect::{self, SyncRun};
use super::{ProviderClient, SyncReport, SyncSource, Syncer};
use crate::connect::{BambooHrApi, WebhookError};
use crate::db::error::chain;
use crate::ingest::inbox;
use crate::jobs::deliveries::LoopState;
use crate::jobs::provider_webhooks::gaps::{Arrival, EARLIEST, Sent, missing};
use crate::jobs::provider_webhooks::targets_this_service;
use leaver_core::domain::{EmployeeId, SourceName};
use leaver_core::providers::{LogEntry, Parsed, normalize};

/// A log has no more entries than this, so with as many it may not show all of its 14 days.
const LONGEST_LOG: usize = 200;

/// What came of comparing the logs of a source's webhooks with its inbox.
#[derive(Debug)]
pub struct GapReport {
    /// Each webhook that was compared.
    pub hooks: Vec<WebhookGaps>,
    /// The read of those who were missing; `None` when nobody was.
    pub read: Option<SyncReport>,
}

/// What came of one webhook's log.
#[derive(Debug)]
pub struct WebhookGaps {
    /// BambooHR's id of it.
    pub id: String,
    /// How many deliveries its log tells of.
    pub entries: usize,
    /// Whether the log is as long as logs get, so that older deliveries are not in it.
    pub cut: bool,
    /// What is missing, in the log's order.
    pub gaps: Vec<Gap>,
    /// Why the log could not be read.
    pub unread: Option<WebhookError>,
}

/// A delivery that the log tells of and we lack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// When it was last tried; `None` where the log has a word.
    pub sent_at: Option<DateTime<Utc>>,
    /// What the log says came of it: an HTTP status, or a word.
    pub status: String,
    /// Where it stands, by BambooHR's account.
    pub fate: DeliveryLogStatus,
    /// Those whom it named, and nothing that arrived did.
    pub employees: Vec<EmployeeId>,
}

/// Where a delivery stands, by BambooHR's account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryLogStatus {
    /// Taken, by whoever answered.
    Taken,
    /// It will be tried again.
    StillTrying,
    /// It will not be tried again.
    GivenUp,
}

impl DeliveryLogStatus {
    /// In words.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Taken => "taken",
            Self::StillTrying => "still trying",
            Self::GivenUp => "given up",
        }
    }
}

impl Syncer {
    /// Compares the log of each webhook that points here, or of the one named, with what arrived, and reads
    /// those employees of whom something is missing. `progress` is told how many were read so far.
    ///
    /// # Errors
    /// Why nothing could be compared, in words.
    pub async fn gaps(
        &self,
        company: &SyncSource,
        webhook: Option<&str>,
        progress: &(dyn Fn(&str, u64) + Sync),
    ) -> Result<GapReport, String> {
        let source = &company.source;
        let ProviderClient::BambooHr(api, _) = &company.api else {
            return Err(format!("source {source} is not BambooHR's"));
        };
        let ids = match webhook {
            Some(id) => vec![id.to_owned()],
            None => pointing_here(api, source).await?,
        };
        let mut hooks = vec![];
        for id in ids {
            // The log before the inbox: what arrives in between is then in the inbox and not in the log.
            let log = api.webhook_log(&id).await;
            hooks.push(self.compare(source, id, log).await?);
        }
        let missing: BTreeSet<EmployeeId> = hooks
            .iter()
            .flat_map(|hook| &hook.gaps)
            .flat_map(|gap| gap.employees.iter().cloned())
            .collect();
        let read = if missing.is_empty() {
            None
        } else {
            let missing: Vec<EmployeeId> = missing.into_iter().collect();
            Some(self.read(source, api, &missing, progress).await)
        };
        Ok(GapReport { hooks, read })
    }

    async fn compare(
        &self,
        source: &SourceName,
        id: String,
        log: Result<Vec<LogEntry>, WebhookError>,
    ) -> Result<WebhookGaps, String> {
        let log = match log {
            Ok(log) => log,
            Err(error) => {
                return Ok(WebhookGaps {
                    id,
                    entries: 0,
                    cut: false,
                    gaps: vec![],
                    unread: Some(error),
                });
            }
        };
        let sent: Vec<Sent> = log
            .iter()
            .map(|entry| Sent {
                at: entry.sent_at(),
                employees: entry.employee_ids.iter().cloned().collect(),
            })
            .collect();
        let arrivals = self.arrivals(source, &sent).await?;
        let now = self.worker.clock.now();
        let gaps = log
            .iter()
            .zip(missing(&sent, &arrivals))
            .filter(|(_, missing)| !missing.is_empty())
            .map(|(entry, missing)| Gap {
                sent_at: entry.sent_at(),
                status: entry.status.clone(),
                fate: fate(entry, now),
                employees: missing.into_iter().collect(),
            })
            .collect();
        Ok(WebhookGaps {
            id,
            entries: log.len(),
            cut: log.len() >= LONGEST_LOG,
            gaps,
            unread: None,
        })
    }

    /// What arrived that may be what was sent. Of what is not settled the body tells whom it names.
    async fn arrivals(&self, source: &SourceName, sent: &[Sent]) -> Result<Vec<Arrival>, String> {
        let Some(earliest) = sent.iter().filter_map(|sent| sent.at).min() else {
            return Ok(vec![]);
        };
        let named: BTreeSet<EmployeeId> = sent
            .iter()
            .flat_map(|sent| sent.employees.iter().cloned())
            .collect();
        let named: Vec<EmployeeId> = named.into_iter().collect();
        let arrived = async {
            let mut conn = self.worker.pool.acquire().await?;
            inbox::queries::store::arrived(&mut conn, source, earliest - EARLIEST, &named).await
        };
        let arrived: Result<Vec<_>, sqlx::Error> = self.worker.pool.heard(arrived).await;
        let arrived = arrived.map_err(|error| format!("our database: {}", chain(&error)))?;
        let provider_config = self.worker.rules.provider_config(source.as_str());
        Ok(arrived
            .into_iter()
            .map(|delivery| {
                let employees = match (delivery.employee_ids, provider_config, delivery.body) {
                    (Some(ids), _, _) => ids.into_iter().collect(),
                    (None, Some(provider_config), Some(body)) => {
                        match normalize(provider_config, delivery.content_type.as_deref(), &body) {
                            Ok(Parsed::Changes(changes)) => changes
                                .changes
                                .into_iter()
                                .map(|change| change.employee_id)
                                .collect(),
                            Ok(Parsed::Ignored(_)) | Err(_) => BTreeSet::new(),
                        }
                    }
                    (None, _, _) => BTreeSet::new(),
                };
                Arrival {
                    at: delivery.received_at,
                    employees,
                }
            })
            .collect())
    }

    async fn read(
        &self,
        source: &SourceName,
        api: &BambooHrApi,
        employees: &[EmployeeId],
        progress: &(dyn Fn(&str, u64) + Sync),
    ) -> SyncReport {
        let mut memory = LoopState::default();
        let mut gathered = SyncRun::new(&self.worker, source, &mut memory, progress, "");
        let began = self.worker.clock.now();
        let read = collect::each(&mut gathered, api, employees, began).await;
        SyncReport {
            source: source.clone(),
            account: String::new(),
            full: false,
            records: gathered.records,
            incomplete: read.err().or_else(|| gathered.doubts()),
            outcomes: gathered.outcomes,
        }
    }
}

async fn pointing_here(api: &BambooHrApi, source: &SourceName) -> Result<Vec<String>, String> {
    let listed = api.webhooks().await.map_err(|error| error.to_string())?;
    let ids: Vec<String> = listed
        .into_iter()
        .filter(|hook| targets_this_service(&hook.url, source))
        .map(|hook| hook.id)
        .collect();
    if ids.is_empty() {
        return Err(format!(
            "none of the webhooks that this key shows posts to /webhooks/{source}: `leaver webhooks list` \
             shows them, --webhook ID compares one that gets here by another path, and those of other \
             BambooHR users are seen with a key of theirs only"
        ));
    }
    Ok(ids)
}

fn fate(entry: &LogEntry, now: DateTime<Utc>) -> DeliveryLogStatus {
    if entry.was_taken() {
        return DeliveryLogStatus::Taken;
    }
    let refused = entry
        .status
        .parse()
        .is_ok_and(|code: u16| (400..500).contains(&code));
    match entry.last_attempted.at() {
        // A 4xx is taken as a deliberate refusal, and after 155 minutes BambooHR has tried six times.
        Some(at) if !refused && now - at < EARLIEST => DeliveryLogStatus::StillTrying,
        _ => DeliveryLogStatus::GivenUp,
    }
}
