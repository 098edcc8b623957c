//! Files for TLS. What is wrong with one is reported at start, not at each connection.

use std::fs;
use std::os::unix::fs::MetadataExt;

use anyhow::{Context, bail, ensure};

use super::Parameters;

/// Permission bits that a key may not have: those of all others, and of the group unless root owns it. psql has the same rule.
const OTHERS: u32 = 0o077;
const OTHERS_OF_ROOT: u32 = 0o037;

/// Checks the files that the parameters name.
///
/// # Errors
/// Returns an error that names the parameter and the file, and what to do.
pub(super) fn check(parameters: &Parameters) -> anyhow::Result<()> {
    let has = |name| parameters.contains_key(name);
    ensure!(
        has("sslcert") == has("sslkey"),
        "database.url: only one of `sslcert` and `sslkey` is set; set both"
    );
    for name in ["sslrootcert", "sslcert"] {
        if let Some(path) = parameters.get(name) {
            check_certificate(name, path)?;
        }
    }
    match parameters.get("sslkey") {
        Some(path) => check_key(path),
        None => Ok(()),
    }
}

/// Returns the PEM text of a parameter, which is a path or the text itself.
fn text(name: &str, value: &str) -> anyhow::Result<String> {
    if is_inline(value) {
        return Ok(value.to_owned());
    }
    let bytes = fs::read(value).with_context(|| {
        format!("database.url: cannot read the file {value} of `{name}`; check the path and its permissions")
    })?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn is_inline(value: &str) -> bool {
    value.trim_start().starts_with("-----BEGIN")
}

fn shown(value: &str) -> &str {
    if is_inline(value) { "the text" } else { value }
}

fn check_certificate(name: &str, value: &str) -> anyhow::Result<()> {
    let text = text(name, value)?;
    ensure!(
        text.contains("-----BEGIN CERTIFICATE-----"),
        "database.url: {} of `{name}` has no PEM certificate (BEGIN CERTIFICATE); convert it with `openssl x509 -in FILE -out FILE.pem`",
        shown(value)
    );
    Ok(())
}

fn check_key(value: &str) -> anyhow::Result<()> {
    let text = text("sslkey", value)?;
    if text.contains("BEGIN ENCRYPTED PRIVATE KEY") || text.contains("Proc-Type: 4,ENCRYPTED") {
        bail!(
            "database.url: the key {} of `sslkey` is encrypted, which is not supported; decrypt it with `openssl pkey -in FILE -out plain.key`, run `chmod 600 plain.key`, and name that file",
            shown(value)
        );
    }
    ensure!(
        text.contains("PRIVATE KEY-----"),
        "database.url: {} of `sslkey` has no PEM private key; convert it with `openssl pkey -in FILE -out FILE.pem`",
        shown(value)
    );
    if is_inline(value) {
        return Ok(());
    }
    let metadata = fs::metadata(value)
        .with_context(|| format!("database.url: cannot read the file {value} of `sslkey`"))?;
    let forbidden = if metadata.uid() == 0 {
        OTHERS_OF_ROOT
    } else {
        OTHERS
    };
    ensure!(
        metadata.mode() & forbidden == 0,
        "database.url: others may read the key {value} of `sslkey`; run `chmod 600 {value}` (640 if root owns it)"
    );
    Ok(())
}
