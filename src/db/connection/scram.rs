//! The client's side of SCRAM-SHA-256 (RFC 5802, RFC 7677), with proof that the server has the password.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

/// Fewer iterations make a password easy to guess from what the client sends (RFC 7677: at least 4096).
const MIN_ITERATIONS: u32 = 4_096;
/// More would keep the processor busy for minutes.
const MAX_ITERATIONS: u32 = 1_000_000;

/// An exchange whose first message was sent.
pub(super) struct Exchange {
    /// Empty, since Postgres takes the user from the start-up packet.
    user: &'static str,
    nonce: String,
}

/// The last message of the client, and the signature with which the server must answer.
pub(super) struct Final {
    pub(super) message: String,
    signature: [u8; 32],
}

impl Exchange {
    /// Starts an exchange with a random nonce.
    pub(super) fn new() -> Self {
        let half = || uuid::Uuid::new_v4().simple();
        Self {
            user: "",
            nonce: format!("{}{}", half(), half()),
        }
    }

    /// Returns the first message.
    pub(super) fn first_message(&self) -> String {
        format!("n,,{}", self.first_bare())
    }

    fn first_bare(&self) -> String {
        format!("n={},r={}", self.user, self.nonce)
    }

    /// Answers the first message of the server. Returns `None` if it is malformed or asks for too few or too many iterations.
    pub(super) fn answer(&self, server_first: &str, password: &str) -> Option<Final> {
        let mut parts = server_first.split(',');
        let nonce = parts.next()?.strip_prefix("r=")?;
        let salt = STANDARD.decode(parts.next()?.strip_prefix("s=")?).ok()?;
        let iterations: u32 = parts.next()?.strip_prefix("i=")?.parse().ok()?;
        let is_fresh = nonce.len() > self.nonce.len() && nonce.starts_with(&self.nonce);
        if !is_fresh || !(MIN_ITERATIONS..=MAX_ITERATIONS).contains(&iterations) {
            return None;
        }
        // Postgres uses a password that SASLprep does not accept as it is.
        let prepared = stringprep::saslprep(password).unwrap_or(password.into());
        let salted = salted_password(prepared.as_bytes(), &salt, iterations)?;
        let without_proof = format!("c=biws,r={nonce}");
        let message = format!("{},{server_first},{without_proof}", self.first_bare());
        let client_key = hmac(&salted, b"Client Key")?;
        let client_signature = hmac(&Sha256::digest(client_key), message.as_bytes())?;
        let proof: Vec<u8> = client_key
            .iter()
            .zip(client_signature)
            .map(|(a, b)| a ^ b)
            .collect();
        Some(Final {
            message: format!("{without_proof},p={}", STANDARD.encode(proof)),
            signature: hmac(&hmac(&salted, b"Server Key")?, message.as_bytes())?,
        })
    }
}

impl Final {
    /// Returns true if the last message of the server proves that it has the password.
    pub(super) fn is_proven_by(&self, server_final: &str) -> bool {
        let signature = server_final
            .strip_prefix("v=")
            .and_then(|text| STANDARD.decode(text).ok());
        signature.is_some_and(|signature| {
            subtle::ConstantTimeEq::ct_eq(&signature[..], &self.signature[..]).into()
        })
    }
}

fn salted_password(password: &[u8], salt: &[u8], iterations: u32) -> Option<[u8; 32]> {
    let keyed = Hmac::<Sha256>::new_from_slice(password).ok()?;
    let mut first = keyed.clone();
    first.update(salt);
    first.update(&1_u32.to_be_bytes());
    let mut block = first.finalize().into_bytes();
    let mut salted: [u8; 32] = block.into();
    for _ in 1..iterations {
        let mut next = keyed.clone();
        next.update(&block);
        block = next.finalize().into_bytes();
        for (sum, byte) in salted.iter_mut().zip(block) {
            *sum ^= byte;
        }
    }
    Some(salted)
}

fn hmac(key: &[u8], message: &[u8]) -> Option<[u8; 32]> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).ok()?;
    mac.update(message);
    Some(mac.finalize().into_bytes().into())
}

#[cfg(test)]
#[expect(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up should fail"
)]
mod tests {
    use super::Exchange;

    /// The example of RFC 7677, section 3.
    #[test]
    fn both_proofs_are_those_of_the_rfc() {
        let exchange = Exchange {
            user: "user",
            nonce: "rOprNGfwEbeRWgbNEkqO".to_owned(),
        };
        let server_first = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
        let answer = exchange.answer(server_first, "pencil").unwrap();
        assert_eq!(
            answer.message,
            "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
        );
        assert!(answer.is_proven_by("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="));
        assert!(!answer.is_proven_by("v=7rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="));
        assert!(!answer.is_proven_by("e=invalid-proof"));
    }

    #[test]
    fn a_server_that_makes_guessing_easy_gets_no_proof() {
        let exchange = Exchange::new();
        let nonce = &exchange.nonce;
        for first in [
            format!("r={nonce}x,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=1"),
            format!("r={nonce}x,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4294967295"),
            format!("r={nonce},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"),
            "r=another,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096".to_owned(),
            format!("r={nonce}x,s=?,i=4096"),
            String::new(),
        ] {
            assert!(exchange.answer(&first, "pencil").is_none(), "{first}");
        }
    }
}
