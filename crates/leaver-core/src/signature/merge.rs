//! Merge's scheme: HMAC-SHA256 over the raw body alone, in base64url. It proves neither a moment nor a
//! customer: Merge signs for all linked accounts of an organization with one key.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::hmac::any_key_made;
use super::{Key, Rejection, signature_value, sole_header};

const SIGNATURE: HeaderName = HeaderName::from_static("x-merge-webhook-signature");

/// 32 bytes in base64url without padding.
const UNPADDED_LEN: usize = 43;

pub(super) fn verify(keys: &[Key], headers: &HeaderMap, body: &[u8]) -> Result<(), Rejection> {
    let text = sole_header(
        headers,
        &SIGNATURE,
        Rejection::MissingSignature,
        Rejection::MalformedSignature,
    )?;
    let tag = decode(text).ok_or(Rejection::MalformedSignature)?;
    if any_key_made(keys, &[body], &tag) {
        Ok(())
    } else {
        Err(Rejection::WrongSignature)
    }
}

/// Merge's own texts disagree about padding, so one trailing `=` may be there or not. All else is strict:
/// the standard alphabet and unused bits that are not zero would give one body several valid headers.
fn decode(text: &[u8]) -> Option<[u8; 32]> {
    let unpadded = text.strip_suffix(b"=").unwrap_or(text);
    if unpadded.len() != UNPADDED_LEN {
        return None;
    }
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(unpadded).ok()?;
    bytes.try_into().ok()
}

pub(super) fn sign(key: &Key, body: &[u8]) -> Vec<(HeaderName, HeaderValue)> {
    // With its padding, as in the recipe of Merge's documentation.
    let text = BASE64_URL_SAFE_NO_PAD.encode(key.tag(&[body])) + "=";
    signature_value(&text)
        .map(|value| (SIGNATURE, value))
        .into_iter()
        .collect()
}
