//! Signatures. An input has lines `name: value`, an empty line, and a body.
//!
//! `provider`, `layout`, `key`, `now` and `tolerance` configure the scheme. `sign` adds a valid signature by the key of
//! that index. All other names are headers.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE;
use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use http::{HeaderMap, HeaderName, HeaderValue};
use leaver_core::domain::SourceName;
use leaver_core::signature::{Key, Layout, Rejection, Scheme};
use sha2::{Digest, Sha256};

const BAMBOOHR: &str = "x-bamboohr-signature";
const TIMESTAMP: &str = "x-bamboohr-timestamp";
const MERGE: &str = "x-merge-webhook-signature";

/// Checks that a request is accepted exactly if one of the keys signed it and its timestamp is within the tolerance.
pub fn check(input: &[u8]) {
    let Some(request) = Request::read(input) else {
        return;
    };
    let source = SourceName::parse("hr").expect("a source name");
    let scheme = request.scheme();
    let verdict = scheme.verify(&source, &request.headers, request.body.clone(), request.now);
    match verdict {
        Ok(delivery) => {
            assert!(request.is_signed(), "accepted an unsigned request");
            assert_eq!(delivery.body(), &request.body);
            assert_eq!(delivery.digest()[..], Sha256::digest(&request.body)[..]);
            let age = delivery.signed_at().map(|at| (request.now - at).abs());
            assert!(
                age.unwrap_or_default() <= request.tolerance,
                "accepted a stale request"
            );
        }
        Err(
            Rejection::StaleTimestamp | Rejection::FutureTimestamp | Rejection::MalformedTimestamp,
        ) => {}
        Err(_) => assert!(!request.is_signed(), "rejected a signed request"),
    }
    let headers: HeaderMap = scheme
        .sign(&request.body, request.now)
        .into_iter()
        .collect();
    let verify = |body: &[u8]| {
        let body = Bytes::copy_from_slice(body);
        scheme.verify(&source, &headers, body, request.now)
    };
    assert!(
        verify(&request.body).is_ok(),
        "rejected the headers of sign()"
    );
    let longer = [&request.body[..], b"0"].concat();
    assert_eq!(verify(&longer).err(), Some(Rejection::WrongSignature));
}

/// Returns a header that occurs once and is not empty.
fn single<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h [u8]> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.as_bytes();
    (values.next().is_none() && !value.is_empty()).then_some(value)
}

/// Returns the HMAC of a message: the signature by Merge's scheme, which covers the body alone.
fn tag(key: &Key, message: &[u8]) -> Vec<u8> {
    let scheme = Scheme::Merge {
        keys: vec![key.clone()],
    };
    let signed = scheme.sign(message, DateTime::UNIX_EPOCH);
    BASE64_URL_SAFE
        .decode(signed[0].1.as_bytes())
        .expect("the header of sign()")
}

/// A request and the scheme that verifies it.
pub(crate) struct Request {
    is_merge: bool,
    layout: Layout,
    keys: Vec<Key>,
    now: DateTime<Utc>,
    tolerance: TimeDelta,
    headers: HeaderMap,
    body: Bytes,
}

impl Request {
    fn read(input: &[u8]) -> Option<Self> {
        let split = input.windows(2).position(|two| two == b"\n\n")?;
        let mut request = Self {
            is_merge: false,
            layout: Layout::BodyThenTimestamp,
            keys: vec![],
            now: DateTime::UNIX_EPOCH,
            tolerance: TimeDelta::hours(3),
            headers: HeaderMap::new(),
            body: Bytes::copy_from_slice(&input[split + 2..]),
        };
        let mut signer = None;
        for line in input[..split].split(|byte| *byte == b'\n') {
            let colon = line.windows(2).position(|two| two == b": ")?;
            let (name, value) = (&line[..colon], &line[colon + 2..]);
            let text = std::str::from_utf8(value);
            match name {
                b"provider" => request.is_merge = value == b"merge",
                b"layout" => {
                    request.layout = match text.ok()? {
                        "body+timestamp" => Layout::BodyThenTimestamp,
                        "timestamp.body" => Layout::TimestampDotBody,
                        _ => return None,
                    };
                }
                b"key" => request.keys.push(Key::new(&text.ok()?.into()).ok()?),
                b"now" => request.now = DateTime::from_timestamp(text.ok()?.parse().ok()?, 0)?,
                b"tolerance" => {
                    request.tolerance = TimeDelta::seconds(text.ok()?.parse::<u32>().ok()?.into());
                }
                b"sign" => signer = Some(text.ok()?.parse::<usize>().ok()?),
                name => {
                    request
                        .headers
                        .try_append(
                            HeaderName::from_bytes(name).ok()?,
                            HeaderValue::from_bytes(value).ok()?,
                        )
                        .ok()?;
                }
            }
        }
        if let Some(signer) = signer {
            request.sign(signer)?;
        }
        (!request.keys.is_empty()).then_some(request)
    }

    /// Returns a BambooHR request with this timestamp and a valid signature.
    pub(crate) fn signed_at(timestamp: &[u8], now: DateTime<Utc>) -> Option<Self> {
        let timestamp = HeaderValue::from_bytes(timestamp).ok()?;
        let mut request = Self {
            is_merge: false,
            layout: Layout::BodyThenTimestamp,
            keys: vec![Key::new(&"a key".into()).ok()?],
            now,
            tolerance: TimeDelta::MAX,
            headers: HeaderMap::from_iter([(HeaderName::from_static(TIMESTAMP), timestamp)]),
            body: Bytes::from_static(b"{}"),
        };
        request.sign(0)?;
        Some(request)
    }

    /// Returns the verified time of sending.
    pub(crate) fn sent_at(self) -> Result<Option<DateTime<Utc>>, Rejection> {
        let source = SourceName::parse("hr").expect("a source name");
        let delivery = self
            .scheme()
            .verify(&source, &self.headers, self.body, self.now)?;
        Ok(delivery.signed_at())
    }

    fn sign(&mut self, signer: usize) -> Option<()> {
        let tag = tag(self.keys.get(signer)?, &self.message()?);
        let (name, text) = if self.is_merge {
            (MERGE, BASE64_URL_SAFE.encode(tag))
        } else {
            (BAMBOOHR, hex::encode(tag))
        };
        self.headers
            .insert(name, HeaderValue::from_str(&text).ok()?);
        Some(())
    }

    fn scheme(&self) -> Scheme {
        let keys = self.keys.clone();
        if self.is_merge {
            Scheme::Merge { keys }
        } else {
            Scheme::BambooHr {
                keys,
                layout: self.layout,
                timestamp_tolerance: self.tolerance,
            }
        }
    }

    /// Returns the signed bytes, or `None` if the timestamp is missing.
    fn message(&self) -> Option<Vec<u8>> {
        if self.is_merge {
            return Some(self.body.to_vec());
        }
        let timestamp = single(&self.headers, TIMESTAMP)?;
        Some(match self.layout {
            Layout::BodyThenTimestamp => [&self.body, timestamp].concat(),
            Layout::TimestampDotBody => [timestamp, b".", &self.body].concat(),
        })
    }

    fn is_signed(&self) -> bool {
        let name = if self.is_merge { MERGE } else { BAMBOOHR };
        let (Some(header), Some(message)) = (single(&self.headers, name), self.message()) else {
            return false;
        };
        self.keys.iter().any(|key| {
            let tag = tag(key, &message);
            if self.is_merge {
                let text = BASE64_URL_SAFE.encode(tag);
                header == text.as_bytes() || header == text.trim_end_matches('=').as_bytes()
            } else {
                header.eq_ignore_ascii_case(hex::encode(tag).as_bytes())
            }
        })
    }
}
