//! What a read of an API said, on the way that a delivery's facts go too: observe, decide, carry out. Whoever
//! calls it opens the transaction and commits it, together with what the read itself has to note.

use std::collections::BTreeMap;

use sqlx::PgConnection;

use super::act::{Ending, act};
use super::process::caught;
use super::{Memory, Worker, chain};
use crate::accounts::AccountsTable;
use crate::audit::Actor;
use crate::roster::{self, Effect, Observation};

/// What became of what a read said.
#[derive(Debug, Default)]
pub struct Learned {
    /// How many employees ended how.
    pub endings: BTreeMap<Ending, usize>,
    schedule_moved: bool,
    reads_due: bool,
}

impl Worker {
    /// The accounts table, as it is now or as remembered.
    ///
    /// # Errors
    /// Why it cannot be used, in words.
    pub(crate) async fn accounts_table(
        &self,
        memory: &mut Memory,
    ) -> Result<AccountsTable, String> {
        self.table(memory).await.map_err(|error| chain(&error))
    }

    /// Merges observations of one source into the roster and does what follows from them.
    ///
    /// # Errors
    /// Whatever the database says; the transaction must be rolled back then.
    pub(crate) async fn learn(
        &self,
        conn: &mut PgConnection,
        table: &AccountsTable,
        observations: &[Observation],
        actor: &Actor,
    ) -> Result<Learned, sqlx::Error> {
        let now = self.clock.now();
        let work = async {
            let observed = roster::observe(conn, observations, now).await?;
            let (newer, same): (Vec<_>, Vec<_>) = observed
                .into_iter()
                .partition(|observed| observed.effect == Effect::Newer);
            let mut learned = Learned::default();
            for observed in &same {
                let ending = match observed.effect {
                    Effect::Stale => Ending::Stale,
                    Effect::Same | Effect::Newer => Ending::Unchanged,
                };
                *learned.endings.entry(ending).or_default() += 1;
            }
            let newer = newer
                .into_iter()
                .map(|observed| observed.employee)
                .collect();
            let acted = act(conn, table, &self.rules, newer, actor, now).await?;
            for ending in acted.endings.values() {
                *learned.endings.entry(*ending).or_default() += 1;
            }
            learned.schedule_moved = acted.schedule_moved;
            learned.reads_due = acted.reads_due;
            Ok(learned)
        };
        caught(work).await
    }

    /// Tells the loops and the metrics, after the commit.
    pub(crate) fn tell(&self, source: &str, learned: &Learned) {
        for (ending, count) in &learned.endings {
            self.count(source, *ending, *count);
        }
        self.wake(learned.schedule_moved, learned.reads_due);
    }
}
