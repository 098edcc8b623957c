//! The door: decides whether a delivery comes from whom it says. The only room that knows keys, header
//! names and HMAC. It works on the raw bytes and never looks into a body, since parsing first would
//! destroy the evidence.

mod hmac;
pub use hmac::{EmptyKey, Key};

mod rejection;
pub use rejection::Rejection;

mod bamboohr;
pub use bamboohr::Layout;

mod merge;

use std::fmt;

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use http::{HeaderMap, HeaderName, HeaderValue, header::CONTENT_TYPE};
use sha2::{Digest, Sha256};

use crate::domain::{Provider, SourceName};

/// How one source signs, and the keys it may sign with.
#[derive(Clone, Debug)]
pub enum Scheme {
    /// BambooHR: hex, over the body and a timestamp header.
    BambooHr {
        /// The keys to try; any may match.
        keys: Vec<Key>,
        /// How body and timestamp are joined before signing.
        layout: Layout,
        /// How far the timestamp may be from now, either way.
        freshness: TimeDelta,
    },
    /// Merge: base64url, over the body alone.
    Merge {
        /// The keys to try; any may match.
        keys: Vec<Key>,
    },
}

impl Scheme {
    /// Whose scheme this is.
    #[must_use]
    pub fn provider(&self) -> Provider {
        match self {
            Self::BambooHr { .. } => Provider::BambooHr,
            Self::Merge { .. } => Provider::Merge,
        }
    }

    /// Uses the keys of another scheme from now on, if that is of the same provider; says whether.
    pub fn replace_keys(&mut self, newer: &Self) -> bool {
        match (self, newer) {
            (Self::BambooHr { keys, .. }, Self::BambooHr { keys: newer, .. })
            | (Self::Merge { keys }, Self::Merge { keys: newer }) => {
                keys.clone_from(newer);
                true
            }
            _ => false,
        }
    }

    /// Lets a delivery in, or says why not. A wrong signature is reported before a stale timestamp.
    ///
    /// # Errors
    /// [`Rejection`], which names the first thing found wrong.
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
                freshness,
            } => {
                let signed_at = bamboohr::verify(keys, *layout, headers, &body)?;
                Some(bamboohr::fresh(signed_at, *freshness, now)?)
            }
            Self::Merge { keys } => {
                merge::verify(keys, headers, &body)?;
                None
            }
        };
        let content_type = headers.get(CONTENT_TYPE);
        Ok(VerifiedDelivery {
            source: source.clone(),
            content_type: content_type
                .and_then(|value| value.to_str().ok())
                .map(str::to_owned),
            signed_at,
            digest: Sha256::digest(&body).into(),
            body,
        })
    }

    /// The headers that the provider would send with this body, signed with the first key. Without a
    /// key there are none.
    #[must_use]
    pub fn sign(&self, body: &[u8], now: DateTime<Utc>) -> Vec<(HeaderName, HeaderValue)> {
        match self {
            Self::BambooHr { keys, layout, .. } => keys
                .first()
                .map(|key| bamboohr::sign(key, *layout, body, now)),
            Self::Merge { keys } => keys.first().map(|key| merge::sign(key, body)),
        }
        .unwrap_or_default()
    }
}

/// A delivery whose signature was checked. Only this room can make one.
#[derive(Clone, PartialEq, Eq)]
pub struct VerifiedDelivery {
    source: SourceName,
    content_type: Option<String>,
    signed_at: Option<DateTime<Utc>>,
    digest: [u8; 32],
    body: Bytes,
}

impl VerifiedDelivery {
    /// The configured sender whose key matched.
    #[must_use]
    pub fn source(&self) -> &SourceName {
        &self.source
    }

    /// The body, byte for byte as it was signed.
    #[must_use]
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// The content type, as the sender wrote it. No signature covers it.
    #[must_use]
    pub fn content_type(&self) -> Option<&str> {
        self.content_type.as_deref()
    }

    /// When BambooHR says it sent the request. `None` for Merge, which does not say.
    #[must_use]
    pub fn signed_at(&self) -> Option<DateTime<Utc>> {
        self.signed_at
    }

    /// SHA-256 of the raw body.
    #[must_use]
    pub fn digest(&self) -> &[u8; 32] {
        &self.digest
    }
}

impl fmt::Debug for VerifiedDelivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifiedDelivery")
            .field("source", &self.source.as_str())
            .field("signed_at", &self.signed_at)
            .field("bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// A header that has to come exactly once: `missing` when it does not come or is empty, `malformed`
/// when it comes twice, since then sender and receiver may each mean another one.
fn sole_header<'h>(
    headers: &'h HeaderMap,
    name: &HeaderName,
    missing: Rejection,
    malformed: Rejection,
) -> Result<&'h [u8], Rejection> {
    let mut values = headers.get_all(name).iter();
    let value = values.next().ok_or(missing)?;
    if values.next().is_some() {
        return Err(malformed);
    }
    match value.as_bytes() {
        [] => Err(missing),
        bytes => Ok(bytes),
    }
}

/// A header value that does not show itself in a log of headers.
fn signature_value(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

#[cfg(test)]
#[expect(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up should fail"
)]
mod tests;

#[cfg(test)]
#[expect(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up should fail"
)]
mod vector_tests;
