//! Domains of a company that were renamed.

use std::collections::{BTreeMap, BTreeSet};

use super::WorkEmail;

/// Renamed domains, by their former name. Addresses that differ only in these are equal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EmailDomains(BTreeMap<String, String>);

/// Domains that cannot be renamed as listed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidDomains {
    /// A text is no domain.
    #[error("\"{0}\" is not a domain; write a name such as \"acme.example\"")]
    NotADomain(String),
    /// Two spellings of one former name are listed.
    #[error("\"{0}\" is listed twice; keep one of them")]
    Duplicate(String),
    /// The present name is a former name as well.
    #[error("\"{0}\" is renamed itself; map every former domain to the present one")]
    Chain(String),
}

impl EmailDomains {
    /// Checks renamed domains, given as (former, present), in any spelling.
    ///
    /// # Errors
    /// Returns why the list is invalid.
    pub fn new<'a>(
        renamed: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, InvalidDomains> {
        let mut domains = BTreeMap::new();
        for (former, present) in renamed {
            let present = domain(present)?;
            if domains.insert(domain(former)?, present).is_some() {
                return Err(InvalidDomains::Duplicate(former.to_owned()));
            }
        }
        match domains.values().find(|name| domains.contains_key(*name)) {
            Some(name) => Err(InvalidDomains::Chain(name.clone())),
            None => Ok(Self(domains)),
        }
    }

    /// Returns the address with the present name of its domain.
    #[must_use]
    pub fn present(&self, email: &WorkEmail) -> WorkEmail {
        let renamed = email
            .domain()
            .and_then(|domain| self.0.get(domain))
            .and_then(|present| email.with_domain(present));
        renamed.unwrap_or_else(|| email.clone())
    }

    /// Returns the address with each name of its domain, the present one and the former ones.
    #[must_use]
    pub fn aliases(&self, email: &WorkEmail) -> BTreeSet<WorkEmail> {
        let present = self.present(email);
        let mut aliases = BTreeSet::new();
        for (former, name) in &self.0 {
            if present.domain() == Some(name.as_str()) {
                aliases.extend(present.with_domain(former));
            }
        }
        aliases.insert(present);
        aliases
    }
}

/// Returns a domain in the form used for comparison.
fn domain(text: &str) -> Result<String, InvalidDomains> {
    let invalid = || InvalidDomains::NotADomain(text.to_owned());
    let name = text.trim();
    if name.is_empty() || name.contains('@') || name.contains(char::is_whitespace) {
        return Err(invalid());
    }
    let email = WorkEmail::parse(&format!("x@{name}")).ok_or_else(invalid)?;
    email.domain().map(str::to_owned).ok_or_else(invalid)
}

#[cfg(test)]
#[expect(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up should fail"
)]
mod tests {
    use super::*;

    fn email(text: &str) -> WorkEmail {
        WorkEmail::parse(text).unwrap()
    }

    #[test]
    fn addresses_of_a_renamed_domain_are_equal() {
        let domains = EmailDomains::new([
            ("Old.example", "new.example"),
            ("bücher.example", "NEW.example"),
        ])
        .unwrap();
        let present = email("ana@new.example");
        for former in [
            "ANA@old.example",
            "ana@Bücher.example",
            "ana@xn--bcher-kva.example",
        ] {
            assert_eq!(domains.present(&email(former)), present, "{former}");
        }
        assert_eq!(domains.aliases(&email("ana@old.example")).len(), 3);
        let other = email("ana@sub.old.example");
        assert_eq!(domains.present(&other), other);
        assert_eq!(domains.aliases(&other), [other].into());
    }

    #[test]
    fn lists_of_domains_that_mean_nothing_are_refused() {
        let refused = |renamed: &[(&str, &str)]| EmailDomains::new(renamed.iter().copied());
        let chain = [("a.example", "b.example"), ("b.example", "c.example")];
        let chain = refused(&chain).unwrap_err();
        assert_eq!(chain, InvalidDomains::Chain("b.example".to_owned()));
        let twice = [("a.example", "b.example"), ("A.example", "b.example")];
        assert!(refused(&twice).is_err());
        for pair in [
            ("a.example", "A.example"),
            ("", "b.example"),
            ("a@a.example", "b"),
        ] {
            assert!(refused(&[pair]).is_err(), "{pair:?}");
        }
    }
}
