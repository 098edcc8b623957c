//! What we know of each employee, whoever said it. Newer facts win, fact by fact, so the order in which
//! changes arrive does not matter and the same change twice changes nothing.
//!
//! It keeps what the rules need and nothing else, and decides nothing.

pub mod listing;
pub mod pending_reads;
pub mod scan;
pub mod store;
pub mod sync_state;
mod facts_json;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use leaver_core::domain::{
    ChangeKind, DeliveryId, Employee, EmployeeChange, EmployeeKey, Fact, Facts, Field, SourceName,
    Status,
};

/// A change with its sender and its times, ready to be merged.
#[derive(Clone, Debug)]
pub struct Observation {
    /// Who told us.
    pub source: SourceName,
    /// What was said.
    pub change: EmployeeChange,
    /// When it was so: the sender's own time, else the time it signed, else the time of arrival.
    pub as_of: DateTime<Utc>,
    /// When we learned it.
    pub seen_at: DateTime<Utc>,
    /// The delivery that said it.
    pub delivery: Option<DeliveryId>,
}

impl Observation {
    /// Resolves the time of a change. A time ahead of its arrival counts as the arrival, since otherwise
    /// one bad clock would make every later change look old.
    #[must_use]
    pub fn new(
        source: SourceName,
        change: EmployeeChange,
        fallback: Option<DateTime<Utc>>,
        seen_at: DateTime<Utc>,
        delivery: Option<DeliveryId>,
    ) -> Self {
        let as_of = change.as_of.or(fallback).unwrap_or(seen_at).min(seen_at);
        Self {
            source,
            change,
            as_of,
            seen_at,
            delivery,
        }
    }

    /// Whom it is about.
    #[must_use]
    pub fn key(&self) -> EmployeeKey {
        EmployeeKey {
            source: self.source.clone(),
            tenant: self.change.tenant.clone(),
            employee_id: self.change.employee_id.clone(),
        }
    }
}

/// What became of an observation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effect {
    /// Everything in it was known already.
    Unchanged,
    /// It is older than what is known.
    Stale,
    /// It said something new.
    Changed,
}

/// An employee as known after the observations of a slice.
#[derive(Clone, Debug)]
pub struct Observed {
    /// The merged entry; its row is locked until the transaction ends.
    pub employee: Employee,
    /// The entry as it was before.
    pub previous: Employee,
    /// The strongest effect that an observation of the slice had on it.
    pub effect: Effect,
    /// The observations of the slice about this employee, by delivery, with the effect of each.
    pub by_delivery: Vec<(Option<DeliveryId>, Effect)>,
}

/// Merges a slice of observations into the roster: two statements, whatever the length of the slice.
///
/// The rows of everybody concerned are locked, in key order, and with them those of whoever in `sources` shares an account
/// with one of them; the merged entries are in memory only, to be written by [`store::save`] together with what is
/// decided about them.
///
/// # Errors
/// Whatever the database says.
pub async fn observe(
    conn: &mut PgConnection,
    observations: &[Observation],
    sources: &[SourceName],
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
    let employees = store::lock(conn, &keys, sources, now).await?;
    Ok(employees
        .into_iter()
        .map(|mut employee| {
            let said = by_key.remove(&employee.key).unwrap_or_default();
            let before = employee.clone();
            let by_delivery: Vec<_> = said
                .into_iter()
                .map(|observation| (observation.delivery, merge(&mut employee, observation)))
                .collect();
            let effect = by_delivery.iter().map(|(_, effect)| *effect).max();
            Observed {
                employee,
                previous: before,
                effect: effect.unwrap_or(Effect::Unchanged),
                by_delivery,
            }
        })
        .collect())
}

/// Merges one observation into one entry. Any order of the same observations gives the same facts.
pub fn merge(employee: &mut Employee, observation: &Observation) -> Effect {
    let at = Times {
        as_of: observation.as_of,
        seen_at: observation.seen_at,
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
        merge_fact(&mut employee.hire, &facts.hire, at),
        merge_fact(&mut employee.termination, &facts.termination, at),
        merge_fact(&mut employee.work_email, &facts.work_email, at),
        merge_fact(
            &mut employee.removed,
            &Field::Value(observation.change.kind == ChangeKind::Deleted),
            at,
        ),
        merge_read_due(employee, observation),
    ];
    let effect = effects.into_iter().max().unwrap_or(Effect::Unchanged);
    if effect == Effect::Changed {
        employee.delivery = observation.delivery.or(employee.delivery);
    }
    effect
}

/// Told of a change, or saw two statuses. An older status that comes late is the one it changed from, so it
/// counts too; two statuses make a change whichever of them is the present one.
fn merge_status_changed(employee: &mut Employee, facts: &Facts) -> Effect {
    let differs = |known: &Fact<Status>| known.value.as_ref() != facts.status.value();
    let changed = facts.status != Field::Absent
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
    seen_at: DateTime<Utc>,
}

/// Of two facts of the same moment the greater one wins, so the result does not depend on which came first.
/// Of the same fact twice it counts when we first learned it.
fn merge_fact<T: Clone + Ord>(known: &mut Option<Fact<T>>, posted: &Field<T>, at: Times) -> Effect {
    let value = match posted {
        Field::Absent => return Effect::Unchanged,
        Field::Empty => None,
        Field::Value(value) => Some(value.clone()),
    };
    match known {
        Some(fact) if at.as_of < fact.as_of => return Effect::Stale,
        Some(fact) if at.as_of == fact.as_of && value < fact.value => return Effect::Unchanged,
        Some(fact)
            if at.as_of == fact.as_of && value == fact.value && at.seen_at >= fact.seen_at =>
        {
            return Effect::Unchanged;
        }
        _ => {}
    }
    *known = Some(Fact {
        value,
        as_of: at.as_of,
        seen_at: at.seen_at,
    });
    Effect::Changed
}

/// A change without values asks for a read; a newer status answers. One of the same second may be from before
/// the change, so it does not; nor does a removal, which speaks for itself while it stands.
fn merge_read_due(employee: &mut Employee, observation: &Observation) -> Effect {
    let change = &observation.change;
    let answered_at = employee.status.as_ref().map(|fact| fact.as_of);
    let mut effect = Effect::Unchanged;
    if change.notification_only && change.kind == ChangeKind::Updated {
        if answered_at.is_some_and(|at| at > observation.as_of) {
            return Effect::Stale;
        }
        if employee.read_due < Some(observation.as_of) {
            employee.read_due = Some(observation.as_of);
            effect = Effect::Changed;
        }
    }
    if employee.read_due < answered_at {
        employee.read_due = None;
    }
    effect
}

#[cfg(test)]
#[expect(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up should fail"
)]
mod tests;
