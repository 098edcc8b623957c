//! Reads and makes signature headers.

use http::{HeaderMap, HeaderName, HeaderValue};

use super::Rejection;

/// Returns the value of a header that must occur exactly once.
///
/// The error is `missing` if the header is absent or empty, and `malformed` if it occurs more than once.
pub(crate) fn single_header<'h>(
    headers: &'h HeaderMap,
    name: &HeaderName,
    missing: Rejection,
    malformed: Rejection,
) -> Result<&'h [u8], Rejection> {
    let mut values = headers.get_all(name).iter();
    let value = values.next().ok_or(missing)?;
    // With two values, sender and receiver could each use a different one.
    if values.next().is_some() {
        return Err(malformed);
    }
    match value.as_bytes() {
        [] => Err(missing),
        bytes => Ok(bytes),
    }
}

/// Returns a header value that `Debug` prints as `Sensitive`, or `None` if the text cannot be one.
pub(crate) fn sensitive_value(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}
