//! HMAC-SHA256 under keys that do not show themselves. It knows neither headers nor vendors.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

/// A webhook key. Its text is the key as it is: never trimmed, never decoded, even when it looks like hex or base64.
#[derive(Clone)]
pub struct Key(Hmac<Sha256>);

/// An empty key, under which anybody could sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the webhook key is empty")]
pub struct EmptyKey;

impl Key {
    /// Prepares the key once, so that a message costs only its own bytes.
    ///
    /// # Errors
    /// [`EmptyKey`] when the text is empty.
    pub fn new(secret: &SecretString) -> Result<Self, EmptyKey> {
        let text = secret.expose_secret();
        if text.is_empty() {
            return Err(EmptyKey);
        }
        // HMAC takes keys of any length, so emptiness is the only thing that can be wrong with one.
        Hmac::new_from_slice(text.as_bytes())
            .map(Self)
            .map_err(|_| EmptyKey)
    }

    pub(super) fn tag(&self, message: &[&[u8]]) -> [u8; 32] {
        self.fed(message).finalize().into_bytes().into()
    }

    fn fed(&self, message: &[&[u8]]) -> Hmac<Sha256> {
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

/// Tries every key, also after a match, so that the time taken does not tell which of them is in use.
pub(super) fn any_key_made(keys: &[Key], message: &[&[u8]], tag: &[u8; 32]) -> bool {
    keys.iter().fold(false, |matched, key| {
        key.fed(message).verify_slice(tag).is_ok() | matched
    })
}
