//! One batch of deliveries, in one transaction: claim, normalise, observe, act, settle. All of it or none.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;

use chrono::{DateTime, Utc};
use sqlx::{Connection, PgConnection};
use uuid::Uuid;

use crate::base::failpoints;
use crate::db::transaction::{roll_back, set_lock_timeout};
use crate::engine::Engine;
use crate::engine::accounts::AccountsTable;
use crate::engine::audit::Actor;
use crate::engine::execute::{ExecutionReport, Outcome, act};
use crate::engine::policies::Policies;
use crate::ingest::inbox::store::ClaimLimit;
use crate::ingest::inbox::{self, Delivery, DeliveryOutcome, Settlement};
use crate::jobs::deliveries::BatchFailure;
use crate::roster::{self, Effect, Observation};
use leaver_core::domain::{DeliveryId, EmployeeId, EmployeeKey};
use leaver_core::providers::{self, Parsed};

/// What became of a batch, for the log and the metrics.
#[derive(Debug, Default)]
pub struct Batch {
    /// One line per delivery.
    pub deliveries: Vec<Done>,
    /// Whether the timer should look anew.
    pub schedule_moved: bool,
    /// Whether a read of an employee became due.
    pub reads_pending: bool,
}

/// What became of one delivery.
#[derive(Debug)]
pub struct Done {
    /// Its id.
    pub id: DeliveryId,
    /// Its source.
    pub source: String,
    /// When it arrived.
    pub received_at: DateTime<Utc>,
    /// processed, ignored or parked.
    pub state: &'static str,
    /// Why, where it is not processed.
    pub cause: Option<String>,
    /// How many employees ended how.
    pub outcomes: BTreeMap<Outcome, usize>,
}

/// What a delivery said, before anything is done about it.
enum Read {
    Observations {
        observations: Vec<Observation>,
        has_event_times: bool,
        bad_entries: usize,
    },
    Ended(DeliveryOutcome),
}

/// Processes the next batch; an empty one when nothing is due.
///
/// # Errors
/// A [`BatchFailure`] with the ids of the deliveries that were claimed; nothing of the batch was done.
pub async fn process_batch(
    worker: &Engine,
    loop_id: Uuid,
    table: &AccountsTable,
    limit: ClaimLimit,
    now: DateTime<Utc>,
) -> Result<Batch, BatchFailure> {
    let shared = worker.hands.read().await;
    let batch = process_next(worker, loop_id, table, limit, now, Hands::Shared).await?;
    drop(shared);
    if let Some(batch) = batch {
        return Ok(batch);
    }
    // Should it end the process, nobody else is to be suspected.
    let _all = worker.hands.write().await;
    let batch = process_next(worker, loop_id, table, limit, now, Hands::All).await?;
    Ok(batch.unwrap_or_default())
}

/// What else may be in hand in this process.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Hands {
    Shared,
    All,
}

/// `None` when what is next is to be taken with all hands, and these are not.
async fn process_next(
    worker: &Engine,
    loop_id: Uuid,
    table: &AccountsTable,
    limit: ClaimLimit,
    now: DateTime<Utc>,
    hands: Hands,
) -> Result<Option<Batch>, BatchFailure> {
    let pool = &worker.pool;
    let mut conn = pool.acquire().await.map_err(BatchFailure::before_claim)?;
    let conn = &mut *conn;
    let claiming = async move {
        let mut tx = conn.begin().await?;
        set_lock_timeout(&mut tx).await?;
        let claimed = inbox::store::claim(&mut tx, limit, now).await?;
        Ok((tx, claimed))
    };
    let claiming = pool.heard(claiming).await;
    let (mut tx, claimed) = claiming.map_err(BatchFailure::before_claim)?;
    if claimed.is_empty() {
        return Ok(Some(Batch::default()));
    }
    if hands == Hands::Shared && claimed.iter().any(|delivery| delivery.alone) {
        roll_back(tx).await;
        return Ok(None);
    }
    let ids: Vec<DeliveryId> = claimed.iter().map(|delivery| delivery.id).collect();
    let bodies = || claimed.iter().map(|delivery| &delivery.body[..]);
    failpoints::reach("after_claim", bodies());
    let work = async {
        worker.mark(loop_id, &ids, now).await?;
        let batch = execute_partially(&mut tx, table, &worker.rules, &claimed, now).await?;
        inbox::in_flight::store::forget(&mut tx, loop_id).await?;
        failpoints::reach("after_effect_before_commit", bodies());
        Ok(batch)
    };
    let done = match pool.heard(catch_panic(work)).await {
        Ok(batch) => {
            let committed = pool.heard(tx.commit()).await;
            failpoints::reach("after_effect_commit", bodies());
            committed.map(|()| Some(batch))
        }
        Err(error) => {
            roll_back(tx).await;
            Err(error)
        }
    };
    done.map_err(|error| BatchFailure {
        claimed: ids,
        error,
    })
}

/// A bug that panics fails like an error, so that whatever it stumbles over is found and put aside, instead of
/// ending the loop again and again before anybody else's turn.
pub(crate) async fn catch_panic<T>(
    work: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, sqlx::Error> {
    let mut work = pin!(work);
    poll_fn(|cx| {
        catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(cx))).unwrap_or_else(|_panic| {
            let bug = "a bug: carrying it out panicked; report it, and replay after the fix";
            Poll::Ready(Err(sqlx::Error::InvalidArgument(bug.to_owned())))
        })
    })
    .await
}

async fn execute_partially(
    tx: &mut PgConnection,
    table: &AccountsTable,
    rules: &Policies,
    claimed: &[Delivery],
    now: DateTime<Utc>,
) -> Result<Batch, sqlx::Error> {
    let reads: Vec<Read> = claimed
        .iter()
        .map(|delivery| read(rules, delivery))
        .collect();
    let observations: Vec<Observation> =
        reads.iter().flat_map(Read::observations).cloned().collect();
    let observed = roster::observe(tx, &observations, &rules.names(), now).await?;
    let effects = effects_by_delivery(&observed);
    let last_words: LastWords = observed
        .iter()
        .filter_map(|observed| Some((observed.employee.key.clone(), observed.employee.delivery?)))
        .collect();
    let newer = observed
        .into_iter()
        .filter(|observed| observed.effect == Effect::Changed)
        .map(|observed| observed.employee)
        .collect();
    failpoints::reach(
        "mid_batch",
        claimed.iter().map(|delivery| &delivery.body[..]),
    );
    let acted = act(tx, table, rules, newer, &Actor::System, now).await?;
    let (batch, settlements) = conclude(claimed, reads, &effects, &last_words, &acted);
    inbox::store::settle(tx, &settlements, now).await?;
    Ok(batch)
}

impl Read {
    fn observations(&self) -> &[Observation] {
        match self {
            Self::Observations { observations, .. } => observations,
            Self::Ended(_) => &[],
        }
    }

    /// Whom the delivery named; `None` when it could not be read.
    fn named(&self) -> Option<Vec<EmployeeId>> {
        if let Self::Ended(DeliveryOutcome::Parked { .. }) = self {
            return None;
        }
        let ids: BTreeSet<&EmployeeId> = self
            .observations()
            .iter()
            .map(|observation| &observation.change.employee_id)
            .collect();
        Some(ids.into_iter().cloned().collect())
    }
}

/// What a delivery says; nothing when it cannot be read or is not ours.
pub(crate) fn observations(rules: &Policies, delivery: &Delivery) -> Vec<Observation> {
    read(rules, delivery).observations().to_vec()
}

/// Whom a delivery names that could be read and not carried out; `None` when it cannot be read.
pub(crate) fn named(rules: &Policies, delivery: &Delivery) -> Option<Vec<EmployeeId>> {
    read(rules, delivery).named()
}

/// Understands one delivery. A bug in understanding it parks this one and leaves its neighbours alone.
fn read(rules: &Policies, delivery: &Delivery) -> Read {
    let parked = |cause: String| Read::Ended(DeliveryOutcome::Parked { cause });
    let Some(provider_config) = rules.provider_config(&delivery.source) else {
        return parked(format!(
            "no source named `{}` is configured any more; configure it and replay",
            delivery.source
        ));
    };
    let Some(source) = rules.source_name(&delivery.source) else {
        return parked("the source has no valid name".to_owned());
    };
    let normalized = catch_unwind(AssertUnwindSafe(|| {
        providers::normalize(
            provider_config,
            delivery.content_type.as_deref(),
            &delivery.body,
        )
    }));
    match normalized {
        Err(_panic) => parked(
            "a bug: reading the body panicked; report it, and replay after the fix".to_owned(),
        ),
        Ok(Err(unreadable)) => parked(unreadable.to_string()),
        Ok(Ok(Parsed::Ignored(what))) => Read::Ended(DeliveryOutcome::Ignored {
            cause: what.to_string(),
        }),
        Ok(Ok(Parsed::Changes(changes))) => {
            let has_event_times = changes.has_event_times();
            let bad_entries = changes.bad_entries.len();
            let observations = changes
                .changes
                .into_iter()
                .map(|change| {
                    Observation::new(
                        source.clone(),
                        change,
                        delivery.signed_at,
                        delivery.received_at,
                        Some(delivery.id),
                    )
                })
                .collect();
            Read::Observations {
                observations,
                has_event_times,
                bad_entries,
            }
        }
    }
}

type Effects = HashMap<(DeliveryId, EmployeeKey), Effect>;
/// Of each employee, the delivery that brought the newest news: it is what the record names as the cause.
type LastWords = HashMap<EmployeeKey, DeliveryId>;

fn effects_by_delivery(observed: &[roster::Observed]) -> Effects {
    let mut effects = Effects::new();
    for entry in observed {
        for (delivery, effect) in &entry.by_delivery {
            if let Some(id) = delivery {
                let strongest = effects
                    .entry((*id, entry.employee.key.clone()))
                    .or_insert(*effect);
                *strongest = (*strongest).max(*effect);
            }
        }
    }
    effects
}

/// Says of each delivery how it ended: for an employee of whom it said nothing new, that; else how it ended
/// for that employee. What was done is told of the delivery that caused it and of no other, however many of
/// the batch spoke of the same employee, so that deeds can be counted.
fn conclude(
    claimed: &[Delivery],
    reads: Vec<Read>,
    effects: &Effects,
    last_words: &LastWords,
    acted: &ExecutionReport,
) -> (Batch, Vec<Settlement>) {
    let mut batch = Batch {
        deliveries: vec![],
        schedule_moved: acted.schedule_moved,
        reads_pending: acted.reads_pending,
    };
    let mut settlements = vec![];
    for (delivery, read) in claimed.iter().zip(reads) {
        let mut outcomes: BTreeMap<Outcome, usize> = BTreeMap::new();
        let employee_ids = read.named();
        let end = match read {
            Read::Ended(end) => end,
            Read::Observations {
                observations,
                has_event_times,
                bad_entries,
            } => {
                let keys: BTreeSet<EmployeeKey> =
                    observations.iter().map(Observation::key).collect();
                for key in keys {
                    let caused = last_words.get(&key) == Some(&delivery.id);
                    let ended = acted.outcomes.get(&key).copied();
                    let ended = ended.filter(|outcome| caused || !outcome.is_change());
                    let outcome = match effects.get(&(delivery.id, key)) {
                        Some(Effect::Changed) => ended.unwrap_or(Outcome::Kept),
                        Some(Effect::Stale) => Outcome::Stale,
                        Some(Effect::Unchanged) | None => Outcome::Unchanged,
                    };
                    *outcomes.entry(outcome).or_default() += 1;
                }
                let mut outcome: serde_json::Map<String, serde_json::Value> = outcomes
                    .iter()
                    .map(|(outcome, count)| (outcome.as_str().to_owned(), (*count).into()))
                    .collect();
                if bad_entries > 0 {
                    outcome.insert("bad_entries".to_owned(), bad_entries.into());
                }
                DeliveryOutcome::Processed {
                    outcome: outcome.into(),
                    has_event_times,
                }
            }
        };
        let (state, cause) = match &end {
            DeliveryOutcome::Processed { .. } => ("processed", None),
            DeliveryOutcome::Ignored { cause } => ("ignored", Some(cause.clone())),
            DeliveryOutcome::Parked { cause } => ("parked", Some(cause.clone())),
        };
        batch.deliveries.push(Done {
            id: delivery.id,
            source: delivery.source.clone(),
            received_at: delivery.received_at,
            state,
            cause,
            outcomes,
        });
        settlements.push(Settlement {
            id: delivery.id,
            end,
            employee_ids,
        });
    }
    (batch, settlements)
}
