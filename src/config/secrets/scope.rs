//! The secrets that a command reads. Those that it does not use may be missing or unreadable.

use leaver_core::domain::Provider;

/// The secrets that a command reads.
#[derive(Clone, Copy, Debug, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each secret is read or not, independently of the others"
)]
pub struct SecretScope<'a> {
    database: bool,
    admin_token: bool,
    traces: bool,
    hash_key: bool,
    webhook_keys: KeyScope<'a>,
    apis: ApiScope<'a>,
    destinations: DestinationScope<'a>,
}

#[derive(Clone, Copy, Debug, Default)]
enum KeyScope<'a> {
    #[default]
    None,
    /// Only the first key of this source, with which it signs.
    FirstOf(&'a str),
    All,
}

#[derive(Clone, Copy, Debug, Default)]
enum DestinationScope<'a> {
    #[default]
    None,
    /// Those of this destination.
    Of(&'a str),
    All,
}

#[derive(Clone, Copy, Debug, Default)]
enum ApiScope<'a> {
    #[default]
    None,
    /// The APIs of this source, or of all.
    Of(Option<&'a str>),
    /// The same, of providers whose webhooks are managed over the API.
    ManagingWebhooks(Option<&'a str>),
    /// All, and the tokens of linked accounts without an API.
    All,
}

impl<'a> SecretScope<'a> {
    /// All secrets.
    #[must_use]
    pub fn all() -> Self {
        Self {
            database: true,
            admin_token: true,
            traces: true,
            hash_key: true,
            webhook_keys: KeyScope::All,
            apis: ApiScope::All,
            destinations: DestinationScope::All,
        }
    }

    /// No secret.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// The URL of the database.
    #[must_use]
    pub fn database() -> Self {
        Self::none().with_database()
    }

    /// The key with which a source signs.
    #[must_use]
    pub(crate) fn signing_key(source: &'a str) -> Self {
        Self {
            webhook_keys: KeyScope::FirstOf(source),
            ..Self::none()
        }
    }

    /// The credentials of the API of this source, or of all.
    #[must_use]
    pub(crate) fn apis(source: Option<&'a str>) -> Self {
        Self {
            apis: ApiScope::Of(source),
            ..Self::none()
        }
    }

    /// The credentials of the API that manages the webhooks of this source, or of all.
    #[must_use]
    pub(crate) fn webhook_apis(source: Option<&'a str>) -> Self {
        Self {
            apis: ApiScope::ManagingWebhooks(source),
            ..Self::none()
        }
    }

    /// The same and the secrets of a destination.
    #[must_use]
    pub(crate) fn with_destination(self, destination: &'a str) -> Self {
        Self {
            destinations: DestinationScope::Of(destination),
            ..self
        }
    }

    /// The same and the URL of the database.
    #[must_use]
    pub(crate) fn with_database(self) -> Self {
        Self {
            database: true,
            ..self
        }
    }

    /// The same and the key of the hashes of facts, for commands that observe employees.
    #[must_use]
    pub(crate) fn with_hash_key(self) -> Self {
        Self {
            hash_key: true,
            ..self
        }
    }

    /// Returns whether the key of the hashes of facts is read.
    pub(super) fn has_hash_key(&self) -> bool {
        self.hash_key
    }

    pub(super) fn has_database(&self) -> bool {
        self.database
    }

    pub(super) fn has_admin_token(&self) -> bool {
        self.admin_token
    }

    /// Returns whether the secrets of a destination are read.
    pub(super) fn has_destination(&self, destination: &str) -> bool {
        match self.destinations {
            DestinationScope::None => false,
            DestinationScope::Of(name) => name == destination,
            DestinationScope::All => true,
        }
    }

    /// Returns whether the headers of the collector of traces are read.
    pub(super) fn has_traces(&self) -> bool {
        self.traces
    }

    /// Returns how many of the webhook keys of a source are read, of `count` in order.
    pub(super) fn webhook_keys(&self, source: &str, count: usize) -> usize {
        match self.webhook_keys {
            KeyScope::All => count,
            KeyScope::FirstOf(name) if name == source => count.min(1),
            KeyScope::FirstOf(_) | KeyScope::None => 0,
        }
    }

    /// Returns whether the API key of a source is read.
    pub(super) fn has_api(&self, source: &str, provider: Provider) -> bool {
        let is_named = |name: Option<&str>| name.is_none_or(|name| name == source);
        match self.apis {
            ApiScope::None => false,
            ApiScope::Of(name) => is_named(name),
            ApiScope::ManagingWebhooks(name) => {
                is_named(name) && provider.capabilities().manages_webhooks
            }
            ApiScope::All => true,
        }
    }

    /// Returns whether the tokens of the linked accounts of a source are read.
    pub(super) fn has_account_tokens(
        &self,
        source: &str,
        provider: Provider,
        has_api: bool,
    ) -> bool {
        matches!(self.apis, ApiScope::All) || (has_api && self.has_api(source, provider))
    }
}
