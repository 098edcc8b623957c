use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use http::{HeaderMap, HeaderName, HeaderValue};
use proptest::prelude::*;

use super::*;
use crate::domain::SourceName;

const SIGNATURE: &str = "x-bamboohr-signature";
const TIMESTAMP: &str = "x-bamboohr-timestamp";

pub(crate) fn key(text: &str) -> Key {
    Key::new(&text.into()).unwrap()
}

pub(crate) fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in pairs {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        map.append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    map
}

pub(crate) fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(seconds, 0).unwrap()
}

pub(crate) fn source() -> SourceName {
    SourceName::parse("hr").unwrap()
}

fn bamboohr(layout: Layout) -> Scheme {
    Scheme::BambooHr {
        keys: vec![key("k-one"), key("k-two")],
        layout,
        timestamp_tolerance: TimeDelta::hours(3),
    }
}

fn merge() -> Scheme {
    Scheme::Merge {
        keys: vec![key("k-one"), key("k-two")],
    }
}

#[test]
fn empty_key_is_rejected() {
    assert_eq!(Key::new(&"".into()).unwrap_err(), EmptyKey);
    assert!(Key::new(&" ".into()).is_ok());
}

#[test]
fn scheme_without_keys_signs_and_accepts_nothing() {
    let keyless = Scheme::Merge { keys: Vec::new() };
    assert!(keyless.sign(b"{}", at(0)).is_empty());
    let signed: HeaderMap = merge().sign(b"{}", at(0)).into_iter().collect();
    let verdict = keyless.verify(&source(), &signed, Bytes::from("{}"), at(0));
    assert_eq!(verdict, Err(Rejection::WrongSignature));
}

#[test]
fn second_key_is_accepted() {
    let Scheme::Merge { mut keys } = merge() else {
        return;
    };
    keys.reverse();
    let signed: HeaderMap = Scheme::Merge { keys }
        .sign(b"{}", at(0))
        .into_iter()
        .collect();
    assert!(
        merge()
            .verify(&source(), &signed, Bytes::from("{}"), at(0))
            .is_ok()
    );
}

#[test]
fn repeated_header_is_rejected() {
    let now = at(1_795_348_800);
    let check = |scheme: &Scheme, name: &str, expected| {
        let mut twice: HeaderMap = scheme.sign(b"{}", now).into_iter().collect();
        let copy = twice.get(name).cloned().unwrap();
        twice.append(HeaderName::from_bytes(name.as_bytes()).unwrap(), copy);
        let verdict = scheme.verify(&source(), &twice, Bytes::from("{}"), now);
        assert_eq!(verdict, Err(expected), "{name}");
    };
    let standard = bamboohr(Layout::BodyThenTimestamp);
    check(&standard, SIGNATURE, Rejection::MalformedSignature);
    check(&standard, TIMESTAMP, Rejection::MalformedTimestamp);
    check(
        &merge(),
        "x-merge-webhook-signature",
        Rejection::MalformedSignature,
    );
}

/// Verifies a body with a valid signature over this timestamp, at 2026-11-22T12:00:00Z.
fn with_timestamp(timestamp: &str) -> Result<Option<DateTime<Utc>>, Rejection> {
    let tag = hex::encode(key("k-one").tag(&[b"{}", timestamp.as_bytes()]));
    let headers = headers(&[(SIGNATURE, &tag), (TIMESTAMP, timestamp)]);
    bamboohr(Layout::BodyThenTimestamp)
        .verify(&source(), &headers, Bytes::from("{}"), at(1_795_348_800))
        .map(|delivery| delivery.signed_at())
}

#[test]
fn timestamp_formats_and_tolerance_are_enforced() {
    use Rejection::{FutureTimestamp, MalformedTimestamp, MissingTimestamp, StaleTimestamp};
    let near = Ok(Some(at(1_795_348_796)));
    for (timestamp, expected) in [
        ("1795348796", near),
        ("2026-11-22T11:59:56Z", near),
        ("2026-11-22T11:59:56+0000", near),
        ("2026-11-22T11:59:56+00:00", near),
        ("2026-11-22T13:59:56.000+0200", near),
        ("1795338000", Ok(Some(at(1_795_338_000)))),
        ("1795337999", Err(StaleTimestamp)),
        ("1795359600", Ok(Some(at(1_795_359_600)))),
        ("1795359601", Err(FutureTimestamp)),
        ("1795348796000", Err(FutureTimestamp)),
        ("0", Err(StaleTimestamp)),
        ("-1", Err(StaleTimestamp)),
        ("9223372036854775807", Err(FutureTimestamp)),
        ("-9223372036854775808", Err(StaleTimestamp)),
        ("9223372036854775808", Err(MalformedTimestamp)),
        ("9999-12-31T23:59:59Z", Err(FutureTimestamp)),
        ("0000-01-01T00:00:00Z", Err(StaleTimestamp)),
        ("", Err(MissingTimestamp)),
        ("yesterday", Err(MalformedTimestamp)),
        ("1795348796.5", Err(MalformedTimestamp)),
        ("1795348796é", Err(MalformedTimestamp)),
        ("2026-11-22", Err(MalformedTimestamp)),
    ] {
        assert_eq!(with_timestamp(timestamp), expected, "{timestamp}");
    }
}

#[test]
fn extreme_times_do_not_overflow() {
    let scheme = bamboohr(Layout::BodyThenTimestamp);
    for now in [DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC] {
        for timestamp in [DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC] {
            let signed: HeaderMap = scheme.sign(b"", timestamp).into_iter().collect();
            let verdict = scheme.verify(&source(), &signed, Bytes::new(), now);
            assert_eq!(verdict.is_ok(), now == timestamp);
        }
    }
}

#[test]
fn malformed_signature_is_rejected_before_verification() {
    use Rejection::{MalformedSignature, MissingSignature, WrongSignature};
    let zeros = "0".repeat(64);
    for (signature, expected) in [
        ("", MissingSignature),
        (zeros.as_str(), WrongSignature),
        (&zeros[1..], MalformedSignature),
        (&zeros[2..], MalformedSignature),
        (&"0".repeat(66), MalformedSignature),
        (&"g".repeat(64), MalformedSignature),
        (&"é".repeat(32), MalformedSignature),
        (&format!("sha256={zeros}"), MalformedSignature),
    ] {
        let headers = headers(&[(SIGNATURE, signature), (TIMESTAMP, "0")]);
        let scheme = bamboohr(Layout::BodyThenTimestamp);
        let verdict = scheme.verify(&source(), &headers, Bytes::new(), at(0));
        assert_eq!(verdict, Err(expected), "{signature}");
    }
    let zeros = "A".repeat(43);
    for (signature, expected) in [
        (zeros.as_str(), WrongSignature),
        (&format!("{zeros}="), WrongSignature),
        (&format!("{zeros}=="), MalformedSignature),
        (&format!("{zeros}A"), MalformedSignature),
        (&format!("{}B", &zeros[1..]), MalformedSignature),
        (&format!("+{}", &zeros[1..]), MalformedSignature),
        (&format!("/{}", &zeros[1..]), MalformedSignature),
        (&format!("A {}", &zeros[2..]), MalformedSignature),
        (&format!("é{}", &zeros[2..]), MalformedSignature),
    ] {
        let headers = headers(&[("x-merge-webhook-signature", signature)]);
        let verdict = merge().verify(&source(), &headers, Bytes::new(), at(0));
        assert_eq!(verdict, Err(expected), "{signature}");
    }
}

#[test]
fn debug_hides_keys_and_bodies() {
    let body = Bytes::from("dana@example.com");
    let now = at(1_795_348_800);
    let scheme = bamboohr(Layout::BodyThenTimestamp);
    let signed = scheme.sign(&body, now);
    let delivery = scheme
        .verify(&source(), &signed.iter().cloned().collect(), body, now)
        .unwrap();
    let shown = format!("{:?} {scheme:?} {delivery:?} {signed:?}", key("k-one"));
    for hidden in ["k-one", "k-two", "dana"] {
        assert!(!shown.contains(hidden), "{shown}");
    }
    assert!(shown.contains("Sensitive"), "{shown}");
}

fn schemes() -> [Scheme; 3] {
    [
        bamboohr(Layout::BodyThenTimestamp),
        bamboohr(Layout::TimestampDotBody),
        merge(),
    ]
}

proptest! {
    #[test]
    fn own_signatures_are_accepted(body: Vec<u8>, which in 0..3_usize, now in 0..=4_000_000_000_i64) {
        let scheme = &schemes()[which];
        let signed: HeaderMap = scheme.sign(&body, at(now)).into_iter().collect();
        let delivery = scheme
            .verify(&source(), &signed, Bytes::from(body.clone()), at(now))
            .unwrap();
        prop_assert_eq!(delivery.body(), &Bytes::from(body));
    }

    #[test]
    fn flipped_bit_is_rejected(
        mut body in prop::collection::vec(any::<u8>(), 1..200),
        which in 0..3_usize,
        place: prop::sample::Index,
        bit in 0..8_u8,
    ) {
        let scheme = &schemes()[which];
        let now = at(1_795_348_800);
        let signed = scheme.sign(&body, now);
        for (header, _) in signed.iter().enumerate() {
            let mut bytes = signed[header].1.as_bytes().to_vec();
            let at = place.index(bytes.len());
            // Hex digits ignore case, so the bit of the case is not flipped.
            let bit = if bit == 5 { 4 } else { bit };
            bytes[at] ^= 1 << bit;
            let Ok(value) = HeaderValue::from_bytes(&bytes) else { continue };
            let mut flipped: HeaderMap = signed.iter().cloned().collect();
            flipped.insert(signed[header].0.clone(), value);
            let verdict = scheme.verify(&source(), &flipped, Bytes::from(body.clone()), now);
            prop_assert!(verdict.is_err());
        }
        let at = place.index(body.len());
        body[at] ^= 1 << bit;
        let verdict =
            scheme.verify(&source(), &signed.into_iter().collect(), Bytes::from(body), now);
        prop_assert_eq!(verdict, Err(Rejection::WrongSignature));
    }

    #[test]
    fn arbitrary_headers_do_not_panic(
        body: Vec<u8>,
        signature in "\\PC*",
        timestamp in "\\PC*|-?[0-9]{1,25}",
        now: i64,
    ) {
        let now = DateTime::from_timestamp(now, 0).unwrap_or(DateTime::<Utc>::MAX_UTC);
        let mut map = HeaderMap::new();
        for (name, text) in [
            (SIGNATURE, &signature),
            (TIMESTAMP, &timestamp),
            ("x-merge-webhook-signature", &signature),
        ] {
            if let Ok(value) = HeaderValue::from_bytes(text.as_bytes()) {
                map.insert(name, value);
            }
        }
        for scheme in schemes() {
            let verdict = scheme.verify(&source(), &map, Bytes::from(body.clone()), now);
            prop_assert!(verdict.is_err());
        }
    }
}
