//! How each source signs. SIGHUP replaces the keys while requests arrive; each request is verified with the keys that
//! were current when it arrived.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use leaver_core::domain::SourceName;
use leaver_core::signature::Scheme;

/// Schemes by source.
pub(super) type Schemes = HashMap<SourceName, Scheme>;

/// Signature scheme and keys of each source.
#[derive(Debug)]
pub struct WebhookKeys(RwLock<Arc<Schemes>>);

impl WebhookKeys {
    /// Starts with these schemes. The set of sources never changes afterwards.
    #[must_use]
    pub fn new(schemes: Schemes) -> Self {
        Self(RwLock::new(Arc::new(schemes)))
    }

    /// Returns the current schemes.
    #[must_use]
    pub fn snapshot(&self) -> Arc<Schemes> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Replaces the keys of each source by those in `newer`. Returns, sorted, the sources that keep their keys because
    /// `newer` has none of that name and provider.
    pub(crate) fn replace_keys(&self, newer: &Schemes) -> Vec<SourceName> {
        let mut schemes = Schemes::clone(&self.snapshot());
        let mut kept = vec![];
        for (name, scheme) in &mut schemes {
            match newer.get(name) {
                Some(newer) if scheme.replace_keys(newer) => {}
                _ => kept.push(name.clone()),
            }
        }
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(schemes);
        kept.sort();
        kept
    }
}
