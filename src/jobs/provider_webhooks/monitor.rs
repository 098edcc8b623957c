//! The daily check of BambooHR's webhooks. Each stops working without an error when the user who made it is
//! deactivated (<https://documentation.bamboohr.com/docs/permissioned-webhooks>, read 2026-11-22). One replica at a
//! time checks.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{Connection, PgConnection};
use tracing::{debug, info, warn};

use super::{
    ProviderWebhook, WEBHOOK_MISSING, WEBHOOK_REPOINTED, has_webhook_path, mapping_problem,
    problem, store, targets_this_service,
};
use crate::connect::{BambooHrApi, WebhookError};
use crate::db::advisory_lock::AdvisoryLock;
use crate::db::error::error_chain;
use crate::engine::Engine;
use crate::engine::outbox::problems::{self, Checked, Problem, ProblemCode, record_problems};
use crate::jobs::runner::{Job, Next};
use crate::jobs::sync::SyncSource;
use crate::jobs::traces::TracedRead;
use leaver_core::domain::SourceName;
use leaver_core::providers::{FieldNames, LogEntry, LogTime, Webhook};

/// The time between two checks.
const CHECK_INTERVAL: TimeDelta = TimeDelta::hours(24);
/// The time until the next check after one that failed.
const RETRY_INTERVAL: TimeDelta = TimeDelta::hours(1);
/// How often each replica looks up whether a check is due.
const POLL_INTERVAL: Duration = Duration::from_mins(1);

/// Checks the webhooks of BambooHR sources.
pub struct WebhookMonitor {
    engine: Arc<Engine>,
}

/// The result of a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CheckOutcome {
    /// No check is due, another replica is checking, or the provider manages no webhooks over its API.
    NotDue,
    /// All webhooks that post here were checked; this many have a problem.
    Done(usize),
    /// The API could not be read to the end.
    Failed(WebhookError),
}

impl WebhookMonitor {
    /// Creates a monitor over this engine's database.
    #[must_use]
    pub fn new(engine: Arc<Engine>) -> Self {
        Self { engine }
    }

    /// Checks once, if a check is due. Tests call this instead of the job.
    ///
    /// # Errors
    /// Returns our database's error. A failure of the API is [`CheckOutcome::Failed`].
    pub async fn check(&self, company: &SyncSource) -> Result<CheckOutcome, sqlx::Error> {
        let Some(api) = company.client.webhook_api() else {
            return Ok(CheckOutcome::NotDue);
        };
        let source = &company.source;
        let now = self.engine.clock.now();
        let pool = &self.engine.pool;
        let due = async {
            let mut conn = pool.acquire().await?;
            is_due(&mut conn, source, now).await
        };
        if !pool.with_silence_timeout(due).await? {
            return Ok(CheckOutcome::NotDue);
        }
        let lock = AdvisoryLock::try_acquire(pool, &format!("hooks {source}")).await?;
        let Some(mut lock) = lock else {
            return Ok(CheckOutcome::NotDue);
        };
        // Again, since another replica may have checked before we had the lock.
        let still_due = is_due(&mut lock, source, now);
        if !pool.with_silence_timeout(still_due).await? {
            lock.release().await?;
            return Ok(CheckOutcome::NotDue);
        }
        let listed = store::list(&mut lock, std::slice::from_ref(source));
        let known = pool.with_silence_timeout(listed).await?;
        let names = self.engine.policies.provider_config(source.as_str());
        let names = names.map_or_else(FieldNames::default, |config| config.fields.clone());
        let target = Target {
            source,
            webhook_url: company.webhook_url.as_deref(),
            names,
        };
        let (checked, elsewhere, error) = check_all(api, &target, known, now).await;
        // A failed check is dated back, so that the next is due after the retry interval.
        let checked_at = match error {
            Some(_) => now - (CHECK_INTERVAL - RETRY_INTERVAL),
            None => now,
        };
        let result = Checkup {
            source,
            checked: &checked,
            elsewhere: &elsewhere,
            is_whole: error.is_none(),
            checked_at,
        };
        let saved = self.save(&mut lock, &result, now);
        let recorded = pool.with_silence_timeout(saved).await?;
        lock.release().await?;
        self.engine.notify_jobs(false, false, recorded);
        let unhealthy = checked
            .iter()
            .filter_map(|webhook| Some((&webhook.id, webhook.problem.as_ref()?)));
        for (webhook, problem) in unhealthy.clone() {
            warn!(%source, webhook, problem, "provider_webhooks.check: this webhook has a problem");
        }
        Ok(error.map_or(CheckOutcome::Done(unhealthy.count()), CheckOutcome::Failed))
    }
}

/// The result of a check, to be stored.
struct Checkup<'a> {
    source: &'a SourceName,
    checked: &'a [ProviderWebhook],
    /// Ids of those that belong to another installation.
    elsewhere: &'a [String],
    /// True if all were checked.
    is_whole: bool,
    checked_at: DateTime<Utc>,
}

impl Checkup<'_> {
    async fn save(&self, conn: &mut PgConnection, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
        store::save(conn, self.checked).await?;
        for id in self.elsewhere {
            store::forget(conn, self.source, id).await?;
        }
        store::save_checked_at(conn, self.source, self.checked_at, now).await
    }

    fn problems(&self, now: DateTime<Utc>) -> Vec<Problem> {
        let found = self.checked.iter().filter_map(|webhook| {
            Some(Problem {
                source: self.source.clone(),
                code: ProblemCode::ProviderWebhookProblem,
                part: webhook.id.clone(),
                since: now,
                reason: Some(webhook.problem.clone()?),
            })
        });
        found.collect()
    }
}

impl WebhookMonitor {
    /// Stores the result, and records an event if a problem begins. Returns whether there was an event.
    async fn save(
        &self,
        conn: &mut PgConnection,
        result: &Checkup<'_>,
        now: DateTime<Utc>,
    ) -> Result<bool, sqlx::Error> {
        let subscriptions = self.engine.policies.subscriptions();
        let codes = [ProblemCode::ProviderWebhookProblem];
        if !problems::wants_problems(subscriptions, &codes) {
            result.save(conn, now).await?;
            return Ok(false);
        }
        // Of those that were not checked, nothing is known.
        let sources: &[SourceName] = if result.is_whole {
            std::slice::from_ref(result.source)
        } else {
            &[]
        };
        let checked = Checked {
            sources,
            codes: &codes,
            part: None,
        };
        let mut tx = conn.begin().await?;
        result.save(&mut tx, now).await?;
        let found = result.problems(now);
        let recorded = record_problems(&mut tx, subscriptions, &checked, &found, now).await?;
        tx.commit().await?;
        Ok(recorded)
    }
}

/// Checks the webhooks of one source whenever a check is due.
pub struct WebhookJob {
    monitor: Arc<WebhookMonitor>,
    source: Arc<SyncSource>,
    /// True after a failed check, so that repeated failures are logged at debug level.
    failing: bool,
}

impl WebhookJob {
    /// Creates the job of one source.
    #[must_use]
    pub fn new(monitor: Arc<WebhookMonitor>, source: Arc<SyncSource>) -> Self {
        Self {
            monitor,
            source,
            failing: false,
        }
    }
}

impl Job for WebhookJob {
    const NAME: &'static str = "provider_webhooks";
    const DROP_ON_STOP: bool = true;

    async fn tick(&mut self) -> Next {
        let source = &self.source.source;
        let engine = &self.monitor.engine;
        let now = engine.clock.now();
        let traced = TracedRead::begin(&engine.traces, "check webhooks", None, now);
        let checked = TracedRead::run(traced.as_ref(), self.monitor.check(&self.source)).await;
        if let (Some(traced), Ok(outcome)) = (traced, &checked)
            && *outcome != CheckOutcome::NotDue
        {
            let is_error = matches!(outcome, CheckOutcome::Failed(_));
            traced.end(source, is_error, engine.clock.now());
        }
        let cause = match checked {
            Ok(CheckOutcome::NotDue) => return Next::Poll(POLL_INTERVAL),
            Ok(CheckOutcome::Done(unhealthy)) => {
                self.failing = false;
                info!(%source, unhealthy, "provider_webhooks.check: done");
                return Next::Poll(POLL_INTERVAL);
            }
            Ok(CheckOutcome::Failed(error)) => error.to_string(),
            Err(error) => format!("our database: {}", error_chain(&error)),
        };
        if self.failing {
            debug!(%source, cause, "provider_webhooks.check: still cannot check BambooHR's webhooks");
        } else {
            warn!(%source, cause, "provider_webhooks.check: cannot check BambooHR's webhooks; will retry every hour");
        }
        self.failing = true;
        Next::Poll(POLL_INTERVAL)
    }
}

async fn is_due(
    conn: &mut PgConnection,
    source: &SourceName,
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let last = store::checked_at(conn, source).await?;
    Ok(last.is_none_or(|last| now - last >= CHECK_INTERVAL))
}

/// The source whose webhooks are checked.
struct Target<'a> {
    source: &'a SourceName,
    webhook_url: Option<&'a str>,
    names: FieldNames,
}

impl Target<'_> {
    fn is_hit_by(&self, url: &str) -> bool {
        targets_this_service(url, self.source, self.webhook_url)
    }
}

/// Checks each webhook that posts here, or did. Returns those checked, the ids of those that belong to another
/// installation, and the error that ended the check early.
async fn check_all(
    api: &BambooHrApi,
    target: &Target<'_>,
    known: Vec<ProviderWebhook>,
    now: DateTime<Utc>,
) -> (Vec<ProviderWebhook>, Vec<String>, Option<WebhookError>) {
    let listed = match api.webhooks().await {
        Ok(listed) => listed,
        Err(error) => return (vec![], vec![], Some(error)),
    };
    let is_reached = listed.iter().any(|listed| target.is_hit_by(&listed.url));
    let (mut checked, mut elsewhere) = (vec![], vec![]);
    for mut webhook in known {
        let problem = match listed.iter().find(|listed| listed.id == webhook.id) {
            None => WEBHOOK_MISSING,
            // Known from before `server.public_url` was set: another installation's, if another one posts here.
            Some(listed)
                if is_reached
                    && !target.is_hit_by(&listed.url)
                    && has_webhook_path(&listed.url, target.source) =>
            {
                elsewhere.push(webhook.id);
                continue;
            }
            Some(listed) if !target.is_hit_by(&listed.url) => {
                webhook.observed_at = now;
                WEBHOOK_REPOINTED
            }
            Some(_) => continue,
        };
        checked.push(ProviderWebhook {
            problem: Some(problem.to_owned()),
            checked_at: now,
            ..webhook
        });
    }
    for webhook in listed
        .iter()
        .filter(|webhook| target.is_hit_by(&webhook.url))
    {
        match check_one(api, target, webhook, now).await {
            Ok(webhook) => checked.push(webhook),
            // Deleted since it was listed; the next check finds it missing.
            Err(WebhookError::NoSuchWebhook(_)) => {}
            Err(error) => return (checked, elsewhere, Some(error)),
        }
    }
    (checked, elsewhere, None)
}

async fn check_one(
    api: &BambooHrApi,
    target: &Target<'_>,
    webhook: &Webhook,
    now: DateTime<Utc>,
) -> Result<ProviderWebhook, WebhookError> {
    let config = api.webhook(&webhook.id).await?;
    let log = api.webhook_log(&webhook.id).await?;
    let last = log.iter().max_by_key(|entry| entry.sent_at());
    let last_status = last.map(status_text);
    let accepted = last.is_none_or(LogEntry::was_accepted);
    let refused_status = last_status.as_deref().filter(|_| !accepted);
    let posted: Vec<String> = config
        .post_fields
        .into_iter()
        .map(|(_, name)| name)
        .collect();
    Ok(ProviderWebhook {
        source: target.source.clone(),
        id: webhook.id.clone(),
        name: webhook.name.clone(),
        last_sent_at: webhook.last_sent,
        problem: problem(
            &config.denied.description(),
            refused_status,
            mapping_problem(&posted, &target.names),
        ),
        last_status,
        observed_at: now,
        checked_at: now,
    })
}

/// Returns the status of a delivery in the log, or the text that the log has instead of its time.
fn status_text(entry: &LogEntry) -> String {
    let text = match &entry.last_attempted {
        LogTime::Text(text) => text.as_str(),
        LogTime::At(_) => "",
    };
    let found = [entry.status.as_str(), text]
        .into_iter()
        .find(|text| !text.is_empty());
    found.unwrap_or("no status").to_owned()
}
