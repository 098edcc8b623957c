//! The rules of all configured sources, found by name.

use std::collections::HashMap;

use leaver_core::decision::policy::Policy;
use leaver_core::domain::SourceName;
use leaver_core::providers::ProviderConfig;

/// How the configured sources are read and judged.
#[derive(Debug, Default)]
pub struct Policies {
    sources: HashMap<String, (SourceName, ProviderConfig, Policy)>,
}

impl Policies {
    /// Collects the rules of all sources.
    pub fn new(sources: impl IntoIterator<Item = (SourceName, ProviderConfig, Policy)>) -> Self {
        let by_name = |rules: (SourceName, ProviderConfig, Policy)| (rules.0.to_string(), rules);
        Self {
            sources: sources.into_iter().map(by_name).collect(),
        }
    }

    /// The policy of a source, when it is configured.
    #[must_use]
    pub fn policy(&self, source: &SourceName) -> Option<&Policy> {
        self.sources
            .get(source.as_str())
            .map(|(_, _, policy)| policy)
    }

    /// The words of a source, when it is configured.
    #[must_use]
    pub fn provider_config(&self, source: &str) -> Option<&ProviderConfig> {
        self.sources
            .get(source)
            .map(|(_, provider_config, _)| provider_config)
    }

    /// The checked name of a source, when it is configured.
    #[must_use]
    pub fn source_name(&self, source: &str) -> Option<&SourceName> {
        self.sources.get(source).map(|(name, _, _)| name)
    }

    /// The names of all configured sources.
    #[must_use]
    pub fn names(&self) -> Vec<SourceName> {
        let mut names: Vec<SourceName> = self
            .sources
            .values()
            .map(|(name, _, _)| name.clone())
            .collect();
        names.sort();
        names
    }
}
