//! Confirmations: a read repeated all facts of an employee. One bit per employee is stored, and the row is not written again.
//!
//! A confirmation applies to the facts that were known when it was made. Facts that are written later end it.

pub(crate) mod store;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use leaver_core::domain::{Employee, Fact, PositionFact};

/// Number of employees whose bits one row has.
const PAGE_SIZE: i64 = 2048;
/// Bytes of one row of bits.
const PAGE_BYTES: usize = 256;

/// The times of a read that repeated known facts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Confirmation {
    /// When the values were true.
    pub(crate) as_of: DateTime<Utc>,
    /// When they were received.
    pub(crate) observed_at: DateTime<Utc>,
}

/// A known employee, with the number of the row and the confirmation that is part of its facts.
#[derive(Debug)]
pub(crate) struct Known {
    /// The employee, with the times of the confirmation.
    pub(crate) employee: Employee,
    /// The number of the row.
    pub(crate) number: i64,
    /// The confirmation of the stored facts.
    pub(crate) confirmation: Option<Confirmation>,
}

/// Bits of employees, by confirmation and page.
#[derive(Debug, Default)]
pub(crate) struct Pages(BTreeMap<(Confirmation, i64), Vec<u8>>);

impl Confirmation {
    /// Sets both times of each known fact whose `as_of` is earlier.
    pub(crate) fn apply_to(self, employee: &mut Employee) {
        self.confirm(&mut employee.status);
        self.confirm(&mut employee.employment_status);
        self.confirm(&mut employee.hire_date);
        self.confirm(&mut employee.termination_date);
        self.confirm(&mut employee.work_email);
        self.confirm(&mut employee.deleted);
        for fact in PositionFact::ALL {
            self.confirm(employee.position.get_mut(*fact));
        }
    }

    fn confirm<T>(self, fact: &mut Option<Fact<T>>) {
        if let Some(fact) = fact
            && fact.as_of < self.as_of
        {
            fact.as_of = self.as_of;
            fact.observed_at = self.observed_at;
        }
    }
}

impl Pages {
    /// Adds an employee by the number of the row.
    pub(crate) fn add(&mut self, confirmation: Confirmation, number: i64) {
        let (page, offset) = (number.div_euclid(PAGE_SIZE), number.rem_euclid(PAGE_SIZE));
        let offset = usize::try_from(offset).unwrap_or_default();
        let bits = self
            .0
            .entry((confirmation, page))
            .or_insert_with(|| vec![0; PAGE_BYTES]);
        if let Some(byte) = bits.get_mut(offset / 8) {
            *byte |= 1 << (offset % 8);
        }
    }

    /// Returns true if no employee was added.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
