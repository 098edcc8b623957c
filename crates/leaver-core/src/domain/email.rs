//! A work e-mail in the form used for comparison.

use std::collections::BTreeSet;
use std::fmt;

use unicode_normalization::UnicodeNormalization;

use super::printable::is_invisible;

/// Most spellings of one domain that are looked for.
const MAX_SPELLINGS: usize = 16;

/// A work e-mail in one form for all its spellings. It is never blank. `Debug` does not print it, since it is personal data.
///
/// Outer white space and invisible characters are removed, the local part is case-folded and composed (NFC), and the domain is
/// written in ASCII (IDNA). An address with a domain that IDNA does not allow keeps it, folded.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WorkEmail(String);

impl WorkEmail {
    /// Converts a text to the form used for comparison. Returns `None` if it is blank.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        // Not in the database: there the result depends on the locale.
        let visible: String = text.chars().filter(|c| !is_invisible(*c)).collect();
        let visible = visible.trim();
        if visible.is_empty() {
            return None;
        }
        let (local, domain) = match visible.rsplit_once('@') {
            Some((local, domain)) => (local, Some(domain)),
            None => (visible, None),
        };
        let mut email: String = folded(local).replace('ß', "ss").nfc().collect();
        if let Some(domain) = domain {
            email.push('@');
            email.push_str(&ascii_domain(domain));
        }
        Some(Self(email))
    }

    /// Returns the text, for the database and for reports about this person.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Returns the domain.
    pub(super) fn domain(&self) -> Option<&str> {
        self.0.rsplit_once('@').map(|(_, domain)| domain)
    }

    /// Returns the address at another domain, given in the form used for comparison. `None` if it has no domain.
    pub(super) fn with_domain(&self, domain: &str) -> Option<Self> {
        let (local, _) = self.0.rsplit_once('@')?;
        Some(Self(format!("{local}@{domain}")))
    }

    /// Returns the spellings of the address that an accounts table may hold: each label of the domain in ASCII or in its own
    /// letters.
    #[must_use]
    pub fn spellings(&self) -> BTreeSet<String> {
        let Some((local, domain)) = self.0.rsplit_once('@') else {
            return [self.0.clone()].into();
        };
        let (unicode, _) = idna::domain_to_unicode(domain);
        let mut domains = vec![String::new()];
        for (position, (ascii, letters)) in domain.split('.').zip(unicode.split('.')).enumerate() {
            let dot = if position == 0 { "" } else { "." };
            let mut longer = vec![];
            for start in &domains {
                longer.push(format!("{start}{dot}{ascii}"));
                if ascii != letters {
                    longer.push(format!("{start}{dot}{letters}"));
                }
            }
            domains = longer;
            if domains.len() > MAX_SPELLINGS {
                domains = vec![domain.to_owned(), unicode.clone()];
                break;
            }
        }
        let spelled = domains
            .into_iter()
            .map(|domain| format!("{local}@{domain}"));
        spelled.collect()
    }
}

impl fmt::Debug for WorkEmail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WorkEmail(redacted)")
    }
}

/// Returns a domain in ASCII, or folded if IDNA does not allow it.
fn ascii_domain(domain: &str) -> String {
    match idna::domain_to_ascii(domain) {
        Ok(ascii) if !ascii.is_empty() => ascii,
        _ => folded(domain),
    }
}

fn folded(text: &str) -> String {
    text.nfc().flat_map(fold).nfc().collect()
}

/// Folds the case of a character, in the same way for every language. A sharp s stays one, and a dotless i is not an i.
fn fold(c: char) -> impl Iterator<Item = char> {
    let mut upper = c.to_uppercase();
    let base = match (upper.next(), upper.next()) {
        (Some(upper), None) if c != 'ı' => upper,
        _ => c,
    };
    base.to_lowercase()
}
