//! Which secrets are refused because others know or guess them. The lists of known examples are here and nowhere else.

use std::collections::BTreeSet;

use secrecy::{ExposeSecret, SecretString};

/// Fewest bytes of a webhook key, without white space at its ends.
const MIN_KEY_BYTES: usize = 16;

/// Fewest different characters of a key without a remark. A random key of 32 hex digits has fewer with a chance of 10^-16.
const MIN_DISTINCT_CHARS: usize = 5;

/// Published examples and usual placeholders, in lower case and without punctuation.
const EXAMPLES: [&str; 36] = [
    // The default of compose.yaml until November 2026.
    "onlyfortryingitout",
    "0123456789abcdef",
    "0123456789abcdef0123456789abcdef",
    "00112233445566778899aabbccddeeff",
    "1234567890123456",
    "12345678901234567890123456789012",
    "abcdefghijklmnop",
    "abcdefghijklmnopqrstuvwxyz",
    "bamboohrwebhooksecret",
    "deadbeefdeadbeef",
    "deadbeefdeadbeefdeadbeefdeadbeef",
    "dummywebhooksecret",
    "exampleprivatekey",
    "examplesignaturekey",
    "examplewebhookkey",
    "examplewebhooksecret",
    "leaveradmintoken",
    "leaverwebhooksecret",
    "mergesignaturekey",
    "mergewebhooksecret",
    "mysecretkey12345",
    "mysupersecretkey",
    "mywebhooksecret1",
    "notasecretnotasecret",
    "passwordpassword",
    "secretsecretsecret",
    "supersecretkey123",
    "supersecretwebhookkey",
    "testtesttesttest",
    "testwebhooksecret",
    "thisisanexamplekey",
    "thisisasecretkey",
    "topsecrettopsecret",
    "webhooksecretkey",
    "webhooksigningkey",
    "webhooksigningsecret",
];

/// Parts by which a placeholder is recognised, written in the same way.
const PLACEHOLDERS: [&str; 12] = [
    "changeme",
    "changethis",
    "replaceme",
    "replacethis",
    "replacewith",
    "insertyour",
    "putyour",
    "pasteyour",
    "youradmintoken",
    "yoursecret",
    "yoursignaturekey",
    "yourwebhook",
];

/// Keys of the test vectors and of the load test. They are published too, but vectors are replayed against real services.
const OF_TESTS: [&str; 6] = [
    "5f0c9a3e7b1d42868e94c0d7a2f63b15",
    "c81e4b72f09d4a36b5d2e7980a1f6c43",
    "bhr-test-key_not/hex+but=fine ~ 42",
    "example-merge-signature-key-A",
    "bG9va3MtbGlrZS1iYXNlNjQtYnV0LWlzLW5vdA==",
    "load-load-load-load-load-load-32",
];

/// Why a secret is not safe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum WeakSecret {
    /// It has nothing but white space.
    #[error("the secret is blank, and anyone can sign with a blank key; set one")]
    Blank,
    /// It is shorter than [`MIN_KEY_BYTES`].
    #[error(
        "the secret has fewer than {MIN_KEY_BYTES} bytes and could be guessed; use the key that the provider generated, or make one with `openssl rand -hex 32`"
    )]
    TooShort,
    /// It is in one of the lists.
    #[error(
        "the secret is a published example, which others know too; use the key that the provider generated, or make one with `openssl rand -hex 32`"
    )]
    Example,
}

/// Checks a webhook key.
pub(super) fn check_webhook_key(secret: &SecretString) -> Result<(), WeakSecret> {
    check_not_blank(secret)?;
    if visible(secret).len() < MIN_KEY_BYTES {
        return Err(WeakSecret::TooShort);
    }
    check_not_example(secret)
}

/// Checks the key of hashes.
pub(super) fn check_hash_key(secret: &SecretString) -> Result<(), String> {
    match check_webhook_key(secret) {
        Ok(()) => Ok(()),
        Err(WeakSecret::Blank) => Err("the key is blank; make one with `openssl rand -hex 32`".to_owned()),
        Err(WeakSecret::TooShort) => Err(format!(
            "the key has fewer than {MIN_KEY_BYTES} bytes and could be guessed; make one with `openssl rand -hex 32`"
        )),
        Err(WeakSecret::Example) => Err(
            "the key is a published example, which others know too; make one with `openssl rand -hex 32`".to_owned(),
        ),
    }
}

/// Fails if the secret has nothing but white space and invisible characters.
pub(super) fn check_not_blank(secret: &SecretString) -> Result<(), WeakSecret> {
    if visible(secret).is_empty() {
        return Err(WeakSecret::Blank);
    }
    Ok(())
}

/// Fails if the secret is a known example.
pub(super) fn check_not_example(secret: &SecretString) -> Result<(), WeakSecret> {
    let letters = visible(secret).chars().filter(|c| c.is_alphanumeric());
    let plain: String = letters.flat_map(char::to_lowercase).collect();
    let is_placeholder = PLACEHOLDERS.iter().any(|part| plain.contains(part));
    if is_placeholder || EXAMPLES.contains(&plain.as_str()) {
        return Err(WeakSecret::Example);
    }
    Ok(())
}

/// Returns whether the secret is published with the tests of this project.
pub(super) fn is_of_tests(secret: &SecretString) -> bool {
    OF_TESTS.contains(&visible(secret))
}

/// Returns whether the secret repeats so few characters that it could be guessed.
pub(super) fn is_repetitive(secret: &SecretString) -> bool {
    let distinct: BTreeSet<char> = visible(secret).chars().collect();
    distinct.len() < MIN_DISTINCT_CHARS
}

/// Returns the secret without white space and invisible characters at its ends.
pub(super) fn visible(secret: &SecretString) -> &str {
    secret.expose_secret().trim_matches(is_invisible)
}

/// White space, control characters, and characters of no width.
fn is_invisible(c: char) -> bool {
    c.is_whitespace()
        || c.is_control()
        || matches!(c, '\u{AD}' | '\u{200B}'..='\u{200F}' | '\u{2060}'..='\u{2064}' | '\u{FEFF}')
}
