//! The signature test vectors of both providers.

use bytes::Bytes;
use chrono::TimeDelta;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::tests::{at, headers, key, source};
use super::*;

const BAMBOOHR: &str = include_str!("../../../../tests/vectors/bamboohr.json");
const MERGE: &str = include_str!("../../../../tests/vectors/merge.json");

fn vectors(text: &str) -> Vec<Value> {
    let mut file: Value = serde_json::from_str(text).unwrap();
    serde_json::from_value(file["vectors"].take()).unwrap()
}

fn text<'v>(vector: &'v Value, member: &str) -> &'v str {
    vector[member].as_str().unwrap()
}

/// The vector's keys: the list under `list`, or its one secret.
fn keys(vector: &Value, list: &str) -> Vec<Key> {
    match vector[list].as_array() {
        Some(keys) => keys.iter().map(|k| key(k.as_str().unwrap())).collect(),
        None => vec![key(text(vector, "secret"))],
    }
}

/// The vector's body. Its length and digest are checked, so an edited file is detected.
fn body(vector: &Value, len: &str) -> Bytes {
    let bytes = Bytes::from(text(vector, "body").to_owned());
    assert_eq!(Some(bytes.len() as u64), vector[len].as_u64());
    assert_eq!(
        hex::encode(Sha256::digest(&bytes)),
        text(vector, "body_sha256")
    );
    bytes
}

fn verify_bamboohr(vector: &Value, layout: Layout) -> Result<VerifiedDelivery, Rejection> {
    let scheme = Scheme::BambooHr {
        keys: keys(vector, "configured_secrets"),
        layout,
        timestamp_tolerance: TimeDelta::seconds(vector["tolerance_seconds"].as_i64().unwrap()),
    };
    let pairs: Vec<_> = vector["headers"].as_object().unwrap().iter().collect();
    let pairs: Vec<_> = pairs
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str().unwrap()))
        .collect();
    let now = at(vector["now"].as_i64().unwrap());
    scheme.verify(&source(), &headers(&pairs), body(vector, "body_bytes"), now)
}

#[test]
fn bamboohr_vectors_get_their_verdicts() {
    let all = vectors(BAMBOOHR);
    assert_eq!(all.len(), 47);
    let mut rejections = Vec::new();
    for vector in &all {
        let name = text(vector, "name");
        let expected = vector["expected"]["verdict"].as_str().unwrap();
        match verify_bamboohr(vector, Layout::BodyThenTimestamp) {
            Ok(delivery) => {
                assert_eq!(expected, "accept", "{name}");
                assert_eq!(
                    delivery.content_type(),
                    vector["content_type"].as_str(),
                    "{name}"
                );
                assert_eq!(
                    hex::encode(delivery.digest()),
                    text(vector, "body_sha256"),
                    "{name}"
                );
                assert!(delivery.signed_at().is_some(), "{name}");
            }
            Err(rejection) => {
                assert_eq!(expected, "reject", "{name}: {rejection}");
                rejections.push(format!("{name}: {}", rejection.as_str()));
            }
        }
    }
    insta::assert_snapshot!(rejections.join("\n"), @r"
    reserialized_json_does_not_verify: wrong_signature
    reject_wrong_secret: wrong_signature
    reject_tampered_body: wrong_signature
    reject_tampered_timestamp: wrong_signature
    reject_stale_timestamp: stale_timestamp
    reject_future_timestamp: future_timestamp
    reject_seed001_layout_timestamp_dot_body: wrong_signature
    reject_timestamp_before_body: wrong_signature
    reject_body_only: wrong_signature
    reject_hex_decoded_key: wrong_signature
    reject_base64_signature: malformed_signature
    reject_truncated_signature: malformed_signature
    reject_non_ascii_signature: malformed_signature
    reject_missing_signature_header: missing_signature
    reject_missing_timestamp_header: missing_timestamp
    reject_non_numeric_timestamp: malformed_timestamp
    ");
}

#[test]
fn merge_vectors_get_their_verdicts() {
    let all = vectors(MERGE);
    assert_eq!(all.len(), 61);
    let mut rejections = Vec::new();
    for vector in &all {
        let name = text(vector, "name");
        let scheme = Scheme::Merge {
            keys: keys(vector, "accepted_secrets"),
        };
        let signature = vector["signature"]
            .as_str()
            .map(|s| (text(vector, "header_name"), s));
        let headers = headers(signature.as_slice());
        let expected = vector["expected"]["verdict"].as_str().unwrap();
        let body = body(vector, "body_utf8_len");
        match scheme.verify(&source(), &headers, body, at(0)) {
            Ok(delivery) => {
                assert_eq!(expected, "accept", "{name}");
                assert_eq!(delivery.signed_at(), None);
            }
            Err(rejection) => {
                assert_eq!(expected, "reject", "{name}: {rejection}");
                rejections.push(format!("{name}: {}", rejection.as_str()));
            }
        }
    }
    insta::assert_snapshot!(rejections.join("\n"), @r"
    unicode_escaped_body_with_raw_signature: wrong_signature
    trailing_newline_stripped: wrong_signature
    standard_base64_signature: malformed_signature
    hex_signature: malformed_signature
    prefixed_signature: malformed_signature
    non_canonical_trailing_bits: malformed_signature
    truncated_signature: malformed_signature
    empty_signature_header: missing_signature
    missing_signature_header: missing_signature
    garbage_signature_header: malformed_signature
    wrong_key: wrong_signature
    tampered_body: wrong_signature
    tampered_tenant: wrong_signature
    key_wrongly_base64_decoded: wrong_signature
    ");
}

#[test]
fn each_layout_accepts_only_its_own_signature() {
    let all = vectors(BAMBOOHR);
    let verdict = |name: &str| {
        let vector = all.iter().find(|v| v["name"] == name).unwrap();
        verify_bamboohr(vector, Layout::TimestampDotBody)
    };
    assert!(verdict("reject_seed001_layout_timestamp_dot_body").is_ok());
    assert_eq!(
        verdict("field_json_terminated_flat"),
        Err(Rejection::WrongSignature)
    );
}
