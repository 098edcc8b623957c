//! Vectors of the specification's own libraries, and keys that are refused.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{InvalidKey, SigningKey, sign_text};

const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
const SECONDS: i64 = 1_614_265_330;
const BODY: &[u8] = br#"{"test": 2432232314}"#;
const SYMMETRIC: (&str, &str) = (
    "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
);
const ASYMMETRIC: (&str, &str) = (
    "whsk_VEVTVFNJR05JTkdLRVlET05PVFVTRVRISVNGT1JBTlk=",
    "v1a,tQ9V2XOqn7jL/DQenEFpqIugdBVtiMmER5mhSkXBNwM0mkATuDe6KYYUuxqtaiHeYGb7KaaBRdM5WqyeFiL8Ag==",
);

fn key(text: &str) -> SigningKey {
    SigningKey::parse(&text.into()).unwrap()
}

fn refusal(text: &str) -> InvalidKey {
    SigningKey::parse(&text.into()).unwrap_err()
}

fn signature(keys: &[SigningKey]) -> String {
    sign_text(keys, ID.to_owned(), SECONDS, BODY).signature
}

#[test]
fn signatures_are_those_of_the_specification() {
    for (secret, expected) in [SYMMETRIC, ASYMMETRIC] {
        assert_eq!(signature(&[key(secret)]), expected);
    }
}

#[test]
fn each_key_makes_a_signature_in_order() {
    let keys = [key(ASYMMETRIC.0), key(SYMMETRIC.0)];
    assert_eq!(
        signature(&keys),
        format!("{} {}", ASYMMETRIC.1, SYMMETRIC.1)
    );
}

#[test]
fn an_asymmetric_key_may_have_its_public_half() {
    let seed = STANDARD
        .decode(ASYMMETRIC.0.trim_start_matches("whsk_"))
        .unwrap();
    let public = key(ASYMMETRIC.0).public_key().unwrap();
    let public = STANDARD.decode(public.trim_start_matches("whpk_")).unwrap();
    let pair = |halves: [&[u8]; 2]| format!("whsk_{}", STANDARD.encode(halves.concat()));
    assert_eq!(signature(&[key(&pair([&seed, &public]))]), ASYMMETRIC.1);
    assert_eq!(refusal(&pair([&public, &seed])), InvalidKey::Mismatch);
}

#[test]
fn a_text_that_is_no_key_is_refused() {
    let of = |prefix: &str, bytes: usize| format!("{prefix}{}", STANDARD.encode(vec![7; bytes]));
    for bytes in [0, 1, 23, 65, 100] {
        assert_eq!(
            refusal(&of("whsec_", bytes)),
            InvalidKey::SymmetricLength(bytes)
        );
    }
    for bytes in [24, 64] {
        key(&of("whsec_", bytes));
    }
    for bytes in [0, 31, 33, 63, 65] {
        assert_eq!(
            refusal(&of("whsk_", bytes)),
            InvalidKey::AsymmetricLength(bytes)
        );
    }
    assert_eq!(refusal(&of("whpk_", 32)), InvalidKey::Public);
    for text in [
        "",
        "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "WHSEC_MfKQ",
        "whsec",
    ] {
        assert_eq!(refusal(text), InvalidKey::Prefix, "{text}");
    }
    for rest in ["!", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS", "MfKQ 9r8G"] {
        let text = format!("whsec_{rest}");
        assert_eq!(refusal(&text), InvalidKey::NotBase64("whsec_"), "{text}");
    }
}

#[test]
fn debug_output_hides_a_key() {
    for (secret, _) in [SYMMETRIC, ASYMMETRIC] {
        assert_eq!(format!("{:?}", key(secret)), "SigningKey(redacted)");
    }
}
