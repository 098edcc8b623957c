//! The signature scheme of one source: its provider, keys and options.

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use http::{HeaderMap, HeaderName, HeaderValue, header::CONTENT_TYPE};

use super::{Key, Layout, Rejection, VerifiedDelivery};
use crate::domain::{Provider, SourceName};
#[cfg(test)]
use crate::providers::toy;
use crate::providers::{bamboohr, merge};

/// How one source signs, and the keys that it may use. Each delivery must match one of the keys.
#[derive(Clone, Debug)]
pub enum Scheme {
    /// BambooHR: hex, over the body and a timestamp header.
    BambooHr {
        /// The accepted keys.
        keys: Vec<Key>,
        /// How body and timestamp are joined before signing.
        layout: Layout,
        /// How far the timestamp may be from now, in either direction.
        timestamp_tolerance: TimeDelta,
    },
    /// Merge: base64url, over the body alone.
    Merge {
        /// The accepted keys.
        keys: Vec<Key>,
    },
    /// The provider of the tests.
    #[cfg(test)]
    Toy {
        /// The accepted keys.
        keys: Vec<Key>,
    },
}

impl Scheme {
    /// Returns the scheme of a provider. `layout` and `timestamp_tolerance` are used only if it signs a timestamp.
    #[must_use]
    pub fn new(
        provider: Provider,
        keys: Vec<Key>,
        layout: Layout,
        timestamp_tolerance: TimeDelta,
    ) -> Self {
        match provider {
            Provider::BambooHr => Self::BambooHr {
                keys,
                layout,
                timestamp_tolerance,
            },
            Provider::Merge => Self::Merge { keys },
            #[cfg(test)]
            Provider::Toy => Self::Toy { keys },
        }
    }

    /// Returns the provider that defines the scheme.
    #[must_use]
    pub fn provider(&self) -> Provider {
        match self {
            Self::BambooHr { .. } => Provider::BambooHr,
            Self::Merge { .. } => Provider::Merge,
            #[cfg(test)]
            Self::Toy { .. } => Provider::Toy,
        }
    }

    /// Returns the accepted keys.
    #[must_use]
    pub fn keys(&self) -> &[Key] {
        match self {
            Self::BambooHr { keys, .. } | Self::Merge { keys } => keys,
            #[cfg(test)]
            Self::Toy { keys } => keys,
        }
    }

    fn keys_mut(&mut self) -> &mut Vec<Key> {
        match self {
            Self::BambooHr { keys, .. } | Self::Merge { keys } => keys,
            #[cfg(test)]
            Self::Toy { keys } => keys,
        }
    }

    /// Returns the layout of the signed bytes and the timestamp tolerance, if a timestamp is signed.
    #[must_use]
    pub fn timestamp_options(&self) -> Option<(Layout, TimeDelta)> {
        match self {
            Self::BambooHr {
                layout,
                timestamp_tolerance,
                ..
            } => Some((*layout, *timestamp_tolerance)),
            Self::Merge { .. } => None,
            #[cfg(test)]
            Self::Toy { .. } => None,
        }
    }

    /// Replaces the keys by those of `newer` and returns true, or returns false if it is another provider's scheme.
    pub fn replace_keys(&mut self, newer: &Self) -> bool {
        let same_provider = std::mem::discriminant(self) == std::mem::discriminant(newer);
        if same_provider {
            newer.keys().clone_into(self.keys_mut());
        }
        same_provider
    }

    /// Verifies a request. The signature is checked before the age of the timestamp.
    ///
    /// # Errors
    /// Returns the first [`Rejection`] found.
    pub fn verify(
        &self,
        source: &SourceName,
        headers: &HeaderMap,
        body: Bytes,
        now: DateTime<Utc>,
    ) -> Result<VerifiedDelivery, Rejection> {
        let signed_at = match self {
            Self::BambooHr {
                keys,
                layout,
                timestamp_tolerance,
            } => {
                let signed_at = bamboohr::scheme::verify(keys, *layout, headers, &body)?;
                Some(signed_at.within(*timestamp_tolerance, now)?)
            }
            Self::Merge { keys } => {
                merge::scheme::verify(keys, headers, &body)?;
                None
            }
            #[cfg(test)]
            Self::Toy { keys } => {
                toy::scheme::verify(keys, headers, &body)?;
                None
            }
        };
        let content_type = headers.get(CONTENT_TYPE);
        let content_type = content_type
            .and_then(|value| value.to_str().ok())
            .map(str::to_owned);
        Ok(VerifiedDelivery::new(
            source.clone(),
            content_type,
            signed_at,
            body,
        ))
    }

    /// Returns the headers that the provider would send with this body, signed with the first key.
    ///
    /// The list is empty if there is no key.
    #[must_use]
    pub fn sign(&self, body: &[u8], now: DateTime<Utc>) -> Vec<(HeaderName, HeaderValue)> {
        let Some(key) = self.keys().first() else {
            return Vec::new();
        };
        match self {
            Self::BambooHr { layout, .. } => bamboohr::scheme::sign(key, *layout, body, now),
            Self::Merge { .. } => merge::scheme::sign(key, body),
            #[cfg(test)]
            Self::Toy { .. } => toy::scheme::sign(key, body),
        }
    }
}
