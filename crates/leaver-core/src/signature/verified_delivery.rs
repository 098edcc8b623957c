//! A webhook request whose signature was verified.

use std::fmt;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};

use crate::domain::SourceName;

/// A webhook request whose signature was verified. Only [`Scheme::verify`](super::Scheme::verify) makes one.
#[derive(Clone, PartialEq, Eq)]
pub struct VerifiedDelivery {
    source: SourceName,
    content_type: Option<String>,
    signed_at: Option<DateTime<Utc>>,
    digest: [u8; 32],
    body: Bytes,
}

impl VerifiedDelivery {
    // Visible in `signature` only: any other caller could vouch for bytes that nobody verified.
    pub(super) fn new(
        source: SourceName,
        content_type: Option<String>,
        signed_at: Option<DateTime<Utc>>,
        body: Bytes,
    ) -> Self {
        Self {
            source,
            content_type,
            signed_at,
            digest: Sha256::digest(&body).into(),
            body,
        }
    }

    /// Returns the source whose key matched.
    #[must_use]
    pub fn source(&self) -> &SourceName {
        &self.source
    }

    /// Returns the body, byte for byte as it was signed.
    #[must_use]
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// Returns the `Content-Type` header. It is not covered by the signature.
    #[must_use]
    pub fn content_type(&self) -> Option<&str> {
        self.content_type.as_deref()
    }

    /// Returns the signed time of sending, or `None` if the provider does not sign one.
    #[must_use]
    pub fn signed_at(&self) -> Option<DateTime<Utc>> {
        self.signed_at
    }

    /// Returns the SHA-256 digest of the raw body.
    #[must_use]
    pub fn digest(&self) -> &[u8; 32] {
        &self.digest
    }
}

impl fmt::Debug for VerifiedDelivery {
    // The body holds personal data, so only its length is printed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifiedDelivery")
            .field("source", &self.source.as_str())
            .field("signed_at", &self.signed_at)
            .field("bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}
