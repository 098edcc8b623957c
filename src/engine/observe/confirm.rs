//! Confirms the employees of whom a read repeats all facts, without writing their rows.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sqlx::{Connection, PgConnection};

use super::ApplyReport;
use crate::db::transaction::roll_back;
use crate::engine::Engine;
use crate::engine::execute::Outcome;
use crate::engine::failure::{Failure, run_catching};
use crate::roster::confirmations::{Confirmation, Known, Pages, store};
use crate::roster::{Effect, Observation, Observed};
use leaver_core::domain::EmployeeKey;

/// Smallest number of employees with the same times that are confirmed together. A row of fewer costs more than their rows.
const MIN_CONFIRMED: usize = 20;

/// The step that observations of a known employee require.
enum Required {
    /// Nothing. The older confirmation stays in effect.
    Nothing(Outcome),
    /// A confirmation.
    Confirmation(Confirmation),
    /// The usual way.
    Rest,
}

impl Engine {
    /// Confirms the employees of whom observations of one source and account repeat the known facts. Removes these
    /// observations from the list; the others must be applied.
    ///
    /// If that fails, or other transactions have locked employees for long, the list stays as it is.
    pub(crate) async fn confirm_unchanged(
        &self,
        observations: &mut Vec<Observation>,
    ) -> ApplyReport {
        if observations.len() < MIN_CONFIRMED {
            return ApplyReport::default();
        }
        let confirmed = run_catching(self.confirm_and_commit(observations));
        let confirmed = self.pool.with_silence_timeout(confirmed).await;
        // The usual way finds the cause again, and reports it.
        let Ok((rest, report)) = confirmed else {
            return ApplyReport::default();
        };
        let mut is_rest = rest.into_iter();
        observations.retain(|_| is_rest.next().unwrap_or(true));
        report
    }

    /// Returns which observations must be applied in the usual way, and the outcomes of the others.
    async fn confirm_and_commit(
        &self,
        observations: &[Observation],
    ) -> Result<(Vec<bool>, ApplyReport), Failure> {
        let mut conn = self.pool.acquire().await?;
        let mut tx = conn.begin().await?;
        match self.confirm(&mut tx, observations).await {
            Ok(confirmed) => {
                tx.commit().await?;
                Ok(confirmed)
            }
            Err(error) => {
                roll_back(tx).await;
                Err(error.into())
            }
        }
    }

    async fn confirm(
        &self,
        conn: &mut PgConnection,
        observations: &[Observation],
    ) -> Result<(Vec<bool>, ApplyReport), sqlx::Error> {
        let mut by_key: BTreeMap<EmployeeKey, Vec<usize>> = BTreeMap::new();
        for (index, observation) in observations.iter().enumerate() {
            by_key.entry(observation.key()).or_default().push(index);
        }
        let keys: Vec<EmployeeKey> = by_key.keys().cloned().collect();
        let now = self.clock.now();
        store::begin(conn).await?;
        let mut is_rest = vec![true; observations.len()];
        let mut report = ApplyReport::default();
        let mut pages = Pages::default();
        let mut confirmed: BTreeMap<Confirmation, Vec<(i64, EmployeeKey)>> = BTreeMap::new();
        for mut known in store::find(conn, &keys).await? {
            self.policies.forget_position(&mut known.employee);
            let indices = by_key.get(&known.employee.key).into_iter().flatten();
            let posted: Vec<&Observation> = indices
                .clone()
                .filter_map(|index| observations.get(*index))
                .collect();
            let (number, key, before) =
                (known.number, known.employee.key.clone(), known.confirmation);
            match self.required(known, &posted, now) {
                Required::Nothing(outcome) => {
                    *report.outcomes.entry(outcome).or_default() += 1;
                    indices.for_each(|index| is_rest[*index] = false);
                    if let Some(confirmation) = before {
                        pages.add(confirmation, number);
                    }
                }
                Required::Confirmation(confirmation) => {
                    confirmed
                        .entry(confirmation)
                        .or_default()
                        .push((number, key));
                }
                Required::Rest => {}
            }
        }
        confirmed.retain(|_, employees| employees.len() >= MIN_CONFIRMED);
        for (confirmation, employees) in confirmed {
            *report.outcomes.entry(Outcome::Unchanged).or_default() += employees.len();
            for (number, key) in employees {
                pages.add(confirmation, number);
                let indices = by_key.get(&key).into_iter().flatten();
                indices.for_each(|index| is_rest[*index] = false);
            }
        }
        if let Some(first) = observations.first().filter(|_| !pages.is_empty()) {
            let account = first.change.linked_account.as_deref().unwrap_or_default();
            store::insert(conn, &first.source, account, &pages, now).await?;
        }
        Ok((is_rest, report))
    }

    fn required(
        &self,
        known: Known,
        observations: &[&Observation],
        now: DateTime<Utc>,
    ) -> Required {
        let observed = Observed::new(known.employee, observations.iter().copied(), now);
        let outcome = match observed.effect {
            Effect::Changed | Effect::Unchanged => Outcome::Unchanged,
            Effect::Stale => Outcome::Stale,
        };
        if observed.effect != Effect::Changed && observed.employee == observed.previous {
            return Required::Nothing(outcome);
        }
        let [observation] = observations else {
            return Required::Rest;
        };
        let confirmation = Confirmation {
            as_of: observation.as_of,
            observed_at: observation.observed_at,
        };
        let mut expected = observed.previous.clone();
        confirmation.apply_to(&mut expected);
        // Where the time of a repeat can matter, it is recorded and evaluated.
        let is_exact = expected == observed.employee && observed.changes.is_empty();
        if is_exact && self.is_confirmation(&observed, now) {
            Required::Confirmation(confirmation)
        } else {
            Required::Rest
        }
    }
}
