//! The token that authorizes programs of the administrator.

use std::fmt;

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// Fewest characters of a token.
const MIN_TOKEN_LEN: usize = 16;

/// SHA-256 of the token that a request sends as `Authorization: Bearer`. The token itself is not kept.
#[derive(Clone)]
pub struct AdminToken([u8; 32]);

/// Why a secret cannot be the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Too short to be safe.
    #[error(
        "the token has fewer than {MIN_TOKEN_LEN} characters and could be guessed; make one with `openssl rand -hex 32`"
    )]
    TooShort,
    /// No header can carry it.
    #[error(
        "the token has a space, a line break or a character outside ASCII, which a header cannot carry; make one with `openssl rand -hex 32`"
    )]
    NotForHeaders,
}

impl AdminToken {
    /// Accepts at least 16 visible ASCII characters.
    ///
    /// # Errors
    /// Returns [`TokenError`] for anything else.
    pub fn new(secret: &SecretString) -> Result<Self, TokenError> {
        let secret = secret.expose_secret();
        if !secret.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(TokenError::NotForHeaders);
        }
        if secret.len() < MIN_TOKEN_LEN {
            return Err(TokenError::TooShort);
        }
        Ok(Self(Sha256::digest(secret).into()))
    }

    /// Returns whether the headers have exactly one `Authorization`, with this token.
    pub(super) fn authorizes(&self, headers: &HeaderMap) -> bool {
        let mut sent = headers.get_all(AUTHORIZATION).iter();
        let (Some(value), None) = (sent.next(), sent.next()) else {
            return false;
        };
        let Some((scheme, token)) = value.to_str().ok().and_then(|text| text.split_once(' '))
        else {
            return false;
        };
        // Digests are compared in constant time, so the time of a response reveals nothing about the token.
        let digest: [u8; 32] = Sha256::digest(token.trim()).into();
        scheme.eq_ignore_ascii_case("Bearer") & bool::from(digest.ct_eq(&self.0))
    }
}

impl fmt::Debug for AdminToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AdminToken(redacted)")
    }
}
