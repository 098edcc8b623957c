//! The parameters of libpq, and the use that Leaver makes of each.

use anyhow::{anyhow, bail};

/// The use of a parameter.
#[derive(Clone, Copy, Debug)]
pub(super) enum Use {
    /// It is applied.
    Applied,
    /// These values change nothing. Others are refused with advice.
    Only(&'static [&'static str], &'static str),
    /// It is refused with advice.
    Refused(&'static str),
}

use Use::{Applied, Only, Refused};

const NO_OPTIONS: &str =
    "remove it, since poolers refuse it, and run ALTER ROLE ... SET for settings of the role";
const NO_GSS: &str = "GSSAPI is not supported; remove it, and use SCRAM or a client certificate";
const NO_OAUTH: &str = "OAuth is not supported; remove it, and use SCRAM or a client certificate";
const NO_KEEPALIVES: &str =
    "remove it: the time limits of Leaver end a connection that does not respond";
const NO_REVOCATION: &str =
    "revocation lists are not read; remove it, and issue certificates of short life";

/// Each parameter, with sqlx's other names for it.
const PARAMETERS: &[(&[&str], Use)] = &[
    (&["host"], Applied),
    (&["hostaddr"], Applied),
    (&["port"], Applied),
    (&["dbname"], Applied),
    (&["user"], Applied),
    (&["password"], Applied),
    (&["sslmode", "ssl-mode"], Applied),
    (&["sslrootcert", "ssl-root-cert", "ssl-ca"], Applied),
    (&["sslcert", "ssl-cert"], Applied),
    (&["sslkey", "ssl-key"], Applied),
    (&["options"], Refused(NO_OPTIONS)),
    (&["application_name"], Applied),
    (&["fallback_application_name"], Applied),
    (&["statement-cache-capacity"], Applied),
    (&["target_session_attrs"], Applied),
    (&["connect_timeout"], Applied),
    (
        &["load_balance_hosts"],
        Only(&["disable"], "hosts are tried in order; remove it"),
    ),
    (
        &["client_encoding"],
        Only(
            &["UTF8", "UTF-8", "utf8", "utf-8", "auto"],
            "Leaver uses UTF8; remove it",
        ),
    ),
    (
        &["channel_binding"],
        Only(
            &["disable", "prefer"],
            "channel binding is not supported; remove it, and use sslmode=verify-full, which verifies the server by its certificate",
        ),
    ),
    (&["gssencmode"], Only(&["disable", "prefer"], NO_GSS)),
    (&["gssdelegation"], Only(&["0"], NO_GSS)),
    (&["krbsrvname"], Refused(NO_GSS)),
    (&["gsslib"], Refused(NO_GSS)),
    (&["oauth_issuer"], Refused(NO_OAUTH)),
    (&["oauth_client_id"], Refused(NO_OAUTH)),
    (&["oauth_client_secret"], Refused(NO_OAUTH)),
    (&["oauth_scope"], Refused(NO_OAUTH)),
    (
        &["sslpassword"],
        Refused(
            "encrypted client keys are not supported; decrypt the key with `openssl pkey -in client.key -out plain.key`, run `chmod 600 plain.key`, name it in `sslkey` and remove `sslpassword`",
        ),
    ),
    (
        &["service"],
        Refused("pg_service.conf is not read; write its parameters into `database.url`"),
    ),
    (
        &["servicefile"],
        Refused("pg_service.conf is not read; write its parameters into `database.url`"),
    ),
    (
        &["passfile"],
        Refused("set the variable PGPASSFILE instead, or read `database.url` from a file"),
    ),
    (&["keepalives"], Only(&["1"], NO_KEEPALIVES)),
    (&["keepalives_idle"], Refused(NO_KEEPALIVES)),
    (&["keepalives_interval"], Refused(NO_KEEPALIVES)),
    (&["keepalives_count"], Refused(NO_KEEPALIVES)),
    (&["tcp_user_timeout"], Refused(NO_KEEPALIVES)),
    (&["sslcrl"], Refused(NO_REVOCATION)),
    (&["sslcrldir"], Refused(NO_REVOCATION)),
    (
        &["sslcompression"],
        Only(&["0"], "TLS compression is not supported; remove it"),
    ),
    (
        &["sslsni"],
        Only(&["1"], "the host name is always sent; remove it"),
    ),
    (
        &["sslnegotiation"],
        Only(&["postgres"], "direct TLS is not supported; remove it"),
    ),
    (
        &["sslcertmode"],
        Only(
            &["allow"],
            "a certificate is sent if `sslcert` is set; remove it",
        ),
    ),
    (
        &["ssl_min_protocol_version"],
        Only(
            &["TLSv1", "TLSv1.1", "TLSv1.2"],
            "TLS 1.2 and 1.3 are used; set the lowest version in the server (`ssl_min_protocol_version`)",
        ),
    ),
    (
        &["ssl_max_protocol_version"],
        Only(&["TLSv1.3"], "TLS 1.2 and 1.3 are used; remove it"),
    ),
    (
        &["min_protocol_version"],
        Only(&["3.0"], "version 3.0 of the protocol is used; remove it"),
    ),
    (
        &["max_protocol_version"],
        Only(
            &["3.0", "3.2", "latest"],
            "version 3.0 of the protocol is used; remove it",
        ),
    ),
    (
        &["require_auth"],
        Refused("remove it: without verified TLS the password is used for SCRAM only"),
    ),
    (
        &["requirepeer"],
        Refused("remove it: on a socket the password is used for SCRAM only"),
    ),
    (
        &["replication"],
        Only(
            &["false", "off", "no", "0"],
            "Leaver does not replicate; remove it",
        ),
    ),
    (
        &["sslkeylogfile"],
        Refused("keys of connections are never written down; remove it"),
    ),
    (
        &["scram_client_key"],
        Refused("remove it, and set `password`"),
    ),
    (
        &["scram_server_key"],
        Refused("remove it, and set `password`"),
    ),
];

/// Returns the name of libpq for a parameter that is applied; `None` if it changes nothing. `after` is the name of the
/// parameter before it.
///
/// # Errors
/// Returns an error that names the parameter, and not its value. A text that may be a part of a password is not named.
pub(super) fn applied(
    name: &str,
    value: &str,
    after: &str,
) -> anyhow::Result<Option<&'static str>> {
    let found = PARAMETERS.iter().find(|(names, _)| names.contains(&name));
    let Some((names, usage)) = found else {
        if after == "password" {
            bail!(
                "database.url: an unknown parameter follows `password`; remove it, or quote the password: spaces in single quotes, or an `&` as %26"
            );
        }
        bail!("database.url: unknown parameter `{name}`; remove it");
    };
    match usage {
        _ if value.is_empty() => Ok(None),
        Applied => Ok(names.first().copied()),
        Only(values, _) if values.contains(&value) => Ok(None),
        Only(_, advice) => Err(anyhow!(
            "database.url: the parameter `{name}` has a value that is not supported; {advice}"
        )),
        Refused(advice) => Err(anyhow!(
            "database.url: the parameter `{name}` is not supported; {advice}"
        )),
    }
}
