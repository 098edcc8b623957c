//! Fields that the scopes of a linked account withhold: null for everybody.

use leaver_core::domain::{ChangeKind, EmployeeChange};

/// Fewer records may lack a field by chance.
const MIN_RECORDS: usize = 2;

/// Counts the records of a read, and whether any has the fields without which nobody can be judged or found.
#[derive(Debug, Default)]
pub(in crate::connect) struct WithheldFields {
    records: usize,
    has_status: bool,
    has_work_email: bool,
}

impl WithheldFields {
    /// Counts the records of a page. Deleted ones may have lost their values.
    pub(in crate::connect) fn record(&mut self, changes: &[EmployeeChange]) {
        let existing = changes
            .iter()
            .filter(|change| change.kind != ChangeKind::Deleted);
        for change in existing {
            self.records += 1;
            self.has_status |= change.facts.status.value().is_some();
            self.has_work_email |= change.facts.work_email.value().is_some();
        }
    }

    /// Returns one warning for each record and field that no record of a full read has. The next call returns none.
    pub(in crate::connect) fn take_warnings(&mut self, is_full: bool) -> Vec<String> {
        let read = std::mem::take(self);
        if !is_full || read.records < MIN_RECORDS {
            return vec![];
        }
        let fields = [
            ("employment_status", read.has_status),
            ("work_email", read.has_work_email),
        ];
        fields
            .into_iter()
            .filter(|(_, is_returned)| !is_returned)
            .flat_map(|(name, _)| {
                let text = format!(
                    "`{name}` is null; enable this field in the scopes of the linked account in Merge"
                );
                std::iter::repeat_n(text, read.records)
            })
            .collect()
    }
}
