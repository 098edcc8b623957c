//! Merge's signature: HMAC-SHA256 over the raw body alone, in base64url.
//!
//! It proves neither the time of sending nor the customer: one key signs for all linked accounts of an
//! organization. Source: <https://help.merge.dev/articles/5614281-merge-webhook-signatures>, as of May 2025.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::signature::{Key, Rejection, matches_any_key, sensitive_value, single_header};

const SIGNATURE: HeaderName = HeaderName::from_static("x-merge-webhook-signature");

/// Characters that encode 32 bytes in base64url without padding.
const UNPADDED_LEN: usize = 43;

/// Verifies the signature.
pub(crate) fn verify(keys: &[Key], headers: &HeaderMap, body: &[u8]) -> Result<(), Rejection> {
    let text = single_header(
        headers,
        &SIGNATURE,
        Rejection::MissingSignature,
        Rejection::MalformedSignature,
    )?;
    let tag = decode(text).ok_or(Rejection::MalformedSignature)?;
    if matches_any_key(keys, &[body], &tag) {
        Ok(())
    } else {
        Err(Rejection::WrongSignature)
    }
}

/// Decodes the header strictly, except that one trailing `=` is optional.
fn decode(text: &[u8]) -> Option<[u8; 32]> {
    // Merge's documentation pads the text and its newer samples do not.
    let unpadded = text.strip_suffix(b"=").unwrap_or(text);
    if unpadded.len() != UNPADDED_LEN {
        return None;
    }
    // The decoder rejects the standard alphabet and unused bits that are set. With either, one body would
    // have several valid headers.
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(unpadded).ok()?;
    bytes.try_into().ok()
}

/// Returns the header for a body, padded as in Merge's documentation.
pub(crate) fn sign(key: &Key, body: &[u8]) -> Vec<(HeaderName, HeaderValue)> {
    let text = BASE64_URL_SAFE_NO_PAD.encode(key.tag(&[body])) + "=";
    sensitive_value(&text)
        .map(|value| (SIGNATURE, value))
        .into_iter()
        .collect()
}
