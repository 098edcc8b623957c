//! What a read of an API said, on the way that a delivery's facts go too: observe, decide, carry out. Whoever
//! calls it opens the transaction and commits it, together with what the read itself has to note.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sqlx::{Connection, PgConnection};

use super::Engine;
use super::execute::{Outcome, act};
use crate::db::error::{chain, redacted_message};
use crate::db::error::{is_locked_out, is_outage};
use crate::db::transaction::{roll_back, set_lock_timeout};
use crate::engine::accounts::AccountsTable;
use crate::engine::audit::Actor;
use crate::jobs::deliveries::LoopState;
use crate::jobs::deliveries::batch::catch_panic;
use crate::roster::{self, Effect, Observation, Observed};
use leaver_core::decision::assess::assess;
use leaver_core::domain::Employee;

/// So many employees of one slice may fail one by one; more of them are one trouble and not many.
const MOST_FAILURES: usize = 10;

/// What became of what a read said.
#[derive(Debug, Default)]
pub struct ApplyReport {
    /// How many employees ended how.
    pub outcomes: BTreeMap<Outcome, usize>,
    schedule_moved: bool,
    reads_pending: bool,
}

/// What became of a slice that was taken in piece by piece.
#[derive(Debug, Default)]
pub(crate) struct ApplyResult {
    /// How many employees ended how.
    pub(crate) outcomes: BTreeMap<Outcome, usize>,
    /// For how many employees nothing could be done, by cause.
    pub(crate) failed: BTreeMap<String, usize>,
    /// Why the rest of the slice was not tried; `None` when all of it was.
    pub(crate) ended: Option<String>,
}

impl Engine {
    /// The accounts table, as it is now or as remembered.
    ///
    /// # Errors
    /// Why it cannot be used, in words.
    pub(crate) async fn accounts_table(
        &self,
        memory: &mut LoopState,
    ) -> Result<AccountsTable, String> {
        self.table(memory).await.map_err(|error| chain(&error))
    }

    /// Merges observations of one source into the roster and does what follows from them.
    ///
    /// # Errors
    /// Whatever the database says; the transaction must be rolled back then.
    pub(crate) async fn apply_observations(
        &self,
        conn: &mut PgConnection,
        table: &AccountsTable,
        observations: &[Observation],
        actor: &Actor,
    ) -> Result<ApplyReport, sqlx::Error> {
        let now = self.clock.now();
        let work = async {
            let observed = roster::observe(conn, observations, &self.rules.names(), now).await?;
            let (newer, same): (Vec<_>, Vec<_>) = observed
                .into_iter()
                .partition(|observed| observed.effect == Effect::Changed);
            let mut learned = ApplyReport::default();
            for observed in &same {
                let outcome = match observed.effect {
                    Effect::Stale => Outcome::Stale,
                    Effect::Unchanged | Effect::Changed => Outcome::Unchanged,
                };
                *learned.outcomes.entry(outcome).or_default() += 1;
            }
            let (confirmed, newer): (Vec<_>, Vec<_>) = newer
                .into_iter()
                .partition(|observed| self.is_confirmation(observed, now));
            if !confirmed.is_empty() {
                *learned.outcomes.entry(Outcome::Unchanged).or_default() += confirmed.len();
                let confirmed: Vec<Employee> = confirmed
                    .into_iter()
                    .map(|observed| observed.employee)
                    .collect();
                roster::store::save(conn, &confirmed, now).await?;
            }
            if newer.is_empty() {
                return Ok(learned);
            }
            let newer = newer
                .into_iter()
                .map(|observed| observed.employee)
                .collect();
            let acted = act(conn, table, &self.rules, newer, actor, now).await?;
            for outcome in acted.outcomes.values() {
                *learned.outcomes.entry(*outcome).or_default() += 1;
            }
            learned.schedule_moved = acted.schedule_moved;
            learned.reads_pending = acted.reads_pending;
            Ok(learned)
        };
        catch_panic(work).await
    }

    /// Whether a read says again what is known, and the rules conclude from it what they did: then nothing follows.
    /// Access that somebody has given back meanwhile is drift's matter, not that of the next read.
    fn is_confirmation(&self, observed: &Observed, now: DateTime<Utc>) -> bool {
        let (before, after) = (&observed.previous, &observed.employee);
        let policy = self.rules.policy(&after.key.source);
        after.has_same_values(before)
            && policy
                .is_some_and(|policy| assess(policy, before, now) == assess(policy, after, now))
    }

    /// Takes a slice of observations of one source in: at once, and after a failure in halves, each in a transaction
    /// of its own, so that one employee for whom nothing can be done does not hold up the others.
    pub(crate) async fn apply_in_chunks(
        &self,
        memory: &mut LoopState,
        source: &str,
        observations: Vec<Observation>,
        actor: &Actor,
    ) -> ApplyResult {
        let mut taken = ApplyResult::default();
        let mut left = vec![observations];
        while let Some(mut slice) = left.pop() {
            let table = match self.accounts_table(memory).await {
                Ok(table) => table,
                Err(reason) => {
                    taken.ended = Some(reason);
                    break;
                }
            };
            let learned = self.apply_and_commit(&table, &slice, actor);
            match self.pool.heard(learned).await {
                Ok(learned) => {
                    self.tell(source, &learned);
                    for (outcome, count) in learned.outcomes {
                        *taken.outcomes.entry(outcome).or_default() += count;
                    }
                }
                Err(error) => {
                    // A cached plan or a mapping may be out of date; looking again is cheap and heals it.
                    *memory = LoopState::default();
                    let failed = taken.failed.values().sum::<usize>();
                    if is_outage(&error) || is_locked_out(&error) || failed >= MOST_FAILURES {
                        taken.ended = Some(format!("our database: {}", chain(&error)));
                        break;
                    }
                    if slice.len() > 1 {
                        left.push(slice.split_off(slice.len() / 2));
                        left.push(slice);
                    } else {
                        *taken.failed.entry(redacted_message(&error)).or_default() += 1;
                    }
                }
            }
        }
        taken
    }

    async fn apply_and_commit(
        &self,
        table: &AccountsTable,
        observations: &[Observation],
        actor: &Actor,
    ) -> Result<ApplyReport, sqlx::Error> {
        let mut conn = self.pool.acquire().await?;
        let mut tx = conn.begin().await?;
        set_lock_timeout(&mut tx).await?;
        match self
            .apply_observations(&mut tx, table, observations, actor)
            .await
        {
            Ok(learned) => tx.commit().await.map(|()| learned),
            Err(error) => {
                roll_back(tx).await;
                Err(error)
            }
        }
    }

    /// Tells the loops and the metrics, after the commit.
    pub(crate) fn tell(&self, source: &str, learned: &ApplyReport) {
        for (outcome, count) in &learned.outcomes {
            self.count(source, *outcome, *count);
        }
        self.wake(learned.schedule_moved, learned.reads_pending);
    }
}
