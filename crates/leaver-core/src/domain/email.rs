//! A work e-mail in the form used for comparison.

use std::fmt;

/// A work e-mail, trimmed and in lower case. It is never blank. `Debug` does not print it, since it is personal data.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WorkEmail(String);

impl WorkEmail {
    /// Trims a text and converts it to lower case. Returns `None` if it is blank.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        // Not in the database: with the `C` locale, Postgres converts ASCII letters only.
        let folded = text.trim().to_lowercase();
        (!folded.is_empty()).then_some(Self(folded))
    }

    /// Returns the text, for the database and for reports about this person.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for WorkEmail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WorkEmail(redacted)")
    }
}
