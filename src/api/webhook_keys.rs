//! How each source signs. Their keys can be exchanged while requests come in: each request is checked with the keys that
//! there were when it came.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use leaver_core::domain::SourceName;
use leaver_core::signature::Scheme;

/// The schemes by source.
type BySource = HashMap<SourceName, Scheme>;

/// How each source signs, as of now.
#[derive(Debug)]
pub struct WebhookKeys(RwLock<Arc<BySource>>);

impl WebhookKeys {
    /// Of these sources.
    #[must_use]
    pub fn of(sources: BySource) -> Self {
        Self(RwLock::new(Arc::new(sources)))
    }

    /// As they are now.
    #[must_use]
    pub fn now(&self) -> Arc<BySource> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Has each source use its keys from among these. Sources do not come or go; says which ones keep their keys, since
    /// there is none of that name and provider among these.
    pub fn replace_keys(&self, newer: &BySource) -> Vec<SourceName> {
        let mut sources = BySource::clone(&self.now());
        let mut kept = vec![];
        for (name, scheme) in &mut sources {
            match newer.get(name) {
                Some(newer) if scheme.replace_keys(newer) => {}
                _ => kept.push(name.clone()),
            }
        }
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(sources);
        kept.sort();
        kept
    }
}
