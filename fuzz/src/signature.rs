//! The door. An input is a head of lines `name: value`, an empty line, and a body. The names `provider`,
//! `layout`, `key`, `now` and `freshness` set the door up, `sign` signs rightly with that key (from zero) over
//! whatever timestamp stands there, and every other name is a header.

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

/// Lets in what was signed with one of the keys and is fresh, and nothing else.
pub fn check(input: &[u8]) {
    let Some(request) = Request::read(input) else {
        return;
    };
    let source = SourceName::parse("hr").expect("a source name");
    let scheme = request.scheme();
    let verdict = scheme.verify(&source, &request.headers, request.body.clone(), request.now);
    match verdict {
        Ok(delivery) => {
            assert!(request.is_signed(), "let in what nobody signed");
            assert_eq!(delivery.body(), &request.body);
            assert_eq!(delivery.digest()[..], Sha256::digest(&request.body)[..]);
            let age = delivery.signed_at().map(|at| (request.now - at).abs());
            assert!(
                age.unwrap_or_default() <= request.freshness,
                "let in what is stale"
            );
        }
        Err(
            Rejection::StaleTimestamp | Rejection::FutureTimestamp | Rejection::MalformedTimestamp,
        ) => {}
        Err(_) => assert!(!request.is_signed(), "refused what was rightly signed"),
    }
    let headers: HeaderMap = scheme
        .sign(&request.body, request.now)
        .into_iter()
        .collect();
    let verify = |body: &[u8]| {
        let body = Bytes::copy_from_slice(body);
        scheme.verify(&source, &headers, body, request.now)
    };
    assert!(verify(&request.body).is_ok(), "refused what sign() made");
    let longer = [&request.body[..], b"0"].concat();
    assert_eq!(verify(&longer).err(), Some(Rejection::WrongSignature));
}

/// A header that comes once and says something.
fn sole<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h [u8]> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.as_bytes();
    (values.next().is_none() && !value.is_empty()).then_some(value)
}

/// What HMAC makes of a message: Merge's scheme signs a body and nothing else, so it tells.
fn tag(key: &Key, message: &[u8]) -> Vec<u8> {
    let scheme = Scheme::Merge {
        keys: vec![key.clone()],
    };
    let signed = scheme.sign(message, DateTime::UNIX_EPOCH);
    BASE64_URL_SAFE
        .decode(signed[0].1.as_bytes())
        .expect("what sign() made")
}

/// A request and the door it comes to.
pub(crate) struct Request {
    is_merge: bool,
    layout: Layout,
    keys: Vec<Key>,
    now: DateTime<Utc>,
    freshness: TimeDelta,
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
            freshness: TimeDelta::hours(3),
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
                b"freshness" => {
                    request.freshness = TimeDelta::seconds(text.ok()?.parse::<u32>().ok()?.into());
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

    /// A delivery of BambooHR's, rightly signed over this timestamp.
    pub(crate) fn signed_at(timestamp: &[u8], now: DateTime<Utc>) -> Option<Self> {
        let timestamp = HeaderValue::from_bytes(timestamp).ok()?;
        let mut request = Self {
            is_merge: false,
            layout: Layout::BodyThenTimestamp,
            keys: vec![Key::new(&"a key".into()).ok()?],
            now,
            freshness: TimeDelta::MAX,
            headers: HeaderMap::from_iter([(HeaderName::from_static(TIMESTAMP), timestamp)]),
            body: Bytes::from_static(b"{}"),
        };
        request.sign(0)?;
        Some(request)
    }

    /// When it was sent, as the door reads it.
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
                freshness: self.freshness,
            }
        }
    }

    /// What is signed; nothing without the timestamp that belongs to it.
    fn message(&self) -> Option<Vec<u8>> {
        if self.is_merge {
            return Some(self.body.to_vec());
        }
        let timestamp = sole(&self.headers, TIMESTAMP)?;
        Some(match self.layout {
            Layout::BodyThenTimestamp => [&self.body, timestamp].concat(),
            Layout::TimestampDotBody => [timestamp, b".", &self.body].concat(),
        })
    }

    fn is_signed(&self) -> bool {
        let name = if self.is_merge { MERGE } else { BAMBOOHR };
        let (Some(header), Some(message)) = (sole(&self.headers, name), self.message()) else {
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
