//! Keeps the password from a server that is not the operator's.
//!
//! sqlx answers each request of a server: in clear text, or with an md5 hash that stands for the password. TLS with a verified
//! certificate proves first who the server is. Without TLS, on this machine, any user can listen on the port of a server that
//! is down. So a probe of ours connects before sqlx does. Only a server that proves by SCRAM that it has the password is
//! connected to with the password. A server that needs none is connected to without it.

use std::io;
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use tokio::time::timeout;

use super::probe::{Answer, probe};
use super::protection::{Protection, password};

/// Time limit for the probe.
const PROBE_TIMEOUT: Duration = Duration::from_secs(5);

/// Returns the options without the password.
fn without_password(options: &PgConnectOptions) -> PgConnectOptions {
    options.clone().password("")
}

/// Returns the options with which the server may be connected to now.
///
/// # Errors
/// Returns an I/O error if the server cannot be reached, or asks for the password in a way that is not allowed.
pub(crate) async fn checked(options: &PgConnectOptions) -> Result<PgConnectOptions, sqlx::Error> {
    if Protection::of(options) != Protection::Local {
        return Ok(options.clone());
    }
    let Some(password) = password(options) else {
        return Ok(options.clone());
    };
    let answer = timeout(PROBE_TIMEOUT, probe(options, &password))
        .await
        .map_err(|_| io::Error::new(io::ErrorKind::TimedOut, "no response in time"))??;
    match answer {
        Answer::HasPassword => Ok(options.clone()),
        Answer::NeedsNoPassword => Ok(without_password(options)),
        Answer::Wants(method) => Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            format!(
                "the server asks for the password {method}, and nothing verifies that it is yours; set the password again under `password_encryption = 'scram-sha-256'` and use that method in pg_hba.conf (PgBouncer: `auth_type`), use sslmode=verify-full, or set `database.tls` = \"unverified\""
            ),
        )
        .into()),
    }
}
