//! Webhooks of events: signatures that the libraries of Standard Webhooks verify, a test on request, and kills at random.

mod kills;
mod libraries;
mod send_test;
mod speed;
mod verifiers;

/// Two keys of one destination.
const KEYS: [&str; 2] = [
    "whsec_Qm9udXMgb2YgdGhlIGV2ZW50IGJ1cywgbm8uIDE=",
    "whsec_U2Vjb25kIGtleSBvZiB0aGUgZXZlbnQgYnVzLCAy",
];

/// Returns the section of the destination `bus` with this URL and these lines.
fn bus(url: &str, lines: &str) -> String {
    format!(
        "[[destinations]]\nname = \"bus\"\nkind = \"webhook\"\nurl = \"{url}/leaver\"\nevents = [\"account.*\"]\n{lines}\n"
    )
}
