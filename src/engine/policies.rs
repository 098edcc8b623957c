//! Policies and provider configurations of all configured sources, by name.

use std::collections::{BTreeSet, HashMap};

use crate::engine::accounts::AccountsTable;
use crate::roster::sharing::Sharing;
use leaver_core::decision::policy::Policy;
use leaver_core::domain::{Account, Employee, EmployeeKey, PositionFact, SourceName, Tenant};
use leaver_core::events::Subscriptions;
use leaver_core::providers::{ProviderConfig, Tenancy};
use leaver_core::safeguard::{Limits, SourceMode};

/// How payloads of the configured sources are parsed and decided.
#[derive(Debug, Default)]
pub struct Policies {
    sources: HashMap<String, (SourceName, ProviderConfig, Policy)>,
    limits: Limits,
    start_modes: HashMap<String, SourceMode>,
    subscriptions: Subscriptions,
}

impl Policies {
    /// Collects the policies of all sources.
    pub fn new(sources: impl IntoIterator<Item = (SourceName, ProviderConfig, Policy)>) -> Self {
        let by_name = |source: (SourceName, ProviderConfig, Policy)| (source.0.to_string(), source);
        Self {
            sources: sources.into_iter().map(by_name).collect(),
            limits: Limits::default(),
            start_modes: HashMap::new(),
            subscriptions: Subscriptions::default(),
        }
    }

    /// Sets the limits of the safeguard.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets which destination wants which events; without it, none wants any.
    #[must_use]
    pub fn with_subscriptions(mut self, subscriptions: Subscriptions) -> Self {
        self.subscriptions = subscriptions;
        self
    }

    /// Returns which destination wants which events.
    #[must_use]
    pub(crate) fn subscriptions(&self) -> &Subscriptions {
        &self.subscriptions
    }

    /// Sets the modes in which sources start; the others start in [`SourceMode::Enforce`].
    #[must_use]
    pub fn with_start_modes(
        mut self,
        modes: impl IntoIterator<Item = (SourceName, SourceMode)>,
    ) -> Self {
        let modes = modes.into_iter();
        self.start_modes = modes.map(|(name, mode)| (name.to_string(), mode)).collect();
        self
    }

    /// Returns the mode in which a source starts when it is first seen.
    #[must_use]
    pub(crate) fn start_mode(&self, source: &SourceName) -> SourceMode {
        let mode = self.start_modes.get(source.as_str());
        mode.copied().unwrap_or_default()
    }

    /// Returns the limits of the safeguard.
    #[must_use]
    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Returns the policy of a source; `None` if it is not configured.
    #[must_use]
    pub fn policy(&self, source: &SourceName) -> Option<&Policy> {
        self.sources
            .get(source.as_str())
            .map(|(_, _, policy)| policy)
    }

    /// Returns how payloads of a source are parsed; `None` if it is not configured.
    #[must_use]
    pub fn provider_config(&self, source: &str) -> Option<&ProviderConfig> {
        self.sources
            .get(source)
            .map(|(_, provider_config, _)| provider_config)
    }

    /// Removes the facts about the position that are not configured any more.
    pub(crate) fn forget_position(&self, employee: &mut Employee) {
        let config = self.provider_config(employee.key.source.as_str());
        for fact in PositionFact::ALL {
            if !config.is_some_and(|config| config.position.keeps(*fact)) {
                *employee.position.get_mut(*fact) = None;
            }
        }
    }

    /// Returns the checked name of a source; `None` if it is not configured.
    #[must_use]
    pub(crate) fn source_name(&self, source: &str) -> Option<&SourceName> {
        self.sources.get(source).map(|(name, _, _)| name)
    }

    /// Returns the tenants of all configured sources.
    #[must_use]
    pub(crate) fn tenants(&self) -> BTreeSet<Tenant> {
        let sources = self.sources.keys();
        sources.flat_map(|source| self.tenants_of(source)).collect()
    }

    /// Returns the tenants of a source.
    #[must_use]
    pub(crate) fn tenants_of(&self, source: &str) -> BTreeSet<Tenant> {
        let config = self.provider_config(source);
        let tenants = config
            .into_iter()
            .flat_map(|config| config.tenancy.tenants());
        tenants.cloned().collect()
    }

    /// Returns the sources whose company is the first linked account that delivered.
    #[must_use]
    pub(crate) fn sources_with_remembered_company(&self) -> Vec<SourceName> {
        let sources = self.sources.values().filter(|(_, config, _)| {
            config.provider.capabilities().has_linked_accounts
                && matches!(config.tenancy, Tenancy::One(_))
        });
        sources.map(|(name, ..)| name.clone()).collect()
    }

    /// Returns true if the tenant of an employee is one of the source.
    #[must_use]
    pub(crate) fn has_tenant(&self, key: &EmployeeKey) -> bool {
        let config = self.provider_config(key.source.as_str());
        config.is_some_and(|config| config.tenancy.tenants().any(|tenant| *tenant == key.tenant))
    }

    /// Returns true if an account is deactivated only on a person's word.
    #[must_use]
    pub(crate) fn is_protected(&self, account: &Account) -> bool {
        let mut policies = self.sources.values().map(|(_, _, policy)| policy);
        let email = account.email.as_ref();
        account.is_protected
            || policies.any(|policy| email.is_some_and(|email| policy.protected.contains(email)))
    }

    /// Returns which employees may share an account.
    #[must_use]
    pub(crate) fn sharing(&self, table: &AccountsTable) -> Sharing {
        Sharing {
            sources: self.names(),
            within_tenant: table.has_tenants,
        }
    }

    /// Returns the names of all configured sources, sorted.
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
