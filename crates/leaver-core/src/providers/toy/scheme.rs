//! The toy provider's signature: HMAC-SHA256 over the raw body, in hex.

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::signature::{Key, Rejection, matches_any_key, sensitive_value, single_header};

const SIGNATURE: HeaderName = HeaderName::from_static("x-toy-signature");

/// Verifies the signature.
pub(crate) fn verify(keys: &[Key], headers: &HeaderMap, body: &[u8]) -> Result<(), Rejection> {
    let signature = single_header(
        headers,
        &SIGNATURE,
        Rejection::MissingSignature,
        Rejection::MalformedSignature,
    )?;
    let mut tag = [0; 32];
    hex::decode_to_slice(signature, &mut tag).map_err(|_| Rejection::MalformedSignature)?;
    if matches_any_key(keys, &[body], &tag) {
        Ok(())
    } else {
        Err(Rejection::WrongSignature)
    }
}

/// Returns the header for a body.
pub(crate) fn sign(key: &Key, body: &[u8]) -> Vec<(HeaderName, HeaderValue)> {
    let signature = sensitive_value(&hex::encode(key.tag(&[body])));
    signature
        .map(|value| (SIGNATURE, value))
        .into_iter()
        .collect()
}
