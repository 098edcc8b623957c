//! A work e-mail as we compare it. It is personal data: it shows itself only when asked.

use std::fmt;

/// A work e-mail, trimmed and case-folded. Never blank; never made from a personal address.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WorkEmail(String);

impl WorkEmail {
    /// Trims and folds the case, in Rust, because a database with `C` locale folds ASCII letters only.
    /// A blank text is no e-mail.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let folded = text.trim().to_lowercase();
        (!folded.is_empty()).then_some(Self(folded))
    }

    /// The folded text, for the database and for people who asked about this person.
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
