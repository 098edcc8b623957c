//! Ends a list of pages that would not end by itself.

use std::collections::HashSet;

use super::truncated;
use crate::connect::ReadError;

/// The cursors of one list so far.
#[derive(Debug)]
pub(super) struct Cursors {
    seen: HashSet<String>,
    max_pages: usize,
}

impl Cursors {
    /// Starts a list of at most so many pages. The first page has no cursor.
    pub(super) fn new(max_pages: usize) -> Self {
        Self {
            seen: HashSet::new(),
            max_pages,
        }
    }

    /// Accepts the cursor of another page.
    ///
    /// # Errors
    /// [`ReadError::Truncated`] if the cursor came before, which would repeat the same pages without end, or if the list
    /// has too many pages.
    pub(super) fn admit(&mut self, cursor: &str) -> Result<(), ReadError> {
        if self.seen.len() + 1 >= self.max_pages {
            return Err(truncated("the list has more pages than are read"));
        }
        if !self.seen.insert(cursor.to_owned()) {
            return Err(truncated("the same cursor came twice"));
        }
        Ok(())
    }
}

#[cfg(test)]
#[expect(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up should fail"
)]
mod tests {
    use super::*;
    use crate::connect::ClientLimits;

    #[test]
    fn list_ends_at_a_repeated_cursor() {
        let mut cursors = Cursors::new(ClientLimits::default().max_pages);
        for cursor in ["a", "b", "c"] {
            cursors.admit(cursor).unwrap();
        }
        assert!(matches!(
            cursors.admit("a"),
            Err(ReadError::Truncated { .. })
        ));
    }

    #[test]
    fn list_ends_after_ten_thousand_pages() {
        let mut cursors = Cursors::new(ClientLimits::default().max_pages);
        for page in 2..=10_000 {
            cursors.admit(&page.to_string()).unwrap();
        }
        assert!(matches!(
            cursors.admit("10001"),
            Err(ReadError::Truncated { .. })
        ));
    }
}
