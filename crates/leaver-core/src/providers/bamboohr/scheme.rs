//! BambooHR's signature: HMAC-SHA256 over the raw body and the text of the timestamp header, in hex.
//!
//! Source: <https://documentation.bamboohr.com/docs/webhooks-2>, read on 22 November 2026.

use chrono::{DateTime, TimeDelta, Utc};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde::Deserialize;

use crate::signature::{Key, Rejection, matches_any_key, sensitive_value, single_header};

const SIGNATURE: HeaderName = HeaderName::from_static("x-bamboohr-signature");
const TIMESTAMP: HeaderName = HeaderName::from_static("x-bamboohr-timestamp");

/// How body and timestamp are joined before signing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub enum Layout {
    /// The body, then the timestamp, with nothing between them. BambooHR signs this way.
    #[default]
    #[serde(rename = "body+timestamp")]
    BodyThenTimestamp,
    /// The timestamp, a dot, the body: for other senders that sign this way.
    #[serde(rename = "timestamp.body")]
    TimestampDotBody,
}

impl Layout {
    fn message<'m>(self, body: &'m [u8], timestamp: &'m [u8]) -> [&'m [u8]; 3] {
        match self {
            Self::BodyThenTimestamp => [body, timestamp, b""],
            Self::TimestampDotBody => [timestamp, b".", body],
        }
    }
}

/// Verifies the signature and returns the signed time. Its age is not checked here.
pub(crate) fn verify(
    keys: &[Key],
    layout: Layout,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<SignedAt, Rejection> {
    let signature = single_header(
        headers,
        &SIGNATURE,
        Rejection::MissingSignature,
        Rejection::MalformedSignature,
    )?;
    // An empty timestamp counts as missing: a signature over the body alone must never suffice.
    let timestamp = single_header(
        headers,
        &TIMESTAMP,
        Rejection::MissingTimestamp,
        Rejection::MalformedTimestamp,
    )?;
    let mut tag = [0; 32];
    hex::decode_to_slice(signature, &mut tag).map_err(|_| Rejection::MalformedSignature)?;
    // The header's text is signed as received, so it is parsed only afterwards.
    if !matches_any_key(keys, &layout.message(body, timestamp), &tag) {
        return Err(Rejection::WrongSignature);
    }
    SignedAt::parse(timestamp).ok_or(Rejection::MalformedTimestamp)
}

/// The signed time of sending.
#[derive(Clone, Copy)]
pub(crate) enum SignedAt {
    /// A time that can be represented.
    Instant(DateTime<Utc>),
    /// Before the first representable time.
    TooEarly,
    /// After the last representable time.
    TooLate,
}

impl SignedAt {
    fn parse(header: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(header).ok()?;
        // BambooHR documents no format. Captured requests have unix seconds, published samples ISO 8601.
        if let Ok(seconds) = text.parse::<i64>() {
            return Some(match DateTime::from_timestamp(seconds, 0) {
                Some(instant) => Self::Instant(instant),
                None if seconds < 0 => Self::TooEarly,
                None => Self::TooLate,
            });
        }
        // Offsets are also written as `+0000`, which RFC 3339 does not allow.
        DateTime::parse_from_rfc3339(text)
            .or_else(|_| DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f%z"))
            .ok()
            .map(|instant| Self::Instant(instant.to_utc()))
    }

    /// Returns the time if it is at most `tolerance` before or after `now`. BambooHR prescribes no tolerance.
    pub(crate) fn within(
        self,
        tolerance: TimeDelta,
        now: DateTime<Utc>,
    ) -> Result<DateTime<Utc>, Rejection> {
        match self {
            Self::TooEarly => Err(Rejection::StaleTimestamp),
            Self::TooLate => Err(Rejection::FutureTimestamp),
            Self::Instant(at) if now.signed_duration_since(at) > tolerance => {
                Err(Rejection::StaleTimestamp)
            }
            Self::Instant(at) if at.signed_duration_since(now) > tolerance => {
                Err(Rejection::FutureTimestamp)
            }
            Self::Instant(at) => Ok(at),
        }
    }
}

/// Returns the headers for a body that is sent at `now`.
pub(crate) fn sign(
    key: &Key,
    layout: Layout,
    body: &[u8],
    now: DateTime<Utc>,
) -> Vec<(HeaderName, HeaderValue)> {
    let timestamp = HeaderValue::from(now.timestamp());
    let tag = key.tag(&layout.message(body, timestamp.as_bytes()));
    let signature = sensitive_value(&hex::encode(tag)).map(|value| (SIGNATURE, value));
    signature
        .into_iter()
        .chain([(TIMESTAMP, timestamp)])
        .collect()
}
