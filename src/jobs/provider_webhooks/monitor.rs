//! The daily look at BambooHR's webhooks: each dies with the user who made it, and nobody says so. One replica
//! at a time looks.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgConnection;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use crate::connect::{BambooHrApi, WebhookError};
use crate::db::advisory_lock::AdvisoryLock;
use crate::db::error::chain;
use crate::engine::Engine;
use crate::jobs::provider_webhooks::{self, ProviderWebhook, targets_this_service};
use crate::jobs::sync::{ProviderClient, SyncSource};
use leaver_core::domain::SourceName;
use leaver_core::providers::{Hook, LogEntry, LogTime};

/// So often they are looked at.
const EVERY: TimeDelta = TimeDelta::hours(24);
/// After a look that failed, so much sooner.
const SOONER: TimeDelta = TimeDelta::hours(23);
/// So often each replica looks whether it is time.
const LOOK: Duration = Duration::from_mins(1);

/// Looks at the webhooks of BambooHR sources over the worker's database.
pub struct WebhookMonitor {
    worker: Arc<Engine>,
    pause: Duration,
}

/// What a look came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CheckOutcome {
    /// It is not time, another replica is at it, or the source is not BambooHR's.
    NotDue,
    /// All that point here were looked at; so many have a trouble.
    Done(usize),
    /// The API could not be asked, or not to the end; why.
    Failed(String),
}

impl WebhookMonitor {
    /// Over this worker's database.
    #[must_use]
    pub fn new(worker: Arc<Engine>) -> Self {
        Self {
            worker,
            pause: LOOK,
        }
    }

    /// Asks so often whether it is time.
    #[must_use]
    pub fn asking_every(self, pause: Duration) -> Self {
        Self { pause, ..self }
    }

    /// Looks whenever it is due, until stopped.
    pub async fn run(&self, company: &SyncSource, stop: CancellationToken) {
        let source = &company.source;
        let mut failing = false;
        while !stop.is_cancelled() {
            let looked = tokio::select! {
                () = stop.cancelled() => break,
                looked = self.look(company) => looked,
            };
            match looked.unwrap_or_else(CheckOutcome::Failed) {
                CheckOutcome::NotDue => {}
                CheckOutcome::Done(troubles) => {
                    failing = false;
                    info!(%source, troubles, "hooks.look: done");
                }
                CheckOutcome::Failed(cause) if failing => {
                    debug!(%source, cause, "hooks.look: still cannot look at BambooHR's webhooks");
                }
                CheckOutcome::Failed(cause) => {
                    failing = true;
                    warn!(%source, cause, "hooks.look: cannot look at BambooHR's webhooks; will try again every hour");
                }
            }
            tokio::select! {
                () = stop.cancelled() => break,
                () = tokio::time::sleep(self.pause) => {}
            }
        }
    }

    /// Looks once, if it is due. Tests call this instead of the loop.
    ///
    /// # Errors
    /// What is wrong with the database, in words.
    pub async fn look(&self, company: &SyncSource) -> Result<CheckOutcome, String> {
        let ProviderClient::BambooHr(api, _) = &company.api else {
            return Ok(CheckOutcome::NotDue);
        };
        let source = &company.source;
        let looked = async {
            let now = self.worker.clock.now();
            let pool = &self.worker.pool;
            let is_due_yet = async {
                let mut conn = pool.acquire().await?;
                is_due(&mut conn, source, now).await
            };
            if !pool.heard(is_due_yet).await? {
                return Ok(CheckOutcome::NotDue);
            }
            let turn = AdvisoryLock::take(pool, &format!("hooks {source}")).await?;
            let Some(mut turn) = turn else {
                return Ok(CheckOutcome::NotDue);
            };
            // Somebody else may have looked meanwhile.
            if !pool.heard(is_due(&mut turn, source, now)).await? {
                turn.end().await?;
                return Ok(CheckOutcome::NotDue);
            }
            let listed = provider_webhooks::store::list(&mut turn, std::slice::from_ref(source));
            let known = pool.heard(listed).await?;
            let (seen, failed) = examine(api, source, known, now).await;
            let noted = if failed.is_some() { now - SOONER } else { now };
            let saved = async {
                provider_webhooks::store::save(&mut turn, &seen).await?;
                provider_webhooks::store::note_checked(&mut turn, source, noted, now).await
            };
            pool.heard(saved).await?;
            turn.end().await?;
            for hook in &seen {
                if let Some(trouble) = &hook.trouble {
                    warn!(%source, webhook = hook.id, trouble, "hooks.look: look at this webhook");
                }
            }
            let troubles = seen.iter().filter(|hook| hook.trouble.is_some()).count();
            Ok(failed.map_or(CheckOutcome::Done(troubles), |error| {
                CheckOutcome::Failed(error.to_string())
            }))
        };
        let looked: Result<CheckOutcome, sqlx::Error> = looked.await;
        looked.map_err(|error| format!("our database: {}", chain(&error)))
    }
}

async fn is_due(
    conn: &mut PgConnection,
    source: &SourceName,
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let last = provider_webhooks::store::checked_at(conn, source).await?;
    Ok(last.is_none_or(|last| now - last >= EVERY))
}

/// How each webhook does that points here, or did; and the error that ended the looking, if any.
async fn examine(
    api: &BambooHrApi,
    source: &SourceName,
    known: Vec<ProviderWebhook>,
    now: DateTime<Utc>,
) -> (Vec<ProviderWebhook>, Option<WebhookError>) {
    let listed = match api.webhooks().await {
        Ok(listed) => listed,
        Err(error) => return (vec![], Some(error)),
    };
    let mut seen = vec![];
    for mut hook in known {
        let shown = listed.iter().find(|shown| shown.id == hook.id);
        let trouble = match shown {
            None => provider_webhooks::LOST,
            Some(shown) if !targets_this_service(&shown.url, source) => {
                hook.seen_at = now;
                provider_webhooks::MOVED
            }
            Some(_) => continue,
        };
        seen.push(ProviderWebhook {
            trouble: Some(trouble.to_owned()),
            checked_at: now,
            ..hook
        });
    }
    for hook in listed
        .iter()
        .filter(|hook| targets_this_service(&hook.url, source))
    {
        match look_at(api, source, hook, now).await {
            Ok(hook) => seen.push(hook),
            // Deleted between the two questions; the next look says so.
            Err(WebhookError::NoSuchWebhook(_)) => {}
            Err(error) => return (seen, Some(error)),
        }
    }
    (seen, None)
}

async fn look_at(
    api: &BambooHrApi,
    source: &SourceName,
    hook: &Hook,
    now: DateTime<Utc>,
) -> Result<ProviderWebhook, WebhookError> {
    let config = api.webhook(&hook.id).await?;
    let log = api.webhook_log(&hook.id).await?;
    let last = log.iter().max_by_key(|entry| entry.sent_at());
    let last_status = last.map(last_word);
    let taken = last.is_none_or(LogEntry::was_taken);
    let not_taken = last_status.as_deref().filter(|_| !taken);
    Ok(ProviderWebhook {
        source: source.clone(),
        id: hook.id.clone(),
        name: hook.name.clone(),
        last_sent_at: hook.last_sent,
        trouble: provider_webhooks::trouble(&config.denied.words(), not_taken),
        last_status,
        seen_at: now,
        checked_at: now,
    })
}

/// What the log has of a delivery: its status, or the word that stands for its time.
fn last_word(entry: &LogEntry) -> String {
    let word = match &entry.last_attempted {
        LogTime::Word(word) => word.as_str(),
        LogTime::At(_) => "",
    };
    let said = [entry.status.as_str(), word]
        .into_iter()
        .find(|word| !word.is_empty());
    said.unwrap_or("no status").to_owned()
}
