//! Processes a delivery that names many employees, slice by slice in one transaction, so that memory does not grow with them.
//!
//! An employee is never divided between slices. Employees whose account would be changed, or who would be held, wait until the
//! facts of all slices are known: the record of another employment of the same person can be in another slice.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use sqlx::{Connection, PgConnection};

use super::batch::{Batch, SettledDelivery, processed};
use super::parse::{BadEntries, SLICE};
use crate::base::failpoints;
use crate::base::halves::Halves;
use crate::db::transaction::set_short_lock_timeout;
use crate::engine::accounts::AccountsTable;
use crate::engine::execute::{Outcome, execute};
use crate::engine::failure::run_catching;
use crate::engine::origin::Origin;
use crate::engine::policies::Policies;
use crate::engine::safeguard::Wanted;
use crate::engine::{Engine, Failure};
use crate::ingest::inbox::{self, Delivery, EmployeeIds, Settlement};
use crate::roster::observations::{self, FactChange};
use crate::roster::{self, Effect, Observation, Observed};
use leaver_core::domain::{Employee, EmployeeKey, SourceName};
use leaver_core::providers::Entries;

/// Time limit for splitting a slice that failed. The rows are locked meanwhile; employees that are left wait for the next attempt.
const SPLIT_LIMIT: Duration = Duration::from_secs(10);

/// A delivery with many employees, and how its decisions are executed.
#[derive(Clone, Copy)]
pub(super) struct ManyEmployees<'d> {
    pub(super) table: &'d AccountsTable,
    pub(super) policies: &'d Policies,
    pub(super) delivery: &'d Delivery,
    pub(super) entries: &'d Entries,
    pub(super) now: DateTime<Utc>,
    /// Executes what is possible, behind savepoints; without it all or nothing.
    pub(super) partially: Option<&'d Engine>,
    pub(super) has_short_waits: bool,
}

/// The outcomes of the employees of a delivery.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    /// Number of employees by outcome.
    pub(super) outcomes: BTreeMap<Outcome, usize>,
    /// Number of employees with a new fact.
    pub(super) changed: usize,
    /// Number of those for whom the decision was executed.
    pub(super) executed: usize,
    pub(super) schedule_changed: bool,
    pub(super) reads_pending: bool,
    /// True if an event was recorded for a destination.
    pub(super) events_recorded: bool,
    /// The first position of each employee who waits.
    pub(super) deferred: Vec<u32>,
    /// The changes that wait.
    pub(super) announced: Wanted,
}

/// Processes and settles a delivery.
///
/// # Errors
/// Returns the failure; the transaction must be rolled back then.
pub(super) async fn process(
    tx: &mut PgConnection,
    many: ManyEmployees<'_>,
) -> Result<Batch, Failure> {
    let (delivery, entries) = (many.delivery, many.entries);
    let tally = execute_all(tx, many).await?;
    let (first, more) = entries.bad_entries();
    let end = processed(
        &tally.outcomes,
        entries.count(),
        entries.has_event_times(),
        &BadEntries::new(first, more),
    );
    let settlement = Settlement {
        id: delivery.id,
        end,
        employee_ids: Some(EmployeeIds::of(entries.ids())),
    };
    let settled = SettledDelivery::new(delivery, &settlement.end, tally.outcomes);
    inbox::store::settle(tx, &[settlement], many.now).await?;
    Ok(Batch {
        deliveries: vec![settled],
        schedule_changed: tally.schedule_changed,
        reads_pending: tally.reads_pending,
        events_recorded: tally.events_recorded,
        next_attempt_at: None,
    })
}

/// Observes and executes all slices. The caller settles the delivery.
///
/// # Errors
/// Returns the failure; the transaction must be rolled back then.
pub(super) async fn execute_all(
    tx: &mut PgConnection,
    many: ManyEmployees<'_>,
) -> Result<Tally, Failure> {
    let Some(source) = many.policies.source_name(&many.delivery.source).cloned() else {
        return Ok(Tally::default());
    };
    let run = Run { many, source };
    let mut tally = Tally::default();
    let waiting = Origin::deliveries().deferring_changes();
    for slice in slices(many.entries, many.entries.employees()) {
        run.slice(tx, &slice, &waiting, &mut tally).await?;
        failpoints::reach("between_slices", []);
    }
    // No account was changed until now. The application may hold rows locked.
    if many.has_short_waits {
        set_short_lock_timeout(tx).await?;
    }
    let deferred = std::mem::take(&mut tally.deferred);
    let employees = deferred.into_iter().map(|first| {
        let first = usize::try_from(first).unwrap_or(usize::MAX);
        many.entries.employee_at(first)
    });
    for slice in slices(many.entries, employees) {
        // The safeguard admits or holds the changes of all slices together.
        let origin = Origin::deliveries().announcing(tally.announced.clone());
        run.slice(tx, &slice, &origin, &mut tally).await?;
        failpoints::reach("between_slices", []);
    }
    Ok(tally)
}

/// Joins the positions of employees into slices of at most [`SLICE`] entries. An employee with more is a slice alone.
fn slices(
    entries: &Entries,
    employees: impl Iterator<Item = Range<usize>>,
) -> impl Iterator<Item = Vec<Range<usize>>> {
    let mut employees = employees.peekable();
    std::iter::from_fn(move || {
        let mut slice = vec![employees.next()?];
        let mut count = slice.iter().map(|e| entries.entries_at(e)).sum::<usize>();
        while let Some(next) = employees.next_if(|e| count + entries.entries_at(e) <= SLICE) {
            count += entries.entries_at(&next);
            slice.push(next);
        }
        Some(slice)
    })
}

impl Tally {
    /// Adds changes that wait, or removes those that are decided.
    fn announce(&mut self, wanted: Wanted, origin: &Origin) {
        for (scope, accounts) in wanted {
            let announced = self.announced.entry(scope).or_default();
            if origin.defers_changes {
                announced.extend(accounts);
            } else {
                announced.retain(|account| !accounts.contains(account));
            }
        }
    }
}

struct Run<'d> {
    many: ManyEmployees<'d>,
    source: SourceName,
}

impl Run<'_> {
    /// Processes one slice. If only a part is to be executed, employees that fail alone are left out.
    async fn slice(
        &self,
        tx: &mut PgConnection,
        slice: &[Range<usize>],
        origin: &Origin,
        tally: &mut Tally,
    ) -> Result<(), Failure> {
        if self.many.partially.is_none() {
            return self.execute(tx, slice, origin, tally).await;
        }
        let until = Instant::now() + SPLIT_LIMIT;
        let mut halves = Halves::new(slice.to_vec());
        while let Some(part) = halves.next() {
            if part.len() < slice.len() && Instant::now() > until {
                tally.changed += part.len();
                continue;
            }
            let mut savepoint = tx.begin().await?;
            let mut with_part = tally.clone();
            match run_catching(self.execute(&mut savepoint, &part, origin, &mut with_part)).await {
                Ok(()) => {
                    savepoint.commit().await?;
                    *tally = with_part;
                }
                Err(failure) if failure.is_outage() => return Err(failure),
                Err(_) => {
                    savepoint.rollback().await?;
                    let alone = halves.split(part);
                    tally.changed += alone.map_or(0, |alone| alone.len());
                }
            }
        }
        Ok(())
    }

    async fn execute(
        &self,
        tx: &mut PgConnection,
        slice: &[Range<usize>],
        origin: &Origin,
        tally: &mut Tally,
    ) -> Result<(), Failure> {
        let parts = self.parts(slice);
        // The observations of such an employee are stored while they are merged, so nothing of it can wait.
        let at_once = Origin::deliveries();
        let origin = if parts.len() > 1 { &at_once } else { origin };
        let observed = self.observe(tx, parts, origin).await?;
        let delivery = &self.many.delivery;
        failpoints::reach("mid_batch", [&delivery.body[..]]);
        let mut employees: Vec<Employee> = vec![];
        let mut changes: Vec<(EmployeeKey, Vec<FactChange>)> = vec![];
        for observed in observed {
            let outcome = match observed.effect {
                Effect::Changed => {
                    changes.push((observed.employee.key.clone(), observed.changes));
                    employees.push(observed.employee);
                    continue;
                }
                Effect::Stale => Outcome::Stale,
                Effect::Unchanged => Outcome::Unchanged,
            };
            *tally.outcomes.entry(outcome).or_default() += 1;
        }
        if employees.is_empty() {
            return Ok(());
        }
        let Executed { outcomes, deferred } = self.decide(tx, employees, origin, tally).await?;
        changes.retain(|(key, _)| outcomes.contains_key(key));
        let changes: Vec<(&EmployeeKey, &FactChange)> = changes
            .iter()
            .flat_map(|(key, changes)| changes.iter().map(move |change| (key, change)))
            .collect();
        let via = origin.cause.as_str();
        observations::store::insert(tx, &changes, via, self.many.now).await?;
        tally.changed += outcomes.len();
        tally.executed += outcomes.len();
        for outcome in outcomes.into_values() {
            *tally.outcomes.entry(outcome).or_default() += 1;
        }
        let first = |key: &EmployeeKey| self.many.entries.find(key.employee_id.as_str());
        let deferred = deferred.iter().filter_map(first);
        let deferred = deferred.filter_map(|first| u32::try_from(first).ok());
        tally.deferred.extend(deferred);
        Ok(())
    }

    /// Divides an employee with more entries than a slice has. Other slices are one part.
    fn parts(&self, slice: &[Range<usize>]) -> Vec<Vec<Range<usize>>> {
        match slice {
            [employee] => {
                let parts = self.many.entries.parts(employee.clone(), SLICE);
                parts.map(|part| vec![part]).collect()
            }
            several => vec![several.to_vec()],
        }
    }

    async fn observe(
        &self,
        tx: &mut PgConnection,
        parts: Vec<Vec<Range<usize>>>,
        origin: &Origin,
    ) -> Result<Vec<Observed>, sqlx::Error> {
        let sharing = self.many.policies.sharing(self.many.table);
        let mut all: Vec<Observed> = vec![];
        let count = parts.len();
        for (n, part) in (1..).zip(parts) {
            let observations: Vec<Observation> = self.observations(part).collect();
            match all.first_mut() {
                None => all = roster::observe(tx, &observations, &sharing, self.many.now).await?,
                Some(employee) => employee.merge(&observations, self.many.now),
            }
            if n < count {
                let changes = observations::of(&all);
                let via = origin.cause.as_str();
                observations::store::insert(tx, &changes, via, self.many.now).await?;
                for observed in &mut all {
                    observed.changes.clear();
                }
            }
        }
        Ok(all)
    }

    fn observations(&self, part: Vec<Range<usize>>) -> impl Iterator<Item = Observation> {
        let delivery = self.many.delivery;
        let changes = part
            .into_iter()
            .flat_map(|positions| self.many.entries.changes(positions));
        changes.map(|change| {
            Observation::new(
                self.source.clone(),
                change,
                delivery.signed_at,
                delivery.received_at,
                Some(delivery.id),
            )
        })
    }

    async fn decide(
        &self,
        tx: &mut PgConnection,
        employees: Vec<Employee>,
        origin: &Origin,
        tally: &mut Tally,
    ) -> Result<Executed, Failure> {
        let ManyEmployees {
            table,
            policies,
            now,
            ..
        } = self.many;
        let Some(engine) = self.many.partially else {
            let executing = execute(tx, table, policies, employees, origin, now);
            let report = Box::pin(executing).await?;
            tally.schedule_changed |= report.schedule_changed;
            tally.reads_pending |= report.reads_pending;
            tally.events_recorded |= report.events_recorded;
            tally.announce(report.wanted, origin);
            return Ok(Executed {
                outcomes: report.outcomes,
                deferred: report.deferred,
            });
        };
        let count = employees.len();
        let executed = engine.execute_partially(tx, table, employees, origin, now);
        let executed = Box::pin(executed).await?;
        let done = executed.outcomes.len() + executed.deferred.len();
        tally.events_recorded |= executed.events_recorded;
        match executed.failure {
            // Its observations are stored already.
            Some(failure) if done == 0 => Err(failure),
            _ => {
                tally.changed += count - done;
                Ok(Executed {
                    outcomes: executed.outcomes,
                    deferred: executed.deferred,
                })
            }
        }
    }
}

/// The executed part of a slice.
struct Executed {
    outcomes: HashMap<EmployeeKey, Outcome>,
    deferred: Vec<EmployeeKey>,
}
