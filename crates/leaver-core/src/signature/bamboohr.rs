//! BambooHR's scheme: HMAC-SHA256 over the raw body and the text of a timestamp header, in hex. The
//! header's time is read only for freshness; what is signed is its text as received.

use chrono::{DateTime, TimeDelta, Utc};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde::Deserialize;

use super::hmac::any_key_made;
use super::{Key, Rejection, signature_value, sole_header};

const SIGNATURE: HeaderName = HeaderName::from_static("x-bamboohr-signature");
const TIMESTAMP: HeaderName = HeaderName::from_static("x-bamboohr-timestamp");

/// How body and timestamp are joined before signing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub enum Layout {
    /// The body, then the timestamp, nothing between: BambooHR's guide, and what it sends.
    #[default]
    #[serde(rename = "body+timestamp")]
    BodyThenTimestamp,
    /// The timestamp, a dot, the body: for senders that copy another vendor's habit.
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

/// The header's time, when one of the keys signed it together with the body.
pub(super) fn verify(
    keys: &[Key],
    layout: Layout,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<SignedAt, Rejection> {
    let signature = sole_header(
        headers,
        &SIGNATURE,
        Rejection::MissingSignature,
        Rejection::MalformedSignature,
    )?;
    // An empty timestamp counts as missing: the body alone must never be enough to sign.
    let timestamp = sole_header(
        headers,
        &TIMESTAMP,
        Rejection::MissingTimestamp,
        Rejection::MalformedTimestamp,
    )?;
    let mut tag = [0; 32];
    hex::decode_to_slice(signature, &mut tag).map_err(|_| Rejection::MalformedSignature)?;
    if !any_key_made(keys, &layout.message(body, timestamp), &tag) {
        return Err(Rejection::WrongSignature);
    }
    SignedAt::parse(timestamp).ok_or(Rejection::MalformedTimestamp)
}

/// When the request was sent, by the header's word.
#[derive(Clone, Copy)]
pub(super) enum SignedAt {
    Instant(DateTime<Utc>),
    BeforeAllTime,
    AfterAllTime,
}

impl SignedAt {
    /// Unix seconds, as real clients receive, or ISO 8601, as some published samples have.
    fn parse(header: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(header).ok()?;
        if let Ok(seconds) = text.parse::<i64>() {
            return Some(match DateTime::from_timestamp(seconds, 0) {
                Some(instant) => Self::Instant(instant),
                None if seconds < 0 => Self::BeforeAllTime,
                None => Self::AfterAllTime,
            });
        }
        // BambooHR writes `+0000`, which RFC 3339 has no room for.
        DateTime::parse_from_rfc3339(text)
            .or_else(|_| DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f%z"))
            .ok()
            .map(|instant| Self::Instant(instant.to_utc()))
    }
}

/// The instant, when it is near enough to now. BambooHR prescribes no window.
pub(super) fn fresh(
    signed_at: SignedAt,
    freshness: TimeDelta,
    now: DateTime<Utc>,
) -> Result<DateTime<Utc>, Rejection> {
    match signed_at {
        SignedAt::BeforeAllTime => Err(Rejection::StaleTimestamp),
        SignedAt::AfterAllTime => Err(Rejection::FutureTimestamp),
        SignedAt::Instant(at) if now.signed_duration_since(at) > freshness => {
            Err(Rejection::StaleTimestamp)
        }
        SignedAt::Instant(at) if at.signed_duration_since(now) > freshness => {
            Err(Rejection::FutureTimestamp)
        }
        SignedAt::Instant(at) => Ok(at),
    }
}

pub(super) fn sign(
    key: &Key,
    layout: Layout,
    body: &[u8],
    now: DateTime<Utc>,
) -> Vec<(HeaderName, HeaderValue)> {
    let timestamp = HeaderValue::from(now.timestamp());
    let tag = key.tag(&layout.message(body, timestamp.as_bytes()));
    let signature = signature_value(&hex::encode(tag)).map(|value| (SIGNATURE, value));
    signature
        .into_iter()
        .chain([(TIMESTAMP, timestamp)])
        .collect()
}
