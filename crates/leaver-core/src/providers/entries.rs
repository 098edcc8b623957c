//! The entries of a body that names more employees than are processed at once.
//!
//! Only the place of each entry is stored. Its content is parsed again, slice by slice.

use std::ops::Range;

use bytes::Bytes;

use super::{Changes, Ignored, InvalidEntry, Parsed, ProviderConfig};
use crate::domain::EmployeeChange;

/// Most entries that cannot be parsed of which the cause is kept.
const MAX_BAD_ENTRIES: usize = 100;

/// A body, opened for reading.
#[derive(Clone, Debug)]
pub enum Opened {
    /// Few changes, or none.
    Parsed(Parsed),
    /// Many changes.
    Many(Box<Entries>),
}

/// The entries of one body, sorted by employee id. The entries of one employee keep the body's order.
#[derive(Clone, Debug)]
pub struct Entries {
    config: ProviderConfig,
    body: Bytes,
    index: Index,
    has_event_times: bool,
    bad: Vec<InvalidEntry>,
    more_bad: usize,
    count: usize,
    /// True if each position is an entry. Otherwise several positions are one.
    is_divisible: bool,
    /// Parses the changes of some places, which belong to whole employees.
    parse: fn(&Entries, Range<usize>) -> Vec<EmployeeChange>,
}

/// Places in a body, each with an employee id.
#[derive(Clone, Debug, Default)]
pub(super) struct Index {
    ids: String,
    places: Vec<Place>,
}

/// 16 bytes, since a body can have a million.
#[derive(Clone, Copy, Debug)]
struct Place {
    start: u32,
    length: u32,
    id_start: u32,
    id_length: u32,
}

impl Index {
    /// Adds a place. Bodies are shorter than 4 GiB; a longer one would lose its last places.
    pub(super) fn add(&mut self, id: &str, place: &Range<usize>) {
        // Neighbours are often about the same employee.
        let last = self.places.last();
        let id_start = match last {
            Some(last) if self.id_of(*last) == id => last.id_start as usize,
            _ => {
                self.ids.push_str(id);
                self.ids.len() - id.len()
            }
        };
        let place = [place.start, place.len(), id_start, id.len()].map(u32::try_from);
        if let [Ok(start), Ok(length), Ok(id_start), Ok(id_length)] = place {
            self.places.push(Place {
                start,
                length,
                id_start,
                id_length,
            });
        }
    }

    pub(super) fn sort(&mut self) {
        let ids = std::mem::take(&mut self.ids);
        let key = |place: &Place| (&ids[place.id_range()], place.start);
        self.places
            .sort_unstable_by(|one, other| key(one).cmp(&key(other)));
        self.ids = ids;
    }

    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Returns the id at a position.
    pub(super) fn id(&self, position: usize) -> &str {
        self.places
            .get(position)
            .map_or("", |place| self.id_of(*place))
    }

    /// Returns the place in the body at a position.
    pub(super) fn place(&self, position: usize) -> Range<usize> {
        self.places.get(position).map_or(0..0, |place| {
            let start = place.start as usize;
            start..start + place.length as usize
        })
    }

    /// Returns the end of the positions with the same id as this one. The index must be sorted.
    pub(super) fn end_of_employee(&self, position: usize) -> usize {
        let id = self.id(position);
        let rest = self.places.get(position..).unwrap_or_default();
        position + rest.partition_point(|place| self.id_of(*place) <= id)
    }

    /// Removes positions.
    pub(super) fn retain(&mut self, mut keeps: impl FnMut(usize) -> bool) {
        let mut position = 0;
        self.places.retain(|_| {
            position += 1;
            keeps(position - 1)
        });
    }

    fn id_of(&self, place: Place) -> &str {
        &self.ids[place.id_range()]
    }
}

impl Place {
    fn id_range(self) -> Range<usize> {
        let start = self.id_start as usize;
        start..start + self.id_length as usize
    }
}

/// Collects the entries of a body while it is read.
pub(super) struct Collector {
    /// Changes that are kept before only places are.
    max: usize,
    pub(super) changes: Changes,
    pub(super) index: Index,
    count: usize,
    has_untimed: bool,
    /// True if each place in the index is an entry.
    pub(super) is_divisible: bool,
}

impl Collector {
    pub(super) fn new(max: usize) -> Self {
        Self {
            max,
            changes: Changes::default(),
            index: Index::default(),
            count: 0,
            has_untimed: false,
            is_divisible: true,
        }
    }

    /// Adds a change with the place of its text.
    pub(super) fn add(&mut self, place: &Range<usize>, change: EmployeeChange) {
        self.index.add(change.employee_id.as_str(), place);
        self.add_indexed(change.as_of.is_some());
        if self.is_within_limit() {
            self.changes.changes.push(change);
        } else {
            self.changes.changes = Vec::new();
        }
    }

    /// Counts a change that the caller keeps.
    pub(super) fn add_indexed(&mut self, has_event_time: bool) {
        self.count += 1;
        self.has_untimed |= !has_event_time;
    }

    /// Returns whether the changes are few enough to be kept.
    pub(super) fn is_within_limit(&self) -> bool {
        self.count <= self.max
    }

    /// Adds an entry that cannot be parsed.
    pub(super) fn add_bad(&mut self, bad: InvalidEntry) {
        self.changes.add_bad(bad);
    }

    /// Returns what was collected: the changes if there are few, else their places.
    pub(super) fn finish(
        mut self,
        config: &ProviderConfig,
        body: &Bytes,
        ignored: Option<Ignored>,
        parse: fn(&Entries, Range<usize>) -> Vec<EmployeeChange>,
    ) -> Opened {
        if let Some(ignored) = ignored {
            return Opened::Parsed(Parsed::Ignored(ignored));
        }
        if self.is_within_limit() {
            return Opened::Parsed(Parsed::Changes(self.changes));
        }
        self.index.sort();
        Opened::Many(Box::new(Entries {
            config: config.clone(),
            body: body.clone(),
            index: self.index,
            has_event_times: !self.has_untimed,
            bad: self.changes.bad_entries,
            more_bad: self.changes.more_bad_entries,
            count: self.count,
            is_divisible: self.is_divisible,
            parse,
        }))
    }
}

impl Changes {
    /// Adds an entry that could not be parsed. Of many, only the number is kept.
    pub(super) fn add_bad(&mut self, bad: InvalidEntry) {
        if self.bad_entries.len() < MAX_BAD_ENTRIES {
            self.bad_entries.push(bad);
        } else {
            self.more_bad_entries += 1;
        }
    }
}

impl Entries {
    /// Returns the number of entries that could be parsed.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }

    /// Returns whether every change states its own time.
    #[must_use]
    pub fn has_event_times(&self) -> bool {
        self.has_event_times
    }

    /// Returns the first entries that could not be parsed, and the number of the others.
    #[must_use]
    pub fn bad_entries(&self) -> (&[InvalidEntry], usize) {
        (&self.bad, self.more_bad)
    }

    /// Returns the number of positions. A position is an entry or a part of one.
    #[must_use]
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// Returns whether there are no positions.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the ids of the employees, each once.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.employees().map(|range| self.index.id(range.start))
    }

    /// Returns the positions of each employee, in the order of ids.
    pub fn employees(&self) -> impl Iterator<Item = Range<usize>> {
        let mut next = 0;
        std::iter::from_fn(move || {
            (next < self.len()).then(|| {
                let range = next..self.index.end_of_employee(next);
                next = range.end;
                range
            })
        })
    }

    /// Returns the first position of an employee.
    #[must_use]
    pub fn find(&self, id: &str) -> Option<usize> {
        let position = self
            .index
            .places
            .partition_point(|place| self.index.id_of(*place) < id);
        (self.index.id(position) == id && position < self.len()).then_some(position)
    }

    /// Returns the positions of an employee from the first one on.
    #[must_use]
    pub fn employee_at(&self, first: usize) -> Range<usize> {
        first..self.index.end_of_employee(first)
    }

    /// Returns the number of entries at the positions of one employee.
    #[must_use]
    pub fn entries_at(&self, employee: &Range<usize>) -> usize {
        if self.is_divisible { employee.len() } else { 1 }
    }

    /// Divides the positions of one employee into parts of at most `max` entries.
    pub fn parts(&self, employee: Range<usize>, max: usize) -> impl Iterator<Item = Range<usize>> {
        let step = if self.is_divisible {
            max.max(1)
        } else {
            usize::MAX
        };
        let end = employee.end;
        employee
            .step_by(step)
            .map(move |start| start..start.saturating_add(step).min(end))
    }

    /// Parses the changes at some positions: those of whole employees, or some of one employee.
    #[must_use]
    pub fn changes(&self, positions: Range<usize>) -> Vec<EmployeeChange> {
        (self.parse)(self, positions)
    }

    pub(super) fn config(&self) -> &ProviderConfig {
        &self.config
    }

    pub(super) fn index(&self) -> &Index {
        &self.index
    }

    pub(super) fn body(&self) -> &[u8] {
        &self.body
    }

    pub(super) fn text(&self, place: Range<usize>) -> &[u8] {
        self.body.get(place).unwrap_or_default()
    }
}
