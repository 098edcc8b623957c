//! HMAC-SHA256 with secret keys.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

/// A webhook key. The text of the secret is the key, even if it looks like hex or base64. It is not trimmed.
#[derive(Clone)]
pub struct Key(Hmac<Sha256>);

/// The secret of a key is empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the webhook key is empty")]
pub struct EmptyKey;

impl Key {
    /// Prepares a key for use with many messages.
    ///
    /// # Errors
    /// Returns [`EmptyKey`] if the secret is empty, since anybody could sign with it.
    pub fn new(secret: &SecretString) -> Result<Self, EmptyKey> {
        let text = secret.expose_secret();
        if text.is_empty() {
            return Err(EmptyKey);
        }
        // HMAC accepts keys of any length, so this cannot fail for another reason.
        Hmac::new_from_slice(text.as_bytes())
            .map(Self)
            .map_err(|_| EmptyKey)
    }

    /// Returns whether the other key makes the same signatures. Different texts can: HMAC pads short keys with zeros.
    #[must_use]
    pub fn signs_like(&self, other: &Self) -> bool {
        self.tag(&[]) == other.tag(&[])
    }

    /// Returns the authentication tag of a message given in parts.
    pub(crate) fn tag(&self, message: &[&[u8]]) -> [u8; 32] {
        self.mac(message).finalize().into_bytes().into()
    }

    fn mac(&self, message: &[&[u8]]) -> Hmac<Sha256> {
        let mut mac = self.0.clone();
        for part in message {
            mac.update(part);
        }
        mac
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(redacted)")
    }
}

/// Returns whether one of the keys makes this tag for the message. Each comparison takes constant time.
pub(crate) fn matches_any_key(keys: &[Key], message: &[&[u8]], tag: &[u8; 32]) -> bool {
    // All keys are tried, so the duration does not reveal which one matched.
    keys.iter().fold(false, |matched, key| {
        key.mac(message).verify_slice(tag).is_ok() | matched
    })
}
