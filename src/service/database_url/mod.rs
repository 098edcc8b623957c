//! The servers of `database.url`, and the protection of the connection to each.

mod files;
mod parameters;
mod written;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;

use anyhow::{anyhow, bail, ensure};
use sqlx::postgres::{PgConnectOptions, PgSslMode};

use crate::config::DatabaseTls;
use crate::db::connection::Servers;
use crate::db::connection::protection::is_socket;

const NO_URL: &str = "database.url: not a Postgres URL; it should look like postgres://user:password@host:5432/database, or like host=... port=5432 dbname=... user=... password=...";

/// Names of the parameters that sqlx applies.
const PASSED: [&str; 8] = [
    "dbname",
    "user",
    "password",
    "sslmode",
    "sslrootcert",
    "sslcert",
    "sslkey",
    "statement-cache-capacity",
];

const WITH_OPTIONS: &str = "database.url: the variable PGOPTIONS is set; unset it, since poolers refuse such settings, and run ALTER ROLE ... SET for settings of the role";

type Parameters = BTreeMap<&'static str, String>;

/// Parses a URL or a `key=value` string and decides how the connection to each server is protected. The decision is kept in
/// the TLS mode: see [`Protection`](crate::db::connection::protection::Protection).
///
/// # Errors
/// Returns an error for a text that is neither, for an unknown parameter, for a file that cannot be used, and for a mode that
/// does not verify a server although `tls` asks for it. No error quotes a value except hosts and paths.
pub(super) fn parse(text: &str, tls: DatabaseTls) -> anyhow::Result<Servers> {
    let mut parameters = parameters(text)?;
    let has_mode = parameters.contains_key("sslmode");
    let has_certificates =
        parameters.contains_key("sslrootcert") || parameters.contains_key("sslcert");
    // Since libpq 16: the CAs that come with the client, not a file.
    if parameters
        .get("sslrootcert")
        .is_some_and(|value| value == "system")
    {
        parameters.remove("sslrootcert");
    }
    let mut servers = vec![];
    for (host, port) in addresses(&parameters)? {
        let options = options(&parameters, host.as_deref(), port)?;
        let mode = mode(&options, tls, has_mode, has_certificates)?;
        servers.push(options.ssl_mode(mode));
    }
    let uses_tls = servers
        .iter()
        .any(|server| !matches!(server.get_ssl_mode(), PgSslMode::Disable | PgSslMode::Allow));
    if uses_tls {
        files::check(&parameters)?;
    }
    let must_write = must_write(&parameters, servers.len())?;
    Ok(Servers::new(servers, must_write, limit(&parameters)?))
}

/// Returns the parameters that are applied. The last value of each counts.
fn parameters(text: &str) -> anyhow::Result<Parameters> {
    let mut found = Parameters::new();
    let mut before = String::new();
    for (name, value) in written::read(text)? {
        if let Some(known) = parameters::applied(&name, &value, &before)? {
            found.insert(known, value);
        }
        before = name;
    }
    Ok(found)
}

/// Returns the host and the port of each server; `None` where the default applies.
fn addresses(parameters: &Parameters) -> anyhow::Result<Vec<(Option<String>, Option<u16>)>> {
    let list = |name: &str| -> Vec<&str> {
        let values = parameters.get(name).map(|value| value.split(','));
        values.into_iter().flatten().map(str::trim).collect()
    };
    let (hosts, addresses, ports) = (list("host"), list("hostaddr"), list("port"));
    ensure!(
        hosts.is_empty() || addresses.is_empty() || hosts.len() == addresses.len(),
        "database.url: `hostaddr` and `host` differ in length; give each host one address"
    );
    let count = hosts.len().max(addresses.len()).max(1);
    ensure!(
        ports.len() <= 1 || ports.len() == count,
        "database.url: `port` and `host` differ in length; give each host one port, or one port for all"
    );
    let mut servers = vec![];
    for position in 0..count {
        let address = addresses.get(position).filter(|text| !text.is_empty());
        // Without brackets: with them neither a connection nor a certificate would work.
        let host = hosts.get(position).map(|host| {
            let inner = host
                .strip_prefix('[')
                .and_then(|rest| rest.strip_suffix(']'));
            inner.unwrap_or(host)
        });
        if let Some(address) = address {
            ensure!(address.parse::<IpAddr>().is_ok(), NO_URL);
        }
        let host = address.copied().or(host);
        ensure!(
            host != Some("") || count == 1,
            "database.url: a host of the list is empty; remove the comma or name the host"
        );
        ensure!(
            host.is_none_or(|host| !host.starts_with('@')),
            "database.url: abstract sockets are not supported; name the folder of a socket, or a host"
        );
        let port = ports.get(if ports.len() == 1 { 0 } else { position });
        let port = match port.filter(|port| !port.is_empty()) {
            None => None,
            Some(port) => Some(port.parse().ok().filter(|port| *port > 0).ok_or_else(|| {
                anyhow!(
                    "database.url: a port is not a number from 1 to 65535; write a `/` or `:` in a password as %2F or %3A"
                )
            })?),
        };
        servers.push((host.map(str::to_owned), port));
    }
    Ok(servers)
}

/// Returns the options of one server. sqlx fills in what is missing, from the variables of libpq and its password file.
fn options(
    parameters: &Parameters,
    host: Option<&str>,
    port: Option<u16>,
) -> anyhow::Result<PgConnectOptions> {
    let mut query = form_urlencoded::Serializer::new(String::new());
    for name in PASSED {
        if let Some(value) = parameters.get(name) {
            query.append_pair(name, value);
        }
    }
    let own = parameters.get("application_name");
    if let Some(name) = own.or_else(|| parameters.get("fallback_application_name")) {
        query.append_pair("application_name", name);
    }
    if let Some(host) = host {
        query.append_pair("host", host);
    }
    if let Some(port) = port {
        query.append_pair("port", &port.to_string());
    }
    // The error may quote the text, which holds a password.
    let options = PgConnectOptions::from_str(&format!("postgres:///?{}", query.finish()))
        .map_err(|_| anyhow!(NO_URL))?;
    ensure!(options.get_options().is_none(), WITH_OPTIONS);
    ensure!(
        host.is_some() || !options.get_host().contains(','),
        "database.url: PGHOST or PGHOSTADDR lists several hosts; write them into `database.url`"
    );
    Ok(options)
}

/// Returns true if servers that accept no writes are skipped.
fn must_write(parameters: &Parameters, servers: usize) -> anyhow::Result<bool> {
    match parameters.get("target_session_attrs").map(String::as_str) {
        None => Ok(servers > 1),
        Some("any") => Ok(false),
        Some("read-write" | "primary") => Ok(true),
        Some(_) => bail!(
            "database.url: `target_session_attrs` has a value that is not supported; Leaver writes, so set it to read-write, primary or any"
        ),
    }
}

/// Returns the time limit for one server.
fn limit(parameters: &Parameters) -> anyhow::Result<Option<Duration>> {
    let Some(value) = parameters.get("connect_timeout") else {
        return Ok(None);
    };
    let Ok(seconds) = value.trim().parse::<i32>() else {
        bail!("database.url: `connect_timeout` is not a whole number; set it to seconds");
    };
    let seconds = u64::try_from(seconds).unwrap_or(0);
    Ok((seconds > 0).then(|| Duration::from_secs(seconds)))
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
