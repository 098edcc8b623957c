//! The URL of the database, and the protection of the connection.

use std::net::IpAddr;
use std::str::FromStr;

use anyhow::{anyhow, bail, ensure};
use sqlx::postgres::{PgConnectOptions, PgSslMode};

use crate::config::DatabaseTls;
use crate::db::connection::protection::is_socket;

/// The parameters of a URL. sqlx would log any other one with its value, which may be a password.
const PARAMETERS: [&str; 19] = [
    "sslmode",
    "ssl-mode",
    "sslrootcert",
    "ssl-root-cert",
    "ssl-ca",
    "sslcert",
    "ssl-cert",
    "sslkey",
    "ssl-key",
    "statement-cache-capacity",
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "password",
    "application_name",
    "options",
    "options[",
];

const NO_URL: &str = "database.url: not a Postgres URL; it should look like postgres://user:password@host:5432/database";

const WITH_OPTIONS: &str = "database.url: `options` (or the variable PGOPTIONS) is not supported, since poolers refuse it; remove it, and run ALTER ROLE ... SET for settings of the role";

/// Parses a URL and decides how the connection is protected. The decision is kept in the TLS mode: see
/// [`Protection`](crate::db::connection::protection::Protection).
///
/// # Errors
/// Returns an error for a URL that is not one of Postgres, for an unknown parameter, and for a mode that does not verify the
/// server although `tls` asks for it. No error quotes a value of the URL except the host.
pub(super) fn parse(url: &str, tls: DatabaseTls) -> anyhow::Result<PgConnectOptions> {
    let parameters = parameters(url)?;
    // The parser accepts any scheme, and its error may quote the URL, which holds a password.
    let schemes = ["postgres://", "postgresql://"];
    let is_postgres = schemes.iter().any(|scheme| url.starts_with(scheme));
    ensure!(is_postgres, NO_URL);
    let options = PgConnectOptions::from_str(url).map_err(|_| anyhow!(NO_URL))?;
    let options = without_brackets(options);
    ensure!(options.get_options().is_none(), WITH_OPTIONS);
    let has = |names: &[&str]| parameters.iter().any(|name| names.contains(&name.as_str()));
    let has_mode = has(&["sslmode", "ssl-mode"]);
    let has_certificates = has(&[
        "sslrootcert",
        "ssl-root-cert",
        "ssl-ca",
        "sslcert",
        "ssl-cert",
    ]);
    let mode = mode(&options, tls, has_mode, has_certificates)?;
    Ok(options.ssl_mode(mode))
}

/// Returns the names of the parameters.
fn parameters(url: &str) -> anyhow::Result<Vec<String>> {
    let query = url.split_once('?').map_or("", |(_, query)| query);
    let query = query.split('#').next().unwrap_or_default();
    let mut names = vec![];
    for (name, _) in form_urlencoded::parse(query.as_bytes()) {
        let bare = match name.split_once('[') {
            Some((before, _)) => format!("{before}["),
            None => name.to_string(),
        };
        if !PARAMETERS.contains(&bare.as_str()) {
            bail!("database.url: unknown parameter `{bare}`; remove it");
        }
        names.push(bare);
    }
    Ok(names)
}

/// Removes the brackets of an IPv6 address, with which neither a connection nor a certificate would work.
fn without_brackets(options: PgConnectOptions) -> PgConnectOptions {
    let host = options.get_host();
    let inner = host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    match inner.map(str::to_owned) {
        Some(inner) => options.host(&inner),
        None => options,
    }
}

fn mode(
    options: &PgConnectOptions,
    tls: DatabaseTls,
    has_mode: bool,
    has_certificates: bool,
) -> anyhow::Result<PgSslMode> {
    let given = options.get_ssl_mode();
    if tls == DatabaseTls::Unverified {
        // Both are without TLS, but `disable` stands for a local connection, on which the password is guarded.
        return Ok(match given {
            PgSslMode::Disable => PgSslMode::Allow,
            _ if is_socket(options) => PgSslMode::Allow,
            other => other,
        });
    }
    if is_socket(options) {
        return Ok(PgSslMode::Disable);
    }
    // sqlx takes `PGSSLMODE` for a URL without a mode, and `prefer` without both.
    let is_default = matches!(given, PgSslMode::Prefer) && !has_mode;
    let is_local = is_loopback(options.get_host());
    match given {
        PgSslMode::VerifyFull => Ok(PgSslMode::VerifyFull),
        _ if is_default && (!is_local || has_certificates) => Ok(PgSslMode::VerifyFull),
        PgSslMode::Disable | PgSslMode::Allow | PgSslMode::Prefer if is_local => {
            Ok(PgSslMode::Disable)
        }
        _ => bail!(
            "database.url: `sslmode={}`{} does not verify that {} is your server; use sslmode=verify-full, with sslrootcert=PATH for a CA of your own, or set `database.tls` = \"unverified\" to send the password to any server that answers",
            name(given),
            if has_mode { "" } else { " (PGSSLMODE)" },
            options.get_host()
        ),
    }
}

/// Returns true for an address of this machine. Other names may resolve to one, but who answers for a name can change.
fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

fn name(mode: PgSslMode) -> &'static str {
    match mode {
        PgSslMode::Disable => "disable",
        PgSslMode::Allow => "allow",
        PgSslMode::Prefer => "prefer",
        PgSslMode::Require => "require",
        PgSslMode::VerifyCa => "verify-ca",
        PgSslMode::VerifyFull => "verify-full",
    }
}

#[cfg(test)]
#[expect(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up should fail"
)]
mod tests;
