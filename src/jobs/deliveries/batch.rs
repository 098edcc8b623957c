//! Processes one batch of deliveries in one transaction: claim, parse, observe, evaluate, execute, settle.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use sqlx::{Connection, PgConnection};

use crate::base::failpoints;
use crate::db::transaction::{roll_back, set_lock_timeout, set_short_lock_timeout};
use crate::engine::Failure;
use crate::engine::accounts::AccountsTable;
use crate::engine::execute::{ExecutionReport, Outcome, execute};
use crate::engine::failure::run_catching;
use crate::engine::origin::Origin;
use crate::engine::policies::Policies;
use crate::ingest::inbox::store::ClaimLimit;
use crate::ingest::inbox::{self, Delivery, DeliveryOutcome, Settlement};
use crate::jobs::deliveries::parse::{BadEntries, ParsedDelivery, parse_some};
use crate::jobs::deliveries::slices::ManyEmployees;
use crate::jobs::deliveries::{BatchFailure, Deliveries, LoopState, linked_accounts, slices};
use crate::roster::{self, Effect, Observation};
use leaver_core::domain::{DeliveryId, EmployeeKey};

/// A processed batch, for the log and the metrics.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    /// The deliveries, in the order of the claim.
    pub deliveries: Vec<SettledDelivery>,
    /// True if an end of access was scheduled or moved.
    pub schedule_changed: bool,
    /// True if a read of an employee became due.
    pub reads_pending: bool,
    /// True if an event was recorded for a destination.
    pub events_recorded: bool,
    /// When the next delivery is due, if none was due now.
    pub next_attempt_at: Option<DateTime<Utc>>,
}

/// A delivery that is processed, ignored or failed.
#[derive(Debug)]
pub(crate) struct SettledDelivery {
    /// The delivery.
    pub id: DeliveryId,
    /// The source that sent it.
    pub source: String,
    /// When it arrived.
    pub received_at: DateTime<Utc>,
    /// `processed`, `ignored` or `failed`.
    pub state: &'static str,
    /// Why it is ignored or failed, or which of its entries could not be read.
    pub reason: Option<String>,
    /// Number of employees by outcome.
    pub outcomes: BTreeMap<Outcome, usize>,
}

/// Processes the next batch. Returns an empty one if nothing is due.
///
/// # Errors
/// Returns a [`BatchFailure`] with the deliveries that were claimed; nothing was done then.
pub(crate) async fn process_batch(
    deliveries: &Deliveries,
    state: &LoopState,
    table: &AccountsTable,
    limit: ClaimLimit,
    now: DateTime<Utc>,
) -> Result<Batch, BatchFailure> {
    let next =
        async |concurrency| process_next(deliveries, state, table, limit, now, concurrency).await;
    let shared = deliveries.concurrency.read().await;
    let batch = next(Concurrency::Shared).await?;
    drop(shared);
    if let Some(batch) = batch {
        return Ok(batch);
    }
    // If an isolated delivery ends the process, no other delivery may be in flight.
    let _exclusive = deliveries.concurrency.write().await;
    let batch = next(Concurrency::Exclusive).await?;
    Ok(batch.unwrap_or_default())
}

/// True if other batches of this process may be in flight.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Concurrency {
    Shared,
    Exclusive,
}

/// Returns `None` if the next delivery is isolated and other batches may be in flight.
async fn process_next(
    deliveries: &Deliveries,
    state: &LoopState,
    table: &AccountsTable,
    limit: ClaimLimit,
    now: DateTime<Utc>,
    concurrency: Concurrency,
) -> Result<Option<Batch>, BatchFailure> {
    let pool = &deliveries.engine.pool;
    let large_body = deliveries.large_body.try_lock().ok();
    let limit = ClaimLimit {
        takes_large: large_body.is_some(),
        ..limit
    };
    let mut conn = pool.acquire().await.map_err(BatchFailure::before_claim)?;
    let conn = &mut *conn;
    let claiming = async move {
        let mut tx = conn.begin().await?;
        set_lock_timeout(&mut tx).await?;
        let claimed = inbox::store::claim(&mut tx, limit, now).await?;
        Ok((tx, claimed))
    };
    let claiming = pool.with_silence_timeout(claiming).await;
    let (mut tx, mut claimed) = claiming.map_err(BatchFailure::before_claim)?;
    if claimed.is_empty() {
        let next = inbox::store::next_attempt_at(&mut tx);
        let next = pool.with_silence_timeout(next).await;
        return Ok(Some(Batch {
            next_attempt_at: next.map_err(BatchFailure::before_claim)?,
            ..Batch::default()
        }));
    }
    if concurrency == Concurrency::Shared && claimed.iter().any(|delivery| delivery.isolated) {
        roll_back(tx).await;
        return Ok(None);
    }
    let is_large = claimed.iter().any(Delivery::is_large);
    let _until_committed = large_body.filter(|_| is_large);
    let ids: Vec<DeliveryId> = claimed.iter().map(|delivery| delivery.id).collect();
    let failed = |claimed, failure| BatchFailure {
        claimed,
        is_large,
        failure,
    };
    failpoints::reach("after_claim", bodies(&claimed));
    // Before the bodies are parsed, since one of them can end the process.
    let marked = deliveries.mark_in_flight(state.id, &ids, now);
    if let Err(error) = pool.with_silence_timeout(marked).await {
        roll_back(tx).await;
        return Err(failed(ids, error.into()));
    }
    let policies = &deliveries.engine.policies;
    let parsed = parse_some(policies, &claimed);
    // The others stay due.
    claimed.truncate(parsed.len());
    let ids: Vec<DeliveryId> = claimed.iter().map(|delivery| delivery.id).collect();
    // One that was postponed may be so for a lock that still is not released.
    let has_short_waits = state.has_short_waits || claimed.iter().any(|it| it.attempts > 0);
    let work = async {
        let claimed = &claimed;
        let batch = if let ([delivery], [ParsedDelivery::Many(entries)]) = (&**claimed, &*parsed) {
            let many = ManyEmployees {
                table,
                policies,
                delivery,
                entries,
                now,
                partially: None,
                has_short_waits,
            };
            Box::pin(slices::process(&mut tx, many)).await?
        } else {
            process_parsed(
                &mut tx,
                table,
                policies,
                claimed,
                parsed,
                has_short_waits,
                now,
            )
            .await?
        };
        inbox::in_flight::store::forget(&mut tx, state.id).await?;
        if is_large {
            // The connection would keep a buffer of the size of the largest statement.
            tx.shrink_buffers();
        }
        failpoints::reach("after_effect_before_commit", bodies(claimed));
        Ok::<_, Failure>(batch)
    };
    let processed = match pool.with_silence_timeout(run_catching(work)).await {
        Ok(batch) => {
            let committed = pool.with_silence_timeout(tx.commit()).await;
            failpoints::reach("after_effect_commit", bodies(&claimed));
            committed.map(|()| Some(batch)).map_err(Failure::from)
        }
        Err(failure) => {
            roll_back(tx).await;
            Err(failure)
        }
    };
    processed.map_err(|failure| failed(ids, failure))
}

fn bodies(deliveries: &[Delivery]) -> impl Iterator<Item = &[u8]> {
    deliveries.iter().map(|delivery| &delivery.body[..])
}

async fn process_parsed(
    tx: &mut PgConnection,
    table: &AccountsTable,
    policies: &Policies,
    claimed: &[Delivery],
    mut parsed: Vec<ParsedDelivery>,
    has_short_waits: bool,
    now: DateTime<Utc>,
) -> Result<Batch, sqlx::Error> {
    linked_accounts::admit(tx, policies, claimed, &mut parsed).await?;
    let observations = parsed.iter().flat_map(ParsedDelivery::observations);
    let observed = roster::observe(tx, observations, &policies.sharing(table), now).await?;
    let origin = Origin::deliveries();
    let recorded = roster::observations::of(&observed);
    roster::observations::store::insert(tx, &recorded, origin.cause.as_str(), now).await?;
    let effects = effects_by_delivery(&observed);
    let latest: LatestDeliveries = observed
        .iter()
        .filter_map(|observed| {
            Some((
                observed.employee.key.clone(),
                observed.employee.last_delivery_id?,
            ))
        })
        .collect();
    let changed = observed
        .into_iter()
        .filter(|observed| observed.effect == Effect::Changed)
        .map(|observed| observed.employee)
        .collect();
    failpoints::reach("mid_batch", bodies(claimed));
    // Rows of the roster are locked by now. Other workers may have held them for long.
    if has_short_waits {
        set_short_lock_timeout(tx).await?;
    }
    let executed = execute(tx, table, policies, changed, &origin, now).await?;
    let (batch, settlements) = settlements(claimed, parsed, &effects, &latest, &executed);
    inbox::store::settle(tx, &settlements, now).await?;
    Ok(batch)
}

type Effects = HashMap<(DeliveryId, EmployeeKey), Effect>;
/// The delivery with the newest values of each employee: the audit log names it as the cause.
type LatestDeliveries = HashMap<EmployeeKey, DeliveryId>;

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

/// Determines the outcome of each delivery. For an employee without new values it is `unchanged` or `stale`, else the outcome
/// of the execution. A change is attributed to the delivery that caused it and to no other delivery of the batch, so that
/// changes can be counted.
fn settlements(
    claimed: &[Delivery],
    parsed: Vec<ParsedDelivery>,
    effects: &Effects,
    latest: &LatestDeliveries,
    executed: &ExecutionReport,
) -> (Batch, Vec<Settlement>) {
    let mut batch = Batch {
        deliveries: vec![],
        schedule_changed: executed.schedule_changed,
        reads_pending: executed.reads_pending,
        events_recorded: executed.events_recorded,
        next_attempt_at: None,
    };
    let mut settlements = vec![];
    for (delivery, parsed) in claimed.iter().zip(parsed) {
        let mut outcomes: BTreeMap<Outcome, usize> = BTreeMap::new();
        let employee_ids = parsed.named();
        let end = match parsed {
            ParsedDelivery::Ended(end)
            | ParsedDelivery::AboutLinkedAccount { outcome: end, .. } => end,
            // Processed by itself, in slices.
            ParsedDelivery::Many(_) => continue,
            ParsedDelivery::Observations {
                observations,
                has_event_times,
                bad_entries,
            } => {
                let keys: BTreeSet<EmployeeKey> =
                    observations.iter().map(Observation::key).collect();
                for key in keys {
                    let caused = latest.get(&key) == Some(&delivery.id);
                    let ended = executed.outcomes.get(&key).copied();
                    let ended = ended.filter(|outcome| caused || !outcome.is_change());
                    let outcome = match effects.get(&(delivery.id, key)) {
                        Some(Effect::Changed) => ended.unwrap_or(Outcome::Kept),
                        Some(Effect::Stale) => Outcome::Stale,
                        Some(Effect::Unchanged) | None => Outcome::Unchanged,
                    };
                    *outcomes.entry(outcome).or_default() += 1;
                }
                processed(&outcomes, observations.len(), has_event_times, &bad_entries)
            }
        };
        let settled = SettledDelivery::new(delivery, &end, outcomes);
        batch.deliveries.push(settled);
        settlements.push(Settlement {
            id: delivery.id,
            end,
            employee_ids,
        });
    }
    (batch, settlements)
}

/// Returns the outcome of a delivery of which this many entries were read.
pub(super) fn processed(
    outcomes: &BTreeMap<Outcome, usize>,
    read: usize,
    has_event_times: bool,
    bad_entries: &BadEntries,
) -> DeliveryOutcome {
    let mut outcome: serde_json::Map<String, serde_json::Value> = outcomes
        .iter()
        .map(|(outcome, count)| (outcome.as_str().to_owned(), (*count).into()))
        .collect();
    let count = bad_entries.count();
    if count > 0 {
        outcome.insert("bad_entries".to_owned(), count.into());
    }
    let entries = read + count;
    DeliveryOutcome::Processed {
        outcome: outcome.into(),
        has_event_times,
        bad_entries: (count > 0)
            .then(|| bad_entries.describe(&format!("{count} of {entries} entries cannot be read"))),
    }
}

impl SettledDelivery {
    pub(super) fn new(
        delivery: &Delivery,
        end: &DeliveryOutcome,
        outcomes: BTreeMap<Outcome, usize>,
    ) -> Self {
        let (state, reason) = match end {
            DeliveryOutcome::Processed { bad_entries, .. } => ("processed", bad_entries.clone()),
            DeliveryOutcome::Ignored { reason, .. } => ("ignored", Some(reason.clone())),
            DeliveryOutcome::Failed { reason, .. } => ("failed", Some(reason.clone())),
        };
        Self {
            id: delivery.id,
            source: delivery.source.clone(),
            received_at: delivery.received_at,
            state,
            reason,
            outcomes,
        }
    }
}
