//! Signatures of Standard Webhooks 1.0 (<https://github.com/standard-webhooks/standard-webhooks>, read 2026-11-27).

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit, Mac};
use ring::signature::{Ed25519KeyPair, KeyPair};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;
use uuid::Uuid;

/// Header with the id of the event.
pub const ID: &str = "webhook-id";
/// Header with the time of the attempt, in seconds since 1970.
pub const TIMESTAMP: &str = "webhook-timestamp";
/// Header with the signatures.
pub const SIGNATURE: &str = "webhook-signature";

/// Length of a symmetric key, in bytes.
const SYMMETRIC_BYTES: std::ops::RangeInclusive<usize> = 24..=64;
const SEED_BYTES: usize = 32;

/// A key that signs events for one destination.
#[derive(Clone)]
pub struct SigningKey(Scheme);

#[derive(Clone)]
enum Scheme {
    /// `v1`: HMAC-SHA256.
    Symmetric(Hmac<Sha256>),
    /// `v1a`: ed25519.
    Asymmetric(Arc<Ed25519KeyPair>),
}

/// Why a text is no key. Texts contain no part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidKey {
    /// It begins with neither prefix.
    #[error(
        "the key does not begin with `whsec_` or `whsk_`; make one with `printf 'whsec_%s\\n' \"$(openssl rand -base64 32)\"`"
    )]
    Prefix,
    /// It is the public key of a pair.
    #[error(
        "`whpk_` marks a public key, which cannot sign; use the secret key of the pair, which begins with `whsk_`"
    )]
    Public,
    /// The rest is not base64.
    #[error("the part after `{0}` is not base64; copy the whole key, with its `=` at the end")]
    NotBase64(&'static str),
    /// It is too short or too long.
    #[error(
        "the key has {0} bytes, and `whsec_` needs 24 to 64; make one with `printf 'whsec_%s\\n' \"$(openssl rand -base64 32)\"`"
    )]
    SymmetricLength(usize),
    /// It is neither a seed nor a pair.
    #[error(
        "the key has {0} bytes, and `whsk_` needs an ed25519 seed of 32, or the seed and its public key, 64; copy the whole key"
    )]
    AsymmetricLength(usize),
    /// The public key belongs to another seed.
    #[error(
        "the second half of the key is not the public key of the first; copy the whole key of one pair"
    )]
    Mismatch,
}

impl SigningKey {
    /// Parses `whsec_` with 24 to 64 bytes of base64, or `whsk_` with an ed25519 seed, alone or followed by its public key.
    ///
    /// # Errors
    /// [`InvalidKey`] describes the problem.
    pub fn parse(secret: &SecretString) -> Result<Self, InvalidKey> {
        let text = secret.expose_secret().trim();
        if let Some(rest) = text.strip_prefix("whsec_") {
            let key = decode(rest, "whsec_")?;
            let invalid = InvalidKey::SymmetricLength(key.len());
            if !SYMMETRIC_BYTES.contains(&key.len()) {
                return Err(invalid);
            }
            let hmac = Hmac::new_from_slice(&key).map_err(|_| invalid)?;
            return Ok(Self(Scheme::Symmetric(hmac)));
        }
        if let Some(rest) = text.strip_prefix("whsk_") {
            let key = decode(rest, "whsk_")?;
            let pair = match key.split_at_checked(SEED_BYTES) {
                Some((seed, [])) => Ed25519KeyPair::from_seed_unchecked(seed),
                Some((seed, public)) if public.len() == SEED_BYTES => {
                    Ed25519KeyPair::from_seed_and_public_key(seed, public)
                }
                _ => return Err(InvalidKey::AsymmetricLength(key.len())),
            };
            let pair = pair.map_err(|_| InvalidKey::Mismatch)?;
            return Ok(Self(Scheme::Asymmetric(Arc::new(pair))));
        }
        if text.starts_with("whpk_") {
            return Err(InvalidKey::Public);
        }
        Err(InvalidKey::Prefix)
    }

    /// Returns the public key, `whpk_` with base64, with which a receiver verifies. `None` for a symmetric key.
    #[must_use]
    pub fn public_key(&self) -> Option<String> {
        match &self.0 {
            Scheme::Symmetric(_) => None,
            Scheme::Asymmetric(pair) => {
                Some(format!("whpk_{}", STANDARD.encode(pair.public_key())))
            }
        }
    }

    fn sign(&self, message: &[&[u8]]) -> String {
        match &self.0 {
            Scheme::Symmetric(hmac) => {
                let mut hmac = hmac.clone();
                for part in message {
                    hmac.update(part);
                }
                format!("v1,{}", STANDARD.encode(hmac.finalize().into_bytes()))
            }
            Scheme::Asymmetric(pair) => {
                let signature = pair.sign(&message.concat());
                format!("v1a,{}", STANDARD.encode(signature))
            }
        }
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(redacted)")
    }
}

/// Returns the text of a symmetric key with these bytes.
#[must_use]
pub fn symmetric_secret(bytes: &[u8]) -> String {
    format!("whsec_{}", STANDARD.encode(bytes))
}

fn decode(text: &str, prefix: &'static str) -> Result<Vec<u8>, InvalidKey> {
    let decoded = STANDARD.decode(text);
    decoded.map_err(|_| InvalidKey::NotBase64(prefix))
}

/// The headers that authenticate one attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedHeaders {
    /// Value of [`ID`].
    pub id: String,
    /// Value of [`TIMESTAMP`].
    pub timestamp: String,
    /// Value of [`SIGNATURE`]: one signature per key, separated by spaces.
    pub signature: String,
}

/// Signs the body of an event with each key. `now` is the time of the attempt; a receiver refuses old ones.
#[must_use]
pub fn sign(keys: &[SigningKey], event: Uuid, now: DateTime<Utc>, body: &[u8]) -> SignedHeaders {
    sign_text(keys, event.to_string(), now.timestamp(), body)
}

fn sign_text(keys: &[SigningKey], id: String, seconds: i64, body: &[u8]) -> SignedHeaders {
    let timestamp = seconds.to_string();
    let message = [id.as_bytes(), b".", timestamp.as_bytes(), b".", body];
    let signatures: Vec<String> = keys.iter().map(|key| key.sign(&message)).collect();
    SignedHeaders {
        id,
        timestamp,
        signature: signatures.join(" "),
    }
}

#[cfg(test)]
#[expect(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up should fail"
)]
mod tests;
