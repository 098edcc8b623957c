//! The roster: what is known of each employee, merged from all sources. Newer facts win, fact by fact, so arrival order
//! does not matter and a repeated change has no effect.
//!
//! It stores only what the rules need, and decides nothing.

pub(crate) mod confirmations;
pub(crate) mod due;
pub(crate) mod linked_accounts;
pub(crate) mod missing;
pub(crate) mod observations;
pub mod pending_reads;
pub(crate) mod scan;
pub(crate) mod sharing;
pub(crate) mod sizes;
pub mod store;
pub(crate) mod sync_state;
pub(crate) mod facts_json;
mod position;
mod row;

use std::borrow::Cow;
use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgConnection;

use self::observations::FactChange;
use self::sharing::Sharing;
use leaver_core::domain::{
    ChangeKind, DeliveryId, Employee, EmployeeChange, EmployeeKey, Fact, Facts, Field, SourceName,
    Status, is_older, is_same_moment,
};

/// A change with its source and its times, ready to be merged.
#[derive(Clone, Debug)]
pub struct Observation {
    /// The source.
    pub source: SourceName,
    /// The change.
    pub change: EmployeeChange,
    /// When it became true: the event's own time, else the signed time, else the time of arrival.
    pub as_of: DateTime<Utc>,
    /// When it was observed.
    pub observed_at: DateTime<Utc>,
    /// The delivery that carried it; `None` for an API read.
    pub delivery: Option<DeliveryId>,
}

impl Observation {
    /// Creates an observation; `fallback` is its `as_of` if the change has no time of its own.
    #[must_use]
    pub fn new(
        source: SourceName,
        change: EmployeeChange,
        fallback: Option<DateTime<Utc>>,
        observed_at: DateTime<Utc>,
        delivery: Option<DeliveryId>,
    ) -> Self {
        // A time in the future counts as the arrival: otherwise one fast clock would make later changes look old.
        let as_of = change
            .as_of
            .or(fallback)
            .unwrap_or(observed_at)
            .min(observed_at);
        Self {
            source,
            change,
            as_of,
            observed_at,
            delivery,
        }
    }

    /// Returns the latest moment that `as_of` can stand for: a time in whole seconds stands for any moment of that
    /// second, up to the observation.
    // BambooHR's times are whole seconds; the beginning of a read has microseconds.
    fn latest_as_of(&self) -> DateTime<Utc> {
        if self.as_of.timestamp_subsec_nanos() != 0 {
            return self.as_of;
        }
        let end_of_second = self.as_of + TimeDelta::microseconds(999_999);
        end_of_second.min(self.observed_at).max(self.as_of)
    }

    /// Returns the key of the employee.
    #[must_use]
    pub fn key(&self) -> EmployeeKey {
        EmployeeKey {
            source: self.source.clone(),
            tenant: self.change.tenant.clone(),
            employee_id: self.change.employee_id.clone(),
        }
    }
}

/// The effect of an observation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effect {
    /// All its facts were known.
    Unchanged,
    /// It is older than the known facts.
    Stale,
    /// It brought a new fact.
    Changed,
}

/// An employee after the observations of a slice.
#[derive(Clone, Debug)]
pub(crate) struct Observed {
    /// The merged employee. The row is locked until the transaction ends.
    pub employee: Employee,
    /// The employee before the merge.
    pub previous: Employee,
    /// The strongest effect among the observations.
    pub effect: Effect,
    /// The deliveries of the observations, each with its strongest effect.
    pub by_delivery: Vec<(Option<DeliveryId>, Effect)>,
    /// The facts that the observations changed, one after the other.
    pub changes: Vec<FactChange>,
}

/// Merges a slice of observations, with at most four statements whatever its length.
///
/// Locks the rows of all employees concerned, and of employees who share an account with one of them. The merged employees
/// are in memory only; [`store::save`] writes them together with the decision, and [`observations::store::insert`] records
/// what changed.
///
/// # Errors
/// Returns the database's error; nothing was written then.
pub(crate) async fn observe<'o>(
    conn: &mut PgConnection,
    observations: impl IntoIterator<Item = &'o Observation>,
    sharing: &Sharing,
    now: DateTime<Utc>,
) -> Result<Vec<Observed>, sqlx::Error> {
    let mut by_key: BTreeMap<EmployeeKey, Vec<&Observation>> = BTreeMap::new();
    for observation in observations {
        by_key
            .entry(observation.key())
            .or_default()
            .push(observation);
    }
    let keys: Vec<EmployeeKey> = by_key.keys().cloned().collect();
    let employees = store::lock(conn, &keys, sharing, now).await?;
    Ok(employees
        .into_iter()
        .map(|employee| {
            let observations = by_key.remove(&employee.key).unwrap_or_default();
            Observed::new(employee, observations, now)
        })
        .collect())
}

impl Observed {
    /// Merges observations into an employee.
    pub(crate) fn new<'o>(
        employee: Employee,
        observations: impl IntoIterator<Item = &'o Observation>,
        now: DateTime<Utc>,
    ) -> Self {
        let mut observed = Self {
            previous: employee.clone(),
            employee,
            effect: Effect::Unchanged,
            by_delivery: vec![],
            changes: vec![],
        };
        observed.merge(observations, now);
        observed
    }

    /// Merges further observations of the employee.
    pub(crate) fn merge<'o>(
        &mut self,
        observations: impl IntoIterator<Item = &'o Observation>,
        now: DateTime<Utc>,
    ) {
        let mut before = match self.by_delivery.as_slice() {
            [] => Cow::Borrowed(&self.previous),
            _ => Cow::Owned(self.employee.clone()),
        };
        for observation in observations {
            let effect = merge(&mut self.employee, observation);
            self.effect = self.effect.max(effect);
            match self.by_delivery.last_mut() {
                Some((delivery, strongest)) if *delivery == observation.delivery => {
                    *strongest = (*strongest).max(effect);
                }
                _ => self.by_delivery.push((observation.delivery, effect)),
            }
            if effect == Effect::Changed {
                let change = FactChange::between(&before, &self.employee, observation);
                self.changes.extend(change);
                before = Cow::Owned(self.employee.clone());
            }
        }
        if !self.employee.has_same_listed_values(&self.previous) {
            self.employee.modified_at = Some(now);
        }
    }
}

/// Merges one observation into an employee. The same observations in any order give the same facts.
pub fn merge(employee: &mut Employee, observation: &Observation) -> Effect {
    let at = Times {
        as_of: observation.as_of,
        observed_at: observation.observed_at,
    };
    let facts = &observation.change.facts;
    let effects = [
        merge_status_changed(employee, facts),
        merge_fact(&mut employee.status, &facts.status, at),
        merge_fact(
            &mut employee.employment_status,
            &facts.employment_status,
            at,
        ),
        merge_fact(&mut employee.hire_date, &facts.hire_date, at),
        merge_fact(&mut employee.termination_date, &facts.termination_date, at),
        merge_fact(&mut employee.work_email, &facts.work_email, at),
        merge_fact(
            &mut employee.deleted,
            &Field::Value(observation.change.kind == ChangeKind::Deleted),
            at,
        ),
        position::merge(employee, facts, at),
        merge_unreadable(employee, facts, at),
        merge_read_due(employee, observation),
        merge_presence(employee, observation),
    ];
    let effect = effects.into_iter().max().unwrap_or(Effect::Unchanged);
    if effect == Effect::Changed {
        employee.last_delivery_id = observation.delivery.or(employee.last_delivery_id);
    }
    effect
}

/// Records that the status changed: the observation reports it, or its status differs from the known one.
// An older status that arrives late counts too, since it is the one that changed.
fn merge_status_changed(employee: &mut Employee, facts: &Facts) -> Effect {
    let differs = |known: &Fact<Status>| known.value.as_ref() != facts.status.value();
    let changed = !matches!(facts.status, Field::Absent | Field::Unreadable)
        && (facts.status_changed || employee.status.as_ref().is_some_and(differs));
    if employee.status_changed || !changed {
        return Effect::Unchanged;
    }
    employee.status_changed = true;
    Effect::Changed
}

#[derive(Clone, Copy)]
struct Times {
    as_of: DateTime<Utc>,
    observed_at: DateTime<Utc>,
}

/// Merges one fact. Facts of the same moment are ordered by value, so the result does not depend on arrival order: of a
/// whole second and a read within it, either can be the later one. A repeated fact keeps its first `observed_at`.
fn merge_fact<T: Clone + Ord>(known: &mut Option<Fact<T>>, posted: &Field<T>, at: Times) -> Effect {
    let value = match posted {
        Field::Absent | Field::Unreadable => return Effect::Unchanged,
        Field::Empty => None,
        Field::Value(value) => Some(value.clone()),
    };
    if let Some(fact) = known {
        if is_older(at.as_of, fact.as_of) {
            return Effect::Stale;
        }
        let ordered = (&value, at.as_of, fact.observed_at);
        let is_greater = ordered > (&fact.value, fact.as_of, at.observed_at);
        if is_same_moment(at.as_of, fact.as_of) && !is_greater {
            return Effect::Unchanged;
        }
    }
    *known = Some(Fact {
        value,
        as_of: at.as_of,
        observed_at: at.observed_at,
    });
    Effect::Changed
}

/// Records which facts have a value that cannot be read, until a value that is not older is known.
fn merge_unreadable(employee: &mut Employee, facts: &Facts, at: Times) -> Effect {
    fn merge_one<T, U>(
        unreadable: &mut Option<DateTime<Utc>>,
        posted: &Field<T>,
        known: Option<&Fact<U>>,
        at: Times,
    ) -> Effect {
        let before = *unreadable;
        let is_unreadable = matches!(posted, Field::Unreadable);
        if is_unreadable {
            *unreadable = before.max(Some(at.as_of));
        }
        if let (Some(fact), Some(since)) = (known, *unreadable)
            && !is_older(fact.as_of, since)
        {
            *unreadable = None;
        }
        match *unreadable == before {
            false => Effect::Changed,
            true if is_unreadable && before != Some(at.as_of) => Effect::Stale,
            true => Effect::Unchanged,
        }
    }
    let unreadable = &mut employee.unreadable;
    let (status, hire_date) = (employee.status.as_ref(), employee.hire_date.as_ref());
    let termination_date = employee.termination_date.as_ref();
    [
        merge_one(&mut unreadable.status, &facts.status, status, at),
        merge_one(
            &mut unreadable.employment_status,
            &facts.employment_status,
            employee.employment_status.as_ref(),
            at,
        ),
        merge_one(&mut unreadable.hire_date, &facts.hire_date, hire_date, at),
        merge_one(
            &mut unreadable.termination_date,
            &facts.termination_date,
            termination_date,
            at,
        ),
    ]
    .into_iter()
    .max()
    .unwrap_or(Effect::Unchanged)
}

/// Records that the HR system has the record, and the linked account through which it was reported.
fn merge_presence(employee: &mut Employee, observation: &Observation) -> Effect {
    let mut effect = Effect::Unchanged;
    // A replayed delivery arrived before the read that missed the record.
    if employee
        .missing_since
        .is_some_and(|since| since < observation.observed_at)
    {
        employee.missing_since = None;
        effect = Effect::Changed;
    }
    let is_older = employee
        .status
        .as_ref()
        .is_some_and(|fact| is_older(observation.as_of, fact.as_of));
    let linked_account = observation.change.linked_account.as_ref();
    if !is_older
        && linked_account.is_some()
        && employee.linked_account_id.as_ref() != linked_account
    {
        employee.linked_account_id = linked_account.cloned();
        effect = Effect::Changed;
    }
    effect
}

/// Records that a change without values needs a read, until a newer status arrives.
// It must be newer than the latest moment of the change: a read of the same second can precede the change, and another status
// of that second may replace it. A
// deletion ends no read: `pending_reads::for_employee` ignores the read while the deletion is newer.
fn merge_read_due(employee: &mut Employee, observation: &Observation) -> Effect {
    let change = &observation.change;
    let status_as_of = employee.status.as_ref().map(|fact| fact.as_of);
    let mut effect = Effect::Unchanged;
    if change.notification_only && change.kind == ChangeKind::Updated {
        let latest = observation.latest_as_of();
        if status_as_of.is_some_and(|at| is_older(latest, at)) {
            return Effect::Stale;
        }
        if employee.values_pending_since < Some(latest) {
            employee.values_pending_since = Some(latest);
            effect = Effect::Changed;
        }
    }
    if let (Some(since), Some(at)) = (employee.values_pending_since, status_as_of)
        && is_older(since, at)
    {
        employee.values_pending_since = None;
        employee.read_failed = None;
    }
    effect
}

#[cfg(test)]
#[expect(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up should fail"
)]
mod tests;
