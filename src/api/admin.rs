//! The token that opens the routes for an administrator's programs.

use std::fmt;

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// The fewest characters of a token.
const SHORTEST: usize = 16;

/// What stands behind `Authorization: Bearer`. Only its digest is kept.
#[derive(Clone)]
pub struct AdminToken([u8; 32]);

/// Why a secret is not good enough to be the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WeakToken {
    /// It could be guessed.
    #[error(
        "the token has fewer than {SHORTEST} characters and could be guessed: make one with `openssl rand -hex 32`"
    )]
    TooShort,
    /// No client could send it.
    #[error(
        "the token has a space, a line break or a character outside ASCII in it, which a header cannot carry: make one with `openssl rand -hex 32`"
    )]
    NotForHeaders,
}

impl AdminToken {
    /// Accepts at least 16 visible ASCII characters.
    ///
    /// # Errors
    /// [`WeakToken`] for anything else.
    pub fn new(secret: &SecretString) -> Result<Self, WeakToken> {
        let secret = secret.expose_secret();
        if !secret.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(WeakToken::NotForHeaders);
        }
        if secret.len() < SHORTEST {
            return Err(WeakToken::TooShort);
        }
        Ok(Self(Sha256::digest(secret).into()))
    }

    /// Whether the one `Authorization` header bears it. How long the answer takes says nothing of the token.
    pub(super) fn lets_in(&self, headers: &HeaderMap) -> bool {
        let mut sent = headers.get_all(AUTHORIZATION).iter();
        let (Some(value), None) = (sent.next(), sent.next()) else {
            return false;
        };
        let Some((scheme, token)) = value.to_str().ok().and_then(|text| text.split_once(' '))
        else {
            return false;
        };
        let digest: [u8; 32] = Sha256::digest(token.trim()).into();
        scheme.eq_ignore_ascii_case("Bearer") & bool::from(digest.ct_eq(&self.0))
    }
}

impl fmt::Debug for AdminToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AdminToken(redacted)")
    }
}
